"""Which packets of a capture are wanted: by address and by port, of either side. No I/O."""

from __future__ import annotations

from typing import NamedTuple

from tortie.net import Address

_IPV4, _IPV6 = 0x0800, 0x86DD
_WITH_PORTS = frozenset({6, 17, 132, 136})
"""TCP, UDP, SCTP, UDP-Lite: all begin with the ports of source and destination."""
_IPV6_OPTIONS = frozenset({0, 43, 60, 135})
"""Extension headers with a length in units of 8 bytes beyond the first (RFC 8200 §4.2): hop-by-hop, routing, destination, mobility."""
_IPV6_FRAGMENT = 44
_IPV6_AUTHENTICATION = 51


class PacketFilter(NamedTuple):
    """A packet must have one of the addresses and one of the ports; none at all admits every packet, ARP and the like too."""

    addresses: frozenset[Address] = frozenset()
    ports: frozenset[int] = frozenset()

    def admits(self, protocol: int, packet: bytes) -> bool:
        """Whether *packet*, of an EtherType and from its IP header on, is wanted. A later fragment has no ports."""
        if not self.addresses and not self.ports:
            return True
        header = _parse(protocol, packet)
        return (
            header is not None
            and (not self.addresses or not self.addresses.isdisjoint(header.addresses))
            and (not self.ports or not self.ports.isdisjoint(header.ports))
        )


class _Header(NamedTuple):
    addresses: tuple[Address, ...]
    ports: tuple[int, ...]


def _parse(protocol: int, packet: bytes) -> _Header | None:
    """None for what is no whole IP header."""
    if protocol == _IPV4 and len(packet) >= 20:
        addresses = Address(packet[12:16]), Address(packet[16:20])
        is_first = not int.from_bytes(packet[6:8], "big") & 0x1FFF
        return _Header(addresses, _ports(packet[9], packet[(packet[0] & 0x0F) * 4 :]) if is_first else ())
    if protocol == _IPV6 and len(packet) >= 40:
        return _Header((Address(packet[8:24]), Address(packet[24:40])), _ports_of_ipv6(packet[6], packet[40:]))
    return None


def _ports_of_ipv6(following: int, content: bytes) -> tuple[int, ...]:
    """Past the extension headers."""
    while len(content) >= 8:
        if following in _IPV6_OPTIONS:
            length = (content[1] + 1) * 8
        elif following == _IPV6_AUTHENTICATION:
            length = (content[1] + 2) * 4  # RFC 4302 §2.2
        elif following == _IPV6_FRAGMENT:
            if int.from_bytes(content[2:4], "big") & 0xFFF8:
                return ()
            length = 8
        else:
            break
        following, content = content[0], content[length:]
    return _ports(following, content)


def _ports(protocol: int, content: bytes) -> tuple[int, ...]:
    if protocol not in _WITH_PORTS or len(content) < 4:
        return ()
    return int.from_bytes(content[:2], "big"), int.from_bytes(content[2:4], "big")
