"""Conntrack messages as bytes: what the kernel lists is read, and what is deleted is named by what it listed."""

from __future__ import annotations

import struct

import msgspec
import pytest

from tortie.dataplane.netlink import ctnetlink
from tortie.dataplane.netlink.ctnetlink import ConntrackTuple, Place
from tortie.dataplane.netlink.message import Frame, attribute, attribute_map, be16, be32, nest, u8
from tortie.net import Address, Family, Protocol

A, B, C = (Address.parse(text) for text in ("10.0.0.1", "10.0.0.2", "10.0.0.3"))
A6, B6 = Address.parse("fd00::1"), Address.parse("fd00::2")


def tuple_bytes(kind: int, source: Address, destination: Address, protocol: int, *parts: bytes) -> bytes:
    first = 1 if source.family is Family.V4 else 3
    addresses = nest(1, attribute(first, source.packed), attribute(first + 1, destination.packed))
    return nest(kind, addresses, nest(2, u8(1, protocol), *parts))


def ports(source: int, destination: int) -> tuple[bytes, bytes]:
    return be16(2, source), be16(3, destination)


def listed(family: int, *attributes: bytes) -> Frame:
    return Frame(ctnetlink.IPCTNL_MSG_CT_NEW, 0, 0, struct.pack("!BBH", family, 0, 0) + b"".join(attributes))


def conntrack_tuple(source: Address, destination: Address, *numbers: int) -> ConntrackTuple:
    source_port, destination_port = numbers or (0, 0)
    return ConntrackTuple(
        source=source, destination=destination, source_port=source_port, destination_port=destination_port
    )


def icmp_tuple(source: Address, destination: Address, icmp_type: int) -> ConntrackTuple:
    return msgspec.structs.replace(conntrack_tuple(source, destination), icmp_type=icmp_type, icmp_code=0)


FLOWS = [
    pytest.param(
        listed(
            2, tuple_bytes(1, A, B, 17, *ports(1000, 53)), tuple_bytes(2, C, A, 17, *ports(5353, 1000)), be32(12, 99)
        ),
        (Family.V4, 17, conntrack_tuple(A, B, 1000, 53), conntrack_tuple(C, A, 5353, 1000), 99, 0),
        id="udp-behind-NAT",
    ),
    pytest.param(
        listed(10, tuple_bytes(1, A6, B6, 6, *ports(1, 2)), tuple_bytes(2, B6, A6, 6, *ports(2, 1)), be32(12, 1)),
        (Family.V6, 6, conntrack_tuple(A6, B6, 1, 2), conntrack_tuple(B6, A6, 2, 1), 1, 0),
        id="ipv6-tcp",
    ),
    pytest.param(
        listed(
            2,
            tuple_bytes(1, A, B, 1, be16(4, 7), u8(5, 8), u8(6, 0)),
            tuple_bytes(2, B, A, 1, be16(4, 7), u8(5, 0), u8(6, 0)),
            be32(12, 5),
            be16(18, 3),
        ),
        (Family.V4, 1, icmp_tuple(A, B, 8), icmp_tuple(B, A, 0), 5, 3),
        id="icmp-has-types-and-no-ports-and-a-zone",
    ),
]


@pytest.mark.parametrize(("told", "expected"), FLOWS)
def test_a_flow_is_read(told: Frame, expected: tuple[Family, int, ConntrackTuple, ConntrackTuple, int, int]) -> None:
    flow = ctnetlink.read_flow(told)
    family, protocol, original, reply, number, zone = expected
    assert (flow.family, flow.protocol, flow.original, flow.reply, flow.id, flow.zone) == (
        family, Protocol(protocol), original, reply, number, zone,
    )  # fmt: skip


@pytest.mark.parametrize(
    "master", [(), (tuple_bytes(14, A, B, 6, *ports(40_000, 21)),)], ids=["by itself", "announced"]
)
def test_a_flow_tells_whether_another_announced_it(master: tuple[bytes, ...]) -> None:
    there, back = tuple_bytes(1, A, B, 6, *ports(1, 20)), tuple_bytes(2, B, A, 6, *ports(20, 1))
    assert ctnetlink.read_flow(listed(2, there, back, be32(12, 1), *master)).is_related is bool(master)


@pytest.mark.parametrize("told", [pytest.param(case.values[0], id=case.id) for case in FLOWS])
def test_a_flow_is_deleted_by_the_tuple_zone_and_id_that_were_listed(told: Frame) -> None:
    """Whatever a protocol has in place of ports is in the tuple: an ICMP flow without its id is none."""
    deletion = ctnetlink.delete_flow(ctnetlink.read_flow(told))
    assert deletion.type == ctnetlink.IPCTNL_MSG_CT_DELETE
    assert deletion.payload[:4] == told.payload[:4]
    before = attribute_map(told.payload, 4)
    del before[2]
    assert attribute_map(deletion.payload, 4) == before


@pytest.mark.parametrize(
    ("place", "tuple_type", "kind", "flags"),
    [
        (Place.ORIGINAL_SOURCE, 1, 1, (1, 0)),
        (Place.ORIGINAL_DESTINATION, 1, 2, (2, 0)),
        (Place.REPLY_SOURCE, 2, 1, (0, 1)),
        (Place.REPLY_DESTINATION, 2, 2, (0, 2)),
    ],
)
def test_a_listing_is_limited_to_an_address_at_a_place(
    place: Place, tuple_type: int, kind: int, flags: tuple[int, int]
) -> None:
    found = attribute_map(ctnetlink.list_flows_at(place, A).payload, 4)
    assert attribute_map(attribute_map(found[tuple_type])[1]) == {kind: A.packed}
    limits = attribute_map(found[25])
    assert tuple(struct.unpack("=I", limits[which])[0] for which in (1, 2)) == flags


def test_flows_are_values() -> None:
    udp = listed(2, tuple_bytes(1, A, B, 17, *ports(1, 53)), tuple_bytes(2, B, A, 17, *ports(53, 1)), be32(12, 9))
    assert len({ctnetlink.read_flow(udp), ctnetlink.read_flow(udp)}) == 1
