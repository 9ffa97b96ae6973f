"""Who is in each IP set: every endpoint of the cluster against the selectors of the sets that this host uses.

Several endpoints may share an address (a restarted pod and the one before it), so members are counted; a set hears of the
first contributor and of the last one's going. What a set was told last is remembered only for the members touched since
then, so that a change costs what it changes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from tortie.calc.hoststate import (
    AddressPort,
    EndpointId,
    IPSetDelta,
    IPSetId,
    IPSetRemove,
    IPSetUpdate,
    Member,
)
from tortie.calc.rules import NamedPort, SetDefinition
from tortie.model.endpoint import WorkloadEndpoint
from tortie.net import Network, Protocol
from tortie.selectors import LabelIndex, MatchStarted
from tortie.selectors.index import MatchChanges


class EndpointPort(NamedTuple):
    name: str
    protocol: Protocol
    port: int


class Contribution(NamedTuple):
    """What an endpoint brings to the sets it is in."""

    addresses: frozenset[Network]
    """Each a /32 or /128."""
    ports: frozenset[EndpointPort]

    def members(self, port: NamedPort | None) -> Iterator[Member]:
        """Its members in a set of addresses, or of *port*."""
        if port is None:
            yield from self.addresses
            return
        for owned in self.ports:
            if owned.name == port.name and port.protocol in (None, owned.protocol):
                for network in self.addresses:
                    yield AddressPort(network.address, owned.protocol, owned.port)


def contribution_of(endpoint: WorkloadEndpoint) -> Contribution:
    """What *endpoint* brings: its addresses, whatever prefix length they are written with, and its named ports."""
    return Contribution(
        frozenset(network.address.network() for network in endpoint.spec.ip_networks),
        frozenset(EndpointPort(p.name, p.protocol, p.port) for p in endpoint.spec.ports if p.name),
    )


_NOTHING = Contribution(frozenset(), frozenset())


class MemberIndex:
    """The members of the active sets, kept up to date; ``flush`` gives what changed since the last one."""

    def __init__(self) -> None:
        self._index: LabelIndex[EndpointId] = LabelIndex()
        self._contributions: dict[EndpointId, Contribution] = {}
        self._definitions: dict[IPSetId, SetDefinition] = {}
        self._sets_of: dict[EndpointId, set[IPSetId]] = {}
        self._counts: dict[IPSetId, Counter[Member]] = {}
        self._was_member: dict[IPSetId, dict[Member, bool]] = {}
        """For each member touched since the last flush: whether it was one then."""
        self._switched: set[IPSetId] = set()
        """Sets that became active or inactive since the last flush."""
        self._announced: set[IPSetId] = set()
        """Sets that were active at the last flush."""

    def set_endpoint(self, endpoint_id: EndpointId, labels: Mapping[str, str], contribution: Contribution) -> None:
        """Know an endpoint from now on, or what it is now."""
        if contribution != self._contributions.get(endpoint_id, _NOTHING):
            for set_id in self._sets_of.get(endpoint_id, ()):
                self._count(set_id, endpoint_id, -1)
            self._contributions[endpoint_id] = contribution
            for set_id in self._sets_of.get(endpoint_id, ()):
                self._count(set_id, endpoint_id, +1)
        self._note(self._index.set_item(endpoint_id, labels))

    def remove_endpoint(self, endpoint_id: EndpointId) -> None:
        """Forget an endpoint; nothing happens if it is not known."""
        self._note(self._index.remove_item(endpoint_id))
        self._contributions.pop(endpoint_id, None)
        self._sets_of.pop(endpoint_id, None)

    def activate(self, definition: SetDefinition) -> None:
        """Keep the members of a set from now on; its definition never changes, for its id says it."""
        if definition.id not in self._definitions:
            self._switched.add(definition.id)
            self._definitions[definition.id] = definition
            self._counts[definition.id] = Counter()
            self._note(self._index.add_selector(definition.id, definition.selector))

    def deactivate(self, set_id: IPSetId) -> None:
        """Stop keeping a set; nothing happens if it is not active."""
        self._note(self._index.remove_selector(set_id))
        self._switched.add(set_id)
        self._definitions.pop(set_id, None)
        self._counts.pop(set_id, None)

    def flush(self) -> tuple[list[IPSetUpdate | IPSetDelta], list[IPSetRemove]]:
        """What sets and members came, and what sets went, since the last call; both by id, new sets first."""
        new, changed, gone = [], [], []
        for set_id in sorted(self._switched | self._was_member.keys()):
            is_active, was_announced = set_id in self._definitions, set_id in self._announced
            if is_active and not was_announced:
                new.append(IPSetUpdate(id=set_id, members=frozenset(self._counts[set_id])))
                self._announced.add(set_id)
            elif was_announced and not is_active:
                gone.append(IPSetRemove(id=set_id))
                self._announced.discard(set_id)
            elif is_active and set_id in self._was_member:
                changed.append(self._delta(set_id))
        self._switched.clear()
        self._was_member.clear()
        return [*new, *(delta for delta in changed if delta.added or delta.removed)], gone

    def _delta(self, set_id: IPSetId) -> IPSetDelta:
        counts, was_member = self._counts[set_id], self._was_member[set_id]
        return IPSetDelta(
            id=set_id,
            added=frozenset(m for m, was in was_member.items() if not was and m in counts),
            removed=frozenset(m for m, was in was_member.items() if was and m not in counts),
        )

    def _note(self, changes: MatchChanges[EndpointId]) -> None:
        for change in changes:
            set_id, endpoint_id = IPSetId(change.selector_id), change.item_id
            if isinstance(change, MatchStarted):
                self._sets_of.setdefault(endpoint_id, set()).add(set_id)
                self._count(set_id, endpoint_id, +1)
            else:
                self._sets_of[endpoint_id].discard(set_id)
                self._count(set_id, endpoint_id, -1)

    def _count(self, set_id: IPSetId, endpoint_id: EndpointId, step: int) -> None:
        contribution = self._contributions.get(endpoint_id, _NOTHING)
        for member in contribution.members(self._definitions[set_id].port):
            self._count_member(set_id, member, step)

    def _count_member(self, set_id: IPSetId, member: Member, step: int) -> None:
        counts = self._counts[set_id]
        self._was_member.setdefault(set_id, {}).setdefault(member, member in counts)
        counts[member] += step
        if not counts[member]:
            del counts[member]
