"""In which order tiers and policies are asked."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Literal

import msgspec

from tortie.model.kinds import kind_of
from tortie.model.policy import Direction, GlobalNetworkPolicy, NetworkPolicy, Rule, Tier
from tortie.verdict.trace import PolicyRef

AnyPolicy = NetworkPolicy | GlobalNetworkPolicy

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
    return policy.spec.tier or "default"


def _policy_position(policy: AnyPolicy) -> tuple[float, bytes]:
    ref = reference(policy)
    order = math.inf if policy.spec.order is None else policy.spec.order
    return order, f"{ref.name}/{ref.namespace}/{ref.kind}".encode()


def reference(policy: AnyPolicy) -> PolicyRef:
    """The policy's identity."""
    return PolicyRef(kind_of(policy).name, policy.metadata.namespace, policy.metadata.name)


def directions(policy: AnyPolicy) -> tuple[Direction, ...]:
    """Which directions the policy governs: its types, or as they default when it is written."""
    spec = policy.spec
    if spec.types:
        return spec.types
    if spec.egress:
        return (Direction.INGRESS, Direction.EGRESS) if spec.ingress else (Direction.EGRESS,)
    return (Direction.INGRESS,)


def rules(policy: AnyPolicy, direction: Direction) -> tuple[Rule, ...]:
    """Its rules of one direction."""
    return policy.spec.ingress if direction is Direction.INGRESS else policy.spec.egress
