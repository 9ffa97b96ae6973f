"""Assertions about ends that are in no set, workloads by a further address: the oracle is asked for each, packet by packet.

One packet of every kind that anything tells apart: the ports, types and protocols that rules, failsafes and tunnels name cut the line
of all packets into parts, and of two packets of a part the answer is the same. So are pairs of ends on whose way a host has policy of
its own, where it matters which rule of it decides.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

from tortie.analysis.assertions.oracle import Oracle
from tortie.analysis.assertions.packets import a_point, family_at, flow_at, translated
from tortie.analysis.assertions.pairs import Found, Wrong
from tortie.analysis.assertions.sides import Side, Sides
from tortie.analysis.ends import NamedEnd
from tortie.analysis.reach import space
from tortie.analysis.reach.asked import rules
from tortie.analysis.reach.hosts import INVALID
from tortie.analysis.reach.space import Region
from tortie.model.policy import EntityRule, Rule
from tortie.net import IPIP, UDP, Address, Protocol
from tortie.verdict import Cluster, EndpointRef, HostRef, Verdict

Pair: TypeAlias = tuple[NamedEnd, NamedEnd]


class _Member(NamedTuple):
    """An end of a side, and what it is like: of two that are alike the answer is the same."""

    end: NamedEnd
    alike: tuple[object, ...]
    node: str
    is_in_set: bool


class Probes:
    """Of one cluster."""

    def __init__(self, cluster: Cluster, oracle: Oracle, sides: Sides) -> None:
        self._cluster = cluster
        self._oracle = oracle
        self._sides = sides
        self._with_policy = {endpoint.node for endpoint in cluster.host_endpoints}

    def found(self, sources: Side, destinations: Side, region: Region, *, is_allow: bool, own: bool = False) -> Found:
        """For all pairs of which one end at least is in no set; *own* as in ``Pairs.found``."""
        asked = 0
        wrong: list[Wrong] = []
        known: dict[tuple[object, ...], tuple[bool, Region]] = {}
        for one, other in self._beyond_sets(sources, destinations, own=own):
            key = one.alike, other.alike
            if key not in known:
                known[key] = self._wrong((one.end, other.end), region, is_allow=is_allow)
            is_asked, lacking = known[key]
            asked += is_asked
            if lacking:
                wrong.append(Wrong(one.end, other.end, lacking))
        return Found(asked, len(wrong), iter(wrong))

    def crossing(self, sources: Side, destinations: Side) -> Iterator[Pair]:
        """Pairs on whose way a host has policy of its own, or of which an end is in no set: of those that are alike, one."""
        senders, receivers = (_different(self._members(side)) for side in (sources, destinations))
        whole = itertools.chain(
            itertools.product(filter(self._concerns, senders), receivers),
            itertools.product(itertools.filterfalse(self._concerns, senders), filter(self._concerns, receivers)),
        )
        return ((one.end, other.end) for one, other in whole if _is_question(one, other))

    def verdicts(self, pair: Pair, region: Region) -> Iterator[Verdict]:
        """What the oracle says of one packet of each kind of *region*."""
        return (self._judge(pair, part) for part in self._parts(pair, region))

    def _beyond_sets(self, sources: Side, destinations: Side, *, own: bool) -> Iterator[tuple[_Member, _Member]]:
        if not sources.others and not destinations.others:
            return
        senders, receivers = list(self._members(sources)), list(self._members(destinations))
        for one, other in itertools.product(senders, receivers):
            if not (one.is_in_set and other.is_in_set) and _is_question(one, other, own=own):
                yield one, other

    def _concerns(self, member: _Member) -> bool:
        return not member.is_in_set or member.node in self._with_policy

    def _members(self, side: Side) -> Iterator[_Member]:
        for part in side.parts:
            for number, named in part.named.items():
                for end in named:
                    node = self._sides.node(end)
                    yield _Member(end, (part.families, part.ports, number, node), node, is_in_set=True)
        for end in side.others:
            yield _Member(end, (end.name, *end.ends.values(), end.ports), self._sides.node(end), is_in_set=False)

    def _wrong(self, pair: Pair, region: Region, *, is_allow: bool) -> tuple[bool, Region]:
        """Whether anything can be asked about a pair, and the packets for which an assertion does not hold."""
        parts = list(self._parts(pair, region))
        lacking = [part for part in parts if self._judge(pair, part).allowed is not is_allow]
        return bool(parts), space.union_of(lacking)

    def _parts(self, pair: Pair, region: Region) -> Iterator[Region]:
        source, destination = pair
        region = translated(region, destination.ports)
        for family in source.ends:
            if family in destination.ends:
                asked = space.intersection(region, space.OF_FAMILY[family])
                yield from (part for kind in self._kinds if (part := space.intersection(kind, asked)))

    def _judge(self, pair: Pair, part: Region) -> Verdict:
        at = a_point(part)
        family = family_at(at)
        return self._oracle.judge(flow_at(at, *(end.ends[family] for end in pair)))

    @functools.cached_property
    def _kinds(self) -> tuple[Region, ...]:
        return space.Partition(told_apart(self._cluster)).parts


def _different(members: Iterator[_Member]) -> list[_Member]:
    return list({member.alike: member for member in members}.values())


def _is_question(one: _Member, other: _Member, *, own: bool = False) -> bool:
    """Not a workload and itself, nor two ends outside; nor a host and what is on it, unless *own*."""
    sender, receiver = (next(iter(member.end.ends.values())) for member in (one, other))
    if isinstance(sender, HostRef) and isinstance(receiver, EndpointRef) and one.node == other.node and not own:
        return False
    are_outside = isinstance(sender, Address) and isinstance(receiver, Address)
    return one.end.name != other.end.name and not are_outside


def told_apart(cluster: Cluster) -> set[Region]:
    """The packets that anything of *cluster* tells from others."""
    named = {region for rule, _ in rules(cluster) for region in _named(rule, cluster)}
    return named.union(_of_services(cluster), _of_hosts(cluster))


def _named(rule: Rule, cluster: Cluster) -> Iterator[Region]:
    for protocol in (rule.protocol, rule.not_protocol):
        if protocol is not None:
            yield space.of_protocol(protocol)
    for icmp in (rule.icmp, rule.not_icmp):
        if icmp is not None:
            yield space.of_icmp(icmp.type, icmp.code)
    for peer in (rule.source, rule.destination):
        yield from _at_ports(peer, cluster)


def _at_ports(peer: EntityRule, cluster: Cluster) -> Iterator[Region]:
    for port in (*peer.ports, *peer.not_ports):
        if not port.is_named:
            yield space.of_ports(space.WITH_PORTS, [(port.first, port.last)])
            continue
        called = (own for other in cluster.peers for own in other.ports if own.name == port.name)
        yield from (space.of_protocol(own.protocol, own.port, own.port) for own in called if own.protocol.has_ports)


def _of_services(cluster: Cluster) -> Iterator[Region]:
    for found in cluster.policies.slices:
        for port in found.ports:
            protocol = Protocol.parse(port.protocol)
            if port.port is not None and protocol.has_ports:
                yield space.of_protocol(protocol, port.port, port.port)


def _of_hosts(cluster: Cluster) -> Iterator[Region]:
    """What hosts stop or let through before any policy."""
    yield INVALID
    possible = space.difference(space.of_icmp(), INVALID)
    yield from (part for type_ in range(256) if (part := space.intersection(space.of_icmp(type_), possible)))
    yield from (space.of_protocol(protocol) for protocol in (IPIP, *space.WITH_PORTS))
    own = {*(e.node for e in cluster.endpoints), *(e.node for e in cluster.host_endpoints)}
    for node in own.union(cluster.nodes):
        settings = cluster.settings(node)
        yield space.of_protocol(UDP, settings.vxlan_port, settings.vxlan_port)
        safe = (each for each in (*settings.failsafes_in, *settings.failsafes_out) if each.protocol.has_ports)
        yield from (space.of_protocol(each.protocol, each.port, each.port) for each in safe)
