"""Differential: what ``tortie.analysis.reach`` says of all packets at once == what the oracle says of each.

Every pair of ends of a random cluster is asked about, in both families, with packets of every protocol: at the ports and types that
anything names, and at the edges of what the answer says. Some workloads have no address, and now and then two share one, or a link. Ends are
also all hosts, those with host endpoints only, or none.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from random import Random
from typing import NamedTuple

import msgspec

from tortie.analysis.reach import allowed, space
from tortie.analysis.reach.allowed import Allowed
from tortie.analysis.reach.hosts import Hosts, hosts_as_ends
from tortie.analysis.reach.places import Place
from tortie.analysis.reach.population import names_of
from tortie.analysis.reach.state import Reach
from tortie.analysis.reach.universe import universe
from tortie.model.endpoint import WorkloadEndpoint
from tortie.model.meta import Resource
from tortie.net import ICMP, ICMPV6, IPIP, SCTP, TCP, UDP, UDPLITE, Address, Family, Protocol
from tortie.testing.clusters import random_cluster
from tortie.testing.tally import Tally
from tortie.testing.vocabulary import PORT_NUMBERS, chance
from tortie.verdict import Cluster, Endpoint, EndpointRef, Flow, Verdict
from tortie.verdict import End as RefOrAddress

_HOST = "host:"
PACKETS = 6
"""Of each pair of ends in each family."""
_PROTOCOLS = (TCP, TCP, TCP, UDP, UDP, SCTP, ICMP, ICMPV6, IPIP, Protocol(47), UDPLITE)
_PORTS = (*PORT_NUMBERS, *PORT_NUMBERS, 0, 1, 22, 179, 4789, 65535)
_SOURCE_PORTS = (49152, 49152, 40000, 53, 80)
_TYPES = (None, 0, 3, 8, 13, 128, 135, 139)


class End(NamedTuple):
    """An end by its number in the answer."""

    number: int
    refs: Mapping[Family, RefOrAddress]
    """As flows have it, by family."""
    name: str = ""
    """Of a workload or a host; empty: outside."""


class Disagreement(NamedTuple):
    """A packet on which answer and oracle differ."""

    seed: int
    flow: Flow
    answer: bool
    verdict: Verdict

    def lines(self) -> Iterator[str]:
        yield f"TORTIE_SEED={self.seed} replays it: {self.flow} from port {self.flow.source_port}"
        yield f"  answer {self.answer}, oracle {self.verdict.allowed}: {self.verdict.reason}"


def run(seed: int, tally: Tally) -> Iterator[Disagreement]:
    """All that differs in the random cluster of that seed."""
    rng = Random(seed)
    random = random_cluster(rng, hosts=rng.choice((1, 2, 2, 3)))
    known = {str(host): random.topology.interfaces(host) for host in random.hosts} if chance(rng, 0.5) else None
    cluster = Cluster.of(with_peculiar_endpoints(rng, random.calico()), known)
    source_port = rng.choice(_SOURCE_PORTS)
    ends: list[Hosts] = [{}, *(hosts_as_ends([cluster], all_hosts=all_hosts)[0] for all_hosts in (False, True))]
    hosts = rng.choice(ends)
    for flow, verdict in differing(rng, cluster, source_port, tally, hosts):
        yield Disagreement(seed, flow, not verdict.allowed, verdict)


def differing(
    rng: Random, cluster: Cluster, source_port: int, tally: Tally, hosts: Hosts
) -> Iterator[tuple[Flow, Verdict]]:
    """The flows of *cluster* on which answer and oracle differ, *hosts* being ends too; what was asked is counted."""
    reach = Reach(universe([cluster], [hosts]), source_port=source_port)
    rows, ends = reach.rows(), tuple(all_ends(reach, hosts))
    for family in Family:
        for source in ends:
            for destination in ends:
                if not _is_question(source, destination, family):
                    continue
                for flow in _flows(rng, source, destination, family, source_port, rows[destination.number]):
                    verdict = cluster.judge(flow)
                    of_hosts = ("of hosts",) if _is_host(source) or _is_host(destination) else ()
                    for kind in ("all", f"IPv{family}", str(flow.protocol), *of_hosts):
                        tally["flows"][f"{kind} {'through' if verdict.allowed else 'stopped'}"] += 1
                    if _answers(reach, rows, source, destination, flow) != {verdict.allowed}:
                        yield flow, verdict


def with_peculiar_endpoints(rng: Random, resources: Sequence[Resource]) -> list[Resource]:
    """*resources*, some workloads of which have no address, or the address of another, or claim the link of another."""
    endpoints = [resource for resource in resources if isinstance(resource, WorkloadEndpoint)]
    return [_peculiar(rng, r, endpoints) if isinstance(r, WorkloadEndpoint) else r for r in resources]


def _peculiar(rng: Random, endpoint: WorkloadEndpoint, all_of_them: Sequence[WorkloadEndpoint]) -> WorkloadEndpoint:
    own, other = endpoint.spec, rng.choice(all_of_them).spec
    networks = rng.choice((own.ip_networks,) * 16 + ((), own.ip_networks[:1], own.ip_networks[1:], other.ip_networks))
    links = [each.spec.interface_name for each in all_of_them if each.spec.node == own.node]
    link = rng.choice(links) if chance(rng, 0.15) else own.interface_name
    spec = msgspec.structs.replace(own, ip_networks=networks, interface_name=link)
    return msgspec.structs.replace(endpoint, spec=spec)


def all_ends(reach: Reach, hosts: Hosts) -> Iterator[End]:
    """Every workload, for every place outside one address of it, and every host that is an end."""
    cluster, ends = reach.population.cluster, reach.universe
    numbers = {name: number for number, found in enumerate(ends.classes) for name in found.names}
    for name, endpoint in zip(names_of(cluster), cluster.endpoints, strict=True):
        yield End(numbers[name], dict(_refs(endpoint)), name)
    for number, place in enumerate(ends.outside, len(ends.classes)):
        address = _somewhere(place, ends.taken)
        yield End(number, {address.family: address})
    for number, node in reach.population.hosts.items():
        yield End(number, hosts[node], f"{_HOST}{node}")


def _refs(endpoint: Endpoint) -> Iterator[tuple[Family, EndpointRef]]:
    for family in Family:
        with contextlib.suppress(LookupError):
            yield family, endpoint.at(family)


def _is_host(end: End) -> bool:
    return end.name.startswith(_HOST)


def _somewhere(place: Place, taken: frozenset[Address]) -> Address:
    found = place.an_address(taken)
    assert found is not None, f"{place} is outside, and all of it is taken"
    return found


def _is_question(source: End, destination: End, family: Family) -> bool:
    is_asked = source.name != destination.name  # nor is what goes on outside, which has no name
    return is_asked and family in source.refs and family in destination.refs


def _flows(
    rng: Random, source: End, destination: End, family: Family, source_port: int, row: Allowed
) -> Iterator[Flow]:
    edges = [edge + step for region, _ in row for edge in region for step in (-1, 0)]
    for _ in range(PACKETS):
        protocol, port, icmp = (
            rng.choice(_PROTOCOLS),
            rng.choice(_PORTS),
            (rng.choice(_TYPES), rng.choice((None, 0, 1))),
        )
        if edges and chance(rng, 0.3):
            edge = rng.choice(edges)
            protocol, port, icmp = Protocol(edge >> 16 & 255), edge & 65535, (edge >> 8 & 255, edge & 255)
        yield Flow(
            source=source.refs[family],
            destination=destination.refs[family],
            protocol=protocol,
            source_port=source_port if protocol.has_ports else None,
            destination_port=port if protocol.has_ports else None,
            icmp_type=icmp[0],
            icmp_code=icmp[1],
        )


def _answers(reach: Reach, rows: list[Allowed], source: End, destination: End, flow: Flow) -> set[bool]:
    """What the whole answer says of a packet, and what is said of the pair alone."""
    at = space.point(flow.family, flow.protocol, flow.destination_port, flow.icmp)
    row = allowed.region_of(rows[destination.number], source.number)
    pair = reach.region(source.number, destination.number)
    return {space.contains(row, at), space.contains(pair, at)}
