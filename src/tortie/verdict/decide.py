"""An endpoint's decision on a packet in one direction at one stage: through its tiers, then its profiles.

tiers in order ── no policy governs ──► next tier
   │
   ├─ Allow, Deny ──► decided
   ├─ Pass ─────────► next tier                      the last one's next are the profiles
   └─ no rule ──────► the tier's default: Deny, or Pass
profiles in order ── the first with a rule that matches decides; none: denied

Untracked and pre-DNAT policy has no end-of-tier Deny, and profiles are asked in the normal stage only: elsewhere a packet that
no rule decides goes on. Staged policies are asked for the trace and decide nothing; a tier with no other is no tier.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from tortie.model.kubernetes_endpointslice import EndpointSlice
from tortie.model.policy import Action, Direction, Profile, Rule
from tortie.verdict.endpoint import Endpoint, HostInterface
from tortie.verdict.match import asks_for_address, fail_closed, mismatch
from tortie.verdict.order import AnyPolicy, OrderedTier, StagedPolicy, directions, reference, rules, stages
from tortie.verdict.packet import Traffic
from tortie.verdict.refs import Judge
from tortie.verdict.scope import governs
from tortie.verdict.trace import (
    Cause,
    Decision,
    PolicyTrace,
    ProfileTrace,
    RuleTrace,
    Stage,
    TierTrace,
)

_WITHOUT_END = (Stage.UNTRACKED, Stage.PRE_DNAT)
"""Stages in which a tier that does not decide is left, whatever its default action."""


class Policies(msgspec.Struct, frozen=True, kw_only=True):
    """All that is said in a cluster, in the order in which it is asked."""

    tiers: tuple[OrderedTier, ...]
    pending: tuple[OrderedTier, ...] | None
    """The tiers as they would be with all staged policies enforced; None: nothing is staged."""
    profiles: Mapping[str, Profile]
    slices: tuple[EndpointSlice, ...]


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be decided, and all that bears on it."""

    endpoint: Endpoint | HostInterface
    judge: Judge
    stage: Stage
    direction: Direction
    traffic: Traffic
    policies: Policies


def is_governed(question: Question) -> bool:
    """Whether any policy that is enforced governs the endpoint here."""
    everywhere = (policy for tier in question.policies.tiers for policy in tier.policies)
    return any(not isinstance(policy, StagedPolicy) and _governs(question, policy) for policy in everywhere)


def decide(question: Question) -> Decision:
    """The endpoint's decision, with everything that was considered on the way."""
    decision = _decide(question, question.policies.tiers, enforce_staged=False)
    if question.policies.pending is None:
        return decision
    pending = _decide(question, question.policies.pending, enforce_staged=True)
    is_same = (pending.allowed, pending.reason) == (decision.allowed, decision.reason)
    return decision if is_same else msgspec.structs.replace(decision, pending=pending)


def _decide(question: Question, tiers: Sequence[OrderedTier], *, enforce_staged: bool) -> Decision:
    traces: list[TierTrace] = []
    for tier in tiers:
        decided = _ask_tier(question, tier, traces, enforce_staged=enforce_staged)
        if decided is not None:
            return msgspec.structs.replace(decided, tiers=tuple(traces))
    undecided = _decision(question, allowed=True, cause=Cause.NOT_DECIDED)
    last = _ask_profiles(question) if question.stage is Stage.NORMAL else undecided
    return msgspec.structs.replace(last, tiers=tuple(traces))


def _decision(question: Question, *, allowed: bool, cause: Cause) -> Decision:
    return Decision(
        endpoint=question.judge, stage=question.stage, direction=question.direction, allowed=allowed, cause=cause
    )


# --- tiers ---------------------------------------------------------------------------------------------------------------


