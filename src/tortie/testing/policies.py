"""Random policies of Calico's kinds, enforced and staged, and a profile with rules."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any, NamedTuple

from tortie.model.meta import ObjectMeta
from tortie.model.policy import (
    Direction,
    GlobalNetworkPolicy,
    GlobalNetworkPolicySpec,
    NetworkPolicy,
    NetworkPolicySpec,
    Profile,
    ProfileSpec,
    Rule,
)
from tortie.model.staged import (
    StagedAction,
    StagedGlobalNetworkPolicy,
    StagedGlobalNetworkPolicySpec,
    StagedNetworkPolicy,
    StagedNetworkPolicySpec,
)
from tortie.net import Network
from tortie.testing.rules import random_rule
from tortie.testing.vocabulary import (
    ACCOUNT_LABELS,
    LABELS,
    chance,
    random_namespace_selector,
    random_selector,
)

BOTH = (Direction.INGRESS, Direction.EGRESS)


class Setting(NamedTuple):
    """What policies may speak of."""

    tiers: Sequence[str]
    """Names of tiers, those that policies are to be in more often several times."""
    orders: Sequence[float | None]
    namespaces: Sequence[str]
    nets: Sequence[Network]


def random_network_policy(rng: Random, name: str, namespace: str, setting: Setting) -> NetworkPolicy:
    # A service of the policy's own namespace needs no namespace; "" is that one.
    spec = NetworkPolicySpec(**_common(rng, setting, ("", *setting.namespaces)))
    return NetworkPolicy(metadata=ObjectMeta(name=name, namespace=namespace), spec=spec)


def random_global_network_policy(rng: Random, name: str, setting: Setting) -> GlobalNetworkPolicy:
    fields = _common(rng, setting, setting.namespaces)
    use = rng.choices(("normal", "forward", "pre-DNAT", "untracked"), (5, 2, 2, 2))[0]
    if use == "pre-DNAT":
        fields |= {"egress": (), "types": rng.choice(((), (Direction.INGRESS,)))}
    spec = GlobalNetworkPolicySpec(
        **fields,
        namespace_selector=random_namespace_selector(rng, in_rule=False) if chance(rng, 0.15) else "",
        do_not_track=use == "untracked",
        pre_dnat=use == "pre-DNAT",
        apply_on_forward=use != "normal",
    )
    return GlobalNetworkPolicy(metadata=ObjectMeta(name=name), spec=spec)


def _common(rng: Random, setting: Setting, service_namespaces: Sequence[str]) -> dict[str, Any]:
    ingress, egress, types = _directions(rng, setting.nets, service_namespaces)
    return {
        "tier": rng.choice(setting.tiers),
        "order": rng.choice(setting.orders),
        "selector": random_selector(rng) if chance(rng, 0.6) else rng.choice(("", "all()")),
        "service_account_selector": random_selector(rng, ACCOUNT_LABELS) if chance(rng, 0.1) else "",
        "ingress": ingress,
        "egress": egress,
        "types": types,
        "performance_hints": ("AssumeNeededOnEveryNode",) if chance(rng, 0.05) else (),
    }


def _directions(
    rng: Random, nets: Sequence[Network], service_namespaces: Sequence[str] | None
) -> tuple[tuple[Rule, ...], tuple[Rule, ...], tuple[Direction, ...]]:
    """Ingress rules, egress rules and types; types may be left to their default, or leave a direction's rules out."""

    def rules(direction: Direction, count: int) -> tuple[Rule, ...]:
        return tuple(random_rule(rng, nets, direction, service_namespaces) for _ in range(count))

    ingress = rules(Direction.INGRESS, rng.choice((0, 1, 1, 2, 3)))
    egress = rules(Direction.EGRESS, rng.choice((0, 0, 1, 2)))
    return ingress, egress, rng.choice(((), (), BOTH, BOTH[:1], BOTH[1:]))


def random_profile(rng: Random, name: str, nets: Sequence[Network]) -> Profile:
    """A profile with rules of its own, and a label that its endpoints may have themselves."""
    ingress, egress, _ = _directions(rng, nets, None)
    labels = {"env": rng.choice(LABELS["env"])} if chance(rng, 0.5) else {}
    return Profile(
        metadata=ObjectMeta(name=name), spec=ProfileSpec(ingress=ingress, egress=egress, labels_to_apply=labels)
    )


# --- staged --------------------------------------------------------------------------------------------------------------


def random_staged_policy(
    rng: Random, policy: NetworkPolicy | GlobalNetworkPolicy
) -> StagedNetworkPolicy | StagedGlobalNetworkPolicy:
    """*policy*, only staged; a deletion of it says no more than its name and tier."""
    action = rng.choice((StagedAction.SET, StagedAction.SET, *StagedAction))
    kept = ("tier",) if action is StagedAction.DELETE else policy.spec.__struct_fields__
    fields = {name: getattr(policy.spec, name) for name in kept} | {"staged_action": action}
    if isinstance(policy, NetworkPolicy):
        return StagedNetworkPolicy(metadata=policy.metadata, spec=StagedNetworkPolicySpec(**fields))
    return StagedGlobalNetworkPolicy(metadata=policy.metadata, spec=StagedGlobalNetworkPolicySpec(**fields))
