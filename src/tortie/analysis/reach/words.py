"""Kinds of packets in words: ``TCP 80,443``, ``UDP 53``; ``all``; ``TCP 80 (IPv4)`` where both IP versions are asked and differ."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tortie.analysis.reach import space
from tortie.analysis.reach.space import Region
from tortie.net import ICMP_OF, SCTP, TCP, UDP, Family, Protocol

_NAMED = (TCP, UDP, SCTP)


class Words:
    """How regions are called in a cluster where *never* is stopped whatever policy says, so that nobody wants to read of it."""

    def __init__(self, never: Region) -> None:
        self._never = never
        self._possible = {family: _protocols(space.difference(space.OF_FAMILY[family], never)) for family in Family}
        self._known: dict[tuple[Region, Family], tuple[str, ...]] = {}

    def describe(self, region: Region, families: Sequence[Family]) -> tuple[str, ...]:
        """What *region* is in *families*, one text for each protocol; ``all`` if nothing is missing."""
        by_family = {family: self._kept(region, family) for family in families}
        texts = list(dict.fromkeys(text for of_family in by_family.values() for text in of_family))
        return tuple(_with_families(text, [f for f in families if text in by_family[f]], families) for text in texts)

    def _kept(self, region: Region, family: Family) -> tuple[str, ...]:
        of_family = space.intersection(region, space.OF_FAMILY[family])
        found = self._known.get((of_family, family))
        if found is None:
            found = self._known[of_family, family] = tuple(self._of_family(of_family, family))
        return found

    def _of_family(self, region: Region, family: Family) -> Iterator[str]:
        if not region:
            return
        missing = space.difference(space.OF_FAMILY[family], space.union(region, self._never))
        if not missing:
            yield "all"
            return
        whole = self._possible[family] - _protocols(missing)
        told = (*_NAMED, ICMP_OF[family])
        for protocol in told:
            yield from (str(protocol),) if protocol.number in whole else _of_protocol(region, protocol, family)
        named = {protocol.number for protocol in told}
        if whole - named == self._possible[family] - named:
            yield "other protocols"
        elif whole - named:
            yield f"protocol {','.join(_ranges(sorted(whole - named)))}"


def _protocols(region: Region) -> frozenset[int]:
    """The numbers of the protocols that a region, of one family, has something of."""
    bounds = zip(region[::2], region[1::2], strict=True)
    return frozenset(number & 255 for start, end in bounds for number in range(start >> 16, ((end - 1) >> 16) + 1))


def _of_protocol(region: Region, protocol: Protocol, family: Family) -> Iterator[str]:
    """The ports or types of a protocol, not all of which are there."""
    block = space.intersection(space.of_protocol(protocol), space.OF_FAMILY[family])
    within = space.intersection(region, block)
    bounds = [(start - block[0], end - 1 - block[0]) for start, end in zip(within[::2], within[1::2], strict=True)]
    if bounds and not protocol.has_ports:
        yield f"{protocol} type {','.join(_icmp_types(bounds))}"
    elif bounds:
        yield f"{protocol} {','.join(_range(first, last) for first, last in bounds)}"


def _with_families(text: str, found: Sequence[Family], asked: Sequence[Family]) -> str:
    """ICMP says of which IP version it is by itself."""
    if len(found) == len(asked) or text.startswith("ICMP"):
        return text
    return f"{text} (IPv{found[0]})"


def _icmp_types(bounds: Sequence[tuple[int, int]]) -> Iterator[str]:
    """``8``, ``8-10``, and with a slash codes of a type: ``3/1``."""
    for start, last in bounds:
        first = start
        while first <= last:
            type_, code = first >> 8, first & 255
            if code == 0 and last - first >= 255:
                whole = (last - first + 1) >> 8
                yield _range(type_, type_ + whole - 1)
                first += whole << 8
            else:
                end = min(last, type_ << 8 | 255)
                yield f"{type_}/{_range(code, end & 255)}"
                first = end + 1


def _ranges(numbers: Sequence[int]) -> Iterator[str]:
    at = 0
    while at < len(numbers):
        end = at
        while end + 1 < len(numbers) and numbers[end + 1] == numbers[end] + 1:
            end += 1
        yield _range(numbers[at], numbers[end])
        at = end + 1


def _range(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}-{last}"
