"""Which hosts a flow crosses, and between which interfaces of theirs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from tortie.analysis.placeholders import StandIns
from tortie.net import Address
from tortie.verdict import Cluster, Flow
from tortie.verdict.endpoint import Endpoint
from tortie.verdict.gates import may_come_from
from tortie.verdict.host import HostView
from tortie.verdict.names import LOOPBACK
from tortie.verdict.packet import Packet
from tortie.verdict.refs import End, EndpointRef, HostRef


class Hop(NamedTuple):
    """A host on a packet's way."""

    node: str
    in_interface: str
    """Empty: the host itself sends it."""
    out_interface: str
    """Empty: it is for the host itself."""

    @property
    def interfaces(self) -> tuple[str, str]:
        return self.in_interface, self.out_interface


class Ways:
    """The ways through a cluster, as the oracle takes its hosts' interfaces to be; who has no address has its stand-ins."""

    def __init__(self, cluster: Cluster, addressed: StandIns) -> None:
        self._cluster = cluster
        self._endpoints = {(endpoint.namespace, endpoint.name): endpoint for endpoint in cluster.endpoints}
        self._by_link = {
            (endpoint.node, endpoint.interface): _routed(endpoint, addressed)
            for endpoint in sorted(cluster.endpoints, key=lambda endpoint: endpoint.rank, reverse=True)
            if endpoint.networks or (endpoint.namespace, endpoint.name) in addressed.endpoints
        }
        """Those that have the links; of several that claim one the lowest in rank."""
        self._views: dict[str, HostView] = {}

    def hops(self, flow: Flow) -> tuple[Hop, ...]:
        """The hosts that *flow* crosses, in order; none if no end is in the cluster, or both are one workload."""
        source, destination = flow.source, flow.destination
        if isinstance(source, EndpointRef) and isinstance(destination, EndpointRef) and source[:2] == destination[:2]:
            return ()
        nodes = dict.fromkeys(node for end in (source, destination) if (node := self._node(end)) is not None)
        return tuple(Hop(node, *(self._interface(node, end, flow) for end in (source, destination))) for node in nodes)

    def own_interfaces(self, hop: Hop) -> Mapping[str, frozenset[Address]]:
        """The host's interfaces on the hop that are no workload's, with their addresses."""
        view = self._view(hop.node)
        workloads = {endpoint.interface for endpoint in view.workloads}
        return {
            ifname: view.interfaces.addresses(ifname) for ifname in hop.interfaces if ifname and ifname not in workloads
        }

    def is_spoofed(self, hop: Hop, packet: Packet) -> bool:
        """Whether *packet* comes over a workload's link, if only by its name, although no route of the host leads back over it."""
        endpoint, settings = self._by_link.get((hop.node, hop.in_interface)), self._view(hop.node).settings
        if endpoint is None and not settings.looks_like_workload(hop.in_interface):
            return False
        return not may_come_from(packet, endpoint, settings)

    def routes(self, node: str) -> dict[Address, str]:
        """Over which link the host reaches the addresses of each of its workloads."""
        return {
            network.address: ifname
            for (host, ifname), endpoint in self._by_link.items()
            if host == node
            for network in endpoint.networks
        }

    def _view(self, node: str) -> HostView:
        if node not in self._views:
            self._views[node] = self._cluster.host_view(node)
        return self._views[node]

    def _node(self, end: End) -> str | None:
        match end:
            case EndpointRef():
                return self._endpoints[end[:2]].node
            case HostRef():
                return end.node
            case _:
                return None

    def _interface(self, node: str, end: End, flow: Flow) -> str:
        """By which interface of *node* the *end* of a flow is reached."""
        if isinstance(end, HostRef) and end.node == node:
            return ""
        if isinstance(end, EndpointRef) and (endpoint := self._endpoints[end[:2]]).node == node:
            return endpoint.interface
        own = [ref for ref in (flow.source, flow.destination) if isinstance(ref, HostRef) and ref.node == node]
        return self._cluster.uplink(own[0]) if own else self._view(node).interfaces.towards(None)


def over_loopback(hop: Hop) -> tuple[Hop, ...]:
    """What a host sends to itself leaves and arrives over loopback; any other hop is one."""
    if hop.in_interface or hop.out_interface:
        return (hop,)
    return Hop(hop.node, "", LOOPBACK), Hop(hop.node, LOOPBACK, "")


def _routed(endpoint: Endpoint, addressed: StandIns) -> Endpoint:
    """With the addresses to which its host has routes: its own, or what stands for them."""
    own = addressed.endpoints.get((endpoint.namespace, endpoint.name), {})
    networks = (*endpoint.networks, *(address.network() for address in own.values()))
    return msgspec.structs.replace(endpoint, networks=networks, spoofable=())
