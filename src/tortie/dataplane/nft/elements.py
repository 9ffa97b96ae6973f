"""What sets hold: addresses, networks, tuples and interface names as the kernel's keys, both ways.

A set of networks (or of port ranges) is an interval set: each interval is two elements, its first key and, marked as an end,
the key after its last; an interval that reaches the last key of all has no end. A tuple's parts are each padded to 4 bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import IntFlag
from typing import NamedTuple

from tortie.dataplane.netlink.message import attribute, attribute_map, attributes, be32, nest
from tortie.dataplane.nft.expressions import Verdict, read_value, read_verdict, value_data, verdict_data
from tortie.net import Address, Family, Network, Protocol
from tortie.ruleset.values import AddressPortElement, Element, SetDeclaration, SetType

IFNAME_BYTES = 16


class SetFlag(IntFlag):
    """enum nft_set_flags."""

    ANONYMOUS = 0x1
    CONSTANT = 0x2
    INTERVAL = 0x4
    MAP = 0x8


class KeyType(NamedTuple):
    """What the keys of a set are, as nft(8) wants to know it to print them; the kernel looks at the length only."""

    number: int
    """nft's data types, 6 bits each for a concatenation."""
    length: int
    byte_order: int
    """0 for a concatenation, 1 host, 2 network; goes into user data (else nft 1.0.6 prints interface names as "")."""


_BIG, _HOST, _NONE = 2, 1, 0
_IPV4_ADDR, _IPV6_ADDR, _INET_PROTO, _INET_SERVICE, _IFNAME = 7, 8, 12, 13, 41
_ICMP_TYPE, _ICMP_CODE, _ICMPV6_TYPE, _ICMPV6_CODE = 14, 32, 29, 33

KEY_ADDRESS = {Family.V4: KeyType(_IPV4_ADDR, 4, _BIG), Family.V6: KeyType(_IPV6_ADDR, 16, _BIG)}
KEY_TUPLE = {
    family: KeyType(key.number << 12 | _INET_PROTO << 6 | _INET_SERVICE, key.length + 8, _NONE)
    for family, key in KEY_ADDRESS.items()
}
KEY_PORT = KeyType(_INET_SERVICE, 2, _BIG)
KEY_IFNAME = KeyType(_IFNAME, IFNAME_BYTES, _HOST)
KEY_ICMP = {
    Family.V4: KeyType(_ICMP_TYPE << 6 | _ICMP_CODE, 8, _NONE),
    Family.V6: KeyType(_ICMPV6_TYPE << 6 | _ICMPV6_CODE, 8, _NONE),
}


class Piece(NamedTuple):
    """One element of the kernel."""

    key: bytes
    end: bool = False
    """This key is the first after an interval."""
    open: bool = False
    """Begins an interval without an end; nft wants to be told in user data."""
    verdict: Verdict | None = None


_ELEM_INTERVAL_END = 1
_USERDATA_FLAGS = struct.pack("=BBI", 1, 4, 1)  # NFTNL_UDATA_SET_ELEM_FLAGS, SEGTREE_INTERVAL_OPEN


def pack_piece(piece: Piece) -> bytes:
    """The element in a list of elements (NFTA_LIST_ELEM)."""
    parts = be32(3, _ELEM_INTERVAL_END) if piece.end else b""
    parts += value_data(1, piece.key)
    if piece.verdict:
        parts += verdict_data(2, piece.verdict)
    if piece.open:
        parts += attribute(6, _USERDATA_FLAGS)
    return nest(1, parts)


class UnknownElementError(ValueError):
    """An element has a form that we never write."""


def parse_piece(data: bytes) -> Piece:
    """One element that the kernel lists; UnknownElementError if it is none of ours."""
    found = attribute_map(data)
    try:
        flags = int.from_bytes(found.get(3, b""), "big")
        verdict = read_verdict(found[2]) if 2 in found else None
        key = read_value(found[1])
    except (KeyError, ValueError):
        raise UnknownElementError(data.hex()) from None
    if not found.keys() <= {1, 2, 3, 6} or flags & ~_ELEM_INTERVAL_END:
        raise UnknownElementError(data.hex())
    return Piece(key, end=bool(flags), open=6 in found, verdict=verdict)