def _ask_tier(
    question: Question, tier: OrderedTier, traces: list[TierTrace], *, enforce_staged: bool
) -> Decision | None:
    """The decision if the tier makes one; what it considered is added to *traces*."""
    governing = [policy for policy in tier.policies if _governs(question, policy)]
    if not governing:
        return None
    policies: list[PolicyTrace] = []
    for policy in governing:
        is_staged = isinstance(policy, StagedPolicy)
        outcome = _ask_rules(question, rules(policy, question.direction), policy.metadata.namespace)
        policies.append(
            PolicyTrace(
                policy=reference(policy),
                rules=outcome.considered,
                staged=is_staged,
                would=outcome.action if is_staged else None,
            )
        )
        if outcome.action is not None and (enforce_staged or not is_staged):
            traces.append(_tier_trace(tier, policies, outcome.action, by_default=False))
            return _by_rule(question, tier, policy, outcome)
    is_enforced = enforce_staged or any(not isinstance(policy, StagedPolicy) for policy in governing)
    ends = is_enforced and question.stage not in _WITHOUT_END
    default = Action(tier.default_action) if ends else Action.PASS
    traces.append(_tier_trace(tier, policies, default, by_default=True))
    if default is Action.PASS:
        return None
    decision = _decision(question, allowed=False, cause=Cause.TIER_DEFAULT)
    return msgspec.structs.replace(decision, tier=tier.name)


def _governs(question: Question, policy: AnyPolicy) -> bool:
    return (
        question.stage in stages(policy)
        and question.direction in directions(policy)
        and governs(policy, question.endpoint.labels)
    )


def _tier_trace(tier: OrderedTier, policies: Sequence[PolicyTrace], outcome: Action, *, by_default: bool) -> TierTrace:
    return TierTrace(tier=tier.name, policies=tuple(policies), outcome=outcome, by_default=by_default)


def _by_rule(question: Question, tier: OrderedTier, policy: AnyPolicy, outcome: _Outcome) -> Decision | None:
    if outcome.action is Action.PASS:
        return None
    decision = _decision(question, allowed=outcome.action is Action.ALLOW, cause=Cause.POLICY_RULE)
    return msgspec.structs.replace(decision, tier=tier.name, policy=reference(policy), rule=outcome.rule)


# --- profiles ------------------------------------------------------------------------------------------------------------


def _ask_profiles(question: Question) -> Decision:
    traces: list[ProfileTrace] = []
    decision = _decision(question, allowed=False, cause=Cause.NO_PROFILE_RULE)
    for name in question.endpoint.profiles:
        decided = _ask_profile(question, name, traces)
        if decided is not None:
            decision = decided
            break
    return msgspec.structs.replace(decision, profiles=tuple(traces))


def _ask_profile(question: Question, name: str, traces: list[ProfileTrace]) -> Decision | None:
    """The decision if the profile makes one. A Pass has nowhere to go on to, so it denies; so does a missing profile."""
    profile = question.policies.profiles.get(name)
    if profile is None:
        traces.append(ProfileTrace(profile=name, missing=True, rules=()))
        decision = _decision(question, allowed=False, cause=Cause.MISSING_PROFILE)
        return msgspec.structs.replace(decision, profile=name)
    outcome = _ask_rules(question, rules(profile, question.direction), "")
    traces.append(ProfileTrace(profile=name, missing=False, rules=outcome.considered))
    if outcome.action is None:
        return None
    decision = _decision(question, allowed=outcome.action is Action.ALLOW, cause=Cause.PROFILE_RULE)
    return msgspec.structs.replace(decision, profile=name, rule=outcome.rule)


# --- rules ---------------------------------------------------------------------------------------------------------------


class _Outcome(NamedTuple):
    """What a list of rules says: the action of the first that matches and ends it, if there is one."""

    considered: tuple[RuleTrace, ...]
    action: Action | None
    rule: int | None


def _ask_rules(question: Question, written: Sequence[Rule], namespace: str) -> _Outcome:
    considered: list[RuleTrace] = []
    for index, original in enumerate(written):
        rule = fail_closed(original)
        if rule is None:
            considered.append(
                RuleTrace(index=index, action=original.action, mismatch="it has a criterion that is not supported")
            )
            continue
        reason = mismatch(rule, question.traffic, namespace, question.policies.slices)
        considered.append(
            RuleTrace(
                index=index,
                action=original.action,
                mismatch=reason,
                asks_for_address=asks_for_address(rule, question.traffic, namespace, question.policies.slices),
            )
        )
        if not reason and rule.action is not Action.LOG:
            return _Outcome(tuple(considered), rule.action, index)
    return _Outcome(tuple(considered), None, None)
