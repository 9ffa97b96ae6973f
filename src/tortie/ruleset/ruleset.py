"""The whole ruleset as one value: a model of what the kernel holds, and of what it refuses."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from typing import NamedTuple, Protocol, assert_never

from tortie.net import Address, Network
from tortie.net import Protocol as IPProtocol
from tortie.ruleset.values import (
    TUPLE_FIELDS,
    BaseChain,
    ChainDelete,
    ChainReplace,
    ConnectionsElement,
    Dispatch,
    Element,
    Flush,
    InterfaceSetMatch,
    Jump,
    MapCreate,
    MapDelete,
    MapDelta,
    RateElement,
    Rule,
    RulesetDelta,
    RulesetValue,
    SetCreate,
    SetDeclaration,
    SetDelete,
    SetDelta,
    SetMatch,
    SetType,
    TupleElement,
    TupleField,
    TupleMatch,
)


class ImpossibleDeltaError(ValueError):
    """A delta that the kernel would refuse: what it refers to is not there, or what it deletes is still referred to."""


class Chain(NamedTuple):
    rules: tuple[Rule, ...]
    base: BaseChain | None


class Set(NamedTuple):
    declaration: SetDeclaration
    elements: frozenset[Element]


class Ruleset(RulesetValue, frozen=True):
    """Chains, sets and maps by name. Nothing in it refers to what is not in it."""

    chains: Mapping[str, Chain] = {}
    sets: Mapping[str, Set] = {}
    maps: Mapping[str, Mapping[str, str]] = {}
    """Interface name to chain."""


def apply(ruleset: Ruleset, deltas: Iterable[RulesetDelta]) -> Ruleset:
    """*ruleset* after *deltas*, one by one; ImpossibleDeltaError if one of them cannot be applied where it stands."""
    building = _Building(ruleset)
    for delta in deltas:
        building.apply(delta)
    return Ruleset(building.chains, building.sets, building.maps)


def apply_flush(ruleset: Ruleset, flush: Flush) -> Ruleset:
    """*ruleset* after all three steps of *flush*."""
    return apply(ruleset, (*flush.create, *flush.switch, *flush.delete))


class _Building:
    """A ruleset while deltas are applied to it."""

    def __init__(self, ruleset: Ruleset) -> None:
        self.chains = dict(ruleset.chains)
        self.sets = dict(ruleset.sets)
        self.maps = {name: dict(entries) for name, entries in ruleset.maps.items()}

    def apply(self, delta: RulesetDelta) -> None:
        match delta:
            case SetCreate(declaration, elements):
                _require(declaration.name not in self.sets, delta, "the set exists")
                self._put_set(delta, declaration, elements)
            case SetDelta(name, added, removed):
                self._change_set(delta, name, added, removed)
            case SetDelete(name):
                _require(name in self.sets, delta, "there is no such set")
                self._require_unused(delta, name, _sets_of)
                del self.sets[name]
            case ChainReplace(name, rules, base):
                self._require_targets(delta, rules)
                self.chains[name] = Chain(rules, base)
            case ChainDelete(name):
                _require(name in self.chains, delta, "there is no such chain")
                self._require_unused(delta, name, _jumps_of)
                in_maps = any(name in entries.values() for entries in self.maps.values())
                _require(not in_maps, delta, "a map leads to it")
                del self.chains[name]
            case MapCreate(name, entries):
                _require(name not in self.maps, delta, "the map exists")
                self.maps[name] = {}
                self._change_map(delta, name, entries, ())
            case MapDelta(name, entries, removed):
                _require(name in self.maps, delta, "there is no such map")
                self._change_map(delta, name, entries, removed)
            case MapDelete(name):
                _require(name in self.maps, delta, "there is no such map")
                self._require_unused(delta, name, _maps_of)
                del self.maps[name]
            case _:
                assert_never(delta)

    def _change_set(
        self, delta: RulesetDelta, name: str, added: frozenset[Element], removed: frozenset[Element]
    ) -> None:
        _require(name in self.sets, delta, "there is no such set")
        declaration, elements = self.sets[name]
        _require(removed <= elements, delta, "it removes what is not in the set")
        _require(not added & elements, delta, "it adds what is in the set")
        self._put_set(delta, declaration, (elements - removed) | added)

    def _put_set(self, delta: RulesetDelta, declaration: SetDeclaration, elements: frozenset[Element]) -> None:
        fits = all(_fits(element, declaration) for element in elements)
        _require(fits, delta, f"an element is not of {declaration}")
        networks = sorted(element for element in elements if isinstance(element, Network))
        overlap = any(before.contains(after) for before, after in itertools.pairwise(networks))
        _require(not overlap, delta, "networks overlap")
        self.sets[declaration.name] = Set(declaration, elements)

    def _change_map(
        self, delta: RulesetDelta, name: str, entries: Iterable[tuple[str, str]], removed: Iterable[str]
    ) -> None:
        for ifname in removed:
            _require(ifname in self.maps[name], delta, f"the map has no {ifname}")
            del self.maps[name][ifname]
        for ifname, chain in entries:
            _require(chain in self.chains, delta, f"there is no chain {chain}")
            self.maps[name][ifname] = chain

    def _require_targets(self, delta: ChainReplace, rules: tuple[Rule, ...]) -> None:
        for target in _jumps_of(rules):
            _require(target in self.chains, delta, f"there is no chain {target}")
            _require(delta.name not in self._reachable(target), delta, f"jumping to {target} makes a loop")
        for set_name in _sets_of(rules):
            _require(set_name in self.sets, delta, f"there is no set {set_name}")
        for map_name in _maps_of(rules):
            _require(map_name in self.maps, delta, f"there is no map {map_name}")

    def _reachable(self, chain: str) -> set[str]:
        reached: set[str] = set()
        ahead = [chain]
        while ahead:
            name = ahead.pop()
            if name not in reached:
                reached.add(name)
                ahead += _jumps_of(self.chains[name].rules)
        return reached

    def _require_unused(self, delta: RulesetDelta, name: str, references: _References) -> None:
        users = [user for user, chain in self.chains.items() if name in references(chain.rules)]
        _require(not users, delta, f"{', '.join(users)} still refers to it")


def _require(holds: bool, delta: RulesetDelta, reason: str) -> None:
    if not holds:
        raise ImpossibleDeltaError(f"{reason}: {delta}")


def _fits(element: Element, declaration: SetDeclaration) -> bool:
    match element:
        case Address():
            return declaration.type is SetType.ADDRESS and element.family is declaration.family
        case Network():
            return declaration.type is SetType.NETWORK and element.family is declaration.family
        case str():
            return declaration.type is SetType.INTERFACE
        case RateElement():
            return declaration.type is SetType.PACKET_RATE
        case ConnectionsElement():
            return declaration.type is SetType.CONNECTIONS
        case tuple():
            return _is_tuple_of(element, declaration)


def _is_tuple_of(element: TupleElement, declaration: SetDeclaration) -> bool:
    fields = TUPLE_FIELDS.get(declaration.type, ())
    families = [value.family for value in element if isinstance(value, Address)]
    return (
        len(element) == len(fields)
        and all(isinstance(value, _FIELD_TYPES[field]) for value, field in zip(element, fields, strict=True))
        and families in ([], [declaration.family])
    )


_FIELD_TYPES: Mapping[TupleField, type] = {
    TupleField.ADDRESS: Address,
    TupleField.PROTOCOL: IPProtocol,
    TupleField.PORT: int,
    TupleField.ICMP_TYPE: int,
}


class _References(Protocol):
    def __call__(self, rules: Iterable[Rule], /) -> set[str]: ...


def _jumps_of(rules: Iterable[Rule]) -> set[str]:
    return {statement.chain for rule in rules for statement in rule.statements if isinstance(statement, Jump)}


def _maps_of(rules: Iterable[Rule]) -> set[str]:
    return {statement.map_name for rule in rules for statement in rule.statements if isinstance(statement, Dispatch)}


def _sets_of(rules: Iterable[Rule]) -> set[str]:
    referring = (SetMatch, TupleMatch, InterfaceSetMatch)
    return {match.set_name for rule in rules for match in rule.matches if isinstance(match, referring)}
