"""Which run each part joins: rules of one action commute, so that many of them can be looked up at once.

Parts are evaluated by *level*: run by run, within a run by rank (its shapes in order, the residual last). A part may be
evaluated at any level that is no lower than that of every earlier part of another action that it may overlap: at a lower level
that one has decided before; at the same, the order of rules counts in the residual, and in a set of tuples userland has put
each key to the first rule that has it. So each part joins the earliest run where its rank is not too low.

What may overlap is told by protocol, port and ICMP type alone (``Cell``), for the members of sets change. That is coarse and
right: a level that is higher than it must be changes no verdict. Log is an action of its own, so that what a rule logs is
decided neither sooner nor later than in a list.

A part that comes, goes or changes its level can only move parts that come after it, overlap it and are of another action; of
those only such as stood at their level because of it, or would now be too low. They are worked out again in order.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from heapq import heappop, heappush
from operator import attrgetter, itemgetter

from tortie.calc.hoststate import HostRule, PortRange
from tortie.model.policy import Action
from tortie.net import ICMP_OF, Address, Family, Protocol
from tortie.ruleset.rules import rule_families
from tortie.ruleset.runs.parts import Keys, Part
from tortie.ruleset.runs.shapes import RANKS, Shape
from tortie.ruleset.runs.slots import NOWHERE, Cell, Order, Slot

_order = attrgetter("order")
_UNBOUNDED = 1 << 62


class Joins:
    """The levels of all slots of a group."""

    def __init__(self, max_runs: int) -> None:
        self._highest = max_runs * RANKS - 1
        """What would need a higher level is residual in the last run, where the order of rules is kept."""
        self._at: dict[tuple[Action, Cell], list[Slot]] = {}
        """The slots of an action that are about just this cell, in order."""
        self._within: dict[tuple[Action, Cell], list[Slot]] = {}
        """Those, and all that are about a part of it."""
        self._due: dict[Slot, int] = {}
        """The slots to work out again, with a bound of what their lowest level can have become."""

    def add(self, slot: Slot) -> None:
        for lists, cell in self._entries(slot):
            slots = lists.setdefault((slot.action, cell), [])
            if slots and slots[-1].order > slot.order:
                slots.insert(bisect_left(slots, slot.order, key=_order), slot)
            else:
                slots.append(slot)
        self._due[slot] = _UNBOUNDED

    def remove(self, slot: Slot) -> None:
        """Its order must still be what it was among those that stay."""
        for lists, cell in self._entries(slot):
            slots = lists[slot.action, cell]
            del slots[bisect_left(slots, slot.order, key=_order)]
            if not slots:
                del lists[slot.action, cell]
        self._due.pop(slot, None)
        for other in self._overlapping(slot):
            if other.lowest == slot.level:
                self._due.setdefault(other, other.lowest)

    def flush(self) -> Iterator[tuple[Slot, int]]:
        """The slots whose level has changed, with what it was."""
        ahead = [(slot.order, slot) for slot in self._due]
        ahead.sort(key=itemgetter(0))
        while ahead:
            order, slot = heappop(ahead)
            slot.lowest = self._lowest(slot, order, self._due.pop(slot))
            before, level = slot.level, self._level(slot)
            if level == before:
                continue
            slot.level = level
            yield slot, before
            for other in self._overlapping(slot, after=order):
                if other.lowest == before or other.lowest < level:
                    if other not in self._due:
                        heappush(ahead, (other.order, other))
                    self._due[other] = max(self._due.get(other, other.lowest), level)

    def _level(self, slot: Slot) -> int:
        if slot.lowest == NOWHERE:
            return slot.rank
        run, rank = divmod(slot.lowest, RANKS)
        return min((run if slot.rank >= rank else run + 1) * RANKS + slot.rank, self._highest)

    def _lowest(self, slot: Slot, order: Order, bound: int) -> int:
        """The highest level of what it may overlap and comes before it; once the bound is reached, there is none higher."""
        lowest = NOWHERE
        for slots in self._lists_overlapping(slot):
            for other in slots[: bisect_left(slots, order, key=_order)]:
                if other.level > lowest:
                    lowest = other.level
                    if lowest >= bound:
                        return lowest
        return lowest

    def _overlapping(self, slot: Slot, after: Order | None = None) -> Iterator[Slot]:
        for slots in self._lists_overlapping(slot):
            yield from slots if after is None else slots[bisect_left(slots, after, key=_order) :]

    def _lists_overlapping(self, slot: Slot) -> Iterator[list[Slot]]:
        """The slots of other actions that are about what a slot is about."""
        for action in Action:
            if action is not slot.action:
                for cell in slot.cells:
                    if len(cell) < _NARROWEST and (slots := self._within.get((action, cell))):
                        yield slots
                    for outer in range(1, len(cell) + (len(cell) == _NARROWEST)):
                        if slots := self._at.get((action, cell[:outer])):
                            yield slots

    def _entries(self, slot: Slot) -> Iterator[tuple[dict[tuple[Action, Cell], list[Slot]], Cell]]:
        """In which lists a slot stands: under each of its cells, and once under each that these are parts of."""
        for cell in slot.cells:
            yield self._at, cell
        for outer in {cell[:length] for cell in slot.cells for length in range(1, min(len(cell), _NARROWEST - 1) + 1)}:
            yield self._within, outer


_NARROWEST = 3
"""Parts of a cell that has no parts."""


# --- cells ------------------------------------------------------------------------------------------------------------------


def cells_of(part: Part, port_span: int) -> tuple[Cell, ...]:
    """The traffic that a part may be about. A range of ports wider than *port_span* counts as all ports."""
    if part.keys is None:
        return tuple(dict.fromkeys(_cells_of_rule(part.rule, port_span)))
    families = Family if part.keys.space.family is None else (part.keys.space.family,)
    return tuple(dict.fromkeys(cell for family in families for cell in _cells_of_keys(part.keys, family)))


def _cells_of_keys(keys: Keys, family: Family) -> Iterator[Cell]:
    if keys.named is not None:
        yield (family,) if keys.protocol is None else (family, keys.protocol.number)
    elif keys.space.shape in (Shape.PEER_ICMP, Shape.ICMP):
        yield from ((family, ICMP_OF[family].number, *map(_number, end)) for end in keys.ends)
    else:
        yield from ((family, *map(_number, end)) for end in keys.ends)


def _number(value: Address | Protocol | int) -> int:
    """Of what follows the address in a key."""
    assert not isinstance(value, Address)
    return value.number if isinstance(value, Protocol) else value


def _cells_of_rule(rule: HostRule, port_span: int) -> Iterator[Cell]:
    for found in rule_families(rule):
        for family in Family if found is None else (found,):
            if rule.icmp is not None:
                yield family, ICMP_OF[family].number, rule.icmp.type
            elif rule.protocol is None:
                yield (family,)
            else:
                yield from ((family, rule.protocol.number, *port) for port in _ports(rule, port_span))


def _ports(rule: HostRule, port_span: int) -> Iterator[tuple[int, ...]]:
    destination = rule.destination
    if not destination.ports or destination.port_sets or any(_span(ports) > port_span for ports in destination.ports):
        yield ()
    else:
        yield from ((port,) for first, last in destination.ports for port in range(first, last + 1))


def _span(ports: PortRange) -> int:
    return ports.last - ports.first + 1
