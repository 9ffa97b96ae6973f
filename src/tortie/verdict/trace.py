"""The answer, with the whole reasoning: what was considered, in order, and why it did or did not apply."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

import msgspec

from tortie.model.policy import Action, Direction
from tortie.verdict.refs import Judge, PolicyRef


class Stage(StrEnum):
    """Where on its way through a host a packet is judged, in this order."""

    REVERSE_PATH = "reverse path"
    """Whether a workload sends from an address of its own."""
    UNTRACKED = "untracked policy"
    """``doNotTrack``, before connection tracking."""
    PRE_DNAT = "pre-DNAT policy"
    FORWARD = "forward policy"
    """``applyOnForward``, of host endpoints."""
    NORMAL = "policy"
    """A workload's, and a host endpoint's for what its host itself sends and receives."""
    TO_HOST = "workload to host"
    """``defaultEndpointToHostAction``, after the workload's egress policy."""


# --- what was considered ---------------------------------------------------------------------------------------------------


class RuleTrace(msgspec.Struct, frozen=True, kw_only=True):
    """One rule that was considered."""

    index: int
    action: Action
    mismatch: str
    """Why the rule does not match the packet; empty if it does."""
    asks_for_address: bool = False
    """Whether it matches depends on an address that an end does not have yet."""


class PolicyTrace(msgspec.Struct, frozen=True, kw_only=True):
    """One policy that governs the endpoint, and its rules up to the one that decided."""

    policy: PolicyRef
    rules: tuple[RuleTrace, ...]
    would: Action | None = None
    """Of a staged policy, which decides nothing: what it would have done; None: left it to others."""
    staged: bool = False


class TierTrace(msgspec.Struct, frozen=True, kw_only=True):
    """One tier with policies that govern the endpoint, up to the one that decided."""

    tier: str
    policies: tuple[PolicyTrace, ...]
    outcome: Action
    """ALLOW or DENY ended the evaluation, PASS went on."""
    by_default: bool
    """No rule matched: the outcome is the tier's default action, or PASS where the tier has none at that stage."""


class ProfileTrace(msgspec.Struct, frozen=True, kw_only=True):
    """One profile of the endpoint, and its rules up to the one that decided."""

    profile: str
    missing: bool
    rules: tuple[RuleTrace, ...]


# --- what was decided ------------------------------------------------------------------------------------------------------


class Cause(StrEnum):
    """What a decision rests on."""

    POLICY_RULE = "a policy's rule"
    TIER_DEFAULT = "the tier's default action"
    PROFILE_RULE = "a profile's rule"
    MISSING_PROFILE = "a profile that does not exist"
    NO_PROFILE_RULE = "no profile has a rule that matches"
    TUNNEL = "workloads may not send tunnelled packets"
    HOSTS_TUNNEL = "a tunnel between hosts of the cluster"
    STRANGERS_TUNNEL = "only hosts of the cluster may send tunnelled packets"
    INVALID = "connection tracking knows no flow that this packet could begin"
    NOT_DECIDED = "no policy of this stage decides"
    FAILSAFE = "a failsafe port"
    ALLOWED_BEFORE = "an earlier stage has allowed it"
    SPOOFED = "the workload has no such address"
    UNKNOWN_INTERFACE = "a workload's interface without an endpoint"
    NEIGHBOUR_DISCOVERY = "neighbour discovery"
    HOST_ACTION = "defaultEndpointToHostAction"
    FROM_HOST = "a host always reaches its workloads"


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What was decided at one stage: by an endpoint's policy in one direction, or by what stands before policy."""

    endpoint: Judge | None
    """Whose policy it is; None: an interface's that no endpoint has."""
    direction: Direction
    allowed: bool
    cause: Cause
    stage: Stage = Stage.NORMAL
    detail: str = ""
    """More about the cause: which failsafe, interface or action."""
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
    pending: Decision | None = None
    """What would be decided if all staged policies were enforced; None: the same."""

    @property
    def is_allow_rule(self) -> bool:
        """Whether a policy's Allow decided. In the untracked and pre-DNAT stages only that spares the packet later ones."""
        return self.allowed and self.cause is Cause.POLICY_RULE

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
                return f"{self.cause}: {self.detail}" if self.detail else str(self.cause)

    @property
    def asks_for_address(self) -> bool:
        """Whether the decision could be another if an end that has no address yet had one."""
        rules = [policy.rules for tier in self.tiers for policy in tier.policies if not policy.staged]
        rules += [profile.rules for profile in self.profiles]
        return any(rule.asks_for_address for considered in rules for rule in considered)

    def lines(self) -> Iterator[str]:
        """The reasoning for people, one thing considered a line, and what decided last."""
        for tier in self.tiers:
            yield f"tier {tier.tier}"
            for policy in tier.policies:
                yield f"  {policy.policy}" + (f" (staged: {_would(policy)})" if policy.staged else "")
                yield from (f"    {line}" for line in _rule_lines(policy.rules))
            yield f"  {tier.outcome}" + (" by default" if tier.by_default else "")
        for profile in self.profiles:
            yield f"profile {profile.profile}" + (" does not exist" if profile.missing else "")
            yield from (f"  {line}" for line in _rule_lines(profile.rules))
        yield f"{self.direction} {_word(self.allowed)}: {self.reason}"
        if self.pending is not None:
            yield f"with staged policies enforced {_word(self.pending.allowed)}: {self.pending.reason}"


def _rule_lines(rules: tuple[RuleTrace, ...]) -> Iterator[str]:
    for rule in rules:
        yield f"rule {rule.index} {rule.action}: {rule.mismatch or 'matches'}"


def _would(policy: PolicyTrace) -> str:
    return f"would {policy.would}" if policy.would is not None else "no rule matches"


def _word(allowed: bool) -> str:
    return "allowed" if allowed else "denied"


def phrase(decisions: tuple[Decision, ...], otherwise: str) -> str:
    """The first of *decisions* that denies, or else all that say more than that nothing was decided; *otherwise* if none does."""
    denying = [decision for decision in decisions if not decision.allowed][:1]
    telling = [decision for decision in decisions if decision.cause is not Cause.NOT_DECIDED]
    return "; ".join(f"{d.direction.lower()}: {d.reason}" for d in denying or telling) or otherwise
