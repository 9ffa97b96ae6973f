"""The slow, obvious calculation: everything from the resources at once, by loops. What the graph says must be the same.

Shared with the graph are only its leaves, which have tables of their own: how one policy is compiled, what one endpoint or set
brings, and what of it is enforced.
"""

import math
from collections.abc import Iterable, Mapping

import msgspec

from tortie.calc import HostState
from tortie.calc.endpoints import enforced_host_endpoint, enforced_workload
from tortie.calc.hoststate import AddressPort, EndpointId, HostHostEndpoint, HostProfile, Member, PolicyId, TierPolicies
from tortie.calc.peers import Peer, peer_of_host_endpoint, peer_of_network_set, peer_of_workload
from tortie.calc.policies import CompiledPolicy, compile_policy
from tortie.calc.profiles import DEFAULT_ALLOW, MISSING_PROFILE
from tortie.calc.resolver import Stage
from tortie.calc.rules import ScannedRules, SelectorSet, SetDefinition, scan_rules
from tortie.calc.settings import settings_of
from tortie.model.endpoint import HostEndpoint, WorkloadEndpoint
from tortie.model.felix import FelixConfiguration
from tortie.model.kinds import ResourceKey
from tortie.model.kubernetes_endpointslice import SERVICE_LABEL, EndpointSlice
from tortie.model.meta import HostName, Resource
from tortie.model.policy import Action, Direction, GlobalNetworkPolicy, NetworkPolicy, Profile, Rule, Tier
from tortie.model.sets import GlobalNetworkSet, NetworkSet
from tortie.model.staged import StagedGlobalNetworkPolicy, StagedNetworkPolicy
from tortie.model.topology import Node
from tortie.net import Network, Protocol
from tortie.selectors import parse

JUDGED = ("ip_sets", "policies", "profiles", "workload_endpoints", "host_endpoints", "config")
"""What the slow twin calculates: all but routes and what belongs to them."""

_POLICIES = (NetworkPolicy, GlobalNetworkPolicy, StagedNetworkPolicy, StagedGlobalNetworkPolicy)


