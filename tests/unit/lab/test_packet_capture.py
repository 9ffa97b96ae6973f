"""Captured packets: which are wanted, and what the file holds."""

from __future__ import annotations

import struct

import pytest

from tortie.lab.packetfilter import PacketFilter
from tortie.lab.pcap import SNAPLEN, Packet, file_header, record
from tortie.net import Address

IPV4, IPV6, ARP = 0x0800, 0x86DD, 0x0806
A4, B4, A6, B6 = (Address.parse(text) for text in ("10.65.0.1", "10.65.0.2", "fd00:65::1", "fd00:65::2"))
PORTS = struct.pack("!HH", 40000, 80) + bytes(16)


def ipv4(protocol: int, content: bytes, *, options: bytes = b"", fragment: int = 0) -> bytes:
    head = struct.pack("!BBHHHBBH", 0x45 + len(options) // 4, 0, 0, 0, fragment, 64, protocol, 0)
    return head + A4.packed + B4.packed + options + content


def ipv6(protocol: int, content: bytes) -> bytes:
    return struct.pack("!IHBB", 6 << 28, len(content), protocol, 64) + A6.packed + B6.packed + content


def options(following: int) -> bytes:
    return bytes([following, 1]) + bytes(14)


def fragment(following: int, offset: int) -> bytes:
    return struct.pack("!BBHI", following, 0, offset << 3, 0)


WITH_PORTS = {
    "TCP": (IPV4, ipv4(6, PORTS)),
    "UDP": (IPV4, ipv4(17, PORTS)),
    "SCTP": (IPV4, ipv4(132, PORTS)),
    "IPv4 options": (IPV4, ipv4(6, PORTS, options=bytes(8))),
    "first fragment": (IPV4, ipv4(17, PORTS, fragment=0x2000)),
    "TCP over IPv6": (IPV6, ipv6(6, PORTS)),
    "hop-by-hop and destination options": (IPV6, ipv6(0, options(60) + options(6) + PORTS)),
    "authentication header": (IPV6, ipv6(51, bytes([6, 4]) + bytes(22) + PORTS)),
    "first IPv6 fragment": (IPV6, ipv6(44, fragment(17, 0) + PORTS)),
}
WITHOUT_PORTS = {
    "ICMP": (IPV4, ipv4(1, PORTS)),
    "later fragment": (IPV4, ipv4(17, PORTS, fragment=185)),
    "later IPv6 fragment": (IPV6, ipv6(44, fragment(17, 185) + PORTS)),
    "cut off in its ports": (IPV4, ipv4(6, PORTS[:3])),
    "cut off in its options": (IPV6, ipv6(0, options(6)[:5])),
}


@pytest.mark.parametrize("case", WITH_PORTS)
@pytest.mark.parametrize("port", [80, 40000])
def test_a_packet_is_found_by_either_port(case: str, port: int) -> None:
    assert PacketFilter(ports=frozenset({port})).admits(*WITH_PORTS[case])
    assert not PacketFilter(ports=frozenset({port + 1})).admits(*WITH_PORTS[case])


@pytest.mark.parametrize("case", WITHOUT_PORTS)
def test_what_has_no_ports_is_not_found_by_them_but_by_its_addresses(case: str) -> None:
    protocol, packet = WITHOUT_PORTS[case]
    assert not PacketFilter(ports=frozenset({80, 40000})).admits(protocol, packet)
    assert PacketFilter(addresses=frozenset({A4, A6})).admits(protocol, packet)


@pytest.mark.parametrize(
    ("addresses", "ports", "expected"),
    [
        ({A4}, set(), True),
        ({B4}, {80}, True),
        ({A6, B4}, {443, 80}, True),
        ({A6}, {80}, False),
        ({A4}, {443}, False),
        (set(), set(), True),
    ],
)
def test_a_packet_must_have_one_of_the_addresses_and_one_of_the_ports(
    addresses: set[Address], ports: set[int], expected: bool
) -> None:
    wanted = PacketFilter(frozenset(addresses), frozenset(ports))
    assert wanted.admits(IPV4, ipv4(6, PORTS)) is expected


@pytest.mark.parametrize("packet", [b"", b"\x45", bytes(19)], ids=["empty", "a byte", "cut off"])
def test_what_is_no_ip_packet_is_admitted_only_where_all_are(packet: bytes) -> None:
    for protocol in (IPV4, IPV6, ARP):
        assert PacketFilter().admits(protocol, packet)
        assert not PacketFilter(addresses=frozenset({A4})).admits(protocol, packet)


def test_a_file_begins_with_the_nanosecond_magic_and_the_cooked_link_type() -> None:
    magic, major, minor, _, _, snaplen, linktype = struct.unpack("!IHHiIII", file_header())
    assert (magic, major, minor, snaplen, linktype) == (0xA1B23C4D, 2, 4, SNAPLEN, 276)


def test_a_record_holds_time_length_link_header_and_packet() -> None:
    content = ipv4(6, PORTS)
    written = record(Packet(1_700_000_000_123_456_789, IPV4, 7, 4, 1, bytes.fromhex("eeeeeeeeeeee"), content))
    seconds, nanoseconds, captured, length = struct.unpack_from("!IIII", written)
    assert (seconds, nanoseconds) == (1_700_000_000, 123_456_789)
    assert captured == length == 20 + len(content) == len(written) - 16
    assert struct.unpack_from("!HHIHBB", written, 16) == (IPV4, 0, 7, 1, 4, 6)
    assert written[28:36] == bytes.fromhex("eeeeeeeeeeee0000")
    assert written[36:] == content
