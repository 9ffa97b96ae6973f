"""In which order tiers and policies are asked, and at which stages each policy is."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Literal, TypeAlias

import msgspec

from tortie.model.kinds import kind_of
from tortie.model.policy import (
    Direction,
    GlobalNetworkPolicy,
    GlobalNetworkPolicySpec,
    NetworkPolicy,
    Profile,
    Rule,
    Tier,
)
from tortie.model.staged import StagedAction, StagedGlobalNetworkPolicy, StagedNetworkPolicy
from tortie.verdict.names import DEFAULT_TIER
from tortie.verdict.refs import PolicyRef
from tortie.verdict.trace import Stage

EnforcedPolicy: TypeAlias = NetworkPolicy | GlobalNetworkPolicy
StagedPolicy: TypeAlias = StagedNetworkPolicy | StagedGlobalNetworkPolicy
AnyPolicy: TypeAlias = EnforcedPolicy | StagedPolicy

_NO_TIER_ORDER = 1_000_000.0


class OrderedTier(msgspec.Struct, frozen=True, kw_only=True):
    """A tier and all of its policies, in the order in which they are asked."""

    name: str
    default_action: Literal["Deny", "Pass"]
    policies: tuple[AnyPolicy, ...]


def ordered_tiers(tiers: Iterable[Tier], policies: Iterable[AnyPolicy]) -> tuple[OrderedTier, ...]:
    """By order, then name; tiers that policies name and nobody created come last, and deny by default."""
    policies = list(policies)
    known = {tier.metadata.name: tier for tier in tiers}
    existing = sorted(known.values(), key=_tier_position)
    missing = sorted({_tier_of(policy) for policy in policies} - known.keys())
    actions = [(tier.metadata.name, tier.spec.default_action) for tier in existing]
    actions += [(name, "Deny") for name in missing]
    return tuple(
        OrderedTier(name=name, default_action=default_action, policies=_in_tier(policies, name))
        for name, default_action in actions
    )


def _tier_position(tier: Tier) -> tuple[float, str]:
    return (_NO_TIER_ORDER if tier.spec.order is None else tier.spec.order, tier.metadata.name)


def _in_tier(policies: Iterable[AnyPolicy], tier: str) -> tuple[AnyPolicy, ...]:
    return tuple(sorted((policy for policy in policies if _tier_of(policy) == tier), key=_policy_position))


def _tier_of(policy: AnyPolicy) -> str:
    return policy.spec.tier or DEFAULT_TIER


def _policy_position(policy: AnyPolicy) -> tuple[float, bytes]:
    ref = reference(policy)
    order = math.inf if policy.spec.order is None else policy.spec.order
    return order, f"{ref.name}/{ref.namespace}/{ref.kind}".encode()


# --- staged policies -------------------------------------------------------------------------------------------------------


def asked(policies: Sequence[AnyPolicy]) -> list[AnyPolicy]:
    """The policies that are enforced, and the staged ones that say what they would do; those to delete, learn or ignore do not."""
    return [
        policy
        for policy in policies
        if not isinstance(policy, StagedPolicy) or policy.spec.staged_action is StagedAction.SET
    ]


def as_if_enforced(policies: Sequence[AnyPolicy]) -> list[AnyPolicy]:
    """The policies there would be if what is staged were done: some created, some replaced, some deleted."""
    staged = [p for p in policies if isinstance(p, StagedPolicy)]
    done = [p for p in staged if p.spec.staged_action in (StagedAction.SET, StagedAction.DELETE)]
    gone = {_takes_the_place_of(policy) for policy in done}
    kept = [p for p in policies if not isinstance(p, StagedPolicy) and reference(p) not in gone]
    return [*kept, *(policy for policy in done if policy.spec.staged_action is StagedAction.SET)]


def _takes_the_place_of(policy: StagedPolicy) -> PolicyRef:
    ref = reference(policy)
    return ref._replace(kind=ref.kind.removeprefix("Staged"))


# --- one policy ------------------------------------------------------------------------------------------------------------


def reference(policy: AnyPolicy) -> PolicyRef:
    """The policy's identity."""
    return PolicyRef(kind_of(policy).name, policy.metadata.namespace, policy.metadata.name)


def stages(policy: AnyPolicy) -> tuple[Stage, ...]:
    """The stages at which it is asked. Untracked and pre-DNAT policy is asked nowhere else, so never at a workload."""
    spec = policy.spec
    if not isinstance(spec, GlobalNetworkPolicySpec):
        return (Stage.NORMAL,)
    if spec.do_not_track:
        return (Stage.UNTRACKED,)
    if spec.pre_dnat:
        return (Stage.PRE_DNAT,)
    return (Stage.FORWARD, Stage.NORMAL) if spec.apply_on_forward else (Stage.NORMAL,)


def directions(policy: AnyPolicy) -> tuple[Direction, ...]:
    """Which directions the policy governs: its types, or as they default when it is written."""
    spec = policy.spec
    if spec.types:
        return spec.types
    if spec.egress:
        return (Direction.INGRESS, Direction.EGRESS) if spec.ingress else (Direction.EGRESS,)
    return (Direction.INGRESS,)


def rules(policy: AnyPolicy | Profile, direction: Direction) -> tuple[Rule, ...]:
    """The rules of a policy or profile in one direction."""
    return policy.spec.ingress if direction is Direction.INGRESS else policy.spec.egress
