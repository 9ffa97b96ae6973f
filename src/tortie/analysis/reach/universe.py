"""Everybody who can be an end of a connection, in classes: of several states of a cluster at once, so that they can be compared.

A workload's class is what policy can ask of it in each state: its labels as far as asked for, its named ports, its place in either family,
its profiles, its host's context, and where its link is another's, what policy asks of that one. What is not a workload is outside, as
one end for each place that has an address nobody of the cluster has; or it is a host, if those are asked about.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

import msgspec

from tortie.analysis.reach.asked import Asked, asked_by
from tortie.analysis.reach.bits import below
from tortie.analysis.reach.hosts import Hosts, contexts
from tortie.analysis.reach.links import Held, held_links
from tortie.analysis.reach.places import Place, Places
from tortie.analysis.reach.population import Population, kept_labels, kept_ports, names_of, places_of, strangers
from tortie.net import Address, Family, Network
from tortie.verdict import Cluster, Endpoint
from tortie.verdict.interfaces import own_addresses
from tortie.verdict.refs import NO_ADDRESS

_Keyed: TypeAlias = Mapping[str, tuple[Hashable, Endpoint, Held | None]]
"""Every workload by its name: what policy can ask of it, itself, and whose its link is if it is another's."""


class WorkloadClass(NamedTuple):
    """Workloads of which policy can tell none from another in any state."""

    names: tuple[str, ...]
    """``namespace/workload``, sorted."""
    sample: tuple[Endpoint | None, ...]
    """One of them, as it is in each state; None: it is not there. With the profiles that are asked: those of whose link it is."""
    held: tuple[Held | None, ...]
    """Whose its link is in each state, if it is another's."""
    is_same: bool
    """Whether policy can tell it in no state from what it is in the others."""


class Universe(NamedTuple):
    """All ends of all states."""

    classes: tuple[WorkloadClass, ...]
    outside: tuple[Place, ...]
    """The ends of the address space: number 0 is bit ``len(classes)``."""
    hosts: tuple[str, ...]
    """The nodes that are ends in any state; number 0 is the bit after those outside."""
    own: Mapping[Network, Place]
    """The places without an address outside."""
    taken: frozenset[Address]
    """The addresses of somebody in the cluster, in any state."""
    states: tuple[Population, ...]

    @property
    def workloads(self) -> int:
        """The set of all workload classes."""
        return below(len(self.classes))

    @property
    def places_outside(self) -> int:
        """The set of all ends outside."""
        return below(len(self.outside)) << len(self.classes)

    @property
    def all_hosts(self) -> int:
        """The set of all hosts that are ends."""
        return self.everybody & ~self.workloads & ~self.places_outside

    @property
    def everybody(self) -> int:
        return below(len(self.classes) + len(self.outside) + len(self.hosts))


def universe(clusters: Sequence[Cluster], hosts: Sequence[Hosts] = ()) -> Universe:
    """The ends of *clusters*, which are states of one; *hosts* of each are ends too, of none if they are not given."""
    hosts = hosts or [{} for _ in clusters]
    asked = Asked(frozenset(), frozenset(), frozenset())
    for cluster, ends in zip(clusters, hosts, strict=True):
        asked = asked.with_(asked_by(cluster, strangers(cluster), ends))
    places = Places(asked.networks)
    classes = _classes(clusters, hosts, asked, places)
    taken, families = _taken(clusters), _families(clusters, hosts)
    nodes = sorted({node for ends in hosts for node in ends})
    outside = [
        number
        for number, place in enumerate(places.places)
        if place.network.family in families and place.an_address(taken) is not None
    ]
    states: list[Population] = []
    for index, cluster in enumerate(clusters):
        same = next((known for known in states if _has_same_ends(known.cluster, cluster)), None)
        samples, held = [found.sample[index] for found in classes], [found.held[index] for found in classes]
        made = (
            Population(cluster, samples, held, outside, nodes, hosts[index], places, asked)
            if same is None
            else same.ruled_by(cluster)
        )
        states.append(made)
    beyond = tuple(places.places[number] for number in outside)
    own = {place.network: place for place in set(places.places).difference(beyond)}
    return Universe(classes, beyond, tuple(nodes), own, taken, tuple(states))


