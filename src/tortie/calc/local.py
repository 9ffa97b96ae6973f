"""The endpoints that this host enforces, and who of them lists which profile."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import NamedTuple

from tortie.calc.hoststate import EndpointId, HostHostEndpoint, HostWorkloadEndpoint
from tortie.calc.listing import Listing
from tortie.calc.peers import Peer


class LocalEndpoint(NamedTuple):
    """One of them: the peer that it is to everyone, and what is enforced, its tiers apart."""

    peer: Peer
    enforced: HostWorkloadEndpoint | HostHostEndpoint


class LocalEndpoints:
    """All of this host. ``changed`` and ``listed`` collect what is different, until their reader clears them."""

    def __init__(self) -> None:
        self._endpoints: dict[EndpointId, LocalEndpoint] = {}
        self._listing: Listing[str, EndpointId] = Listing()
        self.changed: set[EndpointId] = set()
        """Endpoints that came, went or differ."""
        self.listed: set[str] = set()
        """Profiles that got or lost a listing endpoint."""

    def get(self, endpoint_id: EndpointId) -> LocalEndpoint | None:
        return self._endpoints.get(endpoint_id)

    def listing(self, profile: str) -> AbstractSet[EndpointId]:
        """The endpoints of this host that list *profile*."""
        return self._listing.of(profile)

    def put(self, endpoint_id: EndpointId, endpoint: LocalEndpoint | None) -> None:
        """What an endpoint is from now on; None: it is none of this host's."""
        before = self._endpoints.pop(endpoint_id, None)
        if before is None and endpoint is None:
            return
        self.changed.add(endpoint_id)
        if before is not None:
            self._listing.discard(endpoint_id, before.peer.profiles)
            self.listed.update(before.peer.profiles)
        if endpoint is not None:
            self._endpoints[endpoint_id] = endpoint
            self._listing.add(endpoint_id, endpoint.peer.profiles)
            self.listed.update(endpoint.peer.profiles)