class SlowTwin:
    """One host's view of *resources*."""

    def __init__(self, host: HostName, resources: Mapping[ResourceKey, Resource]) -> None:
        self.host = host
        self.resources = resources
        self.profiles = {r.metadata.name: r for r in resources.values() if isinstance(r, Profile)}
        self.tiers = {r.metadata.name: r for r in resources.values() if isinstance(r, Tier)}
        self.policies: dict[PolicyId, CompiledPolicy] = {}
        for key, resource in resources.items():
            policy_id = PolicyId(key.kind.name, key.namespace, key.name)
            if isinstance(resource, _POLICIES) and (compiled := compile_policy(policy_id, resource)):
                self.policies[policy_id] = compiled
        self.peers = list(self._all_peers())

    def state(self) -> HostState:
        workloads = {
            EndpointId(r.metadata.namespace, r.metadata.name): r
            for r in self.resources.values()
            if isinstance(r, WorkloadEndpoint) and r.spec.node == self.host and r.spec.ip_networks
        }
        hosts = {
            EndpointId("", r.metadata.name): r
            for r in self.resources.values()
            if isinstance(r, HostEndpoint) and r.spec.node == self.host
        }
        of_workloads = [self._labels(peer_of_workload(endpoint)) for endpoint in workloads.values()]
        of_hosts = [self._labels(peer_of_host_endpoint(endpoint)) for endpoint in hosts.values()]
        active = {i: p for i, p in self.policies.items() if self._is_active(p, of_workloads, of_hosts)}
        listed = {name for endpoint in (*workloads.values(), *hosts.values()) for name in endpoint.spec.profiles}
        scanned = {name: self._scan(name) for name in listed}
        sets = {i: s for p in (*active.values(), *scanned.values()) for i, s in p.sets.items()}
        return HostState(
            ip_sets={set_id: self._members(wanted) for set_id, wanted in sets.items()},
            policies={policy_id: policy.host_policy for policy_id, policy in active.items()},
            profiles={name: HostProfile(ingress=s.ingress, egress=s.egress) for name, s in scanned.items()},
            workload_endpoints={
                endpoint_id: msgspec.structs.replace(
                    enforced_workload(endpoint), tiers=self._tiers_of(peer_of_workload(endpoint), Stage.NORMAL)
                )
                for endpoint_id, endpoint in workloads.items()
            },
            host_endpoints={endpoint_id: self._host_endpoint(endpoint) for endpoint_id, endpoint in hosts.items()},
            config=self._config(),
        )

    def _all_peers(self) -> Iterable[Peer]:
        for resource in self.resources.values():
            match resource:
                case WorkloadEndpoint() if resource.spec.ip_networks:
                    yield peer_of_workload(resource)
                case HostEndpoint():
                    yield peer_of_host_endpoint(resource)
                case NetworkSet() | GlobalNetworkSet():
                    yield peer_of_network_set(resource)

    def _labels(self, peer: Peer) -> dict[str, str]:
        layers = [dict(zip(peer.names, peer.values, strict=True))]
        layers += [dict(self.profiles[name].spec.labels_to_apply) for name in peer.profiles if name in self.profiles]
        labels: dict[str, str] = {}
        for layer in layers:
            for name, value in layer.items():
                labels.setdefault(name, value)
        return labels

    def _is_active(
        self, policy: CompiledPolicy, of_workloads: list[dict[str, str]], of_hosts: list[dict[str, str]]
    ) -> bool:
        governed = [*of_workloads, *of_hosts] if Stage.NORMAL in policy.place.stages else of_hosts
        return policy.is_needed_everywhere or any(policy.selector.matches(labels) for labels in governed)

    def _scan(self, name: str) -> ScannedRules:
        if name in self.profiles:
            return scan_rules(self.profiles[name].spec.ingress, self.profiles[name].spec.egress, "")
        if name == DEFAULT_ALLOW:
            return scan_rules((Rule(action=Action.ALLOW),), (Rule(action=Action.ALLOW),), "")
        return ScannedRules(MISSING_PROFILE.ingress, MISSING_PROFILE.egress, {})

    def _members(self, wanted: SetDefinition) -> frozenset[Member]:
        if isinstance(wanted, SelectorSet):
            selected = (peer for peer in self.peers if wanted.selector.matches(self._labels(peer)))
            return frozenset(member for peer in selected for member in peer.members(wanted.port))
        found: set[Member] = set()
        for resource in self.resources.values():
            if not isinstance(resource, EndpointSlice) or resource.metadata.namespace != wanted.service.namespace:
                continue
            if resource.metadata.labels.get(SERVICE_LABEL) != wanted.service.name:
                continue
            ports = [(Protocol.parse(port.protocol), port.port) for port in resource.ports if port.port is not None]
            for network in (
                Network.parse(address) for endpoint in resource.endpoints for address in endpoint.addresses
            ):
                found |= {AddressPort(network.address, *port) for port in ports} if wanted.has_ports else {network}
        return frozenset(found)

    def _tiers_of(self, peer: Peer, stage: Stage) -> tuple[TierPolicies, ...]:
        labels = self._labels(peer)
        governing = [
            (policy_id, policy)
            for policy_id, policy in self.policies.items()
            if stage in policy.place.stages and policy.selector.matches(labels)
        ]
        governing.sort(key=lambda entry: (entry[1].place.rank[0], entry[0].tie_break))

        def tier_rank(name: str) -> tuple[float, float, str]:
            if name not in self.tiers:
                return 1, 0, name
            order = self.tiers[name].spec.order
            return 0, 1_000_000 if order is None else order, name

        def tier(name: str) -> TierPolicies:
            default = self.tiers[name].spec.default_action if name in self.tiers else "Deny"
            inside = [(i, p.place.types) for i, p in governing if p.place.tier == name]
            return TierPolicies(
                name=name,
                default_action=default if stage in (Stage.NORMAL, Stage.FORWARD) else "Pass",
                ingress=tuple(i for i, types in inside if Direction.INGRESS in types),
                egress=tuple(i for i, types in inside if Direction.EGRESS in types),
            )

        return tuple(map(tier, sorted({p.place.tier for _, p in governing}, key=tier_rank)))

    def _host_endpoint(self, endpoint: HostEndpoint) -> HostHostEndpoint:
        peer = peer_of_host_endpoint(endpoint)
        return msgspec.structs.replace(
            enforced_host_endpoint(endpoint),
            tiers=self._tiers_of(peer, Stage.NORMAL),
            forward_tiers=self._tiers_of(peer, Stage.FORWARD),
            untracked_tiers=self._tiers_of(peer, Stage.UNTRACKED),
            pre_dnat_tiers=self._tiers_of(peer, Stage.PRE_DNAT),
        )

    def _config(self) -> dict[str, object]:
        node = [r for r in self.resources.values() if isinstance(r, Node) and r.metadata.name == self.host]
        ranked = []
        for found in self.resources.values():
            if not isinstance(found, FelixConfiguration):
                continue
            name, selector = found.metadata.name, found.spec.node_selector
            if name == "default":
                ranked.append((0.0, "", "", found))
            elif name == f"node.{self.host}":
                ranked.append((math.inf, "", "", found))
            elif (
                not name.startswith("node.") and node and selector and parse(selector).matches(node[0].metadata.labels)
            ):
                ranked.append((1.0, found.metadata.creation_timestamp or "", name, found))
        values: dict[str, object] = {}
        # From what counts most to what counts least: nothing that is set is overwritten.
        for found in sorted(ranked, key=lambda entry: (-entry[0], entry[1], entry[2])):
            for field, value in settings_of(found[3]).items():
                values.setdefault(field, value)
        return values
