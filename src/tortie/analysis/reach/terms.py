"""A rule as sets: which kinds of packets, from whom, to whom. It matches a packet if one of its terms has all three.

Most rules are one term. More come of what ties ends to kinds: a named port means other numbers at other ends, a service has ports
of its own, a selector may find other ends in IPv6 than in IPv4.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from tortie.analysis.reach import space
from tortie.analysis.reach.asked import slice_addresses
from tortie.analysis.reach.population import Population
from tortie.analysis.reach.selection import excepted, selected
from tortie.analysis.reach.space import Region
from tortie.model.kubernetes_endpointslice import SERVICE_LABEL, EndpointSlice
from tortie.model.policy import Action, EntityRule, ICMPFields, Rule, ServiceMatch
from tortie.net import FAMILY_OF_ICMP, Family, Port, Protocol
from tortie.verdict.match import fail_closed


class Term(NamedTuple):
    """Packets of a region, between any of the sources and any of the destinations."""

    region: Region
    sources: int
    destinations: int


class CompiledRule(NamedTuple):
    """A rule that can match something; a Log rule, which decides nothing, is none."""

    number: int
    """Among the rules of its direction."""
    action: Action
    terms: tuple[Term, ...]


class Half(NamedTuple):
    """What one end of a rule matches: packets of a region, from or to any of these ends. Those of one rule are disjoint regions."""

    region: Region
    ends: int


class RuleCompiler:
    """Makes terms, for the ends of one state of a cluster."""

    def __init__(self, population: Population, source_port: int) -> None:
        self._population = population
        self._source_port = source_port
        self._halves: dict[tuple[EntityRule, str, bool], tuple[Half, ...]] = {}
        self._slices: dict[tuple[str, str | None], list[EndpointSlice]] = {}
        for found in population.cluster.policies.slices:
            named = found.metadata.namespace, found.metadata.labels.get(SERVICE_LABEL)
            self._slices.setdefault(named, []).append(found)

    def compile(self, rules: Iterable[Rule], namespace: str) -> tuple[CompiledRule, ...]:
        """The rules of one direction of a policy of *namespace*; empty: cluster-wide, or a profile."""
        found = []
        for index, written in enumerate(rules):
            rule = fail_closed(written)
            if rule is None or rule.action is Action.LOG:
                continue
            terms = tuple(self._terms(rule, namespace))
            if terms:
                found.append(CompiledRule(index, rule.action, terms))
        return tuple(found)

    def _terms(self, rule: Rule, namespace: str) -> Iterator[Term]:
        base = _headers(rule)
        sources = self._half(rule.source, namespace, is_source=True)
        destinations = self._half(rule.destination, namespace, is_source=False)
        for source in sources:
            region = space.intersection(base, source.region)
            for destination in destinations if region else ():
                if found := space.intersection(region, destination.region):
                    yield Term(found, source.ends, destination.ends)

    # --- one end ------------------------------------------------------------------------------------------------------------

    def _half(self, peer: EntityRule, namespace: str, *, is_source: bool) -> tuple[Half, ...]:
        known = self._halves.get((peer, namespace, is_source))
        if known is None:
            known = tuple(self._made(peer, namespace, is_source=is_source))
            self._halves[peer, namespace, is_source] = known
        return known

    def _made(self, peer: EntityRule, namespace: str, *, is_source: bool) -> Iterator[Half]:
        for families, ends in self._ends(peer, namespace):
            halves = [Half(families, ends)]
            if peer.services is not None:
                halves = list(_both(halves, self._behind(peer.services, namespace, is_source=is_source)))
            if peer.ports:
                halves = list(_both(halves, self._at_ports(peer.ports, peer, namespace, is_source=is_source)))
            if peer.not_ports:
                there = self._at_ports(peer.not_ports, peer, namespace, is_source=is_source)
                halves = list(_both(halves, _all_but(there, self._population.everybody)))
            yield from halves

    def _ends(self, peer: EntityRule, namespace: str) -> Iterator[Half]:
        """By address and label: one half if both families agree, else one each."""
        population = self._population
        everybody = population.everybody
        v4 = v6 = everybody
        if peer.nets:
            in_v4, in_v6 = population.in_any(peer.nets)
            v4, v6 = v4 & in_v4, v6 & in_v6
        if peer.not_nets:
            in_v4, in_v6 = population.in_any(peer.not_nets)
            v4, v6 = v4 & ~in_v4, v6 & ~in_v6
        node = selected(peer, namespace)
        if node is not None:
            found_v4, found_v6 = population.found_by(node)
            v4, v6 = v4 & found_v4, v6 & found_v6
        elif (node := excepted(peer)) is not None:
            found_v4, found_v6 = population.found_by(node)
            v4, v6 = v4 & ~found_v4, v6 & ~found_v6
        if peer.nets or peer.not_nets:
            # Such a rule is of its nets' family alone (_headers); who has no address of that is not asked in it.
            yield from self._by_family(v4 & population.having[0], v6 & population.having[1])
            return
        v4, v6 = population.settled(v4, v6)
        if v4 == v6:
            yield Half(space.EVERYTHING, v4)
        else:
            yield from self._by_family(v4, v6)

    @staticmethod
    def _by_family(v4: int, v6: int) -> Iterator[Half]:
        for family, ends in ((Family.V4, v4), (Family.V6, v6)):
            if ends:
                yield Half(space.OF_FAMILY[family], ends)

    # --- ports ----------------------------------------------------------------------------------------------------------------

    def _at_ports(
        self, ports: tuple[Port, ...], peer: EntityRule, namespace: str, *, is_source: bool
    ) -> tuple[Half, ...]:
        """Who is asked at which of *ports*. Names are looked up among those selected, and among all where nothing is."""
        everybody = self._population.everybody
        numbered = [(port.first, port.last) for port in ports if not port.is_named]
        if is_source:
            is_there = any(first <= self._source_port <= last for first, last in numbered)
            known = space.of_ports(space.WITH_PORTS, [(0, 65535)] if is_there else [])
        else:
            known = space.of_ports(space.WITH_PORTS, numbered)
        by_region: dict[Region, int] = {}
        node = selected(peer, namespace)
        for name in dict.fromkeys(port.name for port in ports if port.is_named):
            for (protocol, number), having in self._population.ports_called(name, node).items():
                for family, ends in zip(Family, having, strict=True):
                    region = self._port(protocol, number, family, is_source=is_source)
                    if region:
                        by_region[region] = by_region.get(region, 0) | ends
        rest = ((space.difference(region, known), ends) for region, ends in by_region.items())
        return tuple(Half(region, ends) for region, ends in ((known, everybody), *rest) if region and ends)

    def _port(self, protocol: Protocol, number: int, family: Family, *, is_source: bool) -> Region:
        if not protocol.has_ports or (is_source and number != self._source_port):
            return space.NOTHING
        whole = space.of_protocol(protocol) if is_source else space.of_protocol(protocol, number, number)
        return space.intersection(whole, space.OF_FAMILY[family])

    # --- services --------------------------------------------------------------------------------------------------------------

    def _behind(self, service: ServiceMatch, namespace: str, *, is_source: bool) -> tuple[Half, ...]:
        """Who is behind a service: as a destination, at the service's ports only."""
        by_region: dict[Region, int] = {}
        for found in self._slices.get((service.namespace or namespace, service.name), ()):
            addresses = (address.network() for address in slice_addresses(found.endpoints))
            for family, ends in zip(Family, self._population.in_any(addresses), strict=True):
                if not ends:
                    continue
                for ports in (space.EVERYTHING,) if is_source else _ports_of(found):
                    region = space.intersection(ports, space.OF_FAMILY[family])
                    by_region[region] = by_region.get(region, 0) | ends
        return tuple(Half(region, ends) for region, ends in by_region.items())


