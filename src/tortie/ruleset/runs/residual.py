"""What is left of a run's rules, as a list of blocks that most packets skip.

    group ──► rule, rule, …                            rules without a peer's addresses: asked of every packet
          ──► peer @guard ──► block: about 8 rules
          ──► peer @guard ──► node ──► blocks          where there are many

Blocks are cut where the rules themselves say so (by their hash), so that a rule that comes or goes changes its own block and no
other, and they are named by what they hold: a changed block is another chain, made before the list is switched to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple, TypeVar
from zlib import crc32

from tortie.model.policy import Action, Direction
from tortie.net import Family
from tortie.ruleset.marks import has_bit
from tortie.ruleset.names import short_hash
from tortie.ruleset.rules import rule_families
from tortie.ruleset.runs.cost import CostModel
from tortie.ruleset.runs.guards import Guard, can_guard
from tortie.ruleset.runs.shapes import peer_side
from tortie.ruleset.runs.slots import Slot
from tortie.ruleset.sets import SetTable
from tortie.ruleset.values import Jump, Return, Rule, SetMatch, Side

_SHORTEST = 3
"""So many rules are worth a guard; each looks up its own addresses anyway."""


class Context(NamedTuple):
    """What all blocks of a group have in common."""

    base: str
    """What names begin with."""
    direction: Direction
    sets: SetTable
    passed: int
    """The mark bit of Pass."""
    cost: CostModel


class Node:
    """A chain behind guards: a block of rules, or a node that leads to blocks."""

    def __init__(self, name: str, slots: Sequence[Slot], children: Sequence[Node], context: Context) -> None:
        self.name = name
        self.children = children
        self.guards = tuple(
            Guard(f"{name}-{family.value}", family, of_family, context.direction, context.sets)
            for family in Family
            if (of_family := [slot for slot in slots if family in rule_families(slot.part.rule)])
        )
        own = (rule for slot in slots for rule in slot.compiled)
        self.rules = tuple(rule for child in children for rule in child.jumps) if children else tuple(own)
        can_pass = any(slot.action is Action.PASS for slot in slots)
        self.jumps: tuple[Rule, ...] = tuple(
            self._jumps(peer_side(context.direction), context.passed if can_pass else None)
        )
        """The rules of a chain that goes through this one: by way of a guard, and on only if no rule passed."""

    def _jumps(self, side: Side, passed: int | None) -> Iterator[Rule]:
        for guard in self.guards:
            yield Rule((SetMatch(side, guard.family, guard.declaration.name),), (Jump(self.name),))
        if passed is not None:
            yield Rule((has_bit(passed),), (Return(),))


class Layout(NamedTuple):
    """The residual of one run."""

    rules: tuple[Rule, ...] = ()
    """For the group's chain."""
    nodes: tuple[Node, ...] = ()
    """All chains below it, each before what jumps to it."""


def lay_out(slots: Iterable[Slot], context: Context, known: Mapping[str, Node]) -> Layout:
    """Arrange residual slots that are compiled and in order; nodes that are *known* by name are taken as they are."""
    return _Arranger(context, known).arrange(slots)


class _Arranger:
    """Lays out one run."""

    def __init__(self, context: Context, known: Mapping[str, Node]) -> None:
        self._context = context
        self._known = known
        self._rules: list[Rule] = []
        self._nodes: list[Node] = []

    def arrange(self, slots: Iterable[Slot]) -> Layout:
        _, direction, sets, _, cost = self._context
        for is_guarded, stretch in groupby(slots, lambda slot: can_guard(slot, direction, sets, cost.budget)):
            if is_guarded:
                self._guarded(list(stretch))
            else:
                self._inline(stretch)
        return Layout(tuple(self._rules), tuple(self._nodes))

    def _inline(self, slots: Iterable[Slot]) -> None:
        self._rules += (rule for slot in slots for rule in slot.compiled)

    def _guarded(self, slots: Sequence[Slot]) -> None:
        blocks = list(_cut(slots, [slot.digest for slot in slots], self._context.cost.block))
        if len(blocks) < 2 * self._context.cost.node:
            for block in blocks:
                if len(block) < _SHORTEST:
                    self._inline(block)
                else:
                    self._rules += self._node("r", block).jumps
            return
        digests = [_digest(block) for block in blocks]
        for group in _cut(blocks, digests, self._context.cost.node):
            children = [self._node("r", block) for block in group]
            self._rules += self._node("n", [slot for block in group for slot in block], children).jumps

    def _node(self, kind: str, slots: Sequence[Slot], children: Sequence[Node] = ()) -> Node:
        name = f"{self._context.base}-{kind}{_digest(slots)}"
        node = self._known.get(name) or Node(name, slots, children, self._context)
        self._nodes.append(node)
        return node


def _digest(slots: Iterable[Slot]) -> str:
    return short_hash("".join(slot.digest for slot in slots), 10)


_Item = TypeVar("_Item")


def _cut(items: Sequence[_Item], digests: Iterable[str], about: int) -> Iterator[Sequence[_Item]]:
    """Stretches of half to twice as many items as wanted, each cut after an item whose digest says so."""
    begun = 0
    for at, digest in enumerate(digests, start=1):
        length = at - begun
        if length >= 2 * about or (length >= about // 2 and crc32(digest.encode()) % about == 0):
            yield items[begun:at]
            begun = at
    if begun < len(items):
        yield items[begun:]
