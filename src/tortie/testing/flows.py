"""Random packets for random clusters: end to end, and at one host between any two of its interfaces.

Half of them are aimed at a rule: they are of its family, protocol and ports, between addresses of its networks, services and
accounts, so that what it says of labels, and the rules after it, are come to at all. Nobody asks whether it really matches.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from random import Random
from typing import NamedTuple

import msgspec

from tortie.model.endpoint import HostEndpoint, WorkloadEndpoint
from tortie.model.kubernetes_endpointslice import SERVICE_LABEL, EndpointPort, EndpointSlice
from tortie.model.meta import HostName
from tortie.model.policy import EntityRule, GlobalNetworkPolicy, NetworkPolicy, Profile, Rule
from tortie.net import ICMP, ICMP_OF, ICMPV6, IPIP, SCTP, TCP, UDP, Address, Family, Network, Port, Protocol
from tortie.testing.clusters import RandomCluster
from tortie.testing.rules import UNASSIGNED
from tortie.testing.topology import OUTSIDE, UPLINKS, Hop, Place, Topology
from tortie.testing.vocabulary import ICMP_TYPES, PORT_NUMBERS, chance
from tortie.verdict import EndpointRef, Flow, HostPacket, HostRef
from tortie.verdict.names import LOOPBACK
from tortie.verdict.packet import Headers, Packet

_VXLAN_PORT = 4789
_ALL_ICMP_TYPES = {
    Family.V4: (0, 3, 4, 5, 8, 11, 12, 13, 14, 15, 16, 17, 18),
    Family.V6: (1, 2, 3, 4, 128, 129, 130, 131, 132, 133, 134, 135, 136, 137, 139, 140, 143),
}
_OTHER_INTERFACES = ("cali-unknown", "eth9")
"""Nobody's; by its name the first is a workload's."""

_PROTOCOLS = (TCP, TCP, TCP, UDP, UDP, SCTP, ICMP, ICMP)
"""Those to choose from, as often as they are listed; ICMP stands for the family's."""


class Crossing(NamedTuple):
    """A packet at one of the hosts that it passes."""

    host: HostName
    packet: HostPacket


