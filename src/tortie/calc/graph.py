"""The calculation graph: resources of the whole cluster in, what one host has to enforce out.

    Tier ─────────────────────────────────────────┐
    policies ──► scoping, rules ──► ActivePolicies ┴─ lists of tiers ──► endpoints ──┐
                                     ▲   │                                           │
    WorkloadEndpoint ┬─ this host's ─┘   └─ active ones ──► policies ────────────────┤
    HostEndpoint ────┤     │ list                 │                                  ├──► Sequencer ──► deltas
    Profile ─────────┼─ ProfileTable ──► rules ───┼──► profiles ─────────────────────┤
                     │     │ labels               ▼                                  │
    network sets ────┴─ MemberIndex ◄────────── SetUses ──► sets ────────────────────┤
    EndpointSlice ───── ServiceIndex ◄────────────┘           ▲                      │
                           └──────────────────────────────────┘                      │
    FelixConfiguration, Node ──► SettingsMerger ─────────────────────────────────────┤
    Node, IPPool, IPAM blocks, endpoints ──► Topology ──► routes, tunnel endpoints ──┘

Output depends on the current state only, never on the way to it: an update is taken in and marks what it touches, a flush works
out what that means, and only what differs from what was sent leaves. So updates may come twice, squashed, in any order or for
things that never were. A policy or profile whose selectors cannot be read counts as absent (validation says so to its author);
a workload endpoint without addresses is not there yet.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

import msgspec

from tortie.calc.active import ActivePolicies, is_host_endpoint
from tortie.calc.endpoints import enforced_host_endpoint, enforced_workload
from tortie.calc.hoststate import (
    EndpointId,
    HostHostEndpoint,
    HostProfile,
    HostStateDelta,
    HostWorkloadEndpoint,
    IPSetDelta,
    IPSetId,
    IPSetRemove,
    IPSetUpdate,
    PolicyId,
)
from tortie.calc.local import LocalEndpoint, LocalEndpoints
from tortie.calc.members import MemberIndex
from tortie.calc.peers import Peer, peer_of_host_endpoint, peer_of_lean, peer_of_network_set, peer_of_workload
from tortie.calc.policies import CompiledPolicy, compile_policy
from tortie.calc.profiles import ProfileContent, ProfileTable
from tortie.calc.resolver import Stage
from tortie.calc.routes import Endpoint
from tortie.calc.rules import SetDefinition
from tortie.calc.sequencer import Sequencer
from tortie.calc.services import ServiceIndex
from tortie.calc.settings import SettingsMerger
from tortie.calc.topology import Topology
from tortie.calc.uses import SetUses
from tortie.calc.visits import Visits
from tortie.model import kinds
from tortie.model.blocks import decode_owners, parse_assignment_path
from tortie.model.codec import InvalidResourceError
from tortie.model.endpoint import HostEndpoint, WorkloadEndpoint
from tortie.model.felix import FelixConfiguration
from tortie.model.ipam import IPPool
from tortie.model.kinds import ResourceKey, parse_path
from tortie.model.kubernetes_endpointslice import EndpointSlice
from tortie.model.lean import lean_endpoint, lean_profile
from tortie.model.meta import HostName, Resource
from tortie.model.policy import GlobalNetworkPolicy, NetworkPolicy, Profile, Tier
from tortie.model.sets import GlobalNetworkSet, NetworkSet
from tortie.model.staged import StagedGlobalNetworkPolicy, StagedNetworkPolicy
from tortie.model.topology import Node
from tortie.model.updates import OwnersUpdate, ResourceUpdate
from tortie.model.validation import stored_resource
from tortie.selectors import SelectorError


class Calculation:
    """One host's view of the cluster."""

    def __init__(self, host: HostName) -> None:
        self._host = host
        self._is_in_sync = False
        self._visits = Visits()
        self._tiers: dict[str, Tier] = {}
        self._are_tiers_changed = False
        self._local = LocalEndpoints()
        self._profiles = ProfileTable()
        self._active = ActivePolicies(self._visits)
        self._members = MemberIndex(self._profiles, self._visits)
        self._services = ServiceIndex(self._visits)
        self._settings = SettingsMerger(host)
        self._topology = Topology(host)
        self._uses = SetUses()
        self._sequencer = Sequencer()

    @property
    def visited(self) -> int:
        """How many endpoints, selectors and policies all flushes together looked at."""
        return self._visits.count

    @property
    def sets(self) -> Mapping[IPSetId, SetDefinition]:
        """What each IP set in use is a set of: a selector or a service."""
        return self._uses.definitions

    def update(self, update: ResourceUpdate | OwnersUpdate) -> None:
        """Take in the current value of a resource, or that there is none; kinds that do not matter here are ignored.

        An IPAM block's owners are taken in the same way.
        """
        if isinstance(update, OwnersUpdate):
            self._topology.set_block(update.block, update.value)
            return
        handler = _HANDLERS.get(update.key.kind.prefix)
        if handler is not None:
            handler(self, update.key, update.value)

    def update_raw(self, path: str, value: bytes | None) -> str | None:
        """Take in what is stored at a datastore key, as bytes; says what is wrong with it if it counts as absent for that.

        The same as validating it and calling ``update``, without the full resource where nothing here needs it. Keys of
        no resource are ignored.
        """
        block = parse_assignment_path(path)
        if block is not None:
            owners, problem = _read(decode_owners, value)
            self._topology.set_block(block, owners)
            return problem
        key = parse_path(path)
        if key is None or key.kind.prefix not in _HANDLERS:
            return None
        if value is not None and key.kind is kinds.WORKLOAD_ENDPOINT:
            endpoint = lean_endpoint(key.name, key.namespace, value)
            if endpoint is not None and endpoint.node != self._host:
                self._put_endpoint(key, peer_of_lean(endpoint, key.namespace) if endpoint.networks else None, None)
                return None
        elif value is not None and key.kind is kinds.PROFILE:
            profile = lean_profile(key.name, value)
            if profile is not None:
                self._profiles.put(key.name, ProfileContent.of(profile))
                return None
        resource, problem = _read(functools.partial(stored_resource, key), value)
        _HANDLERS[key.kind.prefix](self, key, resource)
        return problem

    def in_sync(self) -> None:
        """What was taken in so far is a state that the datastore had, so there is something to enforce."""
        self._is_in_sync = True

    def flush(self) -> tuple[HostStateDelta, ...]:
        """The deltas from what was flushed last to the current state, in dependency order; none before ``in_sync``."""
        if not self._is_in_sync:
            return ()
        self._refresh_endpoints()
        self._refresh_policies()
        self._refresh_profiles()
        sets, gone_sets = self._refresh_sets()
        self._profiles.settle()
        settings = self._settings.flush()
        return (*self._sequencer.flush(settings, sets, gone_sets), *self._topology.flush(settings, self))

    def endpoints(self) -> Iterator[tuple[EndpointId, Endpoint]]:
        """All workload endpoints of the cluster that have addresses: where each is."""
        for peer_id, peer in self._members.peers.items():
            if isinstance(peer_id, EndpointId):
                yield peer_id, _where(peer)

    # --- taking in ---------------------------------------------------------------------------------------------------------

    def _set_tier(self, key: ResourceKey, value: Resource | None) -> None:
        if isinstance(value, Tier):
            self._tiers[key.name] = value
        else:
            self._tiers.pop(key.name, None)
        self._are_tiers_changed = True

    def _set_profile(self, key: ResourceKey, value: Resource | None) -> None:
        self._profiles.put(key.name, ProfileContent.of(value) if isinstance(value, Profile) else None)

    def _set_policy(self, key: ResourceKey, value: Resource | None) -> None:
        policy_id = PolicyId(key.kind.name, key.namespace, key.name)
        self._active.set_policy(policy_id, _compile(policy_id, value))

    def _set_workload_endpoint(self, key: ResourceKey, value: Resource | None) -> None:
        if not isinstance(value, WorkloadEndpoint) or not value.spec.ip_networks:
            self._put_endpoint(key, None, None)
            return
        # Without an interface's name there is nothing to enforce on; packets of unknown interfaces are dropped.
        is_enforced = value.spec.node == self._host and value.spec.interface_name != ""
        self._put_endpoint(key, peer_of_workload(value), enforced_workload(value) if is_enforced else None)

    def _put_endpoint(self, key: ResourceKey, peer: Peer | None, enforced: HostWorkloadEndpoint | None) -> None:
        endpoint_id = EndpointId(sys.intern(key.namespace), key.name)
        self._members.set_peer(endpoint_id, peer)
        self._topology.set_endpoint(endpoint_id, _where(peer) if peer is not None else None)
        self._local.put(
            endpoint_id, LocalEndpoint(peer, enforced) if peer is not None and enforced is not None else None
        )

    def _set_host_endpoint(self, key: ResourceKey, value: Resource | None) -> None:
        peer = peer_of_host_endpoint(value) if isinstance(value, HostEndpoint) else None
        self._members.set_peer(_peer_id(key), peer)
        local = None
        if isinstance(value, HostEndpoint) and peer is not None and value.spec.node == self._host:
            local = LocalEndpoint(peer, enforced_host_endpoint(value))
        self._local.put(EndpointId("", key.name), local)

    def _set_network_set(self, key: ResourceKey, value: Resource | None) -> None:
        peer = peer_of_network_set(value) if isinstance(value, NetworkSet | GlobalNetworkSet) else None
        self._members.set_peer(_peer_id(key), peer)

    def _set_slice(self, key: ResourceKey, value: Resource | None) -> None:
        self._services.set_slice((key.namespace, key.name), value if isinstance(value, EndpointSlice) else None)

    def _set_configuration(self, key: ResourceKey, value: Resource | None) -> None:
        self._settings.set_configuration(key.name, value if isinstance(value, FelixConfiguration) else None)

    def _set_node(self, key: ResourceKey, value: Resource | None) -> None:
        node = value if isinstance(value, Node) else None
        self._topology.set_node(HostName(key.name), node)
        if key.name == self._host:
            self._settings.set_node_labels(node.metadata.labels if node is not None else None)

    def _set_pool(self, key: ResourceKey, value: Resource | None) -> None:
        self._topology.set_pool(key.name, value if isinstance(value, IPPool) else None)

    # --- working out -------------------------------------------------------------------------------------------------------

    def _refresh_endpoints(self) -> None:
        """Labels first, for they decide which policies govern an endpoint; then the lists of those that changed."""
        relabelled = {i for profile in self._profiles.relabelled for i in self._local.listing(profile)}
        for endpoint_id in sorted(self._local.changed | relabelled):
            endpoint = self._local.get(endpoint_id)
            if endpoint is None:
                self._active.remove_endpoint(endpoint_id)
            else:
                self._active.set_endpoint(endpoint_id, endpoint.peer.effective_labels(self._profiles.labels_of))
        self._active.settle(self._tiers, are_tiers_changed=self._are_tiers_changed)
        for endpoint_id in self._local.changed:
            if not is_host_endpoint(endpoint_id):
                endpoint = self._local.get(endpoint_id)
                enforced = endpoint.enforced if endpoint is not None else None
                assert not isinstance(enforced, HostHostEndpoint)
                self._sequencer.workload_endpoints.stage(endpoint_id, enforced)
        for endpoint_id in self._active.changed_endpoints:
            self._stage_tiers(endpoint_id)
        self._local.changed.clear()
        self._active.changed_endpoints.clear()
        self._are_tiers_changed = False

    def _stage_tiers(self, endpoint_id: EndpointId) -> None:
        endpoint = self._local.get(endpoint_id)
        tiers_of = self._active.tiers_of
        match endpoint.enforced if endpoint is not None else None:
            case HostWorkloadEndpoint():
                self._sequencer.workload_endpoints.stage_tiers(endpoint_id, tiers_of(endpoint_id, Stage.NORMAL))
            case HostHostEndpoint() as enforced:
                whole = msgspec.structs.replace(
                    enforced,
                    tiers=tiers_of(endpoint_id, Stage.NORMAL),
                    forward_tiers=tiers_of(endpoint_id, Stage.FORWARD),
                    untracked_tiers=tiers_of(endpoint_id, Stage.UNTRACKED),
                    pre_dnat_tiers=tiers_of(endpoint_id, Stage.PRE_DNAT),
                )
                self._sequencer.host_endpoints.stage(endpoint_id, whole)
            case None if is_host_endpoint(endpoint_id):
                self._sequencer.host_endpoints.stage(endpoint_id, None)

    def _refresh_policies(self) -> None:
        for policy_id in self._active.changed_policies:
            policy = self._active.active(policy_id)
            self._uses.assign(policy_id, policy.sets if policy is not None else {})
            self._sequencer.policies.stage(policy_id, policy.host_policy if policy is not None else None)
        self._active.changed_policies.clear()

    def _refresh_profiles(self) -> None:
        changed = {name for name in self._profiles.changed if self._local.listing(name)}
        for name in changed | self._local.listed:
            scanned = self._profiles.scan(name) if self._local.listing(name) else None
            self._uses.assign(name, scanned.sets if scanned is not None else {})
            profile = HostProfile(ingress=scanned.ingress, egress=scanned.egress) if scanned is not None else None
            self._sequencer.profiles.stage(name, profile)
        self._local.listed.clear()

    def _refresh_sets(self) -> tuple[list[IPSetUpdate | IPSetDelta], list[IPSetRemove]]:
        changes = self._uses.take()
        sets, gone = self._members.flush(changes.selectors, changes.gone_selectors)
        services, gone_services = self._services.flush(changes.services, changes.gone_services)
        return [*sets, *services], [*gone, *gone_services]


