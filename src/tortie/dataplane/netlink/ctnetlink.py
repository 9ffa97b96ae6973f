"""Connection tracking messages, both ways (linux/netfilter/nfnetlink_conntrack.h).

Numbers are in network order, but for the flags of a filter, which are the kernel's own.
"""

from __future__ import annotations

import struct
from enum import Enum

import msgspec

from tortie.dataplane.netlink.message import (
    NLA_F_NESTED,
    Frame,
    Message,
    attribute,
    attribute_map,
    be16,
    be32,
    nest,
    u32,
)
from tortie.dataplane.netlink.rtnetlink import FAMILY_NUMBER
from tortie.net import Address, Family, Protocol

_SUBSYSTEM = 1 << 8  # NFNL_SUBSYS_CTNETLINK
IPCTNL_MSG_CT_NEW = _SUBSYSTEM | 0
IPCTNL_MSG_CT_GET = _SUBSYSTEM | 1
IPCTNL_MSG_CT_DELETE = _SUBSYSTEM | 2

CTA_TUPLE_ORIG = 1
CTA_TUPLE_REPLY = 2
CTA_ID = 12
CTA_TUPLE_MASTER = 14
CTA_ZONE = 18
CTA_FILTER = 25
CTA_TUPLE_IP = 1
CTA_TUPLE_PROTO = 2
CTA_IP_SRC = {Family.V4: 1, Family.V6: 3}
CTA_IP_DST = {Family.V4: 2, Family.V6: 4}
CTA_PROTO_NUM = 1
CTA_PROTO_SRC_PORT = 2
CTA_PROTO_DST_PORT = 3
CTA_PROTO_ICMP_TYPE = {Family.V4: 5, Family.V6: 8}
CTA_PROTO_ICMP_CODE = {Family.V4: 6, Family.V6: 9}
CTA_FILTER_ORIG_FLAGS = 1
CTA_FILTER_REPLY_FLAGS = 2
_FILTER_SRC = 0x1  # CTA_FILTER_F_CTA_IP_SRC
_FILTER_DST = 0x2

_HEADER = struct.Struct("!BBH")  # nfgenmsg: family, version, zone of a listing
_FAMILY = {number: family for family, number in FAMILY_NUMBER.items()}


class ConntrackTuple(msgspec.Struct, frozen=True, kw_only=True):
    """The packets of one direction of a flow."""

    source: Address
    destination: Address
    source_port: int = 0
    """0 for a protocol without ports."""
    destination_port: int = 0
    icmp_type: int | None = None
    """None but for ICMP and ICMPv6."""
    icmp_code: int | None = None


class ConntrackFlow(msgspec.Struct, frozen=True, kw_only=True):
    """A flow that the kernel tracks. Without NAT the reply's tuple mirrors the original one."""

    family: Family
    protocol: Protocol
    original: ConntrackTuple
    reply: ConntrackTuple
    id: int
    zone: int
    is_related: bool = False
    """Another flow announced it (a helper's expectation), and it was let in as such."""
    key: bytes
    """The original tuple as the kernel wrote it, with what other protocols have in place of ports: what a deletion names."""

    @property
    def addresses(self) -> tuple[Address, ...]:
        """Of both ends, as sent and as NAT has made of them."""
        return self.original.source, self.original.destination, self.reply.source, self.reply.destination


class Place(Enum):
    """Where in a flow an address may be: the tuple, and the bit of its part."""

    ORIGINAL_SOURCE = (CTA_TUPLE_ORIG, _FILTER_SRC)
    ORIGINAL_DESTINATION = (CTA_TUPLE_ORIG, _FILTER_DST)
    REPLY_SOURCE = (CTA_TUPLE_REPLY, _FILTER_SRC)
    REPLY_DESTINATION = (CTA_TUPLE_REPLY, _FILTER_DST)


def list_flows(family: Family) -> Message:
    """A dump of the flows of one family, in every zone."""
    return Message(IPCTNL_MSG_CT_GET, 0, _HEADER.pack(FAMILY_NUMBER[family], 0, 0))


def list_flows_at(place: Place, address: Address) -> Message:
    """A dump of the flows that have *address* at *place*. The kernel selects, from 5.8 on; before that it lists all."""
    tuple_type, part = place.value
    family = address.family
    kind = (CTA_IP_SRC if part == _FILTER_SRC else CTA_IP_DST)[family]
    flags = {tuple_type: part}
    return Message(
        IPCTNL_MSG_CT_GET,
        0,
        _HEADER.pack(FAMILY_NUMBER[family], 0, 0)
        + nest(tuple_type, nest(CTA_TUPLE_IP, attribute(kind, address.packed)))
        + nest(
            CTA_FILTER,
            u32(CTA_FILTER_ORIG_FLAGS, flags.get(CTA_TUPLE_ORIG, 0)),
            u32(CTA_FILTER_REPLY_FLAGS, flags.get(CTA_TUPLE_REPLY, 0)),
        ),
    )


def delete_flow(flow: ConntrackFlow) -> Message:
    """Delete this flow; refused (ENOENT) if it is gone, mostly even if a later one has its tuple, since that has its own id."""
    return Message(
        IPCTNL_MSG_CT_DELETE,
        0,
        _HEADER.pack(FAMILY_NUMBER[flow.family], 0, 0)
        + attribute(CTA_TUPLE_ORIG | NLA_F_NESTED, flow.key)
        + (be16(CTA_ZONE, flow.zone) if flow.zone else b"")
        + be32(CTA_ID, flow.id),
    )


def read_flow(frame: Frame) -> ConntrackFlow:
    """The flow in an answer to a listing."""
    number, _version, _zone = _HEADER.unpack_from(frame.payload)
    family = _FAMILY[number]
    found = attribute_map(frame.payload, _HEADER.size)
    protocol, original = _read_tuple(found[CTA_TUPLE_ORIG], family)
    _, reply = _read_tuple(found[CTA_TUPLE_REPLY], family)
    return ConntrackFlow(
        family=family,
        protocol=protocol,
        original=original,
        reply=reply,
        id=int.from_bytes(found[CTA_ID], "big"),
        zone=int.from_bytes(found.get(CTA_ZONE, b""), "big"),
        is_related=CTA_TUPLE_MASTER in found,
        key=found[CTA_TUPLE_ORIG],
    )


def _read_tuple(data: bytes, family: Family) -> tuple[Protocol, ConntrackTuple]:
    parts = attribute_map(data)
    addresses, protocol = attribute_map(parts[CTA_TUPLE_IP]), attribute_map(parts[CTA_TUPLE_PROTO])
    return Protocol(protocol[CTA_PROTO_NUM][0]), ConntrackTuple(
        source=Address(addresses[CTA_IP_SRC[family]]),
        destination=Address(addresses[CTA_IP_DST[family]]),
        source_port=int.from_bytes(protocol.get(CTA_PROTO_SRC_PORT, b""), "big"),
        destination_port=int.from_bytes(protocol.get(CTA_PROTO_DST_PORT, b""), "big"),
        icmp_type=_byte(protocol.get(CTA_PROTO_ICMP_TYPE[family])),
        icmp_code=_byte(protocol.get(CTA_PROTO_ICMP_CODE[family])),
    )


def _byte(data: bytes | None) -> int | None:
    return None if data is None else data[0]
