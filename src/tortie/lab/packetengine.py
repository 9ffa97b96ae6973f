"""Answers by real packets: the hosts that they cross are built as network namespaces, and removed again.

    hops of all packets ──► by host ──► rounds of packets that agree where each destination is ──► PacketHost ──► came out?

Hosts are built one by one, for a packet's way through one host does not depend on what the next one does with it.
"""

from __future__ import annotations

import functools
import itertools
import os
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import NamedTuple, Self

from tortie.analysis.cluster import KnownCluster
from tortie.analysis.engines import host_hop, with_stand_ins
from tortie.analysis.placeholders import StandIns, no_stand_ins, stand_ins
from tortie.analysis.ways import Ways, over_loopback
from tortie.lab.namespaces import enter_own_network
from tortie.lab.packethost import PacketHost, RuledHost
from tortie.lab.packetnetwork import AT_ONCE, stay_on_one_cpu
from tortie.lab.packetrounds import Crossing, Round, rounds, volleys
from tortie.model.meta import HostName
from tortie.ruleset.options import Compilation
from tortie.ruleset.values import Flush
from tortie.verdict import Cluster, Flow
from tortie.verdict.names import LOOPBACK
from tortie.verdict.packet import HostPacket

_enter_once = functools.cache(enter_own_network)


class UnsendableError(ValueError):
    """A packet that no network could send so."""


class _Reading(NamedTuple):
    """The cluster as packets find it: who is addressed how, and the ways that leads to."""

    addressed: StandIns
    ways: Ways

    @classmethod
    def of(cls, cluster: Cluster, addressed: StandIns) -> Self:
        return cls(addressed, Ways(cluster, addressed))


class KernelEngine:
    """Sends the packets that are asked about. The first one moves the process into namespaces of its own, for good."""

    def __init__(self, known: KnownCluster, cluster: Cluster, compilation: Compilation = Compilation.AUTO) -> None:
        _enter_once()
        self._compilation = compilation
        self._of_flows = _Reading.of(cluster, stand_ins(known))
        self._of_packets = _Reading.of(cluster, no_stand_ins(known))
        self._numbers = itertools.count(1)
        self._affinity = stay_on_one_cpu()

    def close(self) -> None:
        os.sched_setaffinity(0, self._affinity)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def allow(self, flows: Sequence[Flow]) -> list[bool]:
        packets = [with_stand_ins(flow, self._of_flows.addressed).packet for flow in flows]
        crossings = [
            Crossing(index, hop, packet)
            for index, (flow, packet) in enumerate(zip(flows, packets, strict=True))
            for hop in self._of_flows.ways.hops(flow)
        ]
        return self._answers(len(flows), crossings, self._of_flows)

    def pass_host(self, node: str, packets: Sequence[HostPacket]) -> list[bool]:
        crossings = [Crossing(index, host_hop(node, packet), packet) for index, packet in enumerate(packets)]
        for index, hop, packet in crossings:
            if LOOPBACK in hop.interfaces:
                raise UnsendableError(f"packets[{index}]: nothing but the host itself can send over {LOOPBACK}")
            if packet.source == packet.destination and "" not in hop.interfaces:
                raise UnsendableError(f"packets[{index}]: nothing is forwarded to where it comes from")
        return self._answers(len(packets), crossings, self._of_packets)

    def _answers(self, count: int, crossings: Sequence[Crossing], reading: _Reading) -> list[bool]:
        """Of each question whether all of its packets came out."""
        answers = [True] * count
        for node in dict.fromkeys(crossing.hop.node for crossing in crossings):
            here = [crossing for crossing in crossings if crossing.hop.node == node]
            rules = self._rules(node, here, reading)
            for part in rounds(here, reading.ways.routes(node)):
                for crossing, passed in zip(part.crossings, self._send(part, rules), strict=True):
                    answers[crossing.question] &= passed
        return answers

    def _rules(self, node: str, crossings: Iterable[Crossing], reading: _Reading) -> Sequence[Flush]:
        host = RuledHost(HostName(node), self._compilation)
        host.become(reading.addressed.resources)
        for crossing in crossings:
            for part in over_loopback(crossing.hop):
                for ifname, addresses in reading.ways.own_interfaces(part).items():
                    host.know(ifname, addresses)
        return host.untold

    def _send(self, part: Round, rules: Iterable[Flush]) -> list[bool]:
        """What becomes of packets at one host, built for them."""
        host = PacketHost(rules)
        try:
            for crossing in part.crossings:
                host.link(crossing.hop.in_interface)
            for address, ifname in part.places.items():
                host.lead(address, ifname)
            return [
                passed
                for volley in volleys(part.crossings, AT_ONCE)
                for passed in host.passed(((c.packet, *c.hop.interfaces) for c in volley), self._numbers)
            ]
        finally:
            host.close()
