"""The first packet of a flow, as the bytes that begin it on the wire.

    packet = first_packet(flow, number=7)
    content(packet)  # what is behind the IP header: the same on arrival, and of no other number

Packets are such as connection tracking takes for the beginning of a flow, checksums included: of a protocol with connections the
packet that opens one, of all others any. *number* tells packets apart. It is part of the content, and where a flow has
no ports (ICMP) of what connection tracking knows it by.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping

from tortie.net import ICMP, ICMPV6, SCTP, TCP, UDP, Family, Protocol
from tortie.verdict import Flow

_HOPS = 64
_IPV4 = struct.Struct(">BBHHHBBH4s4s")
_IPV6 = struct.Struct(">IHBB16s16s")
_DO_NOT_FRAGMENT = 0x4000


def first_packet(flow: Flow, number: int) -> bytes:
    """The IP packet; *number* is 32 bits."""
    behind_ip = _BUILDERS.get(flow.protocol, _other)(flow, number)
    return _ip_header(flow, len(behind_ip)) + behind_ip


def content(packet: bytes) -> bytes:
    """What is behind the IP header of *packet*, as ``first_packet`` makes them: without options."""
    return packet[(_IPV4 if packet[0] >> 4 == 4 else _IPV6).size :]


def family_of(packet: bytes) -> Family:
    return Family(packet[0] >> 4)


def _ip_header(flow: Flow, length: int) -> bytes:
    ends = flow.source_address.packed, flow.destination_address.packed
    if flow.family is Family.V6:
        return _IPV6.pack(6 << 28, length, flow.protocol.number, _HOPS, *ends)
    fields = (0x45, 0, _IPV4.size + length, 0, _DO_NOT_FRAGMENT, _HOPS, flow.protocol.number)
    return _IPV4.pack(*fields, _checksum(_IPV4.pack(*fields, 0, *ends)), *ends)


# --- behind the IP header ------------------------------------------------------------------------------------------------


def _tcp(flow: Flow, number: int) -> bytes:
    """A SYN (RFC 9293 §3.1) with *number* as its sequence number."""
    return _checked(flow, struct.pack(">HHIIBBHHH", *_ports(flow), number, 0, 5 << 4, 0x02, 64240, 0, 0), at=16)


def _udp(flow: Flow, number: int) -> bytes:
    return _checked(flow, struct.pack(">HHHHI", *_ports(flow), 12, 0, number), at=6)


def _icmp(flow: Flow, number: int) -> bytes:
    """*number*'s low half is where an echo has its identifier (RFC 792, RFC 4443 §4.1), the high half its sequence number."""
    assert flow.icmp is not None
    return _checked(flow, struct.pack(">BBHHHI", *flow.icmp, 0, number & 0xFFFF, number >> 16, number), at=2)


def _sctp(flow: Flow, number: int) -> bytes:
    """An INIT (RFC 9260 §3.3.2) with *number* as its initiate tag."""
    header = struct.pack(">HHI", *_ports(flow), 0)
    chunk = struct.pack(">BBHIIHHI", 1, 0, 20, number or 1, 65536, 1, 1, number)
    return header + struct.pack("<I", _crc32c(header + bytes(4) + chunk)) + chunk


def _other(_flow: Flow, number: int) -> bytes:
    return struct.pack(">II", number, number)


_BUILDERS: Mapping[Protocol, Callable[[Flow, int], bytes]] = {
    TCP: _tcp,
    UDP: _udp,
    SCTP: _sctp,
    ICMP: _icmp,
    ICMPV6: _icmp,
}


def _ports(flow: Flow) -> tuple[int, int]:
    assert flow.source_port is not None
    assert flow.destination_port is not None
    return flow.source_port, flow.destination_port


# --- checksums -----------------------------------------------------------------------------------------------------------


def _checked(flow: Flow, segment: bytes, *, at: int) -> bytes:
    """*segment* with its checksum, over the pseudo-header too where there is one: everywhere but in ICMP for IPv4."""
    pseudo = b""
    if flow.protocol != ICMP:
        ends = flow.source_address.packed + flow.destination_address.packed
        pseudo = ends + struct.pack(">II", len(segment), flow.protocol.number)
    checksum = _checksum(pseudo + segment)
    if flow.protocol == UDP:
        checksum = checksum or 0xFFFF  # 0 would mean that there is none (RFC 768)
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
