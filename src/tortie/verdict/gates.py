"""What decides on packets before any policy is asked, and so is no matter of policy.

Connection tracking calls a first packet invalid that can begin no flow; a workload may not send what the hosts' tunnels would
believe, nor from an address that is not its own; a host endpoint's failsafe ports keep people from locking themselves out.
"""

from __future__ import annotations

from tortie.model.policy import Direction
from tortie.net import ICMPV6, IPIP, UDP, Family, Network
from tortie.verdict.endpoint import Endpoint
from tortie.verdict.packet import Packet
from tortie.verdict.settings import Failsafe, Settings
from tortie.verdict.trace import Stage

_ICMP_REQUESTS = frozenset({8, 13, 15, 17})
"""Echo, timestamp, information and address mask: the ICMP types that can begin a flow (Linux, nf_conntrack_proto_icmp.c)."""

_ICMPV6_REQUESTS = frozenset({128, 139})
"""Echo and node information (Linux, nf_conntrack_proto_icmpv6.c)."""

_ICMPV6_UNTRACKED = frozenset({130, 131, 132, 133, 134, 135, 136, 143})
"""Multicast listener and neighbour discovery: not tracked, so never invalid (the same)."""

_NEIGHBOUR_DISCOVERY = frozenset({130, 131, 132, 133, 135, 136})
"""What a workload needs of its host to have a route at all: listener query, report and done, router solicitation, neighbour
solicitation and advertisement. Not the second version's listener report, 143."""

_LINK_LOCAL = Network.parse("fe80::/10")
_UNSPECIFIED = (Network.parse("0.0.0.0/32"), Network.parse("::/128"))
_WHEN_UNSPECIFIED = tuple(map(Network.parse, ("255.255.255.255/32", "224.0.0.0/24", "fe80::/10", "ff00::/8")))


def is_invalid(packet: Packet) -> bool:
    """Whether connection tracking, which knows no flow yet, calls the packet invalid."""
    if packet.icmp is None:
        return False
    if packet.family is Family.V4:
        return packet.icmp[0] not in _ICMP_REQUESTS
    return packet.icmp[0] not in _ICMPV6_REQUESTS | _ICMPV6_UNTRACKED


def is_tunnel(packet: Packet, settings: Settings) -> bool:
    """Whether a workload may not send the packet, because it looks like one of the hosts' tunnels."""
    if packet.protocol == IPIP:
        return not settings.allows_ipip
    return packet.protocol == UDP and packet.destination_port == settings.vxlan_port and not settings.allows_vxlan


def is_neighbour_discovery(packet: Packet) -> bool:
    """Whether a workload's host always takes the packet."""
    return packet.protocol == ICMPV6 and packet.icmp is not None and packet.icmp[0] in _NEIGHBOUR_DISCOVERY


def may_come_from(packet: Packet, workload: Endpoint | None, settings: Settings) -> bool:
    """Whether a route leads back to the packet's source over the link of *workload* (None: one that nobody is known to have).

    The kernel's look-up (nft_fib_ipv4.c, nft_fib_ipv6.c) takes link-local sources, which every link has, and no source at all
    where the destination is on the link as well.
    """
    source, destination = packet.source, packet.destination
    if _LINK_LOCAL.contains(source):
        return True
    if any(net.contains(source) for net in _UNSPECIFIED):
        is_on_link = any(net.contains(destination) for net in _WHEN_UNSPECIFIED)
        return is_on_link and (packet.family is Family.V4 or packet.protocol == ICMPV6)
    if workload is None:
        return False
    spoofable = workload.spoofable if settings.allows_spoofing else ()
    return any(net.contains(source) for net in (*workload.networks, *spoofable))


def failsafe_of(packet: Packet, stage: Stage, direction: Direction, settings: Settings) -> Failsafe | None:
    """The failsafe that opens a host endpoint to the packet.

    Forward policy has none. Before connection tracking the answers need them as well: what comes back from a port that is open
    outwards, and what goes out from one that is open inwards.
    """
    if stage is Stage.FORWARD:
        return None
    ingress = direction is Direction.INGRESS
    other_end = packet.source if ingress else packet.destination
    ours, theirs = settings.failsafes_in, settings.failsafes_out
    opened, answered = (ours, theirs) if ingress else (theirs, ours)
    ways = [(failsafe, packet.destination_port) for failsafe in opened]
    if stage is Stage.UNTRACKED:
        ways += [(failsafe, packet.source_port) for failsafe in answered]
    return next((failsafe for failsafe, port in ways if failsafe.covers(packet.protocol, port, other_end)), None)
