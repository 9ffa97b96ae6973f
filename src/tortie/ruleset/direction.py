"""The chains of one direction, as they were last flushed, and what has to become of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from tortie.calc.hoststate import HostPolicy, HostRule, PolicyId
from tortie.model.policy import Action, Direction
from tortie.ruleset.chains import class_body, policy_body
from tortie.ruleset.classes import ClassContent, ClassTable
from tortie.ruleset.names import is_class_chain, policy_chain
from tortie.ruleset.options import Options
from tortie.ruleset.rules import SetNames
from tortie.ruleset.stages import FROM_WORKLOAD, TO_WORKLOAD
from tortie.ruleset.values import (
    ChainDelete,
    ChainReplace,
    MapDelta,
    PortSetMatch,
    Rule,
    RulesetDelta,
    SetMatch,
)

_MAP = {Direction.INGRESS: TO_WORKLOAD, Direction.EGRESS: FROM_WORKLOAD}


class DirectionChanges(NamedTuple):
    """What a flush does to one direction's chains and map; each part in an order in which it can be applied."""

    create: tuple[RulesetDelta, ...]
    switch: tuple[RulesetDelta, ...]
    delete: tuple[RulesetDelta, ...]


class DirectionChains:
    """Policy chains and class chains of one direction, and the map that dispatches to classes."""

    def __init__(self, direction: Direction, set_names: SetNames, options: Options) -> None:
        self._direction = direction
        self._set_names = set_names
        self._options = options
        self._classes = ClassTable(direction)
        self._chains = ChainTable()
        self._policy_of: dict[str, PolicyId] = {}
        """The policy behind each policy chain."""
        self._passing: set[PolicyId] = set()
        """Policies that have a chain with a Pass in it."""

    def flush(
        self,
        wanted: Mapping[str, ClassContent | None],
        policies: Mapping[PolicyId, HostPolicy],
        dirty_policies: AbstractSet[PolicyId],
        gone_sets: AbstractSet[str],
    ) -> DirectionChanges:
        """Bring chains and map to what is wanted of the interfaces that changed, and of policies that did.

        *gone_sets* are kernel sets that are about to be deleted: what refers to them is compiled again.
        """
        changes = self._classes.assign(wanted)
        stale_classes = {*changes.created, *changes.changed}
        for policy_id in sorted(dirty_policies | changes.policies):
            if self._refresh_policy(policy_id, policies.get(policy_id)):
                stale_classes |= self._classes.users(policy_id)
        for chain in sorted(self._chains.referring(gone_sets) - set(changes.deleted)):
            if chain in self._policy_of:
                self._refresh_policy(self._policy_of[chain], policies[self._policy_of[chain]])
            else:
                stale_classes.add(chain)
        for name in sorted(stale_classes):
            self._chains.put(name, self._class_body(name))
        for name in changes.deleted:
            self._chains.remove(name)
        return self._steps(MapDelta(_MAP[self._direction], changes.entries, changes.removed))

    def _refresh_policy(self, policy_id: PolicyId, policy: HostPolicy | None) -> bool:
        """Bring a policy's chain up to date: there is one while a class uses it. True if whether it can pass changed."""
        name = policy_chain(policy_id, self._direction)
        could_pass = policy_id in self._passing
        self._passing.discard(policy_id)
        if not self._classes.users(policy_id):
            self._chains.remove(name)
            self._policy_of.pop(name, None)
            return could_pass
        assert policy is not None, f"endpoints are governed by {policy_id}, which was never sent"
        rules = self._rules_of(policy)
        if any(rule.action is Action.PASS for rule in rules):
            self._passing.add(policy_id)
        self._policy_of[name] = policy_id
        self._chains.put(name, policy_body(policy_id, self._direction, rules, self._set_names, self._options))
        return could_pass != (policy_id in self._passing)

    def _rules_of(self, policy: HostPolicy) -> tuple[HostRule, ...]:
        return policy.ingress if self._direction is Direction.INGRESS else policy.egress

    def _class_body(self, name: str) -> tuple[Rule, ...]:
        content = self._classes.content(name)
        return class_body(content, self._direction, self._passing.__contains__, self._set_names, self._options)

    def _steps(self, entries: MapDelta) -> DirectionChanges:
        """Policy chains before the classes that jump to them, and the other way round where chains go."""
        created, replaced, deleted = self._chains.flush()
        created.sort(key=_rank)
        replaced.sort(key=_rank)
        deleted.sort(key=_rank, reverse=True)
        switched = [entries] if entries.set or entries.removed else []
        return DirectionChanges(tuple(created), (*replaced, *switched), tuple(deleted))


def _rank(delta: ChainReplace | ChainDelete) -> tuple[bool, str]:
    return is_class_chain(delta.name), delta.name


class ChainTable:
    """Chains as they were flushed last and as they are to be, with the sets that they refer to."""

    def __init__(self) -> None:
        self._rules: dict[str, tuple[Rule, ...]] = {}
        self._referrers: dict[str, set[str]] = {}
        self._before: dict[str, tuple[Rule, ...] | None] = {}
        """For each chain touched since the last flush: its rules then."""

    def put(self, name: str, rules: tuple[Rule, ...]) -> None:
        """The chain has these rules from now on."""
        self._note(name)
        self._rules[name] = rules
        for set_name in _sets_of(rules):
            self._referrers.setdefault(set_name, set()).add(name)

    def remove(self, name: str) -> None:
        """There is no such chain any more; nothing happens if there was none."""
        if name in self._rules:
            self._note(name)
            del self._rules[name]

    def referring(self, set_names: Iterable[str]) -> set[str]:
        """The chains that refer to any of these sets."""
        return {chain for set_name in set_names for chain in self._referrers.get(set_name, ())}

    def flush(self) -> tuple[list[ChainReplace], list[ChainReplace], list[ChainDelete]]:
        """What is new, what has other rules, and what is gone since the last call."""
        created, replaced, deleted = [], [], []
        for name, before in self._before.items():
            now = self._rules.get(name)
            if now is None:
                deleted += [ChainDelete(name)] if before is not None else []
            elif before is None:
                created.append(ChainReplace(name, now))
            elif now != before:
                replaced.append(ChainReplace(name, now))
        self._before.clear()
        return created, replaced, deleted

    def _note(self, name: str) -> None:
        rules = self._rules.get(name)
        self._before.setdefault(name, rules)
        for set_name in _sets_of(rules or ()):
            self._referrers[set_name].discard(name)
            if not self._referrers[set_name]:
                del self._referrers[set_name]


def _sets_of(rules: Iterable[Rule]) -> set[str]:
    return {match.set_name for rule in rules for match in rule.matches if isinstance(match, (SetMatch, PortSetMatch))}