def _ports_of(found: EndpointSlice) -> Iterator[Region]:
    for port in found.ports:
        protocol = Protocol.parse(port.protocol)
        if port.port is not None and protocol.has_ports:
            yield space.of_protocol(protocol, port.port, port.port)


# --- headers ----------------------------------------------------------------------------------------------------------------


def _headers(rule: Rule) -> Region:
    """The kinds of packets that a rule is for, whoever its ends are, ports left aside."""
    found = space.EVERYTHING
    for family in _families(rule):
        found = space.intersection(found, space.OF_FAMILY[family])
    if rule.protocol is not None:
        found = space.intersection(found, space.of_protocol(rule.protocol))
    if rule.not_protocol is not None:
        found = space.difference(found, space.of_protocol(rule.not_protocol))
    if rule.icmp is not None and rule.icmp.type is not None:
        found = space.intersection(found, _icmp(rule.icmp))
    if rule.not_icmp is not None and rule.not_icmp.type is not None:
        found = space.intersection(found, space.difference(space.of_icmp(), _icmp(rule.not_icmp)))
    return found


def _icmp(fields: ICMPFields) -> Region:
    return space.of_icmp(fields.type, fields.code)


def _families(rule: Rule) -> Iterator[Family]:
    """The IP versions that a rule limits itself to: outright, by its protocol, by nets. Two of them: it matches nothing."""
    if rule.ip_version is not None:
        yield Family(rule.ip_version)
    if rule.protocol in FAMILY_OF_ICMP:
        yield FAMILY_OF_ICMP[rule.protocol]
    for nets in (rule.source.nets, rule.source.not_nets, rule.destination.nets, rule.destination.not_nets):
        families = {net.family for net in nets}
        if len(families) == 1:
            yield families.pop()


# --- sets of ends by region ----------------------------------------------------------------------------------------------


def _both(halves: Iterable[Half], others: tuple[Half, ...]) -> Iterator[Half]:
    for half in halves:
        for other in others:
            region, ends = space.intersection(half.region, other.region), half.ends & other.ends
            if region and ends:
                yield Half(region, ends)


def _all_but(halves: tuple[Half, ...], everybody: int) -> tuple[Half, ...]:
    """What *halves*, of disjoint regions, leave out."""
    rest = space.complement(space.union_of(half.region for half in halves))
    found = (Half(half.region, everybody & ~half.ends) for half in halves)
    return tuple(half for half in (*found, Half(rest, everybody)) if half.region and half.ends)
