"""The answer, with the whole reasoning: what was considered, in order, and why it did or did not apply."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple

import msgspec

from tortie.model.policy import Action, Direction
from tortie.verdict.flow import EndpointRef, Flow


class PolicyRef(NamedTuple):
    """A policy's identity; its text breaks ties of order."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


class RuleTrace(msgspec.Struct, frozen=True, kw_only=True):
    """One rule that was considered."""

    index: int
    action: Action
    mismatch: str
    """Why the rule does not match the flow; empty if it does."""


class PolicyTrace(msgspec.Struct, frozen=True, kw_only=True):
    """One policy that governs the endpoint, and its rules up to the one that decided."""

    policy: PolicyRef
    rules: tuple[RuleTrace, ...]


class TierTrace(msgspec.Struct, frozen=True, kw_only=True):
    """One tier with policies that govern the endpoint, up to the one that decided."""

    tier: str
    policies: tuple[PolicyTrace, ...]
    outcome: Action
    """ALLOW or DENY ended the evaluation, PASS went on."""
    by_default: bool
    """No rule matched: the outcome is the tier's default action."""


class ProfileTrace(msgspec.Struct, frozen=True, kw_only=True):
    """One profile of the endpoint, and its rules up to the one that decided."""

    profile: str
    missing: bool
    rules: tuple[RuleTrace, ...]


class Cause(StrEnum):
    """What a decision rests on."""

    POLICY_RULE = "a policy's rule"
    TIER_DEFAULT = "the tier's default action"
    PROFILE_RULE = "a profile's rule"
    MISSING_PROFILE = "a profile that does not exist"
    NO_PROFILE_RULE = "no profile has a rule that matches"
    TUNNEL = "workloads may not send tunnelled packets"
    INVALID = "connection tracking knows no flow that this packet could begin"


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What one endpoint's policy says in one direction."""

    endpoint: EndpointRef
    direction: Direction
    allowed: bool
    cause: Cause
    tier: str = ""
    """The deciding tier: of POLICY_RULE and TIER_DEFAULT."""
    policy: PolicyRef | None = None
    """The deciding policy: of POLICY_RULE."""
    profile: str = ""
    """The deciding profile: of PROFILE_RULE and MISSING_PROFILE."""
    rule: int | None = None
    """The deciding rule's index in its direction: of POLICY_RULE and PROFILE_RULE."""
    tiers: tuple[TierTrace, ...] = ()
    profiles: tuple[ProfileTrace, ...] = ()

    @property
    def reason(self) -> str:
        """What decided, in a phrase."""
        match self.cause:
            case Cause.POLICY_RULE:
                return f"tier {self.tier}, {self.policy}, {self.direction.lower()} rule {self.rule}"
            case Cause.TIER_DEFAULT:
                return f"the default action of tier {self.tier}"
            case Cause.PROFILE_RULE:
                return f"profile {self.profile}, {self.direction.lower()} rule {self.rule}"
            case Cause.MISSING_PROFILE:
                return f"profile {self.profile} does not exist"
            case _:
                return self.cause.value

    def lines(self) -> Iterator[str]:
        """The reasoning for people, one thing considered a line, and what decided last."""
        for tier in self.tiers:
            yield f"tier {tier.tier}"
            for policy in tier.policies:
                yield f"  {policy.policy}"
                yield from (f"    {line}" for line in _rule_lines(policy.rules))
            yield f"  {tier.outcome}" + (" by default" if tier.by_default else "")
        for profile in self.profiles:
            yield f"profile {profile.profile}" + (" does not exist" if profile.missing else "")
            yield from (f"  {line}" for line in _rule_lines(profile.rules))
        yield f"{self.direction} {'allowed' if self.allowed else 'denied'}: {self.reason}"


def _rule_lines(rules: tuple[RuleTrace, ...]) -> Iterator[str]:
    for rule in rules:
        yield f"rule {rule.index} {rule.action}: {rule.mismatch or 'matches'}"


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a flow's first packet is delivered, and each end's decision."""

    flow: Flow
    allowed: bool
    ingress: Decision | None
    """The destination's; None if it is outside, or is the source itself."""
    egress: Decision | None
    """The source's; None if it is outside, or is the destination itself."""

    @property
    def reason(self) -> str:
        """What denied it; for an allowed flow what allowed it, at each end with policy."""
        decisions = [decision for decision in (self.egress, self.ingress) if decision is not None]
        denying = [decision for decision in decisions if not decision.allowed][:1]
        return "; ".join(f"{d.direction.lower()}: {d.reason}" for d in denying or decisions) or "no policy applies"
