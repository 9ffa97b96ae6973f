"""A group compiled into runs of tuple sets, kept up to date by what changes.

    policies, rules ──► parts ──► slots ──► levels (joins) ──┬──► TupleSets: owners of keys, steps
    members of sets ─────────────────────────────────────────┤
                                                             └──► Blocks: residual, guards

A member that comes or goes is some keys of the rules that refer to its set. A rule that changes touches its own keys, and those of
rules that come to another run because of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from tortie.calc.hoststate import HostRule, IPSetDelta, IPSetId, PolicyId
from tortie.model.policy import Action
from tortie.net import Family, Network
from tortie.ruleset.group import GroupStage, TupleOwners
from tortie.ruleset.grouping import edit
from tortie.ruleset.names import part_prefix, rule_comment
from tortie.ruleset.rules import compile_rule
from tortie.ruleset.runs.blocks import Blocks
from tortie.ruleset.runs.cost import AUTO, CostModel
from tortie.ruleset.runs.joins import Joins, cells_of
from tortie.ruleset.runs.keysets import Key
from tortie.ruleset.runs.parts import Keys, Limits, Part, parts_of, peer_of, whole
from tortie.ruleset.runs.residual import Context
from tortie.ruleset.runs.sequence import renumber
from tortie.ruleset.runs.shapes import Space
from tortie.ruleset.runs.slots import NOWHERE, PolicySlots, Slot
from tortie.ruleset.runs.tuplesets import TupleSets
from tortie.ruleset.values import ChainDelete, ChainReplace, Flush, Rule, RulesetDelta


class RunsGroup:
    """One group, as ``group.Group`` wants it."""

    def __init__(self, chain: str, stage: GroupStage, cost: CostModel = AUTO) -> None:
        self.chain = chain
        self.can_pass = False
        self._stage = stage
        self._cost = cost
        self._policies: dict[PolicyId, PolicySlots] = {}
        self._order: list[PolicySlots] = []
        self._wanted: tuple[PolicyId, ...] = ()
        self._must_arrange = False
        self._arranged: tuple[PolicyId, ...] = ()
        """The policies in the order, as they were wanted when it was last brought to that."""
        self._dirty: set[PolicyId] = set()
        self._rules = 0
        """How many rules are wanted."""
        self._is_linear = True
        self._slots_of: dict[IPSetId, set[Slot]] = {}
        """The slots whose rules refer to each set."""
        self._refused: set[Keys] = set()
        """Keys that were too many when last counted."""
        self._actions: Counter[Action] = Counter()
        self._joins = Joins(cost.max_runs)
        prefix = part_prefix(chain)
        self._tuples = TupleSets(prefix, stage)
        self._blocks = Blocks(Context(prefix, stage.direction, stage.sets, stage.options.marks.passed, cost))
        self._written: tuple[Rule, ...] | None = None
        """The rules of the group's chain as of the last flush."""

    @property
    def depth(self) -> int:
        return 1 + self._blocks.depth

    # --- what is wanted -------------------------------------------------------------------------------------------------------

    def place(self, policies: Sequence[PolicyId]) -> None:
        before, self._wanted, self._must_arrange = self._wanted, tuple(policies), True
        change = edit(before, self._wanted)
        for policy_id in self._wanted[change.start : change.stop]:
            if policy_id not in self._policies:
                self._policies[policy_id] = PolicySlots(policy_id)
                self._dirty.add(policy_id)

    def set_rules(self, policy_id: PolicyId, rules: tuple[HostRule, ...]) -> None:
        policy = self._policies[policy_id]
        self._rules += len(rules) - len(policy.wanted)
        policy.wanted = rules
        self._dirty.add(policy_id)

    def members_changed(self, delta: IPSetDelta) -> None:
        slots = self._slots_of.get(delta.id, ())
        for slot in slots:
            keys = slot.part.keys
            if keys is not None and slot.key_set is not None and keys.set_id == delta.id:
                self._tuples.members_changed(slot, delta)
        self._blocks.members_changed(delta)
        has_networks = any(isinstance(m, Network) and not m.is_host for m in (*delta.added, *delta.removed))
        for slot in slots:
            wanted = slot.part.keys or slot.part.refused
            if has_networks or (wanted is not None and self._is_refused(wanted) is not (wanted in self._refused)):
                self._spoil(slot.policy)

    def _spoil(self, policy: PolicySlots) -> None:
        policy.is_stale = True
        self._dirty.add(policy.policy_id)

    def _is_refused(self, keys: Keys) -> bool:
        """Whether the keys are too many."""
        members = len(self._stage.sets.members(keys.set_id)) if keys.set_id else 0
        return self._cost.is_over_budget(members * keys.per_member, was_over=keys in self._refused)

    # --- flush ----------------------------------------------------------------------------------------------------------------

    def flush(self) -> Flush:
        if self._must_arrange:
            self._arrange_policies()
        self._choose_compilation()
        for policy_id in sorted(self._dirty):
            self._update_policy(self._policies[policy_id])
        self._dirty.clear()
        for slot, before in self._joins.flush():
            self._move(slot, before)
        self.can_pass = self._actions[Action.PASS] > 0
        tuples, blocks = self._tuples.flush(), self._blocks.flush(is_linear=self._is_linear)
        created, replaced = self._flush_chain()
        return Flush(
            create=(*tuples.create, *blocks.create, *created),
            switch=(*blocks.switch, *tuples.switch, *replaced),
            delete=(*blocks.delete, *tuples.delete),
        )

    def _flush_chain(self) -> tuple[tuple[RulesetDelta, ...], tuple[RulesetDelta, ...]]:
        """The group's chain, if it is new, or if it is another."""
        before, self._written = self._written, tuple(self._body())
        self._stage.sets.refer(self.chain, self._written)
        chain = (ChainReplace(self.chain, self._written),) if self._written != before else ()
        return (chain, ()) if before is None else ((), chain)

    def _body(self) -> Iterator[Rule]:
        look_ups, residual = self._tuples.rules(), self._blocks.rules()
        for run in sorted(look_ups.keys() | residual.keys()):
            yield from look_ups.get(run, ())
            yield from residual.get(run, ())

    def close(self) -> Flush:
        for set_id in self._slots_of:
            self._stage.sets.unlisten(set_id, self)
        self._stage.sets.refer(self.chain, ())
        for policy in self._policies.values():
            policy.slots.clear()  # which know their policy: nobody has to look for cycles
        chains = () if self._written is None else (ChainDelete(self.chain),)
        return Flush(delete=(*chains, *self._blocks.close(), *self._tuples.close()))

    def owners(self, key: Key, space: Space) -> TupleOwners | None:
        """The set in which a key stands as of the last flush, and whose it is; None: in none of ours."""
        return self._tuples.owners(key, space)

    # --- policies and their rules -----------------------------------------------------------------------------------------------

    def _arrange_policies(self) -> None:
        change = edit(self._arranged, self._wanted)
        self._arranged, self._must_arrange = self._wanted, False
        moved = self._order[change.start : change.end]
        placed = [self._policies[policy_id] for policy_id in self._wanted[change.start : change.stop]]
        for policy in moved:
            self._drop_slots(policy)
            self._dirty.add(policy.policy_id)
        self._order[change.start : change.end] = placed
        renumber(self._order, change.start, change.stop)
        for policy in {*moved} - {*placed}:
            self._forget(policy)
        for policy in [self._policies[policy_id] for policy_id in self._dirty]:
            if not policy.label:  # placed, and no more before it came to a flush
                self._forget(policy)

    def _forget(self, policy: PolicySlots) -> None:
        self._rules -= len(policy.wanted)
        del self._policies[policy.policy_id]
        self._dirty.discard(policy.policy_id)

    def _choose_compilation(self) -> None:
        """A short list stays a list."""
        is_linear = self._rules < self._cost.linear_below
        if is_linear is not self._is_linear:
            self._is_linear = is_linear
            self._blocks.arrange_all()
            for policy in self._order:
                self._spoil(policy)

    def _drop_slots(self, policy: PolicySlots) -> None:
        for slots in policy.slots:
            self._drop(slots)
        policy.slots, policy.rules = [], ()

    def _update_policy(self, policy: PolicySlots) -> None:
        """Make a policy's slots those of its rules; slots whose part is as it was stay."""
        change = edit(policy.rules, policy.wanted)
        for slots in policy.slots[change.start : change.end]:
            self._drop(slots)
        policy.slots[change.start : change.end] = [[] for _ in range(change.start, change.stop)]
        policy.rules = policy.wanted
        if change.stop != change.end:
            for index, slots in enumerate(policy.slots[change.stop :], start=change.stop):
                self._shift(slots, index)
        for index, rule in enumerate(policy.rules):
            if policy.is_stale or change.start <= index < change.stop:
                self._update_rule(policy, index, rule)
        policy.is_stale = False

    def _update_rule(self, policy: PolicySlots, index: int, rule: HostRule) -> None:
        parts = self._parts(rule)
        if parts == tuple(slot.part for slot in policy.slots[index]):
            self._shift(policy.slots[index], index)
            return
        self._drop(policy.slots[index])
        policy.slots[index] = [
            self._add(Slot(policy, index, number, part, cells_of(part, self._cost.port_span)))
            for number, part in enumerate(parts)
        ]

    def _parts(self, rule: HostRule) -> tuple[Part, ...]:
        if self._is_linear:
            return whole(rule)
        limits = Limits(self._stage.sets.has_networks, self._fits, self._cost.port_span)
        return parts_of(rule, self._stage.direction, limits)

    def _fits(self, keys: Keys) -> bool:
        is_refused = self._is_refused(keys)
        (self._refused.add if is_refused else self._refused.discard)(keys)
        return not is_refused

    # --- slots ----------------------------------------------------------------------------------------------------------------

    def _add(self, slot: Slot) -> Slot:
        self._actions[slot.action] += 1
        for set_id in slot.part.rule.set_ids:
            if set_id not in self._slots_of:
                self._slots_of[set_id] = set()
                self._stage.sets.listen(set_id, self)
            self._slots_of[set_id].add(slot)
        self._joins.add(slot)
        return slot

    def _drop(self, slots: Iterable[Slot]) -> None:
        for slot in slots:
            self._actions[slot.action] -= 1
            self._joins.remove(slot)
            self._leave(slot, slot.level)
            if slot.part.refused is not None:
                self._refused.discard(slot.part.refused)
            for set_id in slot.part.rule.set_ids:
                self._slots_of[set_id].discard(slot)
                if not self._slots_of[set_id]:
                    del self._slots_of[set_id]
                    self._stage.sets.unlisten(set_id, self)

    def _shift(self, slots: Iterable[Slot], index: int) -> None:
        """The slots of a rule that is as it was, but for its index or what its sets are called."""
        for slot in slots:
            slot.index = index
            if slot.level != NOWHERE and slot.is_residual and self._compiled(slot) != slot.compiled:
                slot.compile(self._compiled(slot))
                self._blocks.changed(slot)

    def _move(self, slot: Slot, before: int) -> None:
        """Put a slot where it belongs now. Keys that stay keys are not taken out in between."""
        if slot.key_set is not None and not slot.is_residual:
            self._tuples.move(slot)
            return
        self._leave(slot, before)
        if slot.is_residual:
            slot.compile(self._compiled(slot))
            self._blocks.enter(slot)
        else:
            self._tuples.enter(slot)

    def _leave(self, slot: Slot, level: int) -> None:
        """Take a slot away from where it stood, at a level."""
        if slot.key_set is not None:
            self._tuples.leave(slot)
        elif level != NOWHERE:
            self._blocks.leave(slot, level)

    def _compiled(self, slot: Slot) -> tuple[Rule, ...]:
        stage, rule = self._stage, slot.part.rule
        comment = rule_comment(slot.policy.policy_id, stage.direction, slot.index)
        peer_sets = peer_of(rule, stage.direction).sets if slot.part.only_networks else ()

        def name(set_id: IPSetId, family: Family) -> str:
            return (stage.sets.networks_name if set_id in peer_sets else stage.sets.name)(set_id, family)

        return tuple(compile_rule(rule, stage.statements(rule), name, stage.options.marks, comment))
