"""One endpoint's decision on a flow in one direction: through its tiers, then its profiles.

tiers in order ── no policy governs ──► next tier
   │
   ├─ Allow, Deny ──► decided
   ├─ Pass ─────────► next tier                      the last one's next are the profiles
   └─ no rule ──────► the tier's default: Deny, or Pass
profiles in order ── the first with a rule that matches decides; none: denied
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from tortie.model.policy import Action, Direction, Profile, Rule
from tortie.verdict.endpoint import Endpoint
from tortie.verdict.flow import EndpointRef, Flow
from tortie.verdict.match import fail_closed, mismatch
from tortie.verdict.order import AnyPolicy, OrderedTier, directions, reference, rules
from tortie.verdict.scope import governs
from tortie.verdict.trace import Cause, Decision, PolicyTrace, ProfileTrace, RuleTrace, TierTrace
from tortie.verdict.unpoliced import unpoliced


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be decided, and all that bears on it."""

    endpoint: Endpoint
    ref: EndpointRef
    direction: Direction
    flow: Flow
    tiers: Sequence[OrderedTier]
    profiles: Mapping[str, Profile]
    endpoints: Sequence[Endpoint]


def decide(question: Question) -> Decision:
    """The endpoint's decision, with everything that was considered on the way."""
    if (cause := unpoliced(question.flow, question.direction)) is not None:
        return _decision(question, allowed=False, cause=cause)
    traces: list[TierTrace] = []
    for tier in question.tiers:
        decided = _ask_tier(question, tier, traces)
        if decided is not None:
            return msgspec.structs.replace(decided, tiers=tuple(traces))
    return msgspec.structs.replace(_ask_profiles(question), tiers=tuple(traces))


def _decision(question: Question, *, allowed: bool, cause: Cause) -> Decision:
    return Decision(endpoint=question.ref, direction=question.direction, allowed=allowed, cause=cause)


# --- tiers ---------------------------------------------------------------------------------------------------------------


def _ask_tier(question: Question, tier: OrderedTier, traces: list[TierTrace]) -> Decision | None:
    """The decision if the tier makes one; what it considered is added to *traces*."""
    governing = [policy for policy in tier.policies if _governs(question, policy)]
    if not governing:
        return None
    policies: list[PolicyTrace] = []
    for policy in governing:
        outcome = _ask_rules(question, rules(policy, question.direction), policy.metadata.namespace)
        policies.append(PolicyTrace(policy=reference(policy), rules=outcome.considered))
        if outcome.action is not None:
            traces.append(_tier_trace(tier, policies, outcome.action, by_default=False))
            return _by_rule(question, tier, policy, outcome)
    default = Action(tier.default_action)
    traces.append(_tier_trace(tier, policies, default, by_default=True))
    if default is Action.PASS:
        return None
    decision = _decision(question, allowed=False, cause=Cause.TIER_DEFAULT)
    return msgspec.structs.replace(decision, tier=tier.name)


def _governs(question: Question, policy: AnyPolicy) -> bool:
    return question.direction in directions(policy) and governs(policy, question.endpoint)


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
    profile = question.profiles.get(name)
    if profile is None:
        traces.append(ProfileTrace(profile=name, missing=True, rules=()))
        decision = _decision(question, allowed=False, cause=Cause.MISSING_PROFILE)
        return msgspec.structs.replace(decision, profile=name)
    ingress = question.direction is Direction.INGRESS
    outcome = _ask_rules(question, profile.spec.ingress if ingress else profile.spec.egress, "")
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
            reason = "it has a criterion that is not supported"
        else:
            reason = mismatch(rule, question.flow, namespace, question.endpoints)
        considered.append(RuleTrace(index=index, action=original.action, mismatch=reason))
        if rule is not None and not reason and rule.action is not Action.LOG:
            return _Outcome(tuple(considered), rule.action, index)
    return _Outcome(tuple(considered), None, None)
