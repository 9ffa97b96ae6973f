"""Differential: what ``tortie.analysis.reach`` says of all packets at once == what the oracle says of each.

Every pair of ends of a random cluster is asked about, in both families, with packets of every protocol: at the ports and types that
anything names, and at the edges of what the answer says. Some workloads have no address, and now and then two share one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from random import Random
from typing import NamedTuple

import msgspec

from tortie.analysis.reach import allowed, space
from tortie.analysis.reach.allowed import Allowed
from tortie.analysis.reach.places import Place
from tortie.analysis.reach.population import names_of
from tortie.analysis.reach.state import Reach
from tortie.analysis.reach.universe import universe
from tortie.model.endpoint import WorkloadEndpoint
from tortie.model.meta import Resource
from tortie.net import ICMP, ICMPV6, IPIP, SCTP, TCP, UDP, UDPLITE, Address, Family, Network, Protocol
from tortie.testing.clusters import RandomCluster, random_cluster
from tortie.testing.tally import Tally
from tortie.testing.vocabulary import PORT_NUMBERS, chance
from tortie.verdict import Cluster, Endpoint, EndpointRef, Flow, Verdict

PACKETS = 6
"""Of each pair of ends in each family."""
_PROTOCOLS = (TCP, TCP, TCP, UDP, UDP, SCTP, ICMP, ICMPV6, IPIP, Protocol(47), UDPLITE)
_PORTS = (*PORT_NUMBERS, *PORT_NUMBERS, 0, 1, 22, 179, 4789, 65535)
_SOURCE_PORTS = (49152, 49152, 40000, 53, 80)
_TYPES = (None, 0, 3, 8, 13, 128, 135, 139)


class End(NamedTuple):
    """An end by its number in the answer."""

    number: int
    endpoint: Endpoint | None
    """None: outside."""
    addresses: Mapping[Family, Address]


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
    cluster = Cluster.of(with_peculiar_addresses(rng, random), known)
    source_port = rng.choice(_SOURCE_PORTS)
    for flow, verdict in differing(rng, cluster, source_port, tally):
        yield Disagreement(seed, flow, not verdict.allowed, verdict)


def differing(rng: Random, cluster: Cluster, source_port: int, tally: Tally) -> Iterator[tuple[Flow, Verdict]]:
    """The flows of *cluster* on which answer and oracle differ; what was asked is counted."""
    reach = Reach(universe([cluster]), source_port=source_port)
    rows, ends = reach.rows(), tuple(all_ends(reach))
    for family in Family:
        for source in ends:
            for destination in ends:
                if not _is_question(source, destination, family):
                    continue
                for flow in _flows(rng, source, destination, family, source_port, rows[destination.number]):
                    verdict = cluster.judge(flow)
                    for kind in ("all", f"IPv{family}", str(flow.protocol)):
                        tally["flows"][f"{kind} {'through' if verdict.allowed else 'stopped'}"] += 1
                    if _answers(reach, rows, source, destination, flow) != {verdict.allowed}:
                        yield flow, verdict


def with_peculiar_addresses(rng: Random, random: RandomCluster) -> list[Resource]:
    """The cluster's resources; some of its workloads have no address, or have that of another."""
    networks = [endpoint.spec.ip_networks for endpoint in random.endpoints]
    return [_peculiar(rng, r, networks) if isinstance(r, WorkloadEndpoint) else r for r in random.calico()]


def _peculiar(rng: Random, endpoint: WorkloadEndpoint, networks: Sequence[tuple[Network, ...]]) -> WorkloadEndpoint:
    own = endpoint.spec.ip_networks
    given = rng.choice((own,) * 16 + ((), own[:1], own[1:], rng.choice(networks)))
    return msgspec.structs.replace(endpoint, spec=msgspec.structs.replace(endpoint.spec, ip_networks=given))


def all_ends(reach: Reach) -> Iterator[End]:
    """Every workload, and for every place outside one address of it."""
    cluster, ends = reach.population.cluster, reach.universe
    numbers = {name: number for number, found in enumerate(ends.classes) for name in found.names}
    for name, endpoint in zip(names_of(cluster), cluster.endpoints, strict=True):
        refs = {family: _address(endpoint, family) for family in Family}
        yield End(numbers[name], endpoint, {family: address for family, address in refs.items() if address is not None})
    for number, place in enumerate(ends.outside, len(ends.classes)):
        address = _somewhere(place, ends.taken)
        yield End(number, None, {address.family: address})


def _address(endpoint: Endpoint, family: Family) -> Address | None:
    try:
        return endpoint.at(family).address
    except LookupError:
        return None


def _somewhere(place: Place, taken: frozenset[Address]) -> Address:
    found = place.an_address(taken)
    assert found is not None, f"{place} is outside, and all of it is taken"
    return found


def _is_question(source: End, destination: End, family: Family) -> bool:
    is_itself = source.endpoint is not None and source.endpoint is destination.endpoint
    is_outside = source.endpoint is None and destination.endpoint is None
    return not is_itself and not is_outside and family in source.addresses and family in destination.addresses


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
            source=_end(source, family),
            destination=_end(destination, family),
            protocol=protocol,
            source_port=source_port if protocol.has_ports else None,
            destination_port=port if protocol.has_ports else None,
            icmp_type=icmp[0],
            icmp_code=icmp[1],
        )


def _end(end: End, family: Family) -> EndpointRef | Address:
    return end.endpoint.at(family) if end.endpoint is not None else end.addresses[family]


def _answers(reach: Reach, rows: list[Allowed], source: End, destination: End, flow: Flow) -> set[bool]:
    """What the whole answer says of a packet, and what is said of the pair alone."""
    at = space.point(flow.family, flow.protocol, flow.destination_port, flow.icmp)
    row = allowed.region_of(rows[destination.number], source.number)
    pair = reach.region(source.number, destination.number)
    return {space.contains(row, at), space.contains(pair, at)}
