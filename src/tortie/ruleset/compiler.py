"""HostState deltas → ruleset deltas, in the three steps of a flush.

    ip sets ──► SetTable ────────────────┐ names
    policies ──────────► policy chains ◄─┤
        ▲ used by                        │
    ClassTable ────────► class chains ◄──┘
        ▲ content                ▲ map entries
    endpoints, profiles ─────────┘

An update only marks what it touches. A flush costs what was touched: a set member is one ``SetDelta``, a policy's new rules
are its own chains, an endpoint of a known class one map entry per direction.

What packets meet in each step: after *create* the old verdicts, for nothing that they meet has changed; after *switch* the
new ones; *delete* takes away what nothing reaches any more.

- Members of sets that rules already refer to come and go in *switch*, with the chains. Added early or removed late, they
  would meet rules that they were never meant for: an address that joins a set whose Allow becomes a Deny would be let in, and a
  connection let in stays. But one batch holds only so much, so beyond ``SWITCH_ELEMENTS`` members are added in *create* and
  removed in *delete*: members that only move from set to set then never find both without them.
- Chains are replaced whole in one batch, so a packet walks the old rules or the new ones.
"""

from __future__ import annotations

from collections.abc import Iterable

from tortie.calc.hoststate import (
    HostPolicy,
    HostProfile,
    HostRule,
    HostStateDelta,
    HostWorkloadEndpoint,
    IPSetDelta,
    IPSetRemove,
    IPSetUpdate,
    PolicyId,
    PolicyRemove,
    PolicyUpdate,
    ProfileRemove,
    ProfileUpdate,
    TierPolicies,
    WorkloadEndpointRemove,
    WorkloadEndpointUpdate,
)
from tortie.model.policy import Direction
from tortie.ruleset.chains import effective_rules
from tortie.ruleset.classes import ClassContent, ClassTier
from tortie.ruleset.direction import DirectionChains
from tortie.ruleset.dispatch import Dispatcher
from tortie.ruleset.options import Options
from tortie.ruleset.sets import SetTable
from tortie.ruleset.values import Flush, SetDelta

SWITCH_ELEMENTS = 1000
"""Set elements that a switch may change: some 60 kB of a batch, which is cut at about 180."""


class Compiler:
    """Workload policy of one host. What it makes stands on ``stages.initial`` of the same options."""

    def __init__(self, options: Options | None = None) -> None:
        options = options if options is not None else Options()
        self._sets = SetTable()
        self._policies: dict[PolicyId, HostPolicy] = {}
        self._profiles: dict[str, HostProfile] = {}
        self._dispatcher = Dispatcher()
        self._dirty_policies: set[PolicyId] = set()
        self._directions = {d: DirectionChains(d, self._sets.name, options) for d in Direction}

    def update(self, delta: HostStateDelta) -> None:
        """Take in a change; those that are not about workload policy are left to others."""
        match delta:
            case IPSetUpdate() | IPSetDelta() | IPSetRemove():
                self._sets.update(delta)
            case PolicyUpdate(id=policy_id, policy=policy):
                self._set_policy(policy_id, policy)
            case PolicyRemove(id=policy_id):
                self._set_policy(policy_id, None)
            case ProfileUpdate(name=name, profile=profile):
                self._profiles[name] = profile
                self._dispatcher.touch_profile(name)
            case ProfileRemove(name=name):
                del self._profiles[name]
            case WorkloadEndpointUpdate(id=endpoint_id, endpoint=endpoint):
                self._dispatcher.set_endpoint(endpoint_id, endpoint)
            case WorkloadEndpointRemove(id=endpoint_id):
                self._dispatcher.set_endpoint(endpoint_id, None)
            case _:
                pass

    def flush(self) -> Flush:
        """The steps from what was flushed last to what has been taken in since."""
        sets = self._sets.flush()
        gone_sets = {delta.name for delta in sets.deleted}
        owners = self._dispatcher.take_dirty()
        ingress, egress = (
            chains.flush(
                {ifname: self._content(owner, direction) for ifname, owner in owners},
                self._policies,
                self._dirty_policies,
                gone_sets,
            )
            for direction, chains in self._directions.items()
        )
        self._dirty_policies.clear()
        early, within, late = split_members(sets.hashes)
        return Flush(
            create=(*sets.created, *early, *ingress.create, *egress.create),
            switch=(*within, *sets.intervals, *ingress.switch, *egress.switch),
            delete=(*ingress.delete, *egress.delete, *late, *sets.deleted),
        )

    def _set_policy(self, policy_id: PolicyId, policy: HostPolicy | None) -> None:
        before = self._policies.pop(policy_id, None)
        if policy is not None:
            self._policies[policy_id] = policy
        if before is not None and policy is not None and before.staged != policy.staged:
            # Enforced or not is part of what an endpoint's class is.
            self._dispatcher.touch_all()
        self._dirty_policies.add(policy_id)

    def _content(self, endpoint: HostWorkloadEndpoint | None, direction: Direction) -> ClassContent | None:
        if endpoint is None:
            return None
        tiers = (self._class_tier(tier, direction) for tier in endpoint.tiers)
        rules = (rule for name in endpoint.profiles for rule in self._profile_rules(name, direction))
        return ClassContent(tuple(tier for tier in tiers if tier.policies), effective_rules(rules))

    def _class_tier(self, tier: TierPolicies, direction: Direction) -> ClassTier:
        """Staged policies are never enforced, and a tier of nothing else does not exist for the endpoint."""
        policies = tier.ingress if direction is Direction.INGRESS else tier.egress
        enforced = tuple(policy_id for policy_id in policies if not self._policies[policy_id].staged)
        return ClassTier(tier.name, tier.default_action, enforced)

    def _profile_rules(self, name: str, direction: Direction) -> tuple[HostRule, ...]:
        profile = self._profiles[name]
        return profile.ingress if direction is Direction.INGRESS else profile.egress


def split_members(
    deltas: Iterable[SetDelta], limit: int = SWITCH_ELEMENTS
) -> tuple[list[SetDelta], list[SetDelta], list[SetDelta]]:
    """What to do to the members of existing hash sets in *create*, in *switch* and in *delete* (module docstring)."""
    deltas = list(deltas)
    if sum(len(delta.added) + len(delta.removed) for delta in deltas) <= limit:
        return [], deltas, []
    early = [SetDelta(delta.name, added=delta.added) for delta in deltas if delta.added]
    late = [SetDelta(delta.name, removed=delta.removed) for delta in deltas if delta.removed]
    return early, [], late
