"""The first packet of a connection, as the bytes that begin it on the wire.

    packet = first_packet(headers, number=7)
    content(packet)  # what is behind the IP header: the same on arrival, and of no other number

Packets are such as connection tracking takes for the beginning of a flow, checksums included: of a protocol with connections the
packet that opens one, of all others any. *number* tells packets apart. It is part of the content, and where a flow has
no ports (ICMP) of what connection tracking knows it by.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping

from tortie.net import ICMP, SCTP, TCP, UDP, UDPLITE, Family, Protocol
from tortie.verdict.packet import Packet

_HOPS = 64
_IPV4 = struct.Struct(">BBHHHBBH4s4s")
_IPV6 = struct.Struct(">IHBB16s16s")
_DO_NOT_FRAGMENT = 0x4000


def first_packet(headers: Packet, number: int) -> bytes:
    """The IP packet; *number* is 32 bits."""
    build = _icmp if headers.icmp is not None else _BUILDERS.get(headers.protocol, _other)
    behind_ip = build(headers, number)
    return _ip_header(headers, len(behind_ip)) + behind_ip


def content(packet: bytes) -> bytes:
    """What is behind the IP header of *packet*, as ``first_packet`` makes them: without options."""
    return packet[(_IPV4 if packet[0] >> 4 == 4 else _IPV6).size :]


def family_of(packet: bytes) -> Family:
    return Family(packet[0] >> 4)


def _ip_header(headers: Packet, length: int) -> bytes:
    ends = headers.source.packed, headers.destination.packed
    if headers.family is Family.V6:
        return _IPV6.pack(6 << 28, length, headers.protocol.number, _HOPS, *ends)
    fields = (0x45, 0, _IPV4.size + length, 0, _DO_NOT_FRAGMENT, _HOPS, headers.protocol.number)
    return _IPV4.pack(*fields, _checksum(_IPV4.pack(*fields, 0, *ends)), *ends)


# --- behind the IP header ------------------------------------------------------------------------------------------------


def _tcp(headers: Packet, number: int) -> bytes:
    """A SYN (RFC 9293 §3.1) with *number* as its sequence number."""
    return _checked(headers, struct.pack(">HHIIBBHHH", *_ports(headers), number, 0, 5 << 4, 0x02, 64240, 0, 0), at=16)


def _udp(headers: Packet, number: int) -> bytes:
    return _checked(headers, struct.pack(">HHHHI", *_ports(headers), 12, 0, number), at=6)


def _udplite(headers: Packet, number: int) -> bytes:
    """Checksum over all of it (RFC 3828 §3.1). Rules know no ports of UDP-Lite, so they may be *number*'s halves."""
    return _checked(headers, struct.pack(">HHHHI", number & 0xFFFF, number >> 16, 0, 0, number), at=6)


def _icmp(headers: Packet, number: int) -> bytes:
    """*number*'s low half is where an echo has its identifier (RFC 792, RFC 4443 §4.1), the high half its sequence number."""
    assert headers.icmp is not None
    return _checked(headers, struct.pack(">BBHHHI", *headers.icmp, 0, number & 0xFFFF, number >> 16, number), at=2)


def _sctp(headers: Packet, number: int) -> bytes:
    """An INIT (RFC 9260 §3.3.2) with *number* as its initiate tag."""
    header = struct.pack(">HHI", *_ports(headers), 0)
    chunk = struct.pack(">BBHIIHHI", 1, 0, 20, number or 1, 65536, 1, 1, number)
    return header + struct.pack("<I", _crc32c(header + bytes(4) + chunk)) + chunk


def _other(_headers: Packet, number: int) -> bytes:
    return struct.pack(">II", number, number)


_BUILDERS: Mapping[Protocol, Callable[[Packet, int], bytes]] = {
    TCP: _tcp,
    UDP: _udp,
    SCTP: _sctp,
    UDPLITE: _udplite,
}


def _ports(headers: Packet) -> tuple[int, int]:
    assert headers.source_port is not None
    assert headers.destination_port is not None
    return headers.source_port, headers.destination_port


# --- checksums -----------------------------------------------------------------------------------------------------------


_CHECKED_AS = {UDPLITE: UDP}
"""Connection tracking calls a right checksum of UDP-Lite invalid, for it takes UDP's number into it (Linux, udplite_error)."""


def _checked(headers: Packet, segment: bytes, *, at: int) -> bytes:
    """*segment* with its checksum, over the pseudo-header too where there is one: everywhere but in ICMP for IPv4."""
    pseudo = b""
    if headers.protocol != ICMP:
        ends = headers.source.packed + headers.destination.packed
        protocol = _CHECKED_AS.get(headers.protocol, headers.protocol)
        pseudo = ends + struct.pack(">II", len(segment), protocol.number)
    checksum = _checksum(pseudo + segment)
    if headers.protocol in (UDP, UDPLITE):
        checksum = checksum or 0xFFFF  # 0 would mean that there is none (RFC 768, RFC 3828)
    return segment[:at] + checksum.to_bytes(2, "big") + segment[at + 2 :]


def _checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071); *data* is of an even length."""
    total: int = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def _crc32c(data: bytes) -> int:
    """SCTP's checksum (RFC 9260 appendix A), bit by bit: the packets are short."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF
