"""What must change so that the table holds what is desired: the full comparison, at start and on resync.

It gives the same three steps as the compiler's flushes: new things first and out of use, then the switch, then what is no
longer needed. Only where somebody else has put an object of another type under one of our names, or the table is of another
version, is it made anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from itertools import count
from typing import NamedTuple

from tortie.dataplane.nft import messages
from tortie.dataplane.nft.batch import Kind, Operation, Subject, Unit, units_of
from tortie.dataplane.nft.decode import Unrecognised
from tortie.dataplane.nft.encode import canonical
from tortie.dataplane.nft.listing import Actual
from tortie.dataplane.nft.model import ChainContents, Contents, MapContents, SetContents
from tortie.ruleset.values import (
    ChainDelete,
    ChainReplace,
    MapCreate,
    MapDelete,
    MapDelta,
    Rule,
    RulesetDelta,
    SetCreate,
    SetDelete,
    SetDelta,
    SetType,
)

_TABLE = Subject(Kind.TABLE, messages.TABLE)
_REPLACED = (SetType.NETWORK, SetType.PACKET_RATE, SetType.CONNECTIONS)
"""Where a new element cannot stand beside an old one: networks overlap, and a limit is not changed by adding another."""


class Steps(NamedTuple):
    """Units in the three steps of a flush."""

    create: list[Unit]
    switch: list[Unit]
    delete: list[Unit]


def difference(desired: Contents, actual: Actual, set_ids: count[int]) -> Steps:
    """The steps from *actual* to *desired*; all empty if they are equal."""
    if actual.exists and (not actual.is_current or _conflicts(desired, actual.contents)):
        return _rebuilt(desired, set_ids)
    steps = Steps(
        create=[unit for delta in _created(desired, actual.contents) for unit in _units(delta, set_ids)],
        switch=[unit for delta in _switched(desired, actual.contents) for unit in _units(delta, set_ids)],
        delete=list(_deleted(desired, actual.contents, set_ids)),
    )
    if not actual.exists:
        steps.create.insert(0, (Operation(messages.new_table(), _TABLE, "create"),))
    elif not actual.is_active:
        steps.switch.append((Operation(messages.new_table(), _TABLE, "switch on"),))
    return steps


def _units(delta: RulesetDelta | Unit, set_ids: count[int]) -> Iterable[Unit]:
    return (delta,) if isinstance(delta, tuple) else units_of(delta, set_ids)


# --- create -----------------------------------------------------------------------------------------------------------------


def _created(desired: Contents, actual: Contents) -> Iterator[RulesetDelta | Unit]:
    """New sets, chains and maps, each before what refers to it; new members of the sets that are there."""
    for name, wanted in desired.sets.items():
        yield from _set_change(wanted, actual.sets.get(name))
    new_maps = [name for name in desired.maps if name not in actual.maps]
    for name in new_maps:
        yield MapCreate(name)
    new = {name: chain for name, chain in desired.chains.items() if name not in actual.chains and not chain.base}
    for name in new:
        yield (Operation(messages.new_chain(name, None), Subject(Kind.CHAIN, name), "create"),)
    for name, chain in new.items():
        yield ChainReplace(name, _rules(chain))
    for name in new_maps:
        yield MapDelta(name, tuple(sorted(desired.maps[name].entries.items())))


def _set_change(wanted: SetContents, known: SetContents | None) -> Iterator[RulesetDelta | Unit]:
    """New members; together with those that go where the new ones may need their place."""
    assert not isinstance(wanted.declaration, Unrecognised)
    declaration = wanted.declaration
    if known is None:
        yield SetCreate(declaration, frozenset(wanted.elements))
        return
    if known.foreign:
        yield _flush_elements(Subject(Kind.SET, declaration.name))
        yield SetDelta(declaration.name, frozenset(wanted.elements))
        return
    added = frozenset(wanted.elements - known.elements)
    if added:
        gone = frozenset(known.elements - wanted.elements)
        yield SetDelta(declaration.name, added, gone if declaration.type in _REPLACED else frozenset())


def _flush_elements(subject: Subject) -> Unit:
    return (Operation(messages.flush_elements(subject.name), subject, "flush"),)


# --- switch -----------------------------------------------------------------------------------------------------------------


def _switched(desired: Contents, actual: Contents) -> Iterator[RulesetDelta | Unit]:
    """Changed and new base chains, changed map entries, and last the base chains that go: they judge packets as long as they stand."""
    for name, chain in desired.chains.items():
        known = actual.chains.get(name)
        if known is None and not chain.base:
            continue
        rules = _rules(chain)
        if known and known.base != chain.base:
            yield ChainDelete(name)
        elif known and known.rules == rules:
            continue
        assert not isinstance(chain.base, Unrecognised)
        yield ChainReplace(name, rules, chain.base)
    for name, wanted in desired.maps.items():
        if known_map := actual.maps.get(name):
            yield from _map_change(name, wanted, known_map)
    yield from map(ChainDelete, sorted(name for name in _unwanted(desired, actual) if actual.chains[name].base))


def _unwanted(desired: Contents, actual: Contents) -> Set[str]:
    return actual.chains.keys() - desired.chains.keys()


def _map_change(name: str, wanted: MapContents, known: MapContents) -> Iterator[RulesetDelta | Unit]:
    entries = known.entries
    if known.foreign:
        yield _flush_elements(Subject(Kind.MAP, name))
        entries = {}
    changed = tuple(sorted(item for item in wanted.entries.items() if entries.get(item[0]) != item[1]))
    replaced = tuple(ifname for ifname, _ in changed if ifname in entries)
    gone = tuple(sorted(entries.keys() - wanted.entries.keys()))
    if changed or gone:
        yield MapDelta(name, changed, gone + replaced)


def _rules(chain: ChainContents) -> tuple[Rule, ...]:
    return tuple(canonical(rule) for rule in chain.rules if not isinstance(rule, Unrecognised))


# --- delete -----------------------------------------------------------------------------------------------------------------


def _deleted(desired: Contents, actual: Contents, set_ids: count[int]) -> Iterator[Unit]:
    """What is not wanted: emptied first, so that nothing that goes is held by something else that goes."""
    chains = sorted(name for name in _unwanted(desired, actual) if not actual.chains[name].base)
    for name in chains:
        yield (Operation(messages.flush_chain(name), Subject(Kind.CHAIN, name), "flush"),)
    deltas: list[RulesetDelta] = [MapDelete(name) for name in sorted(actual.maps.keys() - desired.maps.keys())]
    deltas += [ChainDelete(name) for name in chains]
    for name, wanted in desired.sets.items():
        known = actual.sets.get(name)
        if known and not known.foreign and (gone := frozenset(known.elements - wanted.elements)):
            in_create = wanted.elements - known.elements and _is_replaced(wanted)
            deltas += [] if in_create else [SetDelta(name, removed=gone)]
    deltas += [SetDelete(name) for name in sorted(actual.sets.keys() - desired.sets.keys())]
    for delta in deltas:
        yield from units_of(delta, set_ids)


def _is_replaced(wanted: SetContents) -> bool:
    return not isinstance(wanted.declaration, Unrecognised) and wanted.declaration.type in _REPLACED


# --- conflicts --------------------------------------------------------------------------------------------------------------


def _conflicts(desired: Contents, actual: Contents) -> bool:
    """Whether a wanted name is held by something that can be neither changed into what is wanted nor deleted while in use."""
    return (
        not desired.sets.keys().isdisjoint(actual.maps)
        or not desired.maps.keys().isdisjoint(actual.sets)
        or any(known.unrecognised for name, known in actual.maps.items() if name in desired.maps)
        or any(
            known.declaration != desired.sets[name].declaration
            for name, known in actual.sets.items()
            if name in desired.sets
        )
        or any(
            (known.base is None) != (desired.chains[name].base is None)
            for name, known in actual.chains.items()
            if name in desired.chains
        )
    )


def _rebuilt(desired: Contents, set_ids: count[int]) -> Steps:
    """The table made anew, in one batch if it fits one."""
    steps = difference(desired, Actual(), set_ids)
    return Steps([], [drop_table(), *steps.create, *steps.switch], [])


def drop_table() -> Unit:
    """The deletion of the table with all that is in it."""
    return (Operation(messages.delete_table(), _TABLE, "delete"),)
