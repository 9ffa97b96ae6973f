"""IP sets → the kernel's sets: one per family, of a type that fits its members.

A set of single addresses is a hash (``ADDRESS``); with a network among them it is an interval set (``NETWORK``), which has
another name, so that the rules can move from one to the other between two steps of a flush. The kernel refuses overlaps in
an interval set, so it gets the networks that lie in no other. A named-port set is a hash of address, protocol and port.

A change of a hash costs what it changes. One of an interval set costs a walk over its members.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from tortie.calc.hoststate import AddressPort, IPSetDelta, IPSetId, IPSetRemove, IPSetUpdate, Member
from tortie.net import Family, Network
from tortie.ruleset.names import set_name
from tortie.ruleset.rules import maximal
from tortie.ruleset.values import (
    AddressPortElement,
    Element,
    SetCreate,
    SetDeclaration,
    SetDelete,
    SetDelta,
    SetType,
)


class SetChanges(NamedTuple):
    """What a flush does to sets, in the order of their ids."""

    created: tuple[SetCreate, ...]
    hashes: tuple[SetDelta, ...]
    """Members of hash sets that come and go."""
    intervals: tuple[SetDelta, ...]
    """Of interval sets: a network may only come when those within it go, so this cannot be split."""
    deleted: tuple[SetDelete, ...]
    """Only after nothing refers to them any more."""


class SetTable:
    """The IP sets of the host, and the kernel's sets as they were last flushed."""

    def __init__(self) -> None:
        self._members: dict[IPSetId, set[Member]] = {}
        self._touched: dict[IPSetId, dict[Member, bool]] = {}
        """For each member touched since the last flush: whether it was one then."""
        self._declared: dict[tuple[IPSetId, Family], SetDeclaration] = {}
        self._networks: dict[str, frozenset[Element]] = {}
        """The elements of the interval sets: what lies in what cannot be told from a member alone."""
        self._network_counts: dict[tuple[IPSetId, Family], int] = {}

    def update(self, delta: IPSetUpdate | IPSetDelta | IPSetRemove) -> None:
        """Take in a change of an IP set."""
        known = self._members.get(delta.id, set())
        match delta:
            case IPSetUpdate(members=members):
                self._members.setdefault(delta.id, set())
                self._change(delta.id, members - known, known - members)
            case IPSetDelta(added=added, removed=removed):
                self._change(delta.id, added, removed)
            case IPSetRemove():
                self._change(delta.id, frozenset(), frozenset(known))
                del self._members[delta.id]

    def name(self, set_id: IPSetId, family: Family) -> str:
        """The kernel's set that holds one family of an IP set from this flush on."""
        return set_name(set_id, family, self._type(set_id, family))

    def flush(self) -> SetChanges:
        """What changed since the last call."""
        created: list[SetCreate] = []
        changed: dict[SetType, list[SetDelta]] = {set_type: [] for set_type in SetType}
        deleted: list[SetDelete] = []
        for set_id in sorted(self._touched):
            for family in Family:
                self._flush_family(set_id, family, created, changed, deleted)
        self._touched.clear()
        hashes = (*changed[SetType.ADDRESS], *changed[SetType.ADDRESS_PORT])
        return SetChanges(tuple(created), hashes, tuple(changed[SetType.NETWORK]), tuple(deleted))

    def _change(self, set_id: IPSetId, added: Iterable[Member], removed: Iterable[Member]) -> None:
        members, touched = self._members[set_id], self._touched.setdefault(set_id, {})
        for member in added:
            touched.setdefault(member, member in members)
            members.add(member)
            self._count_network(set_id, member, +1)
        for member in removed:
            touched.setdefault(member, member in members)
            members.discard(member)
            self._count_network(set_id, member, -1)

    def _count_network(self, set_id: IPSetId, member: Member, step: int) -> None:
        if isinstance(member, Network) and not member.is_host:
            key = set_id, member.family
            self._network_counts[key] = self._network_counts.get(key, 0) + step
            if not self._network_counts[key]:
                del self._network_counts[key]

    def _type(self, set_id: IPSetId, family: Family) -> SetType:
        if set_id.startswith("n:"):
            return SetType.ADDRESS_PORT
        return SetType.NETWORK if (set_id, family) in self._network_counts else SetType.ADDRESS

    def _flush_family(
        self,
        set_id: IPSetId,
        family: Family,
        created: list[SetCreate],
        changed: dict[SetType, list[SetDelta]],
        deleted: list[SetDelete],
    ) -> None:
        before = self._declared.pop((set_id, family), None)
        now = self._declaration(set_id, family) if set_id in self._members else None
        if now is not None:
            self._declared[set_id, family] = now
        if before is not None and before == now:
            delta = self._network_delta(set_id, now) if now.type is SetType.NETWORK else self._hash_delta(set_id, now)
            changed[now.type] += [delta] if delta.added or delta.removed else []
            return
        if before is not None:
            self._networks.pop(before.name, None)
            deleted.append(SetDelete(before.name))
        if now is not None:
            elements = self._elements(set_id, now)
            created.append(SetCreate(now, elements))
            if now.type is SetType.NETWORK:
                self._networks[now.name] = elements

    def _declaration(self, set_id: IPSetId, family: Family) -> SetDeclaration:
        return SetDeclaration(self.name(set_id, family), family, self._type(set_id, family))

    def _elements(self, set_id: IPSetId, declaration: SetDeclaration) -> frozenset[Element]:
        members = _of_family(self._members[set_id], declaration.family)
        if declaration.type is SetType.NETWORK:
            return frozenset(maximal(member for member in members if isinstance(member, Network)))
        return frozenset(_element(member) for member in members)

    def _hash_delta(self, set_id: IPSetId, declaration: SetDeclaration) -> SetDelta:
        members, touched = self._members[set_id], self._touched[set_id]
        added = (m for m, was_member in touched.items() if not was_member and m in members)
        removed = (m for m, was_member in touched.items() if was_member and m not in members)
        return SetDelta(
            declaration.name,
            frozenset(map(_element, _of_family(added, declaration.family))),
            frozenset(map(_element, _of_family(removed, declaration.family))),
        )

    def _network_delta(self, set_id: IPSetId, declaration: SetDeclaration) -> SetDelta:
        before, now = self._networks[declaration.name], self._elements(set_id, declaration)
        self._networks[declaration.name] = now
        return SetDelta(declaration.name, now - before, before - now)


def _of_family(members: Iterable[Member], family: Family) -> Iterator[Member]:
    return (m for m in members if (m.family if isinstance(m, Network) else m.address.family) is family)


def _element(member: Member) -> Element:
    """A member as an element of a hash."""
    if isinstance(member, AddressPort):
        return AddressPortElement(*member)
    return member.address
