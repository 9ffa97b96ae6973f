"""Kinds of packets as points on a line, and sets of them as intervals: protocols, ports, ICMP types and codes of both families.

    point = family | protocol | low        low: the destination port, or ICMP type and code, or nothing: then the whole block counts as one

A region is a tuple of boundaries, ``(start, end, start, end, ...)``, ascending, each pair half open, none touching the next. So equal
sets are equal values, and a union over a protocol's ports, a range, or everything are all short.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable
from typing import TypeAlias

from tortie.net import ICMP_OF, SCTP, TCP, UDP, Family, Protocol

Region: TypeAlias = tuple[int, ...]

_BLOCK = 1 << 16
"""The points of one protocol."""
_FAMILY = 1 << 24
_OFFSET = {Family.V4: 0, Family.V6: _FAMILY}

NOTHING: Region = ()
EVERYTHING: Region = (0, 2 * _FAMILY)
OF_FAMILY = {family: (offset, offset + _FAMILY) for family, offset in _OFFSET.items()}

WITH_PORTS = (TCP, UDP, SCTP)


# --- making ----------------------------------------------------------------------------------------------------------------


def of_protocol(protocol: Protocol, first: int = 0, last: int = _BLOCK - 1) -> Region:
    """A protocol in both families; of one with ports those from *first* to *last*."""
    starts = (offset + (protocol.number << 16) for offset in _OFFSET.values())
    return tuple(bound for start in starts for bound in (start + first, start + last + 1))


def of_ports(protocols: Iterable[Protocol], ranges: Iterable[tuple[int, int]]) -> Region:
    """Ranges of ports, both ends included, of several protocols."""
    ranges = tuple(ranges)
    return union_of(of_protocol(protocol, first, last) for protocol in protocols for first, last in ranges)


@functools.cache
def of_icmp(type_: int | None = None, code: int | None = None) -> Region:
    """ICMP in IPv4 and ICMPv6 in IPv6: of one type and code, of a type whatever its code, or all."""
    first, size = (0, _BLOCK) if type_ is None else (type_ << 8, 256) if code is None else (type_ << 8 | code, 1)
    starts = (_OFFSET[family] + (protocol.number << 16) + first for family, protocol in ICMP_OF.items())
    return tuple(bound for start in starts for bound in (start, start + size))


def point(family: Family, protocol: Protocol, port: int | None, icmp: tuple[int, int] | None) -> int:
    """Where on the line a packet is; *icmp* is its type and code, if it is of the family's ICMP."""
    low = icmp[0] << 8 | icmp[1] if icmp is not None else (port or 0) if protocol.has_ports else 0
    return _OFFSET[family] + (protocol.number << 16) + low


# --- sets ------------------------------------------------------------------------------------------------------------------


def complement(region: Region) -> Region:
    start, end = EVERYTHING
    head = region[1:] if region and region[0] == start else (start, *region)
    return head[:-1] if head[-1] == end else (*head, end)


@functools.lru_cache(maxsize=1 << 17)
def intersection(one: Region, other: Region) -> Region:
    if one == EVERYTHING or not other:
        return other
    if other == EVERYTHING or not one:
        return one
    found: list[int] = []
    at, beside = 0, 0
    while at < len(one) and beside < len(other):
        start, end = max(one[at], other[beside]), min(one[at + 1], other[beside + 1])
        if start < end:
            found += (start, end)
        if one[at + 1] < other[beside + 1]:
            at += 2
        else:
            beside += 2
    return tuple(found)


def difference(one: Region, other: Region) -> Region:
    return intersection(one, complement(other)) if other else one


def union(one: Region, other: Region) -> Region:
    return union_of((one, other))


def union_of(regions: Iterable[Region]) -> Region:
    pairs = sorted(pair for region in regions for pair in zip(region[::2], region[1::2], strict=True))
    found: list[int] = []
    for start, end in pairs:
        if found and start <= found[-1]:
            found[-1] = max(found[-1], end)
        else:
            found += (start, end)
    return tuple(found)


def contains(region: Region, at: int) -> bool:
    return any(start <= at < end for start, end in zip(region[::2], region[1::2], strict=True))


# --- cutting several of them into parts ------------------------------------------------------------------------------------


class Partition:
    """The line in as few parts as will do for every one of some regions to be made of whole parts."""

    __slots__ = ("parts", "parts_of")

    parts: tuple[Region, ...]
    """Disjoint, together everything, by their first point."""
    parts_of: dict[Region, tuple[int, ...]]
    """Which parts a region is made of."""

    def __init__(self, regions: Iterable[Region]) -> None:
        known = sorted(set(regions))
        turns: dict[int, int] = {EVERYTHING[0]: 0, EVERYTHING[1]: 0}
        for number, region in enumerate(known):
            for bound in region:
                turns[bound] = turns.get(bound, 0) ^ (1 << number)
        pieces: dict[int, list[int]] = {}
        within, bounds = 0, sorted(turns)
        for start, end in itertools.pairwise(bounds):
            within ^= turns[start]
            piece = pieces.setdefault(within, [])
            if piece and piece[-1] == start:
                piece[-1] = end
            else:
                piece += (start, end)
        self.parts = tuple(tuple(piece) for piece in pieces.values())
        self.parts_of = {
            region: tuple(part for part, within in enumerate(pieces) if within >> number & 1)
            for number, region in enumerate(known)
        }


@functools.lru_cache(maxsize=1 << 14)
def partition(regions: frozenset[Region]) -> Partition:
    """The same for the same regions."""
    return Partition(regions)
