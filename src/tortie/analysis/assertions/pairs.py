"""Assertions about sets of ends: what of all packets between them is asked, and what of it does not come out as asserted.

Asked in rows or columns, whichever are fewer, and of many all rows at once. A row is of one end's class and many others; what it lacks, or
has too much, is a set again.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from tortie.analysis.assertions.packets import translated
from tortie.analysis.assertions.sides import Part, Side
from tortie.analysis.ends import NamedEnd
from tortie.analysis.reach import allowed, space
from tortie.analysis.reach.allowed import Allowed
from tortie.analysis.reach.bits import members, of_members
from tortie.analysis.reach.matrix import exact
from tortie.analysis.reach.space import Region
from tortie.analysis.reach.state import Reach

_MANY = 64
"""From so many rows on, to work out those of everybody is cheaper than one by one."""


class Wrong(NamedTuple):
    """A pair of ends, and all packets for which an assertion about them does not hold."""

    source: NamedEnd
    destination: NamedEnd
    region: Region


class Found(NamedTuple):
    """What came of asking."""

    asked: int
    """Pairs of ends."""
    failing: int
    wrong: Iterator[Wrong]
    """Those that fail, made as they are looked at: there may be very many."""


class Pairs:
    """Of one state of a cluster."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach
        self._outside = reach.universe.places_outside
        self._hosts = {node: number for number, node in reach.population.hosts.items()}
        self._answers: dict[tuple[int, int, bool], Allowed] = {}

    def found(
        self, sources: Side, destinations: Side, region: Region, *, is_allow: bool, own: bool = False
    ) -> Iterator[Found]:
        """For each two parts of the sides. With *own* also what hosts send their own workloads, which nothing ever stops."""
        for one in sources.parts:
            for other in destinations.parts:
                yield self._of_parts(Asking(one, other), region, is_allow=is_allow, own=own)

    def required(self, asking: Asking, region: Region, *, own: bool = False) -> Iterator[tuple[int, Allowed]]:
        """What is asked, by each end of the side that is looked at: which packets with whom."""
        one, other = asking.row, asking.others
        region = translated(region, asking.destinations.ports)
        region = space.intersection(region, space.intersection(one.families, other.families))
        for number in members(one.numbers):
            others = other.numbers & ~self._unasked(number, one, other)
            if not own:
                others &= ~self._of_host(number, by_source=asking.by_source)
            required = exact(self._reach, number, allowed.collected([(region, others)]))
            if required:
                yield number, required

    def _of_parts(self, asking: Asking, region: Region, *, is_allow: bool, own: bool) -> Found:
        asked = failing = 0
        wrong: list[tuple[int, Allowed]] = []
        for number, required in self.required(asking, region, own=own):
            asked += asking.count(number, required)
            answer = self._rows[number] if asking.are_many else self._answer(number, asking)
            lacking = allowed.without(required, answer) if is_allow else allowed.both(required, answer)
            if lacking:
                failing += asking.count(number, lacking)
                wrong.append((number, lacking))
        return Found(asked, failing, asking.wrong(wrong))

    def _unasked(self, number: int, one: Part, other: Part) -> int:
        """Nobody asks what goes on outside, nor whether a workload reaches itself."""
        if self._outside >> number & 1:
            return self._outside
        both = other.numbers >> number & 1
        return 1 << number if both and one.named[number] == other.named[number] and len(one.named[number]) == 1 else 0

    def _of_host(self, number: int, *, by_source: bool) -> int:
        """A host's own workloads, or for them their host, if it sends."""
        if not self._hosts:
            return 0
        if by_source:
            node = self._reach.population.hosts.get(number)
            return self._local.get(node, 0) if node is not None else 0
        endpoint = self._reach.population.endpoints.get(number)
        host = None if endpoint is None else self._hosts.get(endpoint.node)
        return 0 if host is None else 1 << host

    @functools.cached_property
    def _local(self) -> Mapping[str, int]:
        """The workload classes on each node that is an end."""
        found: dict[str, list[int]] = {}
        for number, endpoint in self._reach.population.endpoints.items():
            found.setdefault(endpoint.node, []).append(number)
        return {node: of_members(numbers) for node, numbers in found.items()}

    def _answer(self, number: int, asking: Asking) -> Allowed:
        """Who of the others may send to an end or be sent to, and what."""
        key = number, asking.others.numbers, asking.by_source
        found = self._answers.get(key)
        if found is None:
            answer = self._reach.column if asking.by_source else self._reach.row
            found = self._answers[key] = exact(self._reach, number, answer(number, asking.others.numbers))
        return found

    @functools.cached_property
    def _rows(self) -> list[Allowed]:
        """Who can reach each end."""
        return [exact(self._reach, number, row) for number, row in enumerate(self._reach.rows())]


class Asking:
    """Two sets of ends, looked at from one of them: from the smaller one, or the destinations where both are large, unless that is said."""

    def __init__(self, sources: Part, destinations: Part, *, by_source: bool | None = None) -> None:
        senders, receivers = sources.numbers.bit_count(), destinations.numbers.bit_count()
        self.are_many = min(senders, receivers) >= _MANY
        self.by_source = (senders <= receivers and not self.are_many) if by_source is None else by_source
        self.destinations = destinations
        self.row, self.others = (sources, destinations) if self.by_source else (destinations, sources)
        self._once = of_members(number for number, named in self.others.named.items() if len(named) == 1)

    def count(self, number: int, cells: Allowed) -> int:
        """Between how many pairs of names something of *cells* is; none of them one and the same name."""
        ends, own = _ends(cells), self.row.named[number]
        found = len(own) * self._names(ends)
        if not ends >> number & 1:
            return found
        return found - len({end.name for end in own} & {end.name for end in self.others.named[number]})

    def _names(self, ends: int) -> int:
        several = members(ends & ~self._once)
        return (ends & self._once).bit_count() + sum(len(self.others.named[number]) for number in several)

    def wrong(self, found: list[tuple[int, Allowed]]) -> Iterator[Wrong]:
        """The pairs of names."""
        for number, cells in found:
            for other in members(_ends(cells)):
                region = allowed.region_of(cells, other)
                for one in self.row.named[number]:
                    for beside in self.others.named[other]:
                        if one.name != beside.name:
                            source, destination = (one, beside) if self.by_source else (beside, one)
                            yield Wrong(source, destination, region)


def _ends(cells: Allowed) -> int:
    return functools.reduce(int.__or__, (cell.ends for cell in cells), 0)
