"""The ends of connections as they are in one state of a cluster: who has which label, named port, address.

    bits of a set of ends:   | workload classes, by number | places outside | hosts |

Rules find an end by whoever has its address: the workload itself, and *strangers*, which are network sets, host endpoints by
the addresses they expect, and workloads that share an address.
"""

from __future__ import annotations

import copy
import functools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

from tortie.analysis.reach.asked import Asked
from tortie.analysis.reach.bits import below, of_members
from tortie.analysis.reach.hosts import HostContext, Hosts, contexts
from tortie.analysis.reach.links import Held
from tortie.analysis.reach.places import Places
from tortie.analysis.reach.selection import LabelSets
from tortie.net import Family, Network, Protocol
from tortie.selectors.syntax import Matcher, Node, compile_node
from tortie.verdict import Cluster, Endpoint
from tortie.verdict.endpoint import Peer
from tortie.verdict.refs import NO_ADDRESS, HostRef

NOWHERE = -1
"""The place of an end that has no address yet, in either family."""

ByFamily: TypeAlias = tuple[int, int]
"""A set of ends as IPv4 has it, and as IPv6 does. Who has no address of one family counts there as in the other."""

PortKey: TypeAlias = tuple[str, int, int]
"""A named port: its name, protocol and number."""


class Population:
    """The ends as they are in one state of the cluster."""

    def __init__(
        self,
        cluster: Cluster,
        classes: Sequence[Endpoint | None],
        held: Sequence[Held | None],
        outside: Sequence[int],
        nodes: Sequence[str],
        hosts: Hosts,
        places: Places,
        asked: Asked,
    ) -> None:
        """*held* says of each class whether its link is another's; *nodes* are the hosts that are ends in any state, *hosts* those that are there in this one."""
        self.cluster = cluster
        self.contexts = contexts(cluster, hosts)
        self._places = places
        first = len(classes)
        self.count = first + len(outside) + len(nodes)
        self.everybody = below(self.count)
        present = [(number, endpoint) for number, endpoint in enumerate(classes) if endpoint is not None]
        self.present = of_members(number for number, _ in present)
        self.labels = LabelSets((number, kept_labels(endpoint.labels, asked.labels)) for number, endpoint in present)
        self.endpoints = dict(present)
        self.held: Mapping[int, Held] = {number: each for number, each in enumerate(held) if each is not None}
        """The workload classes whose link is another's, by number."""
        families: list[list[int]] = [[], []]
        where: dict[int, list[int]] = {}
        for number, endpoint in present:
            for index, place in enumerate(places_of(endpoint, places)):
                if place is not None:
                    families[index].append(number)
                    where.setdefault(place, []).append(number)
        for number, place in enumerate(outside, first):
            families[places.places[place].network.family is Family.V6].append(number)
            where.setdefault(place, []).append(number)
        self.hosts = {number: node for number, node in enumerate(nodes, first + len(outside)) if node in hosts}
        """The hosts that are there, by number."""
        for number, node in self.hosts.items():
            for family, ref in hosts[node].items():
                families[family is Family.V6].append(number)
                where.setdefault(_place_of(ref, places), []).append(number)
        self._at = {place: of_members(numbers) for place, numbers in where.items()}
        """By place, who is there."""
        self.having: ByFamily = (of_members(families[0]), of_members(families[1]))
        """Who has an address of a family, or none at all."""
        self._ports = _port_sets(present, asked)
        self._in_network: dict[Network, int] = {}
        self._strangers = [(peer, self.in_any(peer.networks)) for peer in strangers(cluster)]

    def named(self) -> Iterator[tuple[str, Endpoint]]:
        """Every workload by what it is called."""
        return zip(names_of(self.cluster), self.cluster.endpoints, strict=True)

    def ruled_by(self, cluster: Cluster) -> Population:
        """The same ends under other policies."""
        other = copy.copy(self)
        other.cluster = cluster
        return other

    # --- families ---------------------------------------------------------------------------------------------------------

    def settled(self, v4: int, v6: int) -> ByFamily:
        """Who is selected in each family, those who have no address of one counting there as in the other."""
        has_v4, has_v6 = self.having
        v4, v6 = v4 & has_v4, v6 & has_v6
        return v4 | (v6 & ~has_v4), v6 | (v4 & ~has_v6)

    # --- by address ---------------------------------------------------------------------------------------------------------

    def in_network(self, network: Network) -> int:
        """Who is in *network*, which is one of those asked for."""
        found = self._in_network.get(network)
        if found is None:
            found = 0
            for place in self._places.within(network):
                found |= self._at.get(place, 0)
            self._in_network[network] = found
        return found

    def in_any(self, networks: Iterable[Network]) -> ByFamily:
        """Who is in any of *networks*, in each family."""
        found = [0, 0]
        for network in networks:
            found[network.family is Family.V6] |= self.in_network(network)
        return found[0], found[1]

    @property
    def without_address(self) -> int:
        return self._at.get(NOWHERE, 0)

    # --- by label -----------------------------------------------------------------------------------------------------------

    def found_by(self, node: Node) -> tuple[int, int]:
        """Who is found by a selector in each family, by itself or through a stranger that has its address."""
        own = self.labels.select(node)
        v4 = v6 = own
        for peer, (there_v4, there_v6) in self._strangers:
            if (there_v4 or there_v6) and _matches(node, peer.labels):
                v4, v6 = v4 | there_v4, v6 | there_v6
        return v4, v6

    def ports_called(self, name: str, node: Node | None) -> dict[tuple[Protocol, int], tuple[int, int]]:
        """At which ports who listens under *name*, in each family: those that *node* selects; None: all."""
        own = self.everybody if node is None else self.labels.select(node)
        found = {
            (Protocol(protocol), number): (having & own, having & own)
            for (called, protocol, number), having in self._ports.items()
            if called == name
        }
        for peer, (there_v4, there_v6) in self._strangers:
            for port in peer.ports:
                if port.name == name and (node is None or _matches(node, peer.labels)):
                    v4, v6 = found.get((port.protocol, port.port), (0, 0))
                    found[port.protocol, port.port] = v4 | there_v4, v6 | there_v6
        return found

    def context_of(self, number: int) -> HostContext:
        """That of a workload's host, or of a host."""
        node = self.hosts[number] if number in self.hosts else self.endpoints[number].node
        return self.contexts[node]


