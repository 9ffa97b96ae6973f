"""The resources that bear on verdicts, and the two questions that can be asked of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

import msgspec

from tortie.model.endpoint import HostEndpoint, WorkloadEndpoint
from tortie.model.felix import FelixConfiguration
from tortie.model.ipam import IPPool
from tortie.model.kubernetes_endpointslice import EndpointSlice
from tortie.model.meta import ObjectMeta, Resource
from tortie.model.policy import Action, GlobalNetworkPolicy, NetworkPolicy, Profile, ProfileSpec, Rule, Tier
from tortie.model.sets import GlobalNetworkSet, NetworkSet
from tortie.model.staged import StagedGlobalNetworkPolicy, StagedNetworkPolicy
from tortie.model.topology import Node
from tortie.net import Address, Family
from tortie.verdict.decide import Policies
from tortie.verdict.endpoint import Endpoint, HostInterface, Peer, host_endpoint, network_set, workload_endpoint
from tortie.verdict.flow import Flow
from tortie.verdict.host import HostView, Link, Way
from tortie.verdict.interfaces import InterfaceAddresses, Interfaces, own_addresses
from tortie.verdict.names import DEFAULT_ALLOW
from tortie.verdict.order import AnyPolicy, StagedPolicy, as_if_enforced, asked, ordered_tiers
from tortie.verdict.packet import Party, Traffic
from tortie.verdict.refs import NO_ADDRESS, End, EndpointRef, HostRef
from tortie.verdict.settings import Settings, settings_of
from tortie.verdict.tunnels import Tunnels
from tortie.verdict.verdicts import HostVerdict, Verdict

_ALLOW = (Rule(action=Action.ALLOW),)
_BUILT_IN = {
    DEFAULT_ALLOW: Profile(metadata=ObjectMeta(name=DEFAULT_ALLOW), spec=ProfileSpec(ingress=_ALLOW, egress=_ALLOW))
}

_Kind = TypeVar("_Kind", bound=Resource)


class Cluster(msgspec.Struct, frozen=True, kw_only=True):
    """One state of a cluster, prepared for judging."""

    policies: Policies
    endpoints: tuple[Endpoint, ...]
    """All workload endpoints, by namespace and name."""
    host_endpoints: tuple[HostInterface, ...]
    """By name."""
    sets: tuple[Peer, ...]
    """Network sets."""
    nodes: Mapping[str, Node]
    configurations: tuple[FelixConfiguration, ...]
    tunnels: Tunnels
    interfaces: Mapping[str, InterfaceAddresses]
    """What the caller knows of hosts' interfaces, by node; of the others ``tortie.verdict.interfaces`` guesses."""

    @classmethod
    def of(cls, resources: Iterable[Resource], interfaces: Mapping[str, InterfaceAddresses] | None = None) -> Cluster:
        """The state made of *resources*; kinds that no verdict depends on are left aside."""
        resources = list(resources)
        profiles = _BUILT_IN | {profile.metadata.name: profile for profile in _all(resources, Profile)}
        workloads = [workload_endpoint(resource, profiles) for resource in _all(resources, WorkloadEndpoint)]
        hosts = [host_endpoint(resource, profiles) for resource in _all(resources, HostEndpoint)]
        sets: list[NetworkSet | GlobalNetworkSet] = [*_all(resources, NetworkSet), *_all(resources, GlobalNetworkSet)]
        nodes = _all(resources, Node)
        return cls(
            policies=_policies(resources, profiles),
            endpoints=tuple(sorted(workloads, key=lambda endpoint: (endpoint.namespace, endpoint.name))),
            host_endpoints=tuple(sorted(hosts, key=lambda endpoint: endpoint.name)),
            sets=tuple(network_set(resource, profiles) for resource in sets),
            nodes={node.metadata.name: node for node in nodes},
            configurations=tuple(_all(resources, FelixConfiguration)),
            tunnels=Tunnels.of(_all(resources, IPPool), nodes),
            interfaces=interfaces or {},
        )

    # --- who is there -------------------------------------------------------------------------------------------------------

    def endpoint(self, text: str) -> Endpoint:
        """The endpoint called ``namespace/workload`` or ``namespace/name``; LookupError if none or several are."""
        namespace, _, name = text.partition("/")
        found = [e for e in self.endpoints if e.namespace == namespace and name in (e.workload, e.name)]
        if len(found) != 1:
            raise LookupError(f"{len(found) or 'no'} workload endpoints are called {text!r}")
        return found[0]

    def host(self, node: str, family: Family) -> HostRef:
        """The host by the first of its own addresses of *family*, or else the first that an endpoint of it expects.

        LookupError if no resource tells one.
        """
        expected = (n.address for e in self.host_endpoints if e.node == node for n in e.networks)
        for address in (*own_addresses(self.nodes.get(node)), *expected):
            if address.family is family:
                return HostRef(node, address)
        raise LookupError(f"no IPv{family} address of host {node} is known")

    def uplink(self, end: HostRef) -> str:
        """Over which interface a host sends and receives what is not between itself and its workloads."""
        return end.interface or self.host_view(end.node).interfaces.towards(end.address)

    @property
    def peers(self) -> tuple[Peer, ...]:
        """All that rules can find by labels. A host endpoint that expects no addresses is never found."""
        return (*self.endpoints, *self.host_endpoints, *self.sets)

    def settings(self, node: str) -> Settings:
        """Those that count at the host *node*, be it known or not."""
        found = self.nodes.get(node)
        return settings_of(node, found.metadata.labels if found is not None else None, self.configurations)

    # --- the two questions --------------------------------------------------------------------------------------------------

    def host_view(self, node: str, interfaces: InterfaceAddresses | None = None) -> HostView:
        """The host *node*, to be asked what it does with a packet.

        *interfaces* are its own with their addresses; without, what ``Cluster.of`` was told, or as ``tortie.verdict.interfaces``
        guesses.
        """
        found, settings = self.nodes.get(node), self.settings(node)
        said = interfaces if interfaces is not None else self.interfaces.get(node)
        own = [endpoint for endpoint in self.endpoints if endpoint.node == node and endpoint.networks]
        return HostView(
            node=node,
            settings=settings,
            interfaces=Interfaces.of(found, [e for e in self.host_endpoints if e.node == node], settings, said),
            workloads=tuple(sorted(own, key=lambda endpoint: endpoint.rank)),
            peers=self.peers,
            policies=self.policies,
            tunnels=self.tunnels,
        )

    def judge(self, flow: Flow) -> Verdict:
        """Whether *flow* is delivered: whether its first packet gets through the source's host, then the destination's.

        A workload always reaches itself, for that packet never leaves it. LookupError for a workload that is not of this cluster.
        """
        if _is_one_workload(flow):
            return Verdict(flow=flow, hosts=())
        traffic = self.traffic(flow)
        nodes = dict.fromkeys(node for end in (flow.source, flow.destination) if (node := self._node(end)) is not None)
        return Verdict(flow=flow, hosts=tuple(self._cross(node, flow, traffic) for node in nodes))

    # --- the way of a flow --------------------------------------------------------------------------------------------------

    def traffic(self, flow: Flow) -> Traffic:
        """The flow's first packet between its ends; one that has no address yet is found by selectors all the same."""
        return Traffic(
            packet=flow.packet,
            source=self._party("source", flow.source, flow.source_port),
            destination=self._party("destination", flow.destination, flow.destination_port),
        )

    def _party(self, which: str, end: End, port: int | None) -> Party:
        if isinstance(end, EndpointRef):
            endpoint = self._find(end)
            if not endpoint.networks:
                return Party(which=which, address=None, port=port, peers=(endpoint,))
        elif isinstance(end, HostRef) and end.address in NO_ADDRESS.values():
            return Party(which=which, address=None, port=port, peers=())
        address = end if isinstance(end, Address) else end.address
        return Party.of(which, address, port, self.peers)

    def _node(self, end: End) -> str | None:
        match end:
            case EndpointRef():
                return self._find(end).node
            case HostRef():
                return end.node
            case _:
                return None

    def _cross(self, node: str, flow: Flow, traffic: Traffic) -> HostVerdict:
        """What becomes of the flow at one of its hosts."""
        host = self.host_view(node)
        arrives = self._link(host, flow.source, flow.destination)
        leaves = self._link(host, flow.destination, flow.source)
        return host.follow(traffic, Way(arrives, leaves))

    def _link(self, host: HostView, end: End, other: End) -> Link | None:
        """By which link *host* is connected with *end*; None: it is the host itself."""
        if self._node(end) == host.node:
            return host.holder(self._find(end)) if isinstance(end, EndpointRef) else None
        if isinstance(other, HostRef) and other.node == host.node:
            return self.uplink(other)
        family = (other if isinstance(other, Address) else other.address).family
        own = (address for address in own_addresses(self.nodes.get(host.node)) if address.family is family)
        return host.interfaces.towards(next(own, None))

    def _find(self, ref: EndpointRef) -> Endpoint:
        for endpoint in self.endpoints:
            if (endpoint.namespace, endpoint.name) != ref[:2]:
                continue
            if endpoint.has(ref.address) or (not endpoint.networks and ref.address in NO_ADDRESS.values()):
                return endpoint
        raise LookupError(f"{ref} is no endpoint of this cluster")


def _is_one_workload(flow: Flow) -> bool:
    source, destination = flow.source, flow.destination
    return isinstance(source, EndpointRef) and isinstance(destination, EndpointRef) and source[:2] == destination[:2]


def _all(resources: Iterable[Resource], kind: type[_Kind]) -> list[_Kind]:
    return [resource for resource in resources if type(resource) is kind]


def _policies(resources: list[Resource], profiles: Mapping[str, Profile]) -> Policies:
    tiers = _all(resources, Tier)
    staged: list[StagedPolicy] = [*_all(resources, StagedNetworkPolicy), *_all(resources, StagedGlobalNetworkPolicy)]
    written: list[AnyPolicy] = [*_all(resources, NetworkPolicy), *_all(resources, GlobalNetworkPolicy), *staged]
    return Policies(
        tiers=ordered_tiers(tiers, asked(written)),
        pending=ordered_tiers(tiers, as_if_enforced(written)) if staged else None,
        profiles=profiles,
        slices=tuple(_all(resources, EndpointSlice)),
    )