class Traffic:
    """What there is to choose from in one cluster."""

    def __init__(self, rng: Random, cluster: RandomCluster) -> None:
        self._rng = rng
        self.topology = cluster.topology
        self._hosts = cluster.hosts
        self._refs = {
            network.address: EndpointRef(endpoint.metadata.namespace, endpoint.metadata.name, network.address)
            for endpoint in cluster.endpoints
            for network in endpoint.spec.ip_networks
        }
        self._links = {
            host: [e.spec.interface_name for e in cluster.endpoints if e.spec.node == host] for host in self._hosts
        }
        self._accounts = {
            network.address: endpoint.spec.service_account_name
            for endpoint in cluster.endpoints
            for network in endpoint.spec.ip_networks
        }
        self._named: dict[str, list[int]] = {}
        """The numbers of ports by their names."""
        for owned in (
            port for e in cluster.resources if isinstance(e, WorkloadEndpoint | HostEndpoint) for port in e.spec.ports
        ):
            self._named.setdefault(owned.name, []).append(owned.port)
        self._slices: dict[str, list[EndpointSlice]] = {}
        """By the service's name."""
        for found in (resource for resource in cluster.resources if isinstance(resource, EndpointSlice)):
            self._slices.setdefault(found.metadata.labels[SERVICE_LABEL], []).append(found)
        self._rules = [*rules_of(cluster)]
        own = [address for host in self._hosts for address in self.topology.own(host)]
        outside = [address for addresses in OUTSIDE.values() for address in addresses]
        self._known = [*self._refs, *self._refs, *own, *outside]
        """All addresses, those of workloads twice."""

    # --- end to end --------------------------------------------------------------------------------------------------------

    def flow(self) -> Flow:
        """Between two addresses of which one at least is of the cluster, and never from one to itself."""
        if len(self._hosts) > 1 and chance(self._rng, 0.02):
            return self._between_hosts()
        family, rule = self._aim()
        source, destination = self._address(rule, "source", family), self._address(rule, "destination", family)
        while source == destination or not (self.topology.place(source) or self.topology.place(destination)):
            source, destination = self._address(None, "source", family), self._address(rule, "destination", family)
        return self._ended(source, destination, self._headers(rule, family))

    def _between_hosts(self) -> Flow:
        """Between two hosts, what their tunnels speak."""
        family, hosts = self._rng.choice(tuple(Family)), self._rng.sample(self._hosts, 2)
        source, destination = (
            self._rng.choice([address for address in self.topology.own(host) if address.family is family])
            for host in hosts
        )
        tunnels = (Headers(protocol=IPIP), Headers(protocol=UDP, source_port=40000, destination_port=_VXLAN_PORT))
        return self._ended(source, destination, self._rng.choice(tunnels))

    def _ended(self, source: Address, destination: Address, headers: Headers) -> Flow:
        way = self.topology.way(source, destination)
        return Flow(
            source=self._end(source, way[0].out_interface),
            destination=self._end(destination, way[-1].in_interface),
            **msgspec.structs.asdict(headers),
        )

    def spoofed(self) -> tuple[Flow, Place]:
        """A flow from an address that its sender does not have, though it is no host's; and the sender, a workload."""
        family, rule = self._aim()
        known = [address for address in self._known if address.family is family]
        sender = self._rng.choice([address for address in self._refs if address.family is family])
        origin = self.topology.place(sender)
        assert origin is not None
        sources = [a for a in known if a != sender and ((place := self.topology.place(a)) is None or not place.is_own)]
        source = self._rng.choice(sources)
        destination = self._rng.choice([address for address in known if address not in (sender, source)])
        flow = Flow(source=source, destination=destination, **msgspec.structs.asdict(self._headers(rule, family)))
        return flow, origin

    def _end(self, address: Address, interface: str | None) -> EndpointRef | HostRef | Address:
        if address in self._refs:
            return self._refs[address]
        place = self.topology.place(address)
        if place is None:
            return address
        is_uplink = interface in (*UPLINKS, LOOPBACK)
        return HostRef(place.host, address, interface if interface is not None and is_uplink else "")

    # --- at one host -------------------------------------------------------------------------------------------------------

    def crossing(self) -> Crossing:
        """Any packet between any two interfaces: from addresses that are not there, over links that nobody knows."""
        family, rule = self._aim()
        host = self._rng.choice(self._hosts)
        links = (*self._links[host] * 3, *UPLINKS * 3, LOOPBACK, *_OTHER_INTERFACES)
        way = self._rng.choice(("in", "out", "through", "through", "through"))
        came = None if way == "out" else self._rng.choice(links)
        source, destination = self._address(rule, "source", family), self._address(rule, "destination", family)
        if came is not None and came in self._links[host] and chance(self._rng, 0.7):
            source = self._own_source(host, came, family)
        hop = Hop(host, came, None if way == "in" else self._rng.choice(links))
        headers = msgspec.structs.asdict(self._headers(rule, family))
        return crossing(hop, Packet(source=source, destination=destination, **headers))

    def _own_source(self, host: HostName, link: str, family: Family) -> Address:
        """Of the workload, so that its packet is not stopped before policy is asked."""
        of_family = (address for address in self._refs if address.family is family)
        return next(address for address in of_family if self.topology.place(address) == Place(host, link, is_own=False))

    # --- choosing ----------------------------------------------------------------------------------------------------------

    def _aim(self) -> tuple[Family, Rule | None]:
        rule = self._rng.choice(self._rules) if self._rules and chance(self._rng, 0.5) else None
        return (_family_of(rule) if rule is not None else None) or self._rng.choice(tuple(Family)), rule

    def _address(self, rule: Rule | None, end: str, family: Family) -> Address:
        known = [address for address in self._known if address.family is family]
        meant = (
            [address for address in known if self._is_meant(getattr(rule, end), address)] if rule is not None else []
        )
        return self._rng.choice(meant or known)

    def _is_meant(self, peer: EntityRule, address: Address) -> bool:
        """Whether the peer speaks of the address, as far as it can be told without labels."""
        names = peer.service_accounts.names if peer.service_accounts is not None else ()
        behind = self._behind(peer.services.name) if peer.services is not None else ()
        return (
            any(net.contains(address) for net in peer.nets) or self._accounts.get(address) in names or address in behind
        )

    def _behind(self, service: str) -> list[Address]:
        slices = self._slices.get(service, ())
        return [Address.parse(text) for found in slices for endpoint in found.endpoints for text in endpoint.addresses]

    def _headers(self, rule: Rule | None, family: Family) -> Headers:
        if chance(self._rng, 0.06):
            return self._strange(family)
        if rule is not None and (service := rule.destination.services) is not None and chance(self._rng, 0.5):
            return self._to_service(service.name)
        protocol = self._rng.choice(_PROTOCOLS)
        if rule is not None and rule.protocol is not None:
            protocol = rule.protocol
        if protocol in (ICMP, ICMPV6):
            wanted = rule.icmp or rule.not_icmp if rule is not None else None
            icmp_type = wanted.type if wanted is not None and wanted.type in ICMP_TYPES[family] else None
            code = self._rng.choice((0, 0, 1))
            icmp_type = icmp_type or self._rng.choice(ICMP_TYPES[family])
            return Headers(protocol=ICMP_OF[family], icmp_type=icmp_type, icmp_code=code)
        if not protocol.has_ports:
            return Headers(protocol=protocol)
        return Headers(
            protocol=protocol,
            source_port=self._port(rule, "source", (*PORT_NUMBERS, 40000, 50000, 60000)),
            destination_port=self._port(rule, "destination", (*PORT_NUMBERS, *PORT_NUMBERS, 1, 22, 179, 65535)),
        )

    def _to_service(self, service: str) -> Headers:
        """To a port of one of its slices, if it has any."""
        ports = [port for found in self._slices.get(service, ()) for port in found.ports if port.port is not None]
        port = self._rng.choice(ports or [EndpointPort(protocol="TCP", port=PORT_NUMBERS[0])])
        return Headers(protocol=Protocol.parse(port.protocol), source_port=40000, destination_port=port.port)

    def _port(self, rule: Rule | None, end: str, otherwise: Sequence[int]) -> int:
        """One that the rule means, by number or by a name that somebody has."""
        ports: Sequence[Port] = getattr(rule, end).ports if rule is not None else ()
        numbers = [number for port in ports if not port.is_named for number in (port.first, port.last)]
        numbers += [number for port in ports for number in self._named.get(port.name, ())]
        return self._rng.choice(numbers or otherwise)

    def _strange(self, family: Family) -> Headers:
        """What seldom is: a tunnel's packet, a protocol without ports, ICMP of any type."""
        match self._rng.choice(("vxlan", "ipip", "unassigned", "icmp", "icmp")):
            case "vxlan":
                source_port = self._rng.choice((*PORT_NUMBERS, 40000))
                return Headers(protocol=UDP, source_port=source_port, destination_port=_VXLAN_PORT)
            case "ipip":
                return Headers(protocol=IPIP)
            case "unassigned":
                return Headers(protocol=UNASSIGNED)
            case _:
                icmp_type = self._rng.choice(_ALL_ICMP_TYPES[family])
                return Headers(protocol=ICMP_OF[family], icmp_type=icmp_type, icmp_code=0)