_HANDLERS: dict[str, Callable[[Calculation, ResourceKey, Resource | None], None]] = {
    kinds.TIER.prefix: Calculation._set_tier,
    kinds.PROFILE.prefix: Calculation._set_profile,
    kinds.NETWORK_POLICY.prefix: Calculation._set_policy,
    kinds.GLOBAL_NETWORK_POLICY.prefix: Calculation._set_policy,
    kinds.STAGED_NETWORK_POLICY.prefix: Calculation._set_policy,
    kinds.STAGED_GLOBAL_NETWORK_POLICY.prefix: Calculation._set_policy,
    kinds.WORKLOAD_ENDPOINT.prefix: Calculation._set_workload_endpoint,
    kinds.HOST_ENDPOINT.prefix: Calculation._set_host_endpoint,
    kinds.NETWORK_SET.prefix: Calculation._set_network_set,
    kinds.GLOBAL_NETWORK_SET.prefix: Calculation._set_network_set,
    kinds.ENDPOINT_SLICE.prefix: Calculation._set_slice,
    kinds.FELIX_CONFIGURATION.prefix: Calculation._set_configuration,
    kinds.NODE.prefix: Calculation._set_node,
    kinds.IP_POOL.prefix: Calculation._set_pool,
}
"""By the prefix of the kind's keys, which is quick to hash."""


_Value = TypeVar("_Value")


def _read(reader: Callable[[bytes], _Value], value: bytes | None) -> tuple[_Value | None, str | None]:
    """What *reader* makes of a stored value, and what is wrong with it if it counts as absent for that."""
    try:
        return (reader(value) if value is not None else None), None
    except InvalidResourceError as error:
        return None, str(error)


def _where(peer: Peer) -> Endpoint:
    return HostName(peer.node), peer.networks


def _peer_id(key: ResourceKey) -> tuple[str, str, str]:
    return key.kind.name, key.namespace, key.name


def _compile(policy_id: PolicyId, value: Resource | None) -> CompiledPolicy | None:
    if not isinstance(value, NetworkPolicy | GlobalNetworkPolicy | StagedNetworkPolicy | StagedGlobalNetworkPolicy):
        return None
    try:
        return compile_policy(policy_id, value)
    except SelectorError:
        return None