def parse_pieces(data: bytes) -> Iterator[Piece]:
    """The elements in a NFTA_SET_ELEM_LIST_ELEMENTS."""
    for _kind, element in attributes(data):
        yield parse_piece(element)


# --- elements of named sets -------------------------------------------------------------------------------------------------


def key_type(declaration: SetDeclaration) -> KeyType:
    return (KEY_TUPLE if declaration.type is SetType.ADDRESS_PORT else KEY_ADDRESS)[declaration.family]


def element_pieces(element: Element) -> tuple[Piece, ...]:
    """The kernel's elements for one of ours, in the order in which it wants to be given them."""
    if isinstance(element, Address):
        return (Piece(element.packed),)
    if isinstance(element, Network):
        return interval(*network_bounds(element), len(element.packed))
    return (Piece(element.address.packed + struct.pack("!B3xH2x", element.protocol.number, element.port)),)


def read_elements(declaration: SetDeclaration, pieces: Iterable[Piece]) -> frozenset[Element]:
    """The elements that a set's pieces make up; UnknownElementError if they make up others."""
    if declaration.type is SetType.NETWORK:
        return frozenset(network_of(first, last, declaration.family) for first, last in read_intervals(pieces))
    read: Callable[[bytes], Element] = Address if declaration.type is SetType.ADDRESS else _read_tuple
    length = key_type(declaration).length
    found = []
    for piece in pieces:
        if piece.end or piece.verdict or len(piece.key) != length:
            raise UnknownElementError(piece.key.hex())
        found.append(read(piece.key))
    return frozenset(found)


def _read_tuple(key: bytes) -> Element:
    protocol, port = struct.unpack("!B3xH2x", key[-8:])
    return AddressPortElement(Address(key[:-8]), Protocol(protocol), port)


# --- intervals --------------------------------------------------------------------------------------------------------------


def interval(first: int, last: int, length: int) -> tuple[Piece, ...]:
    """The pieces for the numbers from *first* to *last*, as keys of *length* bytes."""
    begin = first.to_bytes(length, "big")
    if last + 1 == 1 << length * 8:
        return (Piece(begin, open=True),)
    return Piece(begin), Piece((last + 1).to_bytes(length, "big"), end=True)


def read_intervals(pieces: Iterable[Piece]) -> Iterator[tuple[int, int]]:
    """The intervals, in order, that pieces in any order make up.

    An end at key 0 is nft's own habit and means nothing. Where one interval ends and the next begins, two pieces have one key.
    """
    ordered: Sequence[Piece] = sorted(pieces, key=lambda piece: (piece.key, not piece.end))
    first: int | None = None
    for piece in ordered:
        number = int.from_bytes(piece.key, "big")
        if piece.end == (first is None) and number:
            raise UnknownElementError(f"an interval without beginning or end at {piece.key.hex()}")
        if not piece.end:
            first = number
        elif first is not None:
            yield first, number - 1
            first = None
    if first is not None:
        yield first, (1 << len(ordered[-1].key) * 8) - 1


def network_bounds(network: Network) -> tuple[int, int]:
    first = int.from_bytes(network.packed, "big")
    return first, first + network.size - 1


def network_of(first: int, last: int, family: Family) -> Network:
    """The network from *first* to *last*; UnknownElementError if it is none."""
    size = last - first + 1
    if size & (size - 1) or first & (size - 1):
        raise UnknownElementError(f"{Address(first.to_bytes(family.bits // 8, 'big'))} + {size} is not a network")
    return Network(first.to_bytes(family.bits // 8, "big"), family.bits - size.bit_length() + 1)


# --- interface names --------------------------------------------------------------------------------------------------------


def ifname_key(name: str) -> bytes:
    """The name padded to the kernel's 16 bytes; ValueError if no interface can have it."""
    packed = name.encode()
    if not 0 < len(packed) < IFNAME_BYTES:
        raise ValueError(f"{name!r} is not an interface name of 1 to {IFNAME_BYTES - 1} bytes")
    return packed.ljust(IFNAME_BYTES, b"\0")


def read_ifname(key: bytes) -> str:
    """The inverse; UnknownElementError for what is no name."""
    name = key.rstrip(b"\0")
    if len(key) != IFNAME_BYTES or not name or b"\0" in name:
        raise UnknownElementError(key.hex())
    try:
        return name.decode()
    except UnicodeDecodeError:
        raise UnknownElementError(key.hex()) from None