# --- what is asked of one workload ---------------------------------------------------------------------------------------------


def names_of(cluster: Cluster) -> list[str]:
    """What every endpoint is called: ``namespace/workload``, or by its own name where several interfaces are called that."""
    by_workload = [f"{endpoint.namespace}/{endpoint.workload}" for endpoint in cluster.endpoints]
    counted = Counter(by_workload)
    return [
        name if counted[name] == 1 else f"{endpoint.namespace}/{endpoint.name}"
        for name, endpoint in zip(by_workload, cluster.endpoints, strict=True)
    ]


def kept_labels(labels: Mapping[str, str], asked: frozenset[str]) -> dict[str, str]:
    """The labels that are asked for."""
    return {label: value for label, value in labels.items() if label in asked}


def kept_ports(endpoint: Peer, asked: Asked) -> tuple[PortKey, ...]:
    """The ports whose names are asked for, sorted."""
    ports = ((port.name, port.protocol.number, port.port) for port in endpoint.ports if port.name in asked.ports)
    return tuple(sorted(set(ports))) if endpoint.ports else ()


def _port_sets(present: Sequence[tuple[int, Endpoint]], asked: Asked) -> dict[PortKey, int]:
    listed: dict[PortKey, list[int]] = {}
    for number, endpoint in present:
        for key in kept_ports(endpoint, asked):
            listed.setdefault(key, []).append(number)
    return {key: of_members(numbers) for key, numbers in listed.items()}


def places_of(endpoint: Endpoint, places: Places) -> tuple[int | None, int | None]:
    """In IPv4 and IPv6, by the first address of each; None: it has none, while it has one of the other."""
    if not endpoint.networks:
        return NOWHERE, NOWHERE
    found: dict[Family, int] = {}
    for network in endpoint.networks:
        if network.family not in found:
            found[network.family] = places.at(network)
    return found.get(Family.V4), found.get(Family.V6)


def _place_of(host: HostRef, places: Places) -> int:
    return NOWHERE if host.address == NO_ADDRESS[host.address.family] else places.at(host.address)


def strangers(cluster: Cluster) -> list[Peer]:
    """Who is found by addresses that are not, or not only, those of an end of its own."""
    counted = Counter(network for endpoint in cluster.endpoints for network in endpoint.networks)
    shared = {network for network, count in counted.items() if count > 1}
    sharing = [
        Peer(labels=endpoint.labels, networks=tuple(shared.intersection(endpoint.networks)), ports=endpoint.ports)
        for endpoint in (cluster.endpoints if shared else ())
        if not shared.isdisjoint(endpoint.networks)
    ]
    hosts = [endpoint for endpoint in cluster.host_endpoints if endpoint.networks]
    return [*cluster.sets, *hosts, *sharing]


def _matches(node: Node, labels: Mapping[str, str]) -> bool:
    return _matcher(node)(labels)


@functools.lru_cache(maxsize=4096)
def _matcher(node: Node) -> Matcher:
    return compile_node(node)
