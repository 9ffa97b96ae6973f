"""Who answers whether packets get through: the oracle, or the rulesets that the hosts concerned would have.

Both are asked the same: a flow end to end, or a packet at one host. A ruleset knows addresses only, so in flows everybody has one
(``placeholders``), while at one host an endpoint without an address is not there yet; what hosts' interfaces are nobody has said, so
they are what the oracle takes them for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from tortie.analysis.cluster import KnownCluster
from tortie.analysis.hostmodel import HostModel
from tortie.analysis.placeholders import StandIns, no_stand_ins, stand_ins
from tortie.analysis.ways import Hop, Ways, over_loopback
from tortie.model.meta import HostName
from tortie.net import Address
from tortie.ruleset.options import Compilation
from tortie.verdict import Cluster, Flow
from tortie.verdict.names import LOOPBACK
from tortie.verdict.packet import HostPacket, Packet
from tortie.verdict.refs import NO_ADDRESS, End, HostRef


class Engine(Protocol):
    """Answers about one state of a cluster."""

    def allow(self, flows: Sequence[Flow]) -> list[bool]:
        """Whether the first packet of each flow is delivered."""

    def pass_host(self, node: str, packets: Sequence[HostPacket]) -> list[bool]:
        """Whether each of *packets* gets through one host."""


class OracleEngine:
    """The oracle's verdicts."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def allow(self, flows: Sequence[Flow]) -> list[bool]:
        return [self._cluster.judge(flow).allowed for flow in flows]

    def pass_host(self, node: str, packets: Sequence[HostPacket]) -> list[bool]:
        view = self._cluster.host_view(node)
        return [view.passes(packet) for packet in packets]


class RulesetEngine:
    """Packets walked through the rulesets of every host that they cross. ``become`` leads to another state as agents would."""

    def __init__(self, known: KnownCluster, cluster: Cluster, compilation: Compilation = Compilation.AUTO) -> None:
        self._of_flows, self._of_packets = _Hosts(compilation), _Hosts(compilation)
        self.become(known, cluster)

    def become(self, known: KnownCluster, cluster: Cluster) -> None:
        """The cluster is now *known*, and *cluster* the oracle's view of it."""
        self._of_flows.become(stand_ins(known), cluster)
        self._of_packets.become(no_stand_ins(known), cluster)

    def allow(self, flows: Sequence[Flow]) -> list[bool]:
        return [self._of_flows.deliver(flow) for flow in flows]

    def pass_host(self, node: str, packets: Sequence[HostPacket]) -> list[bool]:
        return [self._of_packets.cross(host_hop(node, packet), packet) for packet in packets]


class _Hosts:
    """Models of a cluster's hosts, each made when it is first asked."""

    def __init__(self, compilation: Compilation) -> None:
        self._compilation = compilation
        self._models: dict[str, HostModel] = {}

    def become(self, addressed: StandIns, cluster: Cluster) -> None:
        self._addressed, self._ways = addressed, Ways(cluster, addressed)
        for model in self._models.values():
            model.become(addressed.resources)

    def deliver(self, flow: Flow) -> bool:
        packet = with_stand_ins(flow, self._addressed).packet
        return all(self.cross(hop, packet) for hop in self._ways.hops(flow))

    def cross(self, hop: Hop, packet: Packet) -> bool:
        first = over_loopback(hop)[0]
        is_spoofed = self._ways.is_spoofed(first, packet)
        return self._model(first).cross(packet, *first.interfaces, is_spoofed=is_spoofed).is_accepted

    def _model(self, hop: Hop) -> HostModel:
        model = self._models.get(hop.node)
        if model is None:
            model = self._models[hop.node] = HostModel(HostName(hop.node), self._compilation)
            model.become(self._addressed.resources)
        for ifname, addresses in self._ways.own_interfaces(hop).items():
            model.know(ifname, addresses)
        return model


def host_hop(node: str, packet: HostPacket) -> Hop:
    """*packet* at its host. What leaves over loopback is for the host itself."""
    arrives, leaves = packet.in_interface or "", packet.out_interface or ""
    return Hop(node, arrives, "" if not arrives and leaves == LOOPBACK else leaves)


def with_stand_ins(flow: Flow, addressed: StandIns) -> Flow:
    """*flow* between ends that all have an address."""
    source, destination = (_addressed(end, flow, addressed) for end in (flow.source, flow.destination))
    return msgspec.structs.replace(flow, source=source, destination=destination)


def _addressed(end: End, flow: Flow, addressed: StandIns) -> End:
    if isinstance(end, Address) or end.address not in NO_ADDRESS.values():
        return end
    found = addressed.nodes[end.node] if isinstance(end, HostRef) else addressed.endpoints[end[:2]]
    return end._replace(address=found[flow.family])
