"""Rules that nearly matched: all of their criteria but one hold. What people look for when something is denied, or is not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tortie.model.policy import Action, Direction, Rule
from tortie.verdict import Cluster, Decision, Verdict
from tortie.verdict.match import fail_closed, mismatches
from tortie.verdict.order import reference, rules
from tortie.verdict.refs import PolicyRef
from tortie.verdict.trace import RuleTrace


class NearMiss(NamedTuple):
    """A rule that was considered, and the one criterion for which it does not match."""

    owner: PolicyRef | str
    """The policy, or the profile by name."""
    direction: Direction
    rule: int
    action: Action
    reason: str

    def __str__(self) -> str:
        owner = self.owner if isinstance(self.owner, PolicyRef) else f"profile {self.owner}"
        return f"{owner}, {self.direction.lower()} rule {self.rule} {self.action}: {self.reason}"


def near_misses(cluster: Cluster, verdict: Verdict) -> tuple[NearMiss, ...]:
    """Of all rules that were considered for *verdict*, in the order in which they were."""
    return tuple(_Search(cluster, verdict).found())


class _Search:
    """The rules behind a verdict's trace, tried again with all of their criteria."""

    def __init__(self, cluster: Cluster, verdict: Verdict) -> None:
        self._verdict = verdict
        self._slices = cluster.policies.slices
        self._profiles = cluster.policies.profiles
        self._policies = {reference(p): p for tier in cluster.policies.tiers for p in tier.policies}
        self._traffic = cluster.traffic(verdict.flow)

    def found(self) -> Iterator[NearMiss]:
        for decision in self._verdict.decisions:
            for traced in (policy for tier in decision.tiers for policy in tier.policies):
                policy = self._policies[traced.policy]
                written = rules(policy, decision.direction)
                yield from self._of(traced.policy, decision, traced.rules, written, policy.metadata.namespace)
            for profile in decision.profiles:
                if profile.profile in self._profiles:
                    written = rules(self._profiles[profile.profile], decision.direction)
                    yield from self._of(profile.profile, decision, profile.rules, written, "")

    def _of(
        self,
        owner: PolicyRef | str,
        decision: Decision,
        considered: Sequence[RuleTrace],
        written: Sequence[Rule],
        namespace: str,
    ) -> Iterator[NearMiss]:
        for trace in considered:
            judged = fail_closed(written[trace.index])
            if judged is None:
                continue
            reasons = list(mismatches(judged, self._traffic, namespace, self._slices))
            if len(reasons) == 1:
                yield NearMiss(owner, decision.direction, trace.index, trace.action, reasons[0])
