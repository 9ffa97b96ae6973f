"""Packets as bytes: what connection tracking checks of them, and what tells them apart."""

import struct

import pytest

from tortie.lab.packets import content, family_of, first_packet
from tortie.net import ICMP, ICMPV6, SCTP, TCP, UDP, Address, Family, Protocol
from tortie.verdict.packet import Packet

ENDS = {
    Family.V4: (Address.parse("10.65.0.1"), Address.parse("192.0.2.1")),
    Family.V6: (Address.parse("fd00:65::1"), Address.parse("2001:db8::1")),
}
CASES = [
    *((Family.V4, protocol) for protocol in (TCP, UDP, SCTP, ICMP, Protocol(253))),
    *((Family.V6, protocol) for protocol in (TCP, UDP, SCTP, ICMPV6, Protocol(253))),
]
every_packet = pytest.mark.parametrize(("family", "protocol"), CASES, ids=str)


def headers(family: Family, protocol: Protocol) -> Packet:
    source, destination = ENDS[family]
    source_port, destination_port = (40000, 80) if protocol.has_ports else (None, None)
    return Packet(
        source=source,
        destination=destination,
        protocol=protocol,
        source_port=source_port,
        destination_port=destination_port,
    )


def ones_complement_sum(data: bytes) -> int:
    total = 0
    for (word,) in struct.iter_unpack(">H", data):
        total += word
        total = (total & 0xFFFF) + (total >> 16)
    return total


@every_packet
def test_the_ip_header_says_what_the_packet_is(family: Family, protocol: Protocol) -> None:
    packet = first_packet(headers(family, protocol), 7)
    source, destination = (address.packed for address in ENDS[family])
    assert family_of(packet) is family
    if family is Family.V4:
        assert ones_complement_sum(packet[:20]) == 0xFFFF
        assert (packet[9], packet[12:16], packet[16:20]) == (protocol.number, source, destination)
        assert int.from_bytes(packet[2:4], "big") == len(packet)
    else:
        assert (packet[6], packet[8:24], packet[24:40]) == (protocol.number, source, destination)
        assert int.from_bytes(packet[4:6], "big") == len(packet) - 40


@pytest.mark.parametrize(("family", "protocol"), [c for c in CASES if c[1] in (TCP, UDP, ICMP, ICMPV6)], ids=str)
@pytest.mark.parametrize("number", [0, 7, 0xFFFFFFFF])
def test_internet_checksums_are_right(family: Family, protocol: Protocol, number: int) -> None:
    behind = content(first_packet(headers(family, protocol), number))
    pseudo = b"".join(address.packed for address in ENDS[family]) + struct.pack(">II", len(behind), protocol.number)
    assert ones_complement_sum(behind if protocol == ICMP else pseudo + behind) == 0xFFFF


def test_the_checksum_of_sctp_is_a_crc32c() -> None:
    behind = content(first_packet(headers(Family.V4, SCTP), 7))
    checksum, unchecked = behind[8:12], behind[:8] + bytes(4) + behind[12:]
    assert crc32c(b"123456789") == 0xE3069283  # the check value of its definition
    assert int.from_bytes(checksum, "little") == crc32c(unchecked)


def crc32c(data: bytes) -> int:
    """Most significant bit first over reversed bits: another way than the one under test."""
    register = 0xFFFFFFFF
    for bit in (byte >> i & 1 for byte in data for i in range(8)):
        register = (register << 1 & 0xFFFFFFFF) ^ (0x1EDC6F41 if (register >> 31) ^ bit else 0)
    return int(f"{register ^ 0xFFFFFFFF:032b}"[::-1], 2)


@every_packet
def test_no_two_numbers_have_the_same_content(family: Family, protocol: Protocol) -> None:
    numbers = (1, 2, 0x10000, 0x10001, 0xFFFF, 0xFFFFFFFF)
    assert len({content(first_packet(headers(family, protocol), number)) for number in numbers}) == len(numbers)


def test_icmp_has_another_identifier_for_each_number() -> None:
    """By which connection tracking knows it."""
    identifiers = {content(first_packet(headers(Family.V4, ICMP), number))[4:6] for number in range(1, 1000)}
    assert len(identifiers) == 999
