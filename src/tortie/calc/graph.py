"""The calculation graph: resources of the whole cluster in, what one host has to enforce out.

    Tier ───────────────────────────────────────────────┐
    policies ──► scoping ──► ActivePolicies ──► resolver ┴──► workload endpoints ──┐
                     │             ▲   │                                           │
    WorkloadEndpoint ┼─ labels ────┘   └─ active ones ──► rules ──► policies ──────┤
          │          │    ▲                                 │                      ├──► Sequencer ──► deltas
    Profile ─────────┼────┘      those that are listed ──► rules ──► profiles ─────┤
          │          │                                      ▼                      │
          └──────────┴─ all of the cluster's ──► MemberIndex ◄── SetUses ── sets ──┘

Output depends on the current state only, never on the way to it: an update marks its key and nothing else, a flush works out
what the marked keys touch, and the sequencer sends what differs from what was sent. So updates may come twice, squashed, in
any order or for things that never were. A policy or profile whose selectors cannot be read counts as absent (validation says
so to its author); an endpoint without addresses is not there yet.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from tortie.calc.active import ActivePolicies
from tortie.calc.hoststate import (
    EndpointId,
    HostProfile,
    HostRule,
    HostStateDelta,
    HostWorkloadEndpoint,
    PolicyId,
)
from tortie.calc.labels import effective_labels
from tortie.calc.members import MemberIndex, contribution_of
from tortie.calc.policies import CompiledPolicy, compile_policy
from tortie.calc.resolver import resolve_tiers
from tortie.calc.rules import ScannedRules, scan_rules
from tortie.calc.sequencer import Sequencer
from tortie.calc.uses import SetUses
from tortie.model.endpoint import WorkloadEndpoint
from tortie.model.kinds import GLOBAL_NETWORK_POLICY, NETWORK_POLICY, PROFILE, TIER, WORKLOAD_ENDPOINT, ResourceKey
from tortie.model.meta import HostName, Resource
from tortie.model.policy import Action, GlobalNetworkPolicy, NetworkPolicy, Profile, Tier
from tortie.model.updates import ResourceUpdate
from tortie.selectors import SelectorError

MISSING_PROFILE = HostProfile(ingress=(HostRule(action=Action.DENY),), egress=(HostRule(action=Action.DENY),))
"""Stands for a profile that an endpoint lists and the datastore does not have: nothing is open because we are late."""


class Calculation:
    """One host's view of the cluster."""

    def __init__(self, host: HostName) -> None:
        self._host = host
        self._is_in_sync = False
        self._pending: dict[ResourceKey, Resource | None] = {}
        self._tiers: dict[str, Tier] = {}
        self._profiles: dict[str, Profile] = {}
        self._policies: dict[PolicyId, CompiledPolicy] = {}
        self._endpoints: dict[EndpointId, WorkloadEndpoint] = {}
        """All of the cluster that have addresses, this host's among them."""
        self._listed_by: dict[str, set[EndpointId]] = {}
        """The endpoints that list each profile."""
        self._active = ActivePolicies()
        self._members = MemberIndex()
        self._uses = SetUses()
        self._sequencer = Sequencer()
        self._dirty_policies: set[PolicyId] = set()
        self._dirty_profiles: set[str] = set()
        self._dirty_endpoints: set[EndpointId] = set()
        self._relabelled: set[EndpointId] = set()

    def update(self, update: ResourceUpdate) -> None:
        """Take in the current value of a resource, or that there is none; kinds that do not matter here are ignored."""
        if update.key.kind in _HANDLERS:
            self._pending[update.key] = update.value

    def in_sync(self) -> None:
        """What was taken in so far is a state that the datastore had, so there is something to enforce."""
        self._is_in_sync = True

    def flush(self) -> tuple[HostStateDelta, ...]:
        """The deltas from what was flushed last to the current state, in dependency order; none before ``in_sync``."""
        if not self._is_in_sync:
            return ()
        for key, value in self._pending.items():
            _HANDLERS[key.kind](self, key, value)
        self._pending.clear()
        self._refresh_endpoints()
        self._refresh_policies()
        self._refresh_profiles()
        self._refresh_sets()
        return self._sequencer.flush(*self._members.flush())

    # --- taking in: note what a new value touches --------------------------------------------------------------------------

    def _set_tier(self, key: ResourceKey, value: Resource | None) -> None:
        tier = value if isinstance(value, Tier) else None
        if tier == self._tiers.get(key.name):
            return
        _put(self._tiers, key.name, tier)
        # A host has at most some hundreds of endpoints, and tiers hardly ever change.
        self._dirty_endpoints.update(i for i, endpoint in self._endpoints.items() if self._is_local(endpoint))

    def _set_profile(self, key: ResourceKey, value: Resource | None) -> None:
        profile = value if isinstance(value, Profile) else None
        before = self._profiles.get(key.name)
        if profile == before:
            return
        _put(self._profiles, key.name, profile)
        self._dirty_profiles.add(key.name)
        if _labels_of(profile) != _labels_of(before):
            self._relabelled |= self._listed_by.get(key.name, set())

    def _set_policy(self, key: ResourceKey, value: Resource | None) -> None:
        policy_id = PolicyId(key.kind.name, key.namespace, key.name)
        self._dirty_policies.add(policy_id)
        before, policy = self._policies.get(policy_id), _compile(value)
        if before is not None and policy is not None and before.place != policy.place:
            # Whom it governs may be the same, and yet it stands elsewhere among the policies of all those.
            self._dirty_endpoints |= self._active.endpoints_of(policy_id)
        _put(self._policies, policy_id, policy)
        if policy is not None and policy.selector is not None:
            self._active.set_policy(policy_id, policy.selector)
        else:
            self._active.remove_policy(policy_id)

    def _set_endpoint(self, key: ResourceKey, value: Resource | None) -> None:
        endpoint_id = EndpointId(key.namespace, key.name)
        endpoint = value if isinstance(value, WorkloadEndpoint) and value.spec.ip_networks else None
        before = self._endpoints.get(endpoint_id)
        if endpoint == before:
            return
        _put(self._endpoints, endpoint_id, endpoint)
        self._relabelled.add(endpoint_id)
        for version, is_now in ((before, False), (endpoint, True)):
            if version is None:
                continue
            for profile in version.spec.profiles:
                self._list_profile(profile, endpoint_id, is_listed=is_now)
            if self._is_local(version):
                self._dirty_endpoints.add(endpoint_id)
                self._dirty_profiles.update(version.spec.profiles)

    def _list_profile(self, profile: str, endpoint_id: EndpointId, *, is_listed: bool) -> None:
        listing = self._listed_by.setdefault(profile, set())
        if is_listed:
            listing.add(endpoint_id)
            return
        listing.discard(endpoint_id)
        if not listing:
            del self._listed_by[profile]

    # --- working out: what is touched, from the current state --------------------------------------------------------------

    def _refresh_endpoints(self) -> None:
        """Labels first, for they decide which policies govern an endpoint; then the tiers of those that changed."""
        for endpoint_id in sorted(self._relabelled):
            self._relabel(endpoint_id, self._endpoints.get(endpoint_id))
        self._relabelled.clear()
        for endpoint_id in self._dirty_endpoints | self._active.changed_endpoints:
            self._sequencer.workload_endpoints.stage(endpoint_id, self._host_endpoint(endpoint_id))
        self._dirty_endpoints.clear()
        self._active.changed_endpoints.clear()

    def _relabel(self, endpoint_id: EndpointId, endpoint: WorkloadEndpoint | None) -> None:
        if endpoint is None:
            self._members.remove_endpoint(endpoint_id)
            self._active.remove_endpoint(endpoint_id)
            return
        labels = effective_labels(endpoint, self._profiles)
        self._members.set_endpoint(endpoint_id, labels, contribution_of(endpoint))
        if self._is_local(endpoint):
            self._active.set_endpoint(endpoint_id, labels)
        else:
            self._active.remove_endpoint(endpoint_id)

    def _host_endpoint(self, endpoint_id: EndpointId) -> HostWorkloadEndpoint | None:
        endpoint = self._endpoints.get(endpoint_id)
        if endpoint is None or not self._is_local(endpoint):
            return None
        places = {i: self._policies[i].place for i in self._active.policies_of(endpoint_id)}
        return HostWorkloadEndpoint(
            ifname=endpoint.spec.interface_name,
            mac=endpoint.spec.mac,
            addresses=tuple(sorted({network.address for network in endpoint.spec.ip_networks})),
            tiers=resolve_tiers(places, self._tiers),
            profiles=endpoint.spec.profiles,
        )

    def _refresh_policies(self) -> None:
        for policy_id in self._dirty_policies | self._active.changed_policies:
            policy = self._policies[policy_id] if self._active.endpoints_of(policy_id) else None
            self._uses.assign(policy_id, policy.sets if policy is not None else {})
            self._sequencer.policies.stage(policy_id, policy.host_policy if policy is not None else None)
        self._dirty_policies.clear()
        self._active.changed_policies.clear()

    def _refresh_profiles(self) -> None:
        for name in self._dirty_profiles:
            scanned = self._scan_profile(name) if self._is_listed_here(name) else None
            self._uses.assign(name, scanned.sets if scanned is not None else {})
            profile = HostProfile(ingress=scanned.ingress, egress=scanned.egress) if scanned is not None else None
            self._sequencer.profiles.stage(name, profile)
        self._dirty_profiles.clear()

    def _scan_profile(self, name: str) -> ScannedRules:
        try:
            spec = self._profiles[name].spec
            return scan_rules(spec.ingress, spec.egress, namespace="")
        except (KeyError, SelectorError):
            return ScannedRules(MISSING_PROFILE.ingress, MISSING_PROFILE.egress, {})

    def _refresh_sets(self) -> None:
        for set_id in sorted(self._uses.changed):
            definition = self._uses.definition(set_id)
            if definition is None:
                self._members.deactivate(set_id)
            else:
                self._members.activate(definition)
        self._uses.changed.clear()

    def _is_listed_here(self, profile: str) -> bool:
        return any(self._is_local(self._endpoints[i]) for i in self._listed_by.get(profile, ()))

    def _is_local(self, endpoint: WorkloadEndpoint) -> bool:
        """Whether this host enforces it. Without an interface's name there is nothing to enforce on; unknown ones are dropped."""
        return endpoint.spec.node == self._host and endpoint.spec.interface_name != ""


_HANDLERS: dict[object, Callable[[Calculation, ResourceKey, Resource | None], None]] = {
    TIER: Calculation._set_tier,
    PROFILE: Calculation._set_profile,
    NETWORK_POLICY: Calculation._set_policy,
    GLOBAL_NETWORK_POLICY: Calculation._set_policy,
    WORKLOAD_ENDPOINT: Calculation._set_endpoint,
}


def _compile(value: Resource | None) -> CompiledPolicy | None:
    if not isinstance(value, (NetworkPolicy, GlobalNetworkPolicy)):
        return None
    try:
        return compile_policy(value)
    except SelectorError:
        return None


def _labels_of(profile: Profile | None) -> Mapping[str, str]:
    return profile.spec.labels_to_apply if profile is not None else {}


_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


def _put(table: dict[_Key, _Value], key: _Key, value: _Value | None) -> None:
    """Make *value* what the table has at *key*; None: nothing."""
    if value is None:
        table.pop(key, None)
    else:
        table[key] = value