def crossings(flow: Flow, topology: Topology, origin: Place | None = None) -> tuple[Crossing, ...]:
    """The first packet of *flow* at each host on its way, in order; it is sent by whoever has its source, or at *origin*."""
    packet = flow.packet
    return tuple(crossing(hop, packet) for hop in topology.way(packet.source, packet.destination, origin))


def crossing(hop: Hop, packet: Packet) -> Crossing:
    fields = msgspec.structs.asdict(packet)
    return Crossing(hop.host, HostPacket(**fields, in_interface=hop.in_interface, out_interface=hop.out_interface))


def random_flows(rng: Random, cluster: RandomCluster, count: int) -> tuple[Flow, ...]:
    """*count* flows, end to end."""
    traffic = Traffic(rng, cluster)
    return tuple(traffic.flow() for _ in range(count))


def rules_of(cluster: RandomCluster) -> Iterator[Rule]:
    """All rules of policies and profiles, those of Kubernetes policies as Calico's."""
    for resource in cluster.calico():
        if isinstance(resource, NetworkPolicy | GlobalNetworkPolicy | Profile):
            yield from (*resource.spec.ingress, *resource.spec.egress)


def _family_of(rule: Rule) -> Family | None:
    """The one that the rule can match, if it is only one."""
    if rule.ip_version is not None:
        return Family(rule.ip_version)
    if rule.protocol in (ICMP, ICMPV6):
        return Family.V4 if rule.protocol == ICMP else Family.V6
    lists: Iterable[Sequence[Network]] = (
        nets for peer in (rule.source, rule.destination) for nets in (peer.nets, peer.not_nets)
    )
    return next((nets[0].family for nets in lists if nets), None)
