"""Guards: sets of all addresses that the rules behind them are about.

A guard cannot change a verdict, since no rule behind it matches an address that it lacks. It changes in the same batch as the
members that it follows: a packet looks the guard up first, so it never finds a new member without having been let through to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tortie.calc.hoststate import IPSetId, Member
from tortie.model.policy import Direction
from tortie.net import Family, Network
from tortie.ruleset.networks import maximal
from tortie.ruleset.runs.parts import peer_of
from tortie.ruleset.runs.slots import Slot
from tortie.ruleset.sets import SetTable
from tortie.ruleset.values import Element, SetDeclaration, SetDelta, SetType


def can_guard(slot: Slot, direction: Direction, sets: SetTable, budget: int) -> bool:
    """Whether a slot's packets can be told by the peer's address: it asks for some, and not for too many."""
    peer = peer_of(slot.part.rule, direction)
    if peer.sets:
        return len(sets.members(peer.sets[0])) <= budget
    return bool(peer.nets)


class Guard:
    """The addresses of one family that some slots are about."""

    def __init__(self, name: str, family: Family, slots: Iterable[Slot], direction: Direction, sets: SetTable) -> None:
        self._sets = sets
        self._listed: set[Network] = set()
        self._followed: set[tuple[IPSetId, bool]] = set()
        """The sets whose members it holds; true: only those that are more than an address."""
        for slot in slots:
            peer = peer_of(slot.part.rule, direction)
            self._listed.update(net for net in peer.nets if net.family is family)
            # Of several sets an address must be in all, so the first alone is enough.
            self._followed.update((set_id, slot.part.only_networks) for set_id in peer.sets[:1])
        self.family = family
        self.declaration = SetDeclaration(name, family, self._type())
        self.elements = self._all()
        """As of the last flush."""

    @property
    def set_ids(self) -> set[IPSetId]:
        return {set_id for set_id, _ in self._followed}

    def change(self, touched: Iterable[Member]) -> SetDelta:
        """What becomes of the guard after these members of its sets came or went."""
        added: set[Element] = set()
        removed: set[Element] = set()
        if self.declaration.type is SetType.ADDRESS:
            for member in touched:
                if isinstance(member, Network) and member.family is self.family:
                    (added if self._holds(member) else removed).add(member.address)
        else:
            now = self._all()
            added, removed = set(now), set(self.elements)
        delta = SetDelta(
            self.declaration.name,
            frozenset(added - self.elements),
            frozenset((removed & self.elements) - added),
        )
        self.elements -= delta.removed
        self.elements |= delta.added
        return delta

    def _type(self) -> SetType:
        of_sets = any(only or self._sets.has_networks(set_id, self.family) for set_id, only in self._followed)
        return SetType.NETWORK if of_sets or not all(net.is_host for net in self._listed) else SetType.ADDRESS

    def _holds(self, member: Network) -> bool:
        return member in self._listed or any(member in self._sets.members(set_id) for set_id, _ in self._followed)

    def _all(self) -> set[Element]:
        found = {*self._listed, *self._members()}
        if self.declaration.type is SetType.ADDRESS:
            return {network.address for network in found}
        return set(maximal(found))

    def _members(self) -> Iterator[Network]:
        for set_id, only_networks in self._followed:
            for member in self._sets.members(set_id):
                if (
                    isinstance(member, Network)
                    and member.family is self.family
                    and not (only_networks and member.is_host)
                ):
                    yield member
