"""The order in which policies see a packet: tiers, then policies within each."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

from tortie.calc.hoststate import PolicyId, TierPolicies
from tortie.model.policy import Direction, Tier

DEFAULT_TIER_ORDER = 1_000_000.0
"""Of a tier without an order."""


class PolicyPlace(NamedTuple):
    """What decides where a policy stands."""

    tier: str
    order: float | None
    types: frozenset[Direction]


def resolve_tiers(policies: Mapping[PolicyId, PolicyPlace], tiers: Mapping[str, Tier]) -> tuple[TierPolicies, ...]:
    """The tiers of an endpoint that *policies* govern, in the order of evaluation."""
    by_tier: dict[str, list[PolicyId]] = {}
    for policy_id, place in policies.items():
        by_tier.setdefault(place.tier, []).append(policy_id)
    return tuple(
        _resolve_tier(name, tiers.get(name), _in_order(by_tier[name], policies), policies)
        for name in sorted(by_tier, key=lambda name: _tier_rank(name, tiers.get(name)))
    )


def _tier_rank(name: str, tier: Tier | None) -> tuple[bool, float, str]:
    """A tier that policies name and that does not exist comes after all that do: its policies are enforced all the same."""
    order = tier.spec.order if tier is not None else None
    return tier is None, DEFAULT_TIER_ORDER if order is None else order, name


def _in_order(ids: Iterable[PolicyId], policies: Mapping[PolicyId, PolicyPlace]) -> list[PolicyId]:
    def rank(policy_id: PolicyId) -> tuple[float, str]:
        order = policies[policy_id].order
        return math.inf if order is None else order, policy_id.tie_break

    return sorted(ids, key=rank)


def _resolve_tier(
    name: str, tier: Tier | None, ordered: list[PolicyId], policies: Mapping[PolicyId, PolicyPlace]
) -> TierPolicies:
    default_action: Literal["Deny", "Pass"] = tier.spec.default_action if tier is not None else "Deny"
    return TierPolicies(
        name=name,
        default_action=default_action,
        ingress=tuple(i for i in ordered if Direction.INGRESS in policies[i].types),
        egress=tuple(i for i in ordered if Direction.EGRESS in policies[i].types),
    )
