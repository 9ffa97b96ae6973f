"""A policy as the graph keeps it: whom it governs, where it stands, what it enforces."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

from tortie.calc.hoststate import HostPolicy, IPSetId, PolicyId
from tortie.calc.resolver import PolicyPlace, Stage
from tortie.calc.rules import SetDefinition, scan_rules
from tortie.calc.scoping import policy_selector
from tortie.model.policy import (
    Direction,
    GlobalNetworkPolicy,
    GlobalNetworkPolicySpec,
    NetworkPolicy,
    NetworkPolicySpec,
)
from tortie.model.staged import StagedAction, StagedGlobalNetworkPolicy, StagedNetworkPolicy
from tortie.selectors import Selector

DEFAULT_TIER = "default"
NEEDED_EVERYWHERE = "AssumeNeededOnEveryNode"
"""The performance hint of a policy that is to be ready before it governs anyone."""

Policy: TypeAlias = NetworkPolicy | GlobalNetworkPolicy | StagedNetworkPolicy | StagedGlobalNetworkPolicy


class CompiledPolicy(NamedTuple):
    """Everything about a policy that does not depend on endpoints."""

    selector: Selector
    """The endpoints it governs."""
    place: PolicyPlace
    host_policy: HostPolicy
    sets: Mapping[IPSetId, SetDefinition]
    is_needed_everywhere: bool


def compile_policy(policy_id: PolicyId, policy: Policy) -> CompiledPolicy | None:
    """Compile *policy*; SelectorError if any of its selectors cannot be read.

    Rules of a direction that is not among its types are ignored, and their sets with them. A staged policy that would delete
    another, or that is only a note, has nothing to do: None.
    """
    is_staged = False
    if isinstance(policy, StagedNetworkPolicy | StagedGlobalNetworkPolicy):
        is_staged = True
        if policy.spec.staged_action is not StagedAction.SET:
            return None
    spec = policy.spec
    stages = stages_of(spec)
    types = policy_types(spec)
    if Stage.PRE_DNAT in stages:
        types &= {Direction.INGRESS}
    rules = scan_rules(
        spec.ingress if Direction.INGRESS in types else (),
        spec.egress if Direction.EGRESS in types else (),
        policy.metadata.namespace,
    )
    tier = spec.tier or DEFAULT_TIER
    host_policy = HostPolicy(
        tier=tier,
        ingress=rules.ingress,
        egress=rules.egress,
        staged=is_staged,
        untracked=Stage.UNTRACKED in stages,
        pre_dnat=Stage.PRE_DNAT in stages,
        apply_on_forward=isinstance(spec, GlobalNetworkPolicySpec) and spec.apply_on_forward,
    )
    place = PolicyPlace.of(policy_id, tier, spec.order, types, stages)
    hint = NEEDED_EVERYWHERE in spec.performance_hints
    return CompiledPolicy(policy_selector(policy), place, host_policy, rules.sets, hint)


def policy_types(spec: NetworkPolicySpec) -> frozenset[Direction]:
    """The directions a policy governs: those it lists; else those it has rules for; else Ingress."""
    if spec.types:
        return frozenset(spec.types)
    if spec.egress:
        return frozenset((Direction.INGRESS, Direction.EGRESS) if spec.ingress else (Direction.EGRESS,))
    return frozenset((Direction.INGRESS,))


def stages_of(spec: NetworkPolicySpec) -> frozenset[Stage]:
    """What the policy is asked for; the untracked and the pre-DNAT ones for nothing else, and so never at workloads."""
    if not isinstance(spec, GlobalNetworkPolicySpec):
        return frozenset((Stage.NORMAL,))
    if spec.do_not_track:
        return frozenset((Stage.UNTRACKED,))
    if spec.pre_dnat:
        return frozenset((Stage.PRE_DNAT,))
    return frozenset((Stage.NORMAL, Stage.FORWARD) if spec.apply_on_forward else (Stage.NORMAL,))
