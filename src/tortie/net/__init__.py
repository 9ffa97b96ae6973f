"""Addresses, networks, ports, protocols and MACs: small immutable values with parse and format.

The bottom row of the project. Nothing here knows about Calico, a kernel or a file; every class has ``parse`` for text
written by people and ``str()`` for the canonical text.
"""

from tortie.net.address import Address, Family, Network
from tortie.net.mac import MAC
from tortie.net.port import Port
from tortie.net.protocol import FAMILY_OF_ICMP, ICMP, ICMP_OF, ICMPV6, IPIP, SCTP, TCP, UDP, UDPLITE, Protocol

__all__ = [
    "FAMILY_OF_ICMP",
    "ICMP",
    "ICMPV6",
    "ICMP_OF",
    "IPIP",
    "MAC",
    "SCTP",
    "TCP",
    "UDP",
    "UDPLITE",
    "Address",
    "Family",
    "Network",
    "Port",
    "Protocol",
]
