"""One flow explained: the verdict, what decides and where that was written, what nearly matched, and what would change it.

explanation_lines(explained(State.of(known, provenance), flow))
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from tortie.analysis.edits.edit import Edit
from tortie.analysis.edits.search import smallest_edit
from tortie.analysis.edits.state import State
from tortie.analysis.near import NearMiss, near_misses
from tortie.analysis.provenance import Origin, Provenance
from tortie.verdict import Cause, Decision, Flow, Verdict


class Explanation(NamedTuple):
    """A verdict with all that belongs to it."""

    verdict: Verdict
    near: tuple[NearMiss, ...]
    provenance: Provenance
    edit: Edit | None = None
    """The smallest one that makes the verdict another; None: no change of policies does."""
    is_edit_known: bool = True
    """Whether one was looked for."""

    def origins(self, decision: Decision) -> tuple[Origin, ...]:
        """What *decision* comes from: the rule; where a tier's end decides, all policies that were asked before it."""
        return tuple(_origins(self.provenance, decision))

    def origin_of(self, near: NearMiss) -> Origin | None:
        """Where a rule stands that nearly matched."""
        return self.provenance.rule(near.owner, near.direction, near.rule)


def explained(state: State, flow: Flow, *, edit: bool = True) -> Explanation:
    """What becomes of *flow*, and why; with *edit* also what would change that. LookupError as ``Cluster.judge`` has it."""
    verdict = state.cluster.judge(flow)
    near = near_misses(state.cluster, verdict)
    found = smallest_edit(state, [flow], allow=not verdict.allowed) if edit else None
    return Explanation(verdict, near, state.provenance, found, is_edit_known=edit)


def explanation_lines(explanation: Explanation, *, verbose: bool = False) -> list[str]:
    """The explanation for people; *verbose* tells every tier, policy and rule that was considered."""
    return list(_lines(explanation, verbose=verbose))


def _lines(explanation: Explanation, *, verbose: bool) -> Iterator[str]:
    verdict = explanation.verdict
    yield f"{'ALLOWED' if verdict.allowed else 'DENIED'}  {verdict.flow}"
    if not verdict.hosts:
        yield "no policy of this cluster judges it"
    for host in verdict.hosts:
        yield f"host {host.node}"
        for decision in host.decisions:
            yield from _decision_lines(explanation, decision, verbose=verbose)
    if explanation.near:
        yield "nearly matched, but"
    for near in explanation.near:
        yield f"  {near}"
        yield from (f"    at {origin}" for origin in (explanation.origin_of(near),) if origin is not None)
    if verdict.depends_on_address:
        yield "This depends on an address that a pod does not have yet; it counts as one that is in no network."
    if explanation.is_edit_known and verdict.hosts:
        yield from edit_lines(explanation.edit, allow=not verdict.allowed)


def edit_lines(edit: Edit | None, *, allow: bool) -> Iterator[str]:
    """What would change an answer, for people."""
    verb = "allow" if allow else "deny"
    if edit is None:
        yield f"no change of a policy would {verb} it"
        return
    yield f"to {verb} it"
    yield from (f"  {line}" for line in edit.lines())


def _decision_lines(explanation: Explanation, decision: Decision, *, verbose: bool) -> Iterator[str]:
    whose = f" of {decision.endpoint}" if decision.endpoint is not None else ""
    answer = "allowed" if decision.allowed else "denied"
    yield f"  {decision.direction.lower()} {decision.stage}{whose}: {answer} by {decision.reason}"
    yield from (f"    at {origin}" for origin in explanation.origins(decision))
    if (pending := decision.pending) is not None:
        would = "allowed" if pending.allowed else "denied"
        yield f"    with staged policies enforced: {would} by {pending.reason}"
        yield from (f"      at {origin}" for origin in explanation.origins(pending))
    if verbose:
        yield from (f"    {line}" for line in decision.lines())


def _origins(provenance: Provenance, decision: Decision) -> Iterator[Origin]:
    if decision.rule is not None:
        found = [provenance.rule(decision.policy or decision.profile, decision.direction, decision.rule)]
    elif decision.cause is Cause.TIER_DEFAULT:
        tier = next(tier for tier in decision.tiers if tier.tier == decision.tier)
        found = [provenance.policy(policy.policy) for policy in tier.policies if not policy.staged]
    else:
        found = []
    yield from (origin for origin in found if origin is not None)
