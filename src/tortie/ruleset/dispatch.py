"""Which endpoint stands behind each interface.

Two workload endpoints may claim one interface for a while (a workload that is made anew before its old endpoint is gone); the
lower rank has it, and the other one when that is gone. Host endpoints are matched to interfaces by ``hostinterfaces``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

import msgspec

from tortie.calc.hoststate import (
    EndpointId,
    HostEndpointUpdate,
    HostHostEndpoint,
    HostWorkloadEndpoint,
    TierPolicies,
    WorkloadEndpointUpdate,
)
from tortie.calc.listing import Listing
from tortie.net import Address
from tortie.ruleset.classes import WILDCARD, ClassContent
from tortie.ruleset.contents import Contents
from tortie.ruleset.hostinterfaces import standing
from tortie.ruleset.places import HOST_PLACES, Kind, Place


class Touched(NamedTuple):
    """Interfaces, and who has each now; None: nobody."""

    all: dict[str, HostWorkloadEndpoint | None]
    links: dict[str, HostWorkloadEndpoint | None]
    """Those of which more may have changed than the policy that governs them."""


class Dispatcher:
    """The workload endpoints of the host, by the interface that they claim."""

    def __init__(self) -> None:
        self._endpoints: dict[EndpointId, HostWorkloadEndpoint] = {}
        self._claims = Listing[str, EndpointId]()
        self._listing = Listing[str, EndpointId]()
        self._dirty: set[str] = set()
        self._relinked: set[str] = set()
        """The interfaces of which more than policy has changed."""

    def __contains__(self, ifname: str) -> bool:
        """Whether a workload claims the interface."""
        return bool(self._claims.of(ifname))

    def set_endpoint(self, endpoint_id: EndpointId, endpoint: HostWorkloadEndpoint | None) -> None:
        """What the endpoint is now; None: it is gone."""
        before = self._endpoints.pop(endpoint_id, None)
        if before is not None:
            self._relinked.add(before.ifname)
            self._claims.discard(endpoint_id, (before.ifname,))
            self._listing.discard(endpoint_id, before.profiles)
        if endpoint is not None:
            self._endpoints[endpoint_id] = endpoint
            self._relinked.add(endpoint.ifname)
            self._claims.add(endpoint_id, (endpoint.ifname,))
            self._listing.add(endpoint_id, endpoint.profiles)

    def set_tiers(self, endpoint_ids: Iterable[EndpointId], tiers: tuple[TierPolicies, ...]) -> None:
        """Other policies govern these endpoints."""
        for endpoint_id in endpoint_ids:
            endpoint = self._endpoints[endpoint_id]
            self._endpoints[endpoint_id] = msgspec.structs.replace(endpoint, tiers=tiers)
            self._dirty.add(endpoint.ifname)

    def state(self) -> Iterator[WorkloadEndpointUpdate]:
        """All that has been told."""
        return (WorkloadEndpointUpdate(id=i, endpoint=endpoint) for i, endpoint in self._endpoints.items())

    def touch_profile(self, name: str) -> None:
        """A profile is not what it was; so are not the endpoints that list it."""
        self._dirty.update(self._endpoints[i].ifname for i in self._listing.of(name))

    def touch_all(self) -> None:
        self._dirty.update(endpoint.ifname for endpoint in self._endpoints.values())

    def take_dirty(self) -> Touched:
        """The interfaces touched since the last call."""
        linked = {ifname: self._owner(ifname) for ifname in sorted(self._relinked)}
        governed = {ifname: self._owner(ifname) for ifname in sorted(self._dirty - self._relinked)}
        self._dirty.clear()
        self._relinked.clear()
        return Touched(governed | linked, linked)

    def _owner(self, ifname: str) -> HostWorkloadEndpoint | None:
        claims = self._claims.of(ifname)
        return self._endpoints[min(claims, key=lambda claim: claim.rank)] if claims else None


class HostDispatcher:
    """The host endpoints, and the interfaces of the host. There are few of either, so they are looked at as a whole."""

    def __init__(self, places: Iterable[Place], is_host: Callable[[str], bool]) -> None:
        self._is_host = is_host
        self._endpoints: dict[EndpointId, HostHostEndpoint] = {}
        self._interfaces: Mapping[str, frozenset[Address]] = {}
        self._given: dict[Place, dict[str, ClassContent]] = {place: {} for place in places if place in HOST_PLACES}
        self._is_dirty = False

    def set_endpoint(self, endpoint_id: EndpointId, endpoint: HostHostEndpoint | None) -> None:
        """What the endpoint is now; None: it is gone."""
        self._endpoints.pop(endpoint_id, None)
        if endpoint is not None:
            self._endpoints[endpoint_id] = endpoint
        self._is_dirty = True

    def state(self) -> Iterator[HostEndpointUpdate]:
        """All that has been told, but for the interfaces."""
        return (HostEndpointUpdate(id=i, endpoint=endpoint) for i, endpoint in self._endpoints.items())

    def set_interfaces(self, interfaces: Mapping[str, frozenset[Address]]) -> None:
        """All interfaces and their addresses."""
        if interfaces != self._interfaces:
            self._interfaces = dict(interfaces)
            self.touch_all()

    def touch_profile(self, name: str) -> None:
        self._is_dirty = self._is_dirty or any(name in endpoint.profiles for endpoint in self._endpoints.values())

    def touch_all(self) -> None:
        self._is_dirty = self._is_dirty or bool(self._endpoints)

    def take_dirty(self, contents: Contents) -> dict[Place, dict[str, ClassContent | None]]:
        """What the interfaces have to enforce from now on, where that is not what it was."""
        if not self._is_dirty:
            return {}
        self._is_dirty = False
        found = standing(self._endpoints, self._interfaces, self._is_host)
        changes: dict[Place, dict[str, ClassContent | None]] = {}
        for place, before in self._given.items():
            now = self._contents_at(place, found, contents)
            changes[place] = {ifname: now.get(ifname) for ifname in sorted(before.keys() | now.keys())}
            self._given[place] = now
        return changes

    def _contents_at(
        self, place: Place, found: Mapping[str, EndpointId], contents: Contents
    ) -> dict[str, ClassContent]:
        """What is enforced at a place. In filter stages by all, so that none is taken for ``*``.

        Before routing only by those that have policy for it: there ``*`` stands for an interface whose own host endpoint has
        none, too. Untracked policy of ``*`` is ignored.
        """
        at = {
            ifname: contents.of_host(place, self._endpoints[endpoint_id])
            for ifname, endpoint_id in found.items()
            if not (place.kind is Kind.UNTRACKED and ifname == WILDCARD)
        }
        return {ifname: content for ifname, content in at.items() if place.kind.is_filter or content.tiers}
