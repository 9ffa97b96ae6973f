"""Captured packets as a file that Wireshark and tcpdump read: pcap with nanoseconds, link type LINUX_SLL2. No I/O.

A header of 24 bytes, then for each packet one of 16 bytes (draft-ietf-opsawg-pcap, in network order here), then a "cooked" link
header of 20 bytes (LINKTYPE_LINUX_SLL2), which tells the interface and the direction, then the packet from its IP header on. One
link type fits all interfaces, so one file can hold what passes through all of a host.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

SNAPLEN = 1 << 18
"""More than any packet: also those of 64 KiB that a sender leaves to its hardware to cut, and veth passes on whole."""

_MAGIC_NANOSECONDS = 0xA1B23C4D
_LINKTYPE_LINUX_SLL2 = 276
_FILE = struct.Struct("!IHHiIII")
_RECORD = struct.Struct("!IIII")
_SLL2 = struct.Struct("!HHIHBB8s")
_NS = 1_000_000_000


class Packet(NamedTuple):
    """One, as an AF_PACKET socket gives it (packet(7))."""

    time_ns: int
    """Of the kernel's wall clock."""
    protocol: int
    """EtherType."""
    ifindex: int
    direction: int
    """PACKET_HOST, PACKET_OUTGOING and so on, which SLL2 numbers likewise."""
    hardware_type: int
    """ARPHRD_*."""
    source: bytes
    """The sender's hardware address."""
    content: bytes
    """Without a link header."""


def file_header() -> bytes:
    """What a file begins with."""
    return _FILE.pack(_MAGIC_NANOSECONDS, 2, 4, 0, 0, SNAPLEN, _LINKTYPE_LINUX_SLL2)


def record(packet: Packet) -> bytes:
    """One packet with its headers."""
    seconds, nanoseconds = divmod(packet.time_ns, _NS)
    length = _SLL2.size + len(packet.content)
    link = _SLL2.pack(
        packet.protocol,
        0,
        packet.ifindex,
        packet.hardware_type,
        packet.direction,
        len(packet.source),
        packet.source[:8],
    )
    return _RECORD.pack(seconds, nanoseconds, length, length) + link + packet.content
