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
from tortie.dataplane.nft.expressions import (
    ConnectionsOver,
    LimitOver,
    Verdict,
    pack_as,
    parse_expression,
    read_value,
    read_verdict,
    value_data,
    verdict_data,
)
from tortie.net import Address, Family, Network, Protocol
from tortie.ruleset.values import (
    INTERFACE_TYPES,
    TUPLE_FIELDS,
    ConnectionsElement,
    Element,
    RateElement,
    SetDeclaration,
    SetType,
    TupleElement,
    TupleField,
)

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
KEY_PORT = KeyType(_INET_SERVICE, 2, _BIG)
_KEY_PROTOCOL = KeyType(_INET_PROTO, 1, _BIG)
_KEY_ICMP_TYPE = {Family.V4: KeyType(_ICMP_TYPE, 1, _BIG), Family.V6: KeyType(_ICMPV6_TYPE, 1, _BIG)}
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
    limit: LimitOver | ConnectionsOver | None = None
    """What a look-up does with the packet besides finding the element."""


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
    if piece.limit:
        parts += pack_as(7, piece.limit)
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
        limit = _read_limit(found[7]) if 7 in found else None
    except (KeyError, ValueError):
        raise UnknownElementError(data.hex()) from None
    if not found.keys() <= {1, 2, 3, 6, 7} or flags & ~_ELEM_INTERVAL_END:
        raise UnknownElementError(data.hex())
    return Piece(key, end=bool(flags), open=6 in found, verdict=verdict, limit=limit)


def _read_limit(data: bytes) -> LimitOver | ConnectionsOver:
    expression = parse_expression(data)
    if not isinstance(expression, LimitOver | ConnectionsOver):
        raise ValueError(f"{expression}, not a limit")
    return expression


def parse_pieces(data: bytes) -> Iterator[Piece]:
    """The elements in a NFTA_SET_ELEM_LIST_ELEMENTS."""
    for _kind, element in attributes(data):
        yield parse_piece(element)


# --- elements of named sets -------------------------------------------------------------------------------------------------


SET_LIMITS: dict[SetType, LimitOver | ConnectionsOver] = {
    SetType.PACKET_RATE: LimitOver(1000, 5),
    SetType.CONNECTIONS: ConnectionsOver(1000),
}
"""What a set of limits declares, so that its elements may have limits of this kind; each has one of its own."""


def key_type(declaration: SetDeclaration) -> KeyType:
    if declaration.type in INTERFACE_TYPES:
        return KEY_IFNAME
    keys = [_field_key(field, declaration.family) for field in _fields(declaration)]
    if len(keys) == 1:
        return keys[0]
    number = 0
    for key in keys:
        number = number << 6 | key.number
    return KeyType(number, sum(map(_padded, keys)), _NONE)


def _fields(declaration: SetDeclaration) -> tuple[TupleField, ...]:
    return TUPLE_FIELDS.get(declaration.type, (TupleField.ADDRESS,))


def _field_key(field: TupleField, family: Family | None) -> KeyType:
    match field:
        case TupleField.PROTOCOL:
            return _KEY_PROTOCOL
        case TupleField.PORT:
            return KEY_PORT
        case TupleField.ADDRESS | TupleField.ICMP_TYPE:
            if family is None:
                raise ValueError(f"a set of {field} is of one family")
            return (KEY_ADDRESS if field is TupleField.ADDRESS else _KEY_ICMP_TYPE)[family]


def _padded(key: KeyType) -> int:
    return key.length + 3 & ~3


def element_pieces(element: Element) -> tuple[Piece, ...]:
    """The kernel's elements for one of ours, in the order in which it wants to be given them."""
    if isinstance(element, Address):
        return (Piece(element.packed),)
    if isinstance(element, Network):
        return interval(*network_bounds(element), len(element.packed))
    if isinstance(element, str):
        return (Piece(ifname_key(element)),)
    if isinstance(element, RateElement):
        return (Piece(ifname_key(element.interface), limit=LimitOver(element.per_second, element.burst)),)
    if isinstance(element, ConnectionsElement):
        return (Piece(ifname_key(element.interface), limit=ConnectionsOver(element.count)),)
    return (Piece(pack_tuple(element)),)


def read_elements(declaration: SetDeclaration, pieces: Iterable[Piece]) -> frozenset[Element]:
    """The elements that a set's pieces make up; UnknownElementError if they make up others."""
    if declaration.type is SetType.NETWORK:
        assert declaration.family is not None
        return frozenset(network_of(first, last, declaration.family) for first, last in read_intervals(pieces))
    if declaration.type in INTERFACE_TYPES:
        return frozenset(_read_interface(declaration.type, piece) for piece in pieces)
    is_tuples = declaration.type in TUPLE_FIELDS
    read: Callable[[bytes], Element] = _tuple_reader(declaration) if is_tuples else Address
    length = key_type(declaration).length
    found = []
    for piece in pieces:
        if piece.end or piece.verdict or piece.limit or len(piece.key) != length:
            raise UnknownElementError(piece.key.hex())
        found.append(read(piece.key))
    return frozenset(found)


def _read_interface(set_type: SetType, piece: Piece) -> Element:
    name = read_ifname(piece.key)
    match set_type, piece.limit:
        case SetType.INTERFACE, None if not piece.end and not piece.verdict:
            return name
        case SetType.PACKET_RATE, LimitOver(per_second, burst):
            return RateElement(name, per_second, burst)
        case SetType.CONNECTIONS, ConnectionsOver(count):
            return ConnectionsElement(name, count)
    raise UnknownElementError(str(piece))


def pack_tuple(element: TupleElement) -> bytes:
    """The key of a tuple. Of ports and ICMP types, both numbers, the latter stand first or after an address, and never a protocol."""
    if len(element) == 1:
        return _pack_value(element[0], _ONE_BYTE)
    has_protocol = any(isinstance(value, Protocol) for value in element)
    packed = [_pack_value(value, _TWO_BYTES if has_protocol else _ONE_BYTE) for value in element]
    return b"".join(part.ljust(len(part) + 3 & ~3, b"\0") for part in packed)


_ONE_BYTE, _TWO_BYTES = 1, 2


def _pack_value(value: Address | Protocol | int, length: int) -> bytes:
    if isinstance(value, Address):
        return value.packed
    return bytes([value.number]) if isinstance(value, Protocol) else value.to_bytes(length, "big")


def _tuple_reader(declaration: SetDeclaration) -> Callable[[bytes], Element]:
    """What reads the keys of a set of tuples."""
    readers = []
    at = 0
    for field in _fields(declaration):
        part = _field_key(field, declaration.family)
        readers.append((slice(at, at + part.length), _READERS[field]))
        at += _padded(part)
    return lambda key: tuple(read(key[part]) for part, read in readers)


_PROTOCOLS = tuple(map(Protocol, range(256)))
_READERS: dict[TupleField, Callable[[bytes], Address | Protocol | int]] = {
    TupleField.ADDRESS: Address,
    TupleField.PROTOCOL: lambda data: _PROTOCOLS[data[0]],
    TupleField.PORT: lambda data: int.from_bytes(data, "big"),
    TupleField.ICMP_TYPE: lambda data: data[0],
}


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
