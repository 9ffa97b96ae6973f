"""Who can reach whom in one state of a cluster: for every end the ends that can reach it, by kind of packet.

    egress of every source   ── turned around: who gets out to each destination ──┐
                                                                                  ├─► both: a row of the answer
    ingress of a destination ─────────────────────────────────────────────────────┘

Asked is the first packet of a new connection, from one source port (``EPHEMERAL_PORT``), by workloads, by hosts that are ends, and from
and to outside. Ends outside have no policy of their own, and what goes on between them is not asked. A workload always reaches itself, as
does a host; what a row says of a class and itself is between two workloads of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from tortie.analysis.ends import EPHEMERAL_PORT
from tortie.analysis.reach import allowed, space
from tortie.analysis.reach.allowed import NOBODY, Allowed, Cell, everything
from tortie.analysis.reach.bits import columns, members, of_members
from tortie.analysis.reach.crossing import Crossing
from tortie.analysis.reach.policies import PolicyBook
from tortie.analysis.reach.population import Population
from tortie.analysis.reach.space import Region
from tortie.analysis.reach.universe import Universe
from tortie.model.policy import Direction
from tortie.net import Family


class Base(NamedTuple):
    """Another state from which one differs in policies only, and for whom they may differ: the others' halves are the same."""

    reach: Reach
    affected: Mapping[Direction, int]


