"""What a host does besides asking the workloads' policies: what decides before policy, and whose host endpoints stand where.

Hosts that do the same are one context, so that workloads on them can be of one class. A host with host endpoints is a context of
its own: it judges what comes from other hosts otherwise than what stays on it. So is one that is an end itself, for it takes
from its own workloads otherwise than from others.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from tortie.analysis.reach import space
from tortie.analysis.reach.space import Region
from tortie.net import ICMP_OF, IPIP, UDP, Family, Network
from tortie.verdict import Cluster
from tortie.verdict.endpoint import HostInterface
from tortie.verdict.gates import is_invalid, is_neighbour_discovery
from tortie.verdict.interfaces import Interfaces, own_addresses
from tortie.verdict.packet import Packet
from tortie.verdict.refs import NO_ADDRESS, HostRef
from tortie.verdict.settings import Settings
from tortie.verdict.tunnels import Tunnels


class HostContext(NamedTuple):
    """Of a host, or of all that do the same."""

    node: str
    """Empty: any without host endpoints that is no end."""
    invalid: Region
    """What connection tracking stops where policy stands, unless it was let past it."""
    unsent: Region
    """That, and what looks like the hosts' own tunnels: what workloads may not send."""
    settings: Settings
    uplinks: tuple[tuple[Family, HostInterface | None], ...] = ()
    """Whose policy is asked where a family's packets come from other hosts and outside, or go there: the interface's own."""
    wildcard: HostInterface | None = None
    """The endpoint of all interfaces that have none of their own, workloads' links among them."""
    own_links: tuple[tuple[Family, HostInterface | None], ...] = ()
    """The same as *uplinks* for what the host itself sends and receives; only of one that is an end."""
    is_end: bool = False

    @property
    def key(self) -> tuple[str, Region, Region]:
        """What tells contexts apart."""
        return self.node, self.invalid, self.unsent

    @property
    def has_endpoints(self) -> bool:
        return self.wildcard is not None or any(own is not None for _, own in self.uplinks)

    def own(self, family: Family) -> HostInterface | None:
        return dict(self.uplinks).get(family)

    def own_link(self, family: Family) -> HostInterface | None:
        return dict(self.own_links).get(family)


Hosts: TypeAlias = Mapping[str, Mapping[Family, HostRef]]
"""The hosts that are ends, by node, each by its first address of a family; of one whose addresses nobody knows by the unspecified ones."""


def hosts_as_ends(clusters: Sequence[Cluster], *, all_hosts: bool) -> list[Hosts]:
    """For each of some states of a cluster the hosts that are there and are asked about: all, or those with endpoints in any state."""
    with_endpoints = {endpoint.node for cluster in clusters for endpoint in cluster.host_endpoints}
    if not with_endpoints and not all_hosts:
        return [{} for _ in clusters]
    return [
        {node: dict(_addresses(cluster, node)) for node in _nodes(cluster) if all_hosts or node in with_endpoints}
        for cluster in clusters
    ]


def _nodes(cluster: Cluster) -> list[str]:
    of_endpoints = {*(e.node for e in cluster.endpoints), *(e.node for e in cluster.host_endpoints)}
    return sorted({*cluster.nodes, *of_endpoints} - {""})


def _addresses(cluster: Cluster, node: str) -> Iterable[tuple[Family, HostRef]]:
    found = []
    for family in Family:
        with contextlib.suppress(LookupError):
            found.append((family, cluster.host(node, family)))
    return found or [(family, HostRef(node, NO_ADDRESS[family])) for family in Family]


def contexts(cluster: Cluster, hosts: Hosts | None = None) -> dict[str, HostContext]:
    """The context of every node that has a workload, and of *hosts*, which are ends."""
    hosts = hosts or {}
    by_node: dict[str, list[HostInterface]] = {}
    for endpoint in cluster.host_endpoints:
        by_node.setdefault(endpoint.node, []).append(endpoint)
    nodes = {endpoint.node for endpoint in cluster.endpoints}.union(hosts)
    return {node: _context(cluster, node, by_node.get(node, ()), hosts.get(node)) for node in nodes}


def _context(
    cluster: Cluster, node: str, endpoints: Sequence[HostInterface], end: Mapping[Family, HostRef] | None
) -> HostContext:
    found, settings = cluster.nodes.get(node), cluster.settings(node)
    invalid = INVALID if settings.drops_invalid else space.NOTHING
    context = HostContext("", invalid, space.union(invalid, _tunnels(settings)), settings)
    if end is not None:
        context = context._replace(node=node, is_end=True)
    if not endpoints:
        return context
    interfaces = Interfaces.of(found, endpoints, settings, cluster.interfaces.get(node))
    own = own_addresses(found)
    uplinks = tuple(
        (family, interfaces.own_endpoint(interfaces.towards(next((a for a in own if a.family is family), None))))
        for family in Family
    )
    links = ((family, interfaces.own_endpoint(interfaces.towards(ref.address))) for family, ref in (end or {}).items())
    context = context._replace(uplinks=uplinks, wildcard=interfaces.wildcard, own_links=tuple(links))
    return context._replace(node=node) if context.has_endpoints else context


def _tunnels(settings: Settings) -> Region:
    stopped = [] if settings.allows_ipip else [space.of_protocol(IPIP)]
    if not settings.allows_vxlan:
        stopped.append(space.of_protocol(UDP, settings.vxlan_port, settings.vxlan_port))
    return space.union_of(stopped)


def _of_types(gate: Callable[[Packet], bool]) -> Region:
    """The ICMP packets of the types that *gate* holds for."""
    return space.union_of(
        space.intersection(space.of_icmp(type_), space.OF_FAMILY[family])
        for family, nobody in NO_ADDRESS.items()
        for type_ in range(256)
        if gate(Packet(source=nobody, destination=nobody, protocol=ICMP_OF[family], icmp_type=type_))
    )


INVALID = _of_types(is_invalid)
"""The ICMP packets that can begin no flow."""
NEIGHBOUR_DISCOVERY = _of_types(is_neighbour_discovery)
"""What a host always takes from its workloads."""


def failsafes(context: HostContext, *, inbound: bool, answers_from: int | None) -> list[tuple[Region, Network | None]]:
    """The failsafes of a host endpoint, and the networks of the other end where they are limited to one.

    *answers_from* is the source port of packets that may be answers of the other direction's, where that counts (before tracking).
    """
    ours, theirs = context.settings.failsafes_in, context.settings.failsafes_out
    opened, answered = (ours, theirs) if inbound else (theirs, ours)
    found = [(space.of_protocol(s.protocol, s.port, s.port), s.net) for s in opened if s.protocol.has_ports]
    if answers_from is not None:
        found += [
            (space.of_protocol(s.protocol), s.net)
            for s in answered
            if (s.protocol.has_ports, s.port) == (True, answers_from)
        ]
    return found


def tunnel_networks(tunnels: Tunnels, settings: Settings) -> Iterator[Network]:
    """Those that tell who may use *tunnels* with a host of *settings*; none if there are none."""
    if tunnels.has_ipip or tunnels.vxlan:
        yield from (address.network() for address in tunnels.hosts)
        yield from settings.external_nodes
