"""What the table should hold, and what it holds: sets, maps and chains by name.

``Contents`` is the driver's memory of what is desired, changed in place by deltas (a change costs what it changes, never the
whole), and also the shape of what is read back, where things that we would not have written are ``Unrecognised``.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import NamedTuple

from tortie.dataplane.nft.decode import Unrecognised
from tortie.ruleset.ruleset import Chain, Ruleset, Set
from tortie.ruleset.values import (
    BaseChain,
    ChainDelete,
    ChainReplace,
    Element,
    MapCreate,
    MapDelete,
    MapDelta,
    Rule,
    RulesetDelta,
    SetCreate,
    SetDeclaration,
    SetDelete,
    SetDelta,
)


@dataclass
class SetContents:
    """A set and its elements."""

    declaration: SetDeclaration | Unrecognised
    elements: AbstractSet[Element]
    """As it was given until it is first changed, then our own."""
    foreign: bool = False
    """It has elements besides, such as we never write."""


@dataclass
class MapContents:
    """A verdict map: the chain to jump to by interface name."""

    entries: dict[str, str]
    foreign: bool = False
    unrecognised: Unrecognised | None = None
    """Set if it is no map from interface names to verdicts at all."""


class ChainContents(NamedTuple):
    base: BaseChain | Unrecognised | None
    rules: tuple[Rule | Unrecognised, ...]


@dataclass
class Contents:
    """Everything in the table."""

    sets: dict[str, SetContents] = field(default_factory=dict)
    maps: dict[str, MapContents] = field(default_factory=dict)
    chains: dict[str, ChainContents] = field(default_factory=dict)

    def ruleset(self) -> Ruleset:
        """All of it that is recognised, as the value that the compiler and the interpreter know."""
        chains = {
            name: Chain(tuple(rule for rule in chain.rules if isinstance(rule, Rule)), chain.base)
            for name, chain in self.chains.items()
            if not isinstance(chain.base, Unrecognised)
        }
        sets = {
            name: Set(known.declaration, frozenset(known.elements))
            for name, known in self.sets.items()
            if isinstance(known.declaration, SetDeclaration)
        }
        maps = {name: dict(known.entries) for name, known in self.maps.items() if not known.unrecognised}
        return Ruleset(chains, sets, maps)

    def unrecognised(self) -> tuple[str, ...]:
        """What ``ruleset`` leaves out, for people; empty if the table holds nothing but what we could have written."""
        found = [f"chain {n}: {r.what}" for n, c in self.chains.items() for r in c.rules if isinstance(r, Unrecognised)]
        found += [f"chain {n}: {c.base.what}" for n, c in self.chains.items() if isinstance(c.base, Unrecognised)]
        found += [s.declaration.what for s in self.sets.values() if isinstance(s.declaration, Unrecognised)]
        found += [m.unrecognised.what for m in self.maps.values() if m.unrecognised]
        found += [f"set {name}: elements" for name, known in self.sets.items() if known.foreign]
        found += [f"map {name}: elements" for name, known in self.maps.items() if known.foreign]
        return tuple(found)

    def apply(self, delta: RulesetDelta) -> tuple[RulesetDelta, ...]:
        """Change what is desired; what of the delta is a change, in a form that the kernel takes.

        Elements that are there already are not added again, nor absent ones removed. A map entry that changes stands both
        among the removed and the set ones: the kernel has no replace (an existing key with other data is EEXIST).
        """
        match delta:
            case SetCreate():
                return self._create_set(delta)
            case SetDelta():
                return self._change_set(delta)
            case SetDelete(name):
                return (delta,) if self.sets.pop(name, None) else ()
            case ChainReplace():
                return self._replace_chain(delta)
            case ChainDelete(name):
                return (delta,) if self.chains.pop(name, None) else ()
            case MapCreate():
                return self._create_map(delta)
            case MapDelta():
                return self._change_map(delta)
            case MapDelete(name):
                return (delta,) if self.maps.pop(name, None) else ()

    def _create_set(self, delta: SetCreate) -> tuple[RulesetDelta, ...]:
        name = delta.declaration.name
        known = self.sets.get(name)
        if known is None:
            self.sets[name] = SetContents(delta.declaration, delta.elements)
            return (delta,)
        if known.declaration != delta.declaration:
            raise ValueError(f"set {name} exists with another type")
        return self._change_set(SetDelta(name, delta.elements, frozenset(known.elements) - delta.elements))

    def _change_set(self, delta: SetDelta) -> tuple[RulesetDelta, ...]:
        known = self.sets[delta.name]
        added = delta.added - known.elements
        removed = frozenset(e for e in delta.removed if e in known.elements and e not in delta.added)
        if not added and not removed:
            return ()
        elements = known.elements if isinstance(known.elements, set) else set(known.elements)
        elements -= removed
        elements |= added
        known.elements = elements
        return (SetDelta(delta.name, added, removed),)

    def _replace_chain(self, delta: ChainReplace) -> tuple[RulesetDelta, ...]:
        known = self.chains.get(delta.name)
        new = ChainContents(delta.base, delta.rules)
        if known == new:
            return ()
        self.chains[delta.name] = new
        if known and known.base != new.base:  # the kernel cannot move a base chain
            return ChainDelete(delta.name), delta
        return (delta,)

    def _create_map(self, delta: MapCreate) -> tuple[RulesetDelta, ...]:
        known = self.maps.get(delta.name)
        if known is None:
            self.maps[delta.name] = MapContents(dict(delta.entries))
            return (delta,)
        gone = tuple(sorted(known.entries.keys() - dict(delta.entries).keys()))
        return self._change_map(MapDelta(delta.name, delta.entries, gone))

    def _change_map(self, delta: MapDelta) -> tuple[RulesetDelta, ...]:
        entries = self.maps[delta.name].entries
        changed = tuple((ifname, chain) for ifname, chain in delta.set if entries.get(ifname) != chain)
        replaced = tuple(ifname for ifname, _ in changed if ifname in entries)
        set_names = {ifname for ifname, _ in delta.set}
        removed = tuple(ifname for ifname in delta.removed if ifname in entries and ifname not in set_names)
        for ifname in removed:
            del entries[ifname]
        entries.update(changed)
        return (MapDelta(delta.name, changed, removed + replaced),) if changed or removed else ()
