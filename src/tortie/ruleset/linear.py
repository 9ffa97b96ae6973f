"""The linear compilation: a chain of rules per policy, and a group's chain that jumps to them in order.

A policy's chain is the same whatever group it is in, so all groups of a stage share one store of them: a policy that goes from
one group to another keeps its chain. The group of a single policy has no chain of its own; classes jump to the policy's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from tortie.calc.hoststate import HostRule, IPSetDelta, PolicyId
from tortie.model.policy import Action
from tortie.ruleset.chaintable import ChainTable
from tortie.ruleset.group import GroupStage
from tortie.ruleset.grouping import edit
from tortie.ruleset.marks import has_bit
from tortie.ruleset.names import policy_chain, rule_comment
from tortie.ruleset.values import ChainDelete, ChainReplace, Flush, Jump, Return, Rule


class PolicyChains:
    """The chains of the policies that linear groups of one stage have."""

    def __init__(self, stage: GroupStage) -> None:
        self.stage = stage
        self._chains = ChainTable(stage.sets)
        self._rules: dict[PolicyId, tuple[HostRule, ...]] = {}
        self._uses: dict[PolicyId, int] = {}
        self._dirty: set[PolicyId] = set()
        self._unused: set[PolicyId] = set()
        """Those that some group has let go, and no other had then."""
        self._names: dict[PolicyId, str] = {}
        self._policy_of: dict[str, PolicyId] = {}

    def name(self, policy_id: PolicyId) -> str:
        name = self._names.get(policy_id)
        return name if name is not None else policy_chain(policy_id, self.stage.direction, self.stage.kind)

    def use(self, policy_id: PolicyId, step: int) -> None:
        """One group more, or fewer, has the policy."""
        uses = self._uses[policy_id] = self._uses.get(policy_id, 0) + step
        if not uses:
            self._unused.add(policy_id)

    def set_rules(self, policy_id: PolicyId, rules: tuple[HostRule, ...]) -> None:
        """A policy that goes from group to group with the rules that it has costs nothing here."""
        if self._rules.get(policy_id) != rules:
            self._rules[policy_id] = rules
            self._dirty.add(policy_id)

    def passes(self, policy_id: PolicyId) -> bool:
        """Whether a rule of the policy leaves the tier."""
        return any(rule.action is Action.PASS for rule in self._rules[policy_id])

    def flush(self, outdated: Iterable[str]) -> Flush:
        """The chains that came, changed and went; of these, those named as *outdated* are compiled again."""
        self._dirty |= {self._policy_of[chain] for chain in outdated if chain in self._policy_of}
        for policy_id in self._unused:
            if not self._uses[policy_id]:
                self._forget(policy_id)
        for policy_id in sorted(self._dirty):
            name = self._names[policy_id] = self.name(policy_id)
            self._policy_of[name] = policy_id
            self._chains.put(name, tuple(self._body(policy_id)))
        self._unused.clear()
        self._dirty.clear()
        return self._chains.flush()

    def _forget(self, policy_id: PolicyId) -> None:
        name = self.name(policy_id)
        self._chains.remove(name)
        self._dirty.discard(policy_id)
        self._policy_of.pop(name, None)
        self._names.pop(policy_id, None)
        self._rules.pop(policy_id, None)
        del self._uses[policy_id]

    def _body(self, policy_id: PolicyId) -> Iterator[Rule]:
        for index, rule in enumerate(self._rules[policy_id]):
            yield from self.stage.compile(rule, rule_comment(policy_id, self.stage.direction, index))


class LinearGroup:
    """A group that walks its policies' chains one after the other."""

    def __init__(self, chain: str, chains: PolicyChains) -> None:
        self.chain = chain
        self.can_pass = False
        self._chains = chains
        self._policies: tuple[PolicyId, ...] = ()
        self._passing: set[PolicyId] = set()
        self._is_dirty = False
        self._written: tuple[Rule, ...] | None = None
        """The rules of the group's own chain as of the last flush; None: it has none."""

    @property
    def depth(self) -> int:
        return 1 if self._written is None else 2

    def place(self, policies: Sequence[PolicyId]) -> None:
        now = tuple(policies)
        change = edit(self._policies, now)
        for policy_id in now[change.start : change.stop]:
            self._chains.use(policy_id, +1)
        for policy_id in self._policies[change.start : change.end]:
            self._chains.use(policy_id, -1)
            self._passing.discard(policy_id)
        self._policies = now
        self._is_dirty = True

    def set_rules(self, policy_id: PolicyId, rules: tuple[HostRule, ...]) -> None:
        self._chains.set_rules(policy_id, rules)
        if self._chains.passes(policy_id) is not (policy_id in self._passing):
            self._passing ^= {policy_id}
            self._is_dirty = True

    def members_changed(self, delta: IPSetDelta) -> None:
        """Linear rules look sets up by name; they listen to none."""

    def flush(self) -> Flush:
        """What becomes of the group's own chain; those of its policies are flushed by their store."""
        if not self._is_dirty:
            return Flush()
        self._is_dirty = False
        self.can_pass = bool(self._passing)
        if self.chain == self._chains.name(self._policies[0]):
            return Flush()
        before, self._written = self._written, tuple(self._body())
        if self._written == before:
            return Flush()
        replaced = (ChainReplace(self.chain, self._written),)
        return Flush(create=replaced) if before is None else Flush(switch=replaced)

    def close(self) -> Flush:
        self.place(())
        return Flush(delete=(ChainDelete(self.chain),)) if self._written is not None else Flush()

    def _body(self) -> Iterator[Rule]:
        """A jump to each policy; after one that can pass, the way back if it did."""
        for policy_id in self._policies:
            yield Rule((), (Jump(self._chains.name(policy_id)),))
            if policy_id in self._passing and policy_id is not self._policies[-1]:
                yield Rule((has_bit(self._chains.stage.options.marks.passed),), (Return(),), "passed")
