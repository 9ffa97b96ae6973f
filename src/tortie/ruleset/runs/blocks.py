"""A group's residual slots by run, and the blocks and guards that they stand in, as they were last flushed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from tortie.calc.hoststate import IPSetDelta, IPSetId, Member
from tortie.calc.listing import Listing
from tortie.ruleset.runs.guards import Guard
from tortie.ruleset.runs.residual import Context, Layout, Node, lay_out
from tortie.ruleset.runs.shapes import RANKS
from tortie.ruleset.runs.slots import Slot
from tortie.ruleset.values import ChainDelete, ChainReplace, Flush, Rule, RulesetDelta, SetCreate, SetDelete, SetDelta


class Blocks:
    """The residual of each run."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._slots: dict[int, set[Slot]] = {}
        self._stale: set[int] = set()
        """The runs to arrange again."""
        self._layouts: dict[int, Layout] = {}
        self._nodes: dict[str, Node] = {}
        self._followers = Listing[IPSetId, Guard]()
        """The guards that hold each set's members."""
        self._touched: dict[IPSetId, set[Member]] = {}

    def enter(self, slot: Slot) -> None:
        """A slot, compiled, is residual in its run."""
        self._slots.setdefault(slot.run, set()).add(slot)
        self._stale.add(slot.run)

    def leave(self, slot: Slot, level: int) -> None:
        """A slot is not residual any more where it was, at this level."""
        self._slots[level // RANKS].discard(slot)
        self._stale.add(level // RANKS)

    def changed(self, slot: Slot) -> None:
        """A slot was compiled otherwise."""
        self._stale.add(slot.run)

    def arrange_all(self) -> None:
        self._stale.update(self._slots)

    def members_changed(self, delta: IPSetDelta) -> None:
        if self._followers.of(delta.id):
            self._touched.setdefault(delta.id, set()).update(delta.added, delta.removed)

    @property
    def depth(self) -> int:
        """How many chains may stand below the group's."""
        return max((2 if node.children else 1 for node in self._nodes.values()), default=0)

    def rules(self) -> dict[int, tuple[Rule, ...]]:
        """What the group's chain has of each run."""
        return {run: layout.rules for run, layout in self._layouts.items()}

    def flush(self, *, is_linear: bool) -> Flush:
        """What becomes of blocks and guards; *is_linear*: there are none."""
        for run in self._stale:
            slots = sorted(self._slots.get(run, ()), key=lambda slot: slot.order)
            self._layouts[run] = _listed(slots) if is_linear else lay_out(slots, self._context, self._nodes)
            if not slots:
                self._slots.pop(run, None)
                del self._layouts[run]
        new, old = self._replace_nodes() if self._stale else ([], [])
        self._stale.clear()
        guards = self._guard_deltas(new, old)
        return Flush(tuple(self._creations(new)), tuple(guards), tuple(self._deletions(old)))

    def close(self) -> tuple[RulesetDelta, ...]:
        return tuple(self._deletions(list(self._nodes.values())))

    def _replace_nodes(self) -> tuple[list[Node], list[Node]]:
        """The nodes that came, and those that went."""
        wanted = {node.name: node for layout in self._layouts.values() for node in layout.nodes}
        before, self._nodes = self._nodes, wanted
        new = [node for name, node in wanted.items() if name not in before]
        return new, [node for name, node in before.items() if name not in wanted]

    def _creations(self, nodes: Iterable[Node]) -> Iterator[RulesetDelta]:
        for node in nodes:
            for guard in node.guards:
                yield SetCreate(guard.declaration, frozenset(guard.elements))
            self._context.sets.refer(node.name, node.rules)
            yield ChainReplace(node.name, node.rules)

    def _deletions(self, nodes: Sequence[Node]) -> Iterator[RulesetDelta]:
        """What jumps to others first."""
        for node in sorted(nodes, key=lambda node: not node.children):
            self._context.sets.refer(node.name, ())
            yield ChainDelete(node.name)
        for guard in _guards(nodes):
            yield SetDelete(guard.declaration.name)

    def _guard_deltas(self, new: Sequence[Node], old: Sequence[Node]) -> list[SetDelta]:
        """What becomes of the guards that stay. Old ones follow their sets no more, new ones from now on."""
        for guard in _guards(old):
            self._followers.discard(guard, guard.set_ids)
        touched: dict[Guard, set[Member]] = {}
        for set_id, members in self._touched.items():
            for guard in self._followers.of(set_id):
                touched.setdefault(guard, set()).update(members)
        self._touched.clear()
        for guard in _guards(new):
            self._followers.add(guard, guard.set_ids)
        in_order = sorted(touched, key=lambda guard: guard.declaration.name)
        deltas = [guard.change(touched[guard]) for guard in in_order]
        return [delta for delta in deltas if delta.added or delta.removed]


def _guards(nodes: Iterable[Node]) -> Iterator[Guard]:
    return (guard for node in nodes for guard in node.guards)


def _listed(slots: Iterable[Slot]) -> Layout:
    return Layout(tuple(rule for slot in slots for rule in slot.compiled))
