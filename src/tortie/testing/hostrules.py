"""Random rules of hosts, sets and packets out of a vocabulary so small that rules hit; and whether a rule matches a packet.

``matches`` is a judge: it reads a rule's declaration and nothing else, no chains, marks or kernel sets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import TypeAlias, TypeVar

from tortie.calc.hoststate import AddressPort, HostRule, ICMPMatch, IPSetId, Member, PeerMatch, PortRange
from tortie.model.policy import Action
from tortie.net import ICMP, ICMP_OF, ICMPV6, IPIP, SCTP, TCP, UDP, Address, Family, Network, Protocol
from tortie.ruleset.interpreter import Packet
from tortie.ruleset.values import CtState

Sets: TypeAlias = Mapping[IPSetId, frozenset[Member]]

ADDRESSES = tuple(Address.parse(t) for t in ("10.0.0.1", "10.0.0.2", "10.0.1.1", "fd00::1", "fd00::2", "fd00:1::1"))
NETS = tuple(
    Network.parse(t)
    for t in ("0.0.0.0/0", "10.0.0.0/24", "10.0.0.0/30", "10.0.0.1/32", "::/0", "fd00::/64", "fd00::2/128")
)
PORTS = (80, 81, 443)
ADDRESS_SETS = tuple(IPSetId(f"s:{name}") for name in "abc")
PORT_SETS = tuple(IPSetId(f"n:{name}") for name in "pq")

Choice = TypeVar("Choice")


def some(rng: Random, choices: Sequence[Choice], most: int = 2) -> tuple[Choice, ...]:
    """Often none, else up to *most* different ones."""
    return tuple(rng.sample(choices, rng.choice((0, 0, 1, most))))


PORT_RANGES = (PortRange(80, 80), PortRange(80, 81), PortRange(81, 500), PortRange(443, 443), PortRange(0, 65535))


def random_peer(rng: Random, *, numbered: bool, density: float) -> PeerMatch:
    def maybe(choices: Sequence[Choice], most: int = 2) -> tuple[Choice, ...]:
        return some(rng, choices, most) if rng.random() < density else ()

    return PeerMatch(
        nets=maybe(NETS),
        not_nets=maybe(NETS[1:4] + NETS[5:]),
        ports=maybe(PORT_RANGES, 3) if numbered else (),
        not_ports=maybe(PORT_RANGES[:4]) if numbered else (),
        sets=maybe(ADDRESS_SETS),
        not_sets=maybe(ADDRESS_SETS),
        port_sets=maybe(PORT_SETS),
        not_port_sets=maybe(PORT_SETS),
    )


def random_rule(rng: Random) -> HostRule:
    protocol = rng.choice((None, None, TCP, TCP, UDP, SCTP, ICMP, ICMPV6, Protocol(47)))
    numbered = protocol is not None and protocol.has_ports
    icmp = (None, None, None, None, ICMPMatch(8, None), ICMPMatch(8, 0), ICMPMatch(128, 1))
    # A rule with many criteria hardly ever matches, and then tests nothing that follows it.
    density = rng.choice((0.15, 0.6))
    return HostRule(
        action=rng.choice(tuple(Action)),
        family=rng.choice((None, None, None, Family.V4, Family.V6)),
        protocol=protocol,
        not_protocol=rng.choice((None, None, None, TCP, ICMP)),
        icmp=rng.choice(icmp),
        not_icmp=rng.choice(icmp),
        source=random_peer(rng, numbered=numbered, density=density),
        destination=random_peer(rng, numbered=numbered, density=density),
    )


def random_rules(rng: Random) -> tuple[HostRule, ...]:
    return tuple(random_rule(rng) for _ in range(rng.randint(0, 3)))


def random_sets(rng: Random) -> dict[IPSetId, frozenset[Member]]:
    """Sets of single addresses, some with networks among them, and of named ports."""
    single = [address.network() for address in ADDRESSES]
    members: dict[IPSetId, frozenset[Member]] = {}
    for set_id in ADDRESS_SETS:
        choices = rng.choice((single, [*single, *NETS]))
        members[set_id] = frozenset(rng.sample(choices, rng.randint(0, len(choices) // 2)))
    for set_id in PORT_SETS:
        members[set_id] = frozenset(
            AddressPort(rng.choice(ADDRESSES), rng.choice((TCP, UDP)), rng.choice(PORTS))
            for _ in range(rng.randint(0, 8))
        )
    return members


def random_packet(rng: Random, interfaces: Sequence[str]) -> Packet:
    """Between two of the addresses, with ports of which rules speak, and one of which none does."""
    family = rng.choice(tuple(Family))
    addresses = [address for address in ADDRESSES if address.family is family]
    its_icmp = ICMP_OF[family]
    protocol = rng.choice((TCP, TCP, UDP, SCTP, its_icmp, Protocol(47), IPIP))
    states = (CtState.NEW, CtState.NEW, CtState.NEW, CtState.NEW, CtState.ESTABLISHED, CtState.INVALID)
    return Packet(
        source=rng.choice(addresses),
        destination=rng.choice(addresses),
        protocol=protocol,
        in_interface=rng.choice(interfaces),
        out_interface=rng.choice(interfaces),
        source_port=rng.choice((*PORTS, 5000)) if protocol.has_ports else None,
        destination_port=rng.choice((*PORTS, 4789)) if protocol.has_ports else None,
        icmp_type=rng.choice((8, 128, 13)) if protocol == its_icmp else None,
        icmp_code=rng.choice((0, 1)) if protocol == its_icmp else None,
        ct_state=rng.choice(states),
        mark=rng.choice((0, 0xFFFFFFFF, 0x1234)),
    )


# --- the judge ----------------------------------------------------------------------------------------------------------------


def matches(sets: Sets, rule: HostRule, packet: Packet) -> bool:
    """Whether *rule* matches *packet*, by the words of its declaration."""
    family = packet.family
    of_family = {ICMP: Family.V4, ICMPV6: Family.V6}
    its_icmp = packet.protocol == ICMP_OF[family]
    lists = [n for p in (rule.source, rule.destination) for n in (p.nets, p.not_nets) if n]
    return (
        rule.family in (None, family)
        and (
            rule.protocol is None
            or (rule.protocol == packet.protocol and of_family.get(rule.protocol, family) is family)
        )
        and rule.not_protocol != packet.protocol
        and all(any(net.family is family for net in nets) for nets in lists)
        and (rule.icmp is None or (its_icmp and _is_icmp(rule.icmp, packet)))
        and (rule.not_icmp is None or (its_icmp and not _is_icmp(rule.not_icmp, packet)))
        and _peer_matches(sets, rule.source, packet.source, packet.source_port, packet)
        and _peer_matches(sets, rule.destination, packet.destination, packet.destination_port, packet)
    )


def _is_icmp(match: ICMPMatch, packet: Packet) -> bool:
    return match.type == packet.icmp_type and match.code in (None, packet.icmp_code)


def _peer_matches(sets: Sets, peer: PeerMatch, address: Address, port: int | None, packet: Packet) -> bool:
    def in_set(set_id: IPSetId) -> bool:
        return any(isinstance(m, Network) and m.contains(address) for m in sets[set_id])

    def in_port_set(set_id: IPSetId) -> bool:
        return (address, packet.protocol, port) in sets[set_id]

    def in_ranges(ranges: tuple[PortRange, ...]) -> bool:
        return port is not None and any(first <= port <= last for first, last in ranges)

    return (
        (not peer.nets or any(net.contains(address) for net in peer.nets))
        and not any(net.contains(address) for net in peer.not_nets)
        and all(map(in_set, peer.sets))
        and not any(map(in_set, peer.not_sets))
        and (not (peer.ports or peer.port_sets) or in_ranges(peer.ports) or any(map(in_port_set, peer.port_sets)))
        and not in_ranges(peer.not_ports)
        and not any(map(in_port_set, peer.not_port_sets))
    )
