"""Netlink messages and attributes as bytes, both ways (RFC 3549, netlink(7); linux/netlink.h).

A message is a 16-byte header in host byte order and a payload: a family's own fixed header, then attributes. An attribute
is a 4-byte header and a value, padded to 4 bytes; a nested one holds attributes. Which byte order a value has is the
business of each family: nf_tables wants network order, rtnetlink host order.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

# Message types and flags (linux/netlink.h)
NLMSG_NOOP = 1
NLMSG_ERROR = 2
NLMSG_DONE = 3
NLM_F_REQUEST = 0x1
NLM_F_MULTI = 0x2
NLM_F_ACK = 0x4
NLM_F_DUMP_INTR = 0x10
NLM_F_CAPPED = 0x100
NLM_F_ACK_TLVS = 0x200
NLM_F_DUMP = 0x300
NLM_F_REPLACE = 0x100
NLM_F_EXCL = 0x200
NLM_F_CREATE = 0x400
NLM_F_APPEND = 0x800

NLA_F_NESTED = 0x8000
_NLA_TYPE_MASK = 0x3FFF

_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_PADDING = (b"", b"\0\0\0", b"\0\0", b"\0")

HEADER_SIZE = _HEADER.size


class Message(NamedTuple):
    """What to ask of the kernel; the socket adds sequence number and request flag."""

    type: int
    flags: int
    payload: bytes

    def pack(self, sequence: int) -> bytes:
        """The message as sent, padded to 4 bytes."""
        length = HEADER_SIZE + len(self.payload)
        header = _HEADER.pack(length, self.type, self.flags | NLM_F_REQUEST, sequence, 0)
        return header + self.payload + _PADDING[length % 4]


class Frame(NamedTuple):
    """One message as received."""

    type: int
    flags: int
    sequence: int
    payload: bytes


def frames(data: bytes) -> Iterator[Frame]:
    """Take apart what one ``recv`` returned."""
    at = 0
    while at + HEADER_SIZE <= len(data):
        length, kind, flags, sequence, _port = _HEADER.unpack_from(data, at)
        if length < HEADER_SIZE:
            return
        yield Frame(kind, flags, sequence, data[at + HEADER_SIZE : at + length])
        at += (length + 3) & ~3


# --- attributes ------------------------------------------------------------------------------------------------------------


def attribute(kind: int, value: bytes) -> bytes:
    """One attribute, padded."""
    length = 4 + len(value)
    return _ATTRIBUTE.pack(length, kind) + value + _PADDING[length % 4]


def nest(kind: int, *children: bytes) -> bytes:
    """An attribute that holds the attributes *children*."""
    return attribute(kind | NLA_F_NESTED, b"".join(children))


def text(kind: int, value: str) -> bytes:
    """A NUL-terminated string."""
    return attribute(kind, value.encode() + b"\0")


def u8(kind: int, value: int) -> bytes:
    return attribute(kind, value.to_bytes(1, "big"))


def be16(kind: int, value: int) -> bytes:
    return attribute(kind, value.to_bytes(2, "big"))


def be32(kind: int, value: int) -> bytes:
    return attribute(kind, value.to_bytes(4, "big"))


def be64(kind: int, value: int) -> bytes:
    return attribute(kind, value.to_bytes(8, "big"))


def u16(kind: int, value: int) -> bytes:
    """A 16-bit number in host byte order, as rtnetlink wants."""
    return attribute(kind, struct.pack("=H", value))


def u32(kind: int, value: int) -> bytes:
    """A 32-bit number in host byte order, as rtnetlink wants."""
    return attribute(kind, struct.pack("=I", value))


def attributes(data: bytes, at: int = 0) -> Iterator[tuple[int, bytes]]:
    """The attributes in *data* from offset *at* on, as (type without flag bits, value)."""
    end = len(data)
    while at + 4 <= end:
        length, kind = _ATTRIBUTE.unpack_from(data, at)
        if length < 4:
            return
        yield kind & _NLA_TYPE_MASK, data[at + 4 : at + length]
        at += (length + 3) & ~3


def attribute_map(data: bytes, at: int = 0) -> dict[int, bytes]:
    """The same as a dictionary, for where no type repeats."""
    return dict(attributes(data, at))


def read_text(value: bytes) -> str:
    return value.rstrip(b"\0").decode(errors="replace")