def _classes(
    clusters: Sequence[Cluster], hosts: Sequence[Hosts], asked: Asked, places: Places
) -> tuple[WorkloadClass, ...]:
    """The classes of all workloads of all states, by their first names."""
    keyed: list[_Keyed] = []
    for index, cluster in enumerate(clusters):
        same = next((n for n in range(index) if _has_same_ends(clusters[n], cluster)), None)
        keyed.append(_keys(cluster, hosts[index], asked, places) if same is None else keyed[same])
    grouped: dict[tuple[Hashable, ...], list[str]] = {}
    for name in sorted({name for keys in keyed for name in keys}):
        grouped.setdefault(tuple(keys[name][0] if name in keys else None for keys in keyed), []).append(name)
    return tuple(
        WorkloadClass(
            tuple(names),
            tuple(keys[names[0]][1] if names[0] in keys else None for keys in keyed),
            tuple(keys[names[0]][2] if names[0] in keys else None for keys in keyed),
            len(set(asked_of)) == 1,
        )
        for asked_of, names in grouped.items()
    )


def _has_same_ends(one: Cluster, other: Cluster) -> bool:
    """Whether nothing but policies tells two states apart, as far as whoever made the second of the first has kept the rest."""
    kept = ("endpoints", "host_endpoints", "sets", "nodes", "configurations", "interfaces")
    return one.tunnels == other.tunnels and all(getattr(one, field) is getattr(other, field) for field in kept)


def _keys(cluster: Cluster, hosts: Hosts, asked: Asked, places: Places) -> _Keyed:
    keys = {node: context.key for node, context in contexts(cluster, hosts).items()}
    links = held_links(cluster)
    found: dict[str, tuple[Hashable, Endpoint, Held | None]] = {}
    for name, endpoint in zip(names_of(cluster), cluster.endpoints, strict=True):
        held = links.get((endpoint.namespace, endpoint.name))
        profiles = endpoint.profiles if held is None else held.holder.profiles
        key = (
            _labels_key(endpoint, asked),
            kept_ports(endpoint, asked),
            places_of(endpoint, places),
            profiles,
            keys[endpoint.node],
            _link_key(held, asked) if held is not None else None,
        )
        found[name] = key, endpoint if held is None else msgspec.structs.replace(endpoint, profiles=profiles), held
    return found


def _labels_key(endpoint: Endpoint, asked: Asked) -> Hashable:
    return tuple(sorted(kept_labels(endpoint.labels, asked.labels).items()))


def _link_key(held: Held, asked: Asked) -> Hashable:
    """What the policies of the one whose link it is ask of that."""
    return _labels_key(held.holder, asked), held.dropped


def _taken(clusters: Iterable[Cluster]) -> frozenset[Address]:
    """The addresses that belong to somebody of the cluster, in any state."""
    taken = set(NO_ADDRESS.values())
    for cluster in clusters:
        taken.update(address for endpoint in cluster.endpoints for address in endpoint.addresses)
        taken.update(network.address for endpoint in cluster.host_endpoints for network in endpoint.networks)
        for node in cluster.nodes.values():
            taken.update(own_addresses(node))
    return frozenset(taken)


def _families(clusters: Iterable[Cluster], hosts: Iterable[Hosts]) -> set[Family]:
    """The families in which anybody can be reached; who has no address yet may get one of either."""
    of_hosts = {family for ends in hosts for refs in ends.values() for family in refs}
    endpoints = [endpoint for cluster in clusters for endpoint in cluster.endpoints]
    if any(not endpoint.networks for endpoint in endpoints):
        return set(Family)
    return of_hosts | {network.family for endpoint in endpoints for network in endpoint.networks}
