"""How much a change of a policy changes besides the flow that it is for, by the sets of ends and packets that its rules mean.

It is counted at most: what other rules decide before is not looked at, nor that half of a pair may be stopped at the other end.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence

from tortie.analysis.edits.edit import Change, Size
from tortie.analysis.edits.measure import ALL_PORTS, EVERYWHERE, End, Measure, own_and_peer
from tortie.analysis.edits.state import State, meant
from tortie.model.kinds import ResourceKey
from tortie.model.meta import Resource
from tortie.model.policy import (
    Action,
    Direction,
    GlobalNetworkPolicy,
    GlobalNetworkPolicySpec,
    NetworkPolicy,
    Profile,
    Rule,
)
from tortie.model.yamltext import yaml_lines
from tortie.net import Family
from tortie.verdict import Endpoint
from tortie.verdict.names import DEFAULT_TIER
from tortie.verdict.order import EnforcedPolicy, directions, rules
from tortie.verdict.scope import governs

_ALL = 3 * ALL_PORTS * EVERYWHERE
"""What changes for an end that a policy begins, or ceases, to govern: all that its rules do not say."""

_LEFT_TO_OTHERS = Rule(action=Action.PASS)


class Sizing:
    """Sizes of changes of one state."""

    def __init__(self, state: State) -> None:
        self._cluster = state.cluster
        self._measure = Measure(state.cluster)

    def of(self, change: Change) -> Size:
        """The size of one change."""
        before: Mapping[ResourceKey, Resource] = {} if change.written is None else meant(change.written.resource)
        others = sum(self._object(before.get(key), resource) for key, resource in change.meant.items())
        return Size(max(others - 1, 0), _lines(change))

    def _object(self, before: Resource | None, after: Resource) -> int:
        match after:
            case NetworkPolicy() | GlobalNetworkPolicy():
                old = before if isinstance(before, NetworkPolicy | GlobalNetworkPolicy) else None
                return sum(self._policy(old, after, direction) for direction in Direction)
            case Profile() if isinstance(before, Profile):
                listing = [end for end in self._measure.ends if after.metadata.name in end.profiles]
                ingress = self._rules(before.spec.ingress, after.spec.ingress, "", Direction.INGRESS, listing)
                return ingress + self._rules(before.spec.egress, after.spec.egress, "", Direction.EGRESS, listing)
            case _:
                return 0

    def _policy(self, old: EnforcedPolicy | None, new: EnforcedPolicy, direction: Direction) -> int:
        governed = [end for end in self._measure.ends if governs(new, end.labels)]
        was, now = (policy is not None and direction in directions(policy) for policy in (old, new))
        if was and not now:
            return _ALL * len(governed)
        if not now:
            return 0
        before = rules(old, direction) if old is not None and was else ()
        behind = [each for end in governed for each in self._behind(new, end)]
        # What a new policy leaves to others is as it was; that they decided before it is counted below.
        after = [rule for rule in rules(new, direction) if old is not None or rule != _LEFT_TO_OTHERS]
        changed = self._rules(before, after, new.metadata.namespace, direction, behind)
        return changed + (0 if was else _ALL * self._newly_governed(new, direction, governed))

    def _behind(self, policy: EnforcedPolicy, end: End) -> Iterator[End]:
        """For whom it speaks: a host endpoint also for the workloads of its host, if what is forwarded is judged."""
        yield end
        spec = policy.spec
        if not isinstance(end, Endpoint) and isinstance(spec, GlobalNetworkPolicySpec) and spec.apply_on_forward:
            yield from (endpoint for endpoint in self._cluster.endpoints if endpoint.node == end.node)

    def _newly_governed(self, policy: EnforcedPolicy, direction: Direction, governed: Iterable[End]) -> int:
        """How many ends are now closed but for what the policy allows; or by its Pass spared what others of its tier decided."""
        name = policy.spec.tier or DEFAULT_TIER
        tiers = [tier for tier in self._cluster.policies.tiers if tier.name == name]
        enforced = [each for tier in tiers for each in tier.policies if isinstance(each, EnforcedPolicy)]
        passes_on = _LEFT_TO_OTHERS in rules(policy, direction)
        return sum(
            any(direction in directions(each) and governs(each, end.labels) for each in enforced) is passes_on
            for end in governed
        )

    def _rules(
        self, before: Sequence[Rule], after: Sequence[Rule], namespace: str, direction: Direction, ends: Sequence[End]
    ) -> int:
        """Of the rules that are not the same: what one matches more than the one in its place; or all that each of them matches.

        In the IP version in which it is more: what they do in the other is the same.
        """
        changed = dict.fromkeys(Family, 0)
        for old, new in itertools.zip_longest(_without(before, after), _without(after, before)):
            for family in Family:
                measures = [self._measure.of(rule, namespace, direction, ends, family) for rule in (old, new)]
                is_widened = _is_widened(old, new, direction)
                changed[family] += abs(measures[0] - measures[1]) if is_widened else sum(measures)
        return max(changed.values())


def _is_widened(old: Rule | None, new: Rule | None, direction: Direction) -> bool:
    """Whether one of them matches all that the other does, for the same ends: no edit changes more than one criterion."""
    if old is None or new is None or old.action is not new.action:
        return False
    return (
        own_and_peer(old, direction)[0] == own_and_peer(new, direction)[0]
        or old.destination.ports != new.destination.ports
    )


def _lines(change: Change) -> int:
    if change.written is None:
        return len(yaml_lines(change.document))
    return sum(1 if operation.op != "add" else len(yaml_lines(operation.value)) for operation in change.operations)


def _without(rules: Iterable[Rule], others: Iterable[Rule]) -> list[Rule]:
    left = list(others)
    found = []
    for rule in rules:
        if rule in left:
            left.remove(rule)
        else:
            found.append(rule)
    return found
