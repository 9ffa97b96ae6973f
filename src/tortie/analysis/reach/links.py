"""Workloads whose link is another's: of several that claim one, the policies of the one that has it are asked (``HostView.holder``).

Rules find such an end by its own addresses all the same. What it sends is dropped unless a route leads back over the link, which is a
matter of who has it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from tortie.analysis.reach import space
from tortie.analysis.reach.space import Region
from tortie.net import ICMP_OF, Address
from tortie.verdict import Cluster, Endpoint
from tortie.verdict.gates import may_come_from
from tortie.verdict.packet import Packet


class Held(NamedTuple):
    """The link of an endpoint, as another has it."""

    holder: Endpoint
    dropped: Region
    """What the endpoint sends in vain."""


def held_links(cluster: Cluster) -> Mapping[tuple[str, str], Held]:
    """Of each endpoint whose link another has, by its namespace and name."""
    return {
        (endpoint.namespace, endpoint.name): Held(holder, _dropped(cluster, endpoint, holder))
        for endpoint, holder in holders(cluster.endpoints)
    }


def holders(endpoints: Iterable[Endpoint]) -> Iterator[tuple[Endpoint, Endpoint]]:
    """The endpoints whose link another has, each with that; *endpoints* are all of a cluster, in its order."""
    endpoints = tuple(endpoints)
    first: dict[tuple[str, str], Endpoint] = {}
    for endpoint in endpoints:
        known = first.setdefault(_link(endpoint), endpoint) if endpoint.networks else endpoint
        if endpoint.rank < known.rank:
            first[_link(endpoint)] = endpoint
    for endpoint in endpoints:
        holder = first.get(_link(endpoint), endpoint)
        if holder is not endpoint and holder.rank <= endpoint.rank:
            yield endpoint, holder


def _link(endpoint: Endpoint) -> tuple[str, str]:
    return endpoint.node, endpoint.interface


def _dropped(cluster: Cluster, endpoint: Endpoint, holder: Endpoint) -> Region:
    """By the first address of each family, which is asked about. Of one that has no address nobody knows what it would be."""
    settings = cluster.settings(endpoint.node)
    first: dict[object, Address] = {}
    for address in endpoint.addresses:
        first.setdefault(address.family, address)
    return space.union_of(
        space.OF_FAMILY[address.family]
        for address in first.values()
        if not may_come_from(
            Packet(source=address, destination=address, protocol=ICMP_OF[address.family]), holder, settings
        )
    )
