"""IP sets → the kernel's sets: those that rules refer to, one per family, of a type that fits the members.

All IP sets of the host are known here by their members, for whoever compiles them into tuples; a kernel set exists only while
a rule looks it up. So whoever keeps chains says with ``refer`` what rules they have, before ``flush``.

A set of single addresses is a hash (``ADDRESS``); with a network among them it is an interval set (``NETWORK``), which has
another name, so that the rules can move from one to the other between two steps of a flush: rules that name a set in
``outdated`` are to be compiled again. A third form holds the networks alone, for rules whose addresses are tuples. The kernel
refuses overlaps in an interval set, so it gets the networks that lie in no other. The sets of named ports and of services are
hashes of address, protocol and port.

A change of a hash costs what it changes. One of an interval set costs a walk over its members.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, NamedTuple

from tortie.calc.hoststate import AddressPort, IPSetDelta, IPSetId, IPSetRemove, IPSetUpdate, Member
from tortie.calc.listing import Listing
from tortie.net import Family, Network
from tortie.ruleset.counts import count
from tortie.ruleset.names import networks_name, set_name
from tortie.ruleset.networks import maximal
from tortie.ruleset.values import (
    AddressPortElement,
    Element,
    Rule,
    SetCreate,
    SetDeclaration,
    SetDelete,
    SetDelta,
    SetMatch,
    SetType,
    TupleMatch,
)

if TYPE_CHECKING:
    from tortie.ruleset.group import Group

_PORT_SETS = ("n:", "svc:")
_NO_MEMBERS: frozenset[Member] = frozenset()


class SetChanges(NamedTuple):
    """What a flush does to sets, in the order of their names."""

    created: tuple[SetCreate, ...]
    hashes: tuple[SetDelta, ...]
    """Members of hash sets that come and go."""
    intervals: tuple[SetDelta, ...]
    """Of interval sets: a network may only come when those within it go, so this cannot be split."""
    deleted: tuple[SetDelete, ...]
    """Only after nothing refers to them any more."""


class _KernelSet(NamedTuple):
    set_id: IPSetId
    declaration: SetDeclaration
    only_networks: bool = False
    """Of the members those that are more than an address."""


class SetTable:
    """The IP sets of the host, and the kernel's sets as they were last flushed."""

    def __init__(self) -> None:
        self._members: dict[IPSetId, set[Member]] = {}
        self._network_counts: dict[tuple[IPSetId, Family], int] = {}
        self._listeners = Listing[IPSetId, "Group"]()
        self._named: dict[str, _KernelSet] = {}
        """The kernel sets that somebody has asked the name of and still refers to, or may be about to."""
        self._looked_up: dict[str, frozenset[str]] = {}
        """The kernel sets that each chain looks up."""
        self._chains = Listing[str, str]()
        """The chains that look up each of our kernel sets."""
        self._declared = Listing[IPSetId, str]()
        """The kernel sets that were flushed, by what they hold."""
        self._intervals: dict[str, frozenset[Element]] = {}
        """The elements of the interval sets: what lies in what cannot be told from a member alone."""
        self._touched: dict[IPSetId, dict[Member, bool]] = {}
        """Of the flushed sets, for each member touched since: whether it was one then."""
        self._changed: set[str] = set()
        """The kernel sets whose references have changed since the last flush."""

    # --- IP sets ------------------------------------------------------------------------------------------------------------

    def update(self, delta: IPSetUpdate | IPSetDelta | IPSetRemove) -> IPSetDelta:
        """Take in a change of an IP set; what of it is one, for the set's listeners."""
        known = self._members.setdefault(delta.id, set())
        match delta:
            case IPSetUpdate(members=members):
                added, removed = members - known, frozenset(known - members)
            case IPSetDelta():
                added, removed = delta.added - known, frozenset(delta.removed & known)
            case IPSetRemove():
                added, removed = _NO_MEMBERS, frozenset(known)
        self._change(delta.id, added, removed)
        if isinstance(delta, IPSetRemove):
            del self._members[delta.id]
        return IPSetDelta(id=delta.id, added=added, removed=removed)

    def state(self) -> Iterator[IPSetUpdate]:
        """All that has been taken in."""
        return (IPSetUpdate(id=set_id, members=frozenset(members)) for set_id, members in self._members.items())

    def members(self, set_id: IPSetId) -> AbstractSet[Member]:
        """The members now; of a set that is not known, none."""
        return self._members.get(set_id, _NO_MEMBERS)

    def has_networks(self, set_id: IPSetId, family: Family) -> bool:
        """Whether a member of the family is more than an address."""
        return (set_id, family) in self._network_counts

    def listen(self, set_id: IPSetId, group: Group) -> None:
        """From now on the group has something to do with the set's members."""
        self._listeners.add(group, (set_id,))

    def unlisten(self, set_id: IPSetId, group: Group) -> None:
        self._listeners.discard(group, (set_id,))

    def listeners(self, set_id: IPSetId) -> Collection[Group]:
        """The groups that a change of the set's members has to be told, once it has been taken in here."""
        return self._listeners.of(set_id)

    def _change(self, set_id: IPSetId, added: Iterable[Member], removed: Iterable[Member]) -> None:
        members = self._members[set_id]
        touched = self._touched.setdefault(set_id, {}) if self._declared.of(set_id) else {}
        for member in added:
            touched.setdefault(member, False)
            members.add(member)
            self._count_network(set_id, member, +1)
        for member in removed:
            touched.setdefault(member, True)
            members.discard(member)
            self._count_network(set_id, member, -1)

    def _count_network(self, set_id: IPSetId, member: Member, step: int) -> None:
        if isinstance(member, Network) and not member.is_host:
            count(self._network_counts, (set_id, member.family), step)

    # --- what rules refer to ------------------------------------------------------------------------------------------------

    def name(self, set_id: IPSetId, family: Family) -> str:
        """The kernel's set that holds one family of an IP set from this flush on."""
        return self._name(set_id, family, only_networks=False)

    def networks_name(self, set_id: IPSetId, family: Family) -> str:
        """The kernel's set of those members that are more than an address."""
        return self._name(set_id, family, only_networks=True)

    def refer(self, chain: str, rules: Iterable[Rule]) -> None:
        """The chain has these rules from now on; none: it is gone."""
        before, now = self._looked_up.pop(chain, frozenset()), self._our_sets(rules)
        if now:
            self._looked_up[chain] = now
        self._chains.discard(chain, before - now)
        self._chains.add(chain, now - before)
        self._changed |= before ^ now

    def outdated(self) -> frozenset[str]:
        """The kernel sets that rules refer to and that have become of another type."""
        return frozenset(
            name
            for set_id in self._touched
            for name in self._declared.of(set_id)
            if self._is_outdated(self._named[name])
        )

    def referring(self, names: Iterable[str]) -> set[str]:
        """The chains that look up any of these kernel sets."""
        return {chain for name in names for chain in self._chains.of(name)}

    def _name(self, set_id: IPSetId, family: Family, *, only_networks: bool) -> str:
        set_type = SetType.NETWORK if only_networks else self._type(set_id, family)
        name = networks_name(set_id, family) if only_networks else set_name(set_id, family, set_type)
        if name not in self._named:
            self._named[name] = _KernelSet(set_id, SetDeclaration(name, family, set_type), only_networks)
            self._changed.add(name)
        return name

    def _type(self, set_id: IPSetId, family: Family) -> SetType:
        if set_id.startswith(_PORT_SETS):
            return SetType.ADDRESS_PORT
        return SetType.NETWORK if self.has_networks(set_id, family) else SetType.ADDRESS

    def _is_outdated(self, known: _KernelSet) -> bool:
        family = known.declaration.family
        assert family is not None
        return not known.only_networks and known.declaration.type is not self._type(known.set_id, family)

    def _our_sets(self, rules: Iterable[Rule]) -> frozenset[str]:
        """Names that were given here; a group's own sets of tuples are its own affair."""
        matches = (match for rule in rules for match in rule.matches if isinstance(match, (SetMatch, TupleMatch)))
        return frozenset(match.set_name for match in matches if match.set_name in self._named)

    # --- kernel sets --------------------------------------------------------------------------------------------------------

    def flush(self) -> SetChanges:
        """What changed since the last call."""
        created, deleted = [], []
        deltas: dict[SetType, list[SetDelta]] = {set_type: [] for set_type in SetType}
        for name in sorted(name for set_id in self._touched for name in self._declared.of(set_id)):
            if self._chains.of(name):
                delta = self._delta(self._named[name])
                deltas[self._named[name].declaration.type] += [delta] if delta.added or delta.removed else []
        for name in sorted(self._changed):
            known, is_declared = self._named[name], name in self._declared.of(self._named[name].set_id)
            if self._chains.of(name):
                created += [] if is_declared else [self._declare(known)]
                continue
            deleted += [self._forget(known)] if is_declared else []
            del self._named[name]
        self._touched.clear()
        self._changed.clear()
        hashes = (*deltas[SetType.ADDRESS], *deltas[SetType.ADDRESS_PORT])
        return SetChanges(tuple(created), hashes, tuple(deltas[SetType.NETWORK]), tuple(deleted))

    def _declare(self, known: _KernelSet) -> SetCreate:
        elements = self._elements(known)
        self._declared.add(known.declaration.name, (known.set_id,))
        if known.declaration.type is SetType.NETWORK:
            self._intervals[known.declaration.name] = elements
        return SetCreate(known.declaration, elements)

    def _forget(self, known: _KernelSet) -> SetDelete:
        name = known.declaration.name
        self._declared.discard(name, (known.set_id,))
        self._intervals.pop(name, None)
        return SetDelete(name)

    def _delta(self, known: _KernelSet) -> SetDelta:
        declaration = known.declaration
        if known.only_networks and all(isinstance(m, Network) and m.is_host for m in self._touched[known.set_id]):
            return SetDelta(declaration.name)
        if declaration.type is SetType.NETWORK:
            before, now = self._intervals[declaration.name], self._elements(known)
            self._intervals[declaration.name] = now
            return SetDelta(declaration.name, now - before, before - now)
        members, touched = self.members(known.set_id), self._touched[known.set_id]
        added = (m for m, was_member in touched.items() if not was_member and m in members)
        removed = (m for m, was_member in touched.items() if was_member and m not in members)
        return SetDelta(declaration.name, _hashed(added, declaration), _hashed(removed, declaration))

    def _elements(self, known: _KernelSet) -> frozenset[Element]:
        members = self.members(known.set_id)
        if known.declaration.type is not SetType.NETWORK:
            return _hashed(members, known.declaration)
        networks = (m for m in members if isinstance(m, Network) and m.family is known.declaration.family)
        return frozenset(maximal(m for m in networks if not (known.only_networks and m.is_host)))


def _hashed(members: Iterable[Member], declaration: SetDeclaration) -> frozenset[Element]:
    return frozenset(map(_element, _of_family(members, declaration.family)))


def _of_family(members: Iterable[Member], family: Family | None) -> Iterator[Member]:
    return (m for m in members if (m.family if isinstance(m, Network) else m.address.family) is family)


def _element(member: Member) -> Element:
    """A member as an element of a hash."""
    if isinstance(member, AddressPort):
        return AddressPortElement(*member)
    return member.address
