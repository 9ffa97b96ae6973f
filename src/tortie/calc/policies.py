"""A policy as the graph keeps it: whom it governs, where it stands, what it enforces."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from tortie.calc.hoststate import HostPolicy, IPSetId
from tortie.calc.resolver import PolicyPlace
from tortie.calc.rules import SetDefinition, scan_rules
from tortie.calc.scoping import policy_selector
from tortie.model.policy import Direction, GlobalNetworkPolicy, NetworkPolicy, NetworkPolicySpec
from tortie.selectors import Selector

DEFAULT_TIER = "default"


class CompiledPolicy(NamedTuple):
    """Everything about a policy that does not depend on endpoints."""

    selector: Selector | None
    """The workload endpoints it governs; None if it never governs one."""
    place: PolicyPlace
    host_policy: HostPolicy
    sets: Mapping[IPSetId, SetDefinition]


def compile_policy(policy: NetworkPolicy | GlobalNetworkPolicy) -> CompiledPolicy:
    """Compile *policy*; SelectorError if any of its selectors cannot be read.

    Rules of a direction that is not among its types are ignored, and their sets with them. Untracked and pre-DNAT policies
    govern host endpoints only.
    """
    spec = policy.spec
    place = PolicyPlace(spec.tier or DEFAULT_TIER, spec.order, policy_types(spec))
    ingress = spec.ingress if Direction.INGRESS in place.types else ()
    egress = spec.egress if Direction.EGRESS in place.types else ()
    rules = scan_rules(ingress, egress, policy.metadata.namespace)
    untracked, pre_dnat, apply_on_forward = _host_endpoint_uses(policy)
    host_policy = HostPolicy(
        tier=place.tier,
        ingress=rules.ingress,
        egress=rules.egress,
        untracked=untracked,
        pre_dnat=pre_dnat,
        apply_on_forward=apply_on_forward,
    )
    selector = policy_selector(policy)
    return CompiledPolicy(None if untracked or pre_dnat else selector, place, host_policy, rules.sets)


def policy_types(spec: NetworkPolicySpec) -> frozenset[Direction]:
    """The directions a policy governs: those it lists; else those it has rules for; else Ingress."""
    if spec.types:
        return frozenset(spec.types)
    if spec.egress:
        return frozenset((Direction.INGRESS, Direction.EGRESS) if spec.ingress else (Direction.EGRESS,))
    return frozenset((Direction.INGRESS,))


def _host_endpoint_uses(policy: NetworkPolicy | GlobalNetworkPolicy) -> tuple[bool, bool, bool]:
    """(untracked, pre-DNAT, apply on forward)."""
    if isinstance(policy, NetworkPolicy):
        return False, False, False
    return policy.spec.do_not_track, policy.spec.pre_dnat, policy.spec.apply_on_forward