class Reach:
    """Answers about one state; what is asked is worked out when it is asked first, and kept."""

    def __init__(
        self, universe: Universe, index: int = 0, source_port: int = EPHEMERAL_PORT, base: Base | None = None
    ) -> None:
        self.universe = universe
        self.population: Population = universe.states[index]
        self.book = PolicyBook(self.population, source_port)
        self._workloads = self.population.present
        self._hosts = of_members(self.population.hosts)
        self._outside = universe.places_outside
        self.live = self._live()
        self._of_outside = allowed.within(everything(self._workloads | self._hosts), self.live)
        self._crossing = Crossing(self.book, self.live, source_port)
        self._base = base
        self._halves: dict[Direction, dict[int, Allowed]] = {direction: {} for direction in Direction}
        self._grouped: dict[tuple[Direction, int], list[tuple[Allowed, int]]] = {}

    def _live(self) -> Region:
        """What can be asked at all: the families that any workload or host has."""
        having = zip(Family, self.population.having, strict=True)
        return space.union_of(
            space.OF_FAMILY[family] for family, ends in having if ends & (self._workloads | self._hosts)
        )

    # --- the halves ---------------------------------------------------------------------------------------------------------

    def egress(self, number: int) -> Allowed:
        """Whom end *number* can send to, as far as its own host is concerned."""
        return self._half(Direction.EGRESS, number)

    def ingress(self, number: int) -> Allowed:
        """From whom end *number* can receive, as far as its own host is concerned."""
        return self._half(Direction.INGRESS, number)

    def _half(self, direction: Direction, number: int) -> Allowed:
        known = self._halves[direction]
        found = known.get(number)
        if found is None:
            found = known[number] = self._made(direction, number)
        return found

    def _made(self, direction: Direction, number: int) -> Allowed:
        if self._base is not None and not self._base.affected[direction] >> number & 1:
            return self._base.reach._half(direction, number)
        if (self._workloads | self._hosts) >> number & 1:
            return self._crossing.half(direction, number)
        return self._as_outside(number)

    def _as_outside(self, number: int) -> Allowed:
        """Nothing of its own is asked there, and the other end is of the cluster; of a workload or host that is not there, nothing."""
        return self._of_outside if self._outside >> number & 1 else NOBODY

    # --- whole answers --------------------------------------------------------------------------------------------------------

    def rows(self) -> list[Allowed]:
        """For every end by number, as destination, who can reach it with what."""
        made: dict[tuple[int, tuple[Cell, ...]], Allowed] = {}
        found = []
        for number, column in enumerate(self._turned()):
            ingress = self.ingress(number)
            key = id(ingress), column
            if key not in made:
                made[key] = allowed.both(allowed.of_overlapping(column), ingress) if column and ingress else NOBODY
            found.append(made[key])
        return found

    def _turned(self) -> list[tuple[Cell, ...]]:
        """For every end by number who gets out to it; cells whose regions may overlap."""
        by_region: dict[Region, dict[int, int]] = {}
        for egress, together in self._by_half(Direction.EGRESS, self.population.everybody):
            for region, ends in egress:
                by_ends = by_region.setdefault(region, {})
                by_ends[ends] = by_ends.get(ends, 0) | together
        found: list[list[Cell]] = [[] for _ in range(self.population.count)]
        for region, by_ends in sorted(by_region.items()):
            for column, ends in zip(found, columns(list(by_ends.items()), self.population.count), strict=True):
                if ends:
                    column.append(Cell(region, ends))
        return [tuple(column) for column in found]

    # --- parts of them --------------------------------------------------------------------------------------------------------

    def row(self, destination: int, among: int) -> Allowed:
        """Who of *among* can reach one end."""
        return self._with(Direction.INGRESS, destination, Direction.EGRESS, among)

    def column(self, source: int, among: int) -> Allowed:
        """Whom of *among* one end can reach."""
        return self._with(Direction.EGRESS, source, Direction.INGRESS, among)

    def sent_to(self, destination: int, among: int) -> Allowed:
        """Who of *among* gets out to one end, whatever that lets in."""
        return self._theirs(Direction.EGRESS, destination, among)

    def sent(self) -> list[Allowed]:
        """The same for every end by number, and of everybody."""
        made: dict[tuple[Cell, ...], Allowed] = {(): NOBODY}
        for column in (turned := self._turned()):
            if column not in made:
                made[column] = allowed.of_overlapping(column)
        return [made[column] for column in turned]

    def _with(self, own: Direction, number: int, theirs: Direction, among: int) -> Allowed:
        """What one end and *among* let through in both halves: the end's *own*, and *theirs*."""
        return allowed.both(self._theirs(theirs, number, among), allowed.among(self._half(own, number), among))

    def _theirs(self, direction: Direction, number: int, among: int) -> Allowed:
        """What *among* let through in one half, with one end."""
        opposite = [
            (region, together)
            for half, together in self._together(direction, among)
            for region, ends in half
            if ends >> number & 1
        ]
        return allowed.of_overlapping(opposite)

    def _together(self, direction: Direction, among: int) -> list[tuple[Allowed, int]]:
        """Some ends, those together that have the same half."""
        found = self._grouped.get((direction, among))
        if found is None:
            self._prepare(direction, among)
            found = self._grouped[direction, among] = self._by_half(direction, among)
        return found

    def _by_half(self, direction: Direction, among: int) -> list[tuple[Allowed, int]]:
        """By its identity: a half is one value where it is the same."""
        by_value: dict[int, tuple[Allowed, list[int]]] = {}
        for number in members(among):
            half = self._half(direction, number)
            by_value.setdefault(id(half), (half, []))[1].append(number)
        return [(half, of_members(numbers)) for half, numbers in by_value.values()]

    def _prepare(self, direction: Direction, among: int) -> None:
        reach = self if self._base is None else self._base.reach
        reach.book.prepare(direction, among & self.population.present)

    def region(self, source: int, destination: int) -> Region:
        """What may pass from one end to another, in the families that both have."""
        found = space.intersection(
            allowed.region_of(self.egress(source), destination), allowed.region_of(self.ingress(destination), source)
        )
        return space.intersection(found, self.common(source, destination))

    def common(self, source: int, destination: int) -> Region:
        """The families in which two ends can meet."""
        having = zip(Family, self.population.having, strict=True)
        return space.union_of(
            space.OF_FAMILY[family] for family, ends in having if ends >> source & ends >> destination & 1
        )
