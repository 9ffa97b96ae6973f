"""Which workload endpoint stands behind each interface name.

Two endpoints may claim one interface for a while (a workload that is made anew before its old endpoint is gone); the lower id
has it, and the other one when that is gone.
"""

from __future__ import annotations

from collections.abc import Iterable

from tortie.calc.hoststate import EndpointId, HostWorkloadEndpoint


class Dispatcher:
    """The workload endpoints of the host, by the interface that they claim."""

    def __init__(self) -> None:
        self._endpoints: dict[EndpointId, HostWorkloadEndpoint] = {}
        self._claims: dict[str, set[EndpointId]] = {}
        self._listing: dict[str, set[EndpointId]] = {}
        self._dirty: set[str] = set()

    def set_endpoint(self, endpoint_id: EndpointId, endpoint: HostWorkloadEndpoint | None) -> None:
        """What the endpoint is now; None: it is gone."""
        before = self._endpoints.pop(endpoint_id, None)
        if before is not None:
            self._dirty.add(before.ifname)
            _discard(self._claims, before.ifname, endpoint_id)
            for profile in set(before.profiles):
                _discard(self._listing, profile, endpoint_id)
        if endpoint is not None:
            self._endpoints[endpoint_id] = endpoint
            self._dirty.add(endpoint.ifname)
            self._claims.setdefault(endpoint.ifname, set()).add(endpoint_id)
            for profile in endpoint.profiles:
                self._listing.setdefault(profile, set()).add(endpoint_id)

    def touch_profile(self, name: str) -> None:
        """A profile is not what it was; so are not the endpoints that list it."""
        self._dirty.update(self._endpoints[i].ifname for i in self._listing.get(name, ()))

    def touch_all(self) -> None:
        self._dirty.update(self._claims)

    def take_dirty(self) -> Iterable[tuple[str, HostWorkloadEndpoint | None]]:
        """Each interface touched since the last call, and who has it now."""
        dirty = sorted(self._dirty)
        self._dirty.clear()
        return [(ifname, self._owner(ifname)) for ifname in dirty]

    def _owner(self, ifname: str) -> HostWorkloadEndpoint | None:
        claims = self._claims.get(ifname)
        return self._endpoints[min(claims)] if claims else None


def _discard(sets: dict[str, set[EndpointId]], key: str, endpoint_id: EndpointId) -> None:
    sets[key].discard(endpoint_id)
    if not sets[key]:
        del sets[key]
