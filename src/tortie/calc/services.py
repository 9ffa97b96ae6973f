"""The endpoints behind services, for rules that name a service as peer.

An endpoint counts whether it is ready or not, as in Calico: policy says who may talk, not who answers. A port without a number
means all ports to Kubernetes, which no set of ports can say, so it brings nothing.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator

from tortie.calc.hoststate import AddressPort, IPSetDelta, IPSetId, IPSetRemove, IPSetUpdate, Member
from tortie.calc.listing import Listing
from tortie.calc.rules import ServiceName, ServiceSet
from tortie.calc.visits import Visits
from tortie.model.kubernetes_endpointslice import SERVICE_LABEL, EndpointSlice
from tortie.net import Network, Protocol

SliceId = tuple[str, str]
"""(namespace, name)."""


class ServiceIndex:
    """The slices of the cluster by service, and the active sets of services."""

    def __init__(self, visits: Visits) -> None:
        self._visits = visits
        self._slices: dict[SliceId, EndpointSlice] = {}
        self._slices_of: Listing[ServiceName, SliceId] = Listing()
        self._sets: dict[IPSetId, ServiceSet] = {}
        self._sets_of: Listing[ServiceName, IPSetId] = Listing()
        self._members: dict[IPSetId, frozenset[Member]] = {}
        """Of active sets, as they were sent."""
        self._touched: set[ServiceName] = set()

    def set_slice(self, slice_id: SliceId, value: EndpointSlice | None) -> None:
        """What a slice is from now on; None: there is none."""
        before = self._slices.pop(slice_id, None)
        if before is not None:
            self._slices_of.discard(slice_id, (_service_of(before),))
            self._touched.add(_service_of(before))
        if value is not None:
            self._slices[slice_id] = value
            self._slices_of.add(slice_id, (_service_of(value),))
            self._touched.add(_service_of(value))

    def flush(
        self, activated: Iterable[ServiceSet], deactivated: Iterable[IPSetId]
    ) -> tuple[list[IPSetUpdate | IPSetDelta], list[IPSetRemove]]:
        """What sets and members came, and what sets went, since the last call; both by id, new sets first."""
        gone = sorted(deactivated)
        for set_id in gone:
            self._sets_of.discard(set_id, (self._sets.pop(set_id).service,))
            del self._members[set_id]
        changed = sorted(set_id for service in self._touched for set_id in self._sets_of.of(service))
        deltas = [delta for set_id in changed if (delta := self._delta(self._sets[set_id])) is not None]
        new = [self._activate(wanted) for wanted in sorted(activated, key=lambda wanted: wanted.id)]
        self._touched.clear()
        return [*new, *deltas], [IPSetRemove(id=set_id) for set_id in gone]

    def _activate(self, wanted: ServiceSet) -> IPSetUpdate:
        self._sets[wanted.id] = wanted
        self._sets_of.add(wanted.id, (wanted.service,))
        self._members[wanted.id] = members = self._members_now(wanted)
        return IPSetUpdate(id=wanted.id, members=members)

    def _delta(self, changed: ServiceSet) -> IPSetDelta | None:
        before, now = self._members[changed.id], self._members_now(changed)
        if before == now:
            return None
        self._members[changed.id] = now
        return IPSetDelta(id=changed.id, added=now - before, removed=before - now)

    def _members_now(self, wanted: ServiceSet) -> frozenset[Member]:
        slices = [self._slices[slice_id] for slice_id in self._slices_of.of(wanted.service)]
        self._visits.count += sum(len(found.endpoints) for found in slices)
        return frozenset(member for found in slices for member in _members(found, has_ports=wanted.has_ports))


def _service_of(found: EndpointSlice) -> ServiceName:
    return ServiceName(found.metadata.namespace, found.metadata.labels.get(SERVICE_LABEL, ""))


def _members(found: EndpointSlice, *, has_ports: bool) -> Iterator[Member]:
    for endpoint in found.endpoints:
        for text in endpoint.addresses:
            # Names, in slices of type FQDN, are no addresses.
            with contextlib.suppress(ValueError):
                network = Network.parse(text, strict=False)
                if not has_ports:
                    yield network
                    continue
                for port in found.ports:
                    if port.port is not None:
                        yield AddressPort(network.address, Protocol.parse(port.protocol), port.port)
