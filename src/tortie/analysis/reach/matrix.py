"""The answer for people and programs: groups of ends with equal answers, and what may pass from group to group.

Two ends are of one group if the same ends can reach them with the same, and they can reach the same ends with the same. For places
outside a group is also put into few words.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from tortie.analysis.reach import allowed, space
from tortie.analysis.reach.allowed import Allowed, Cell
from tortie.analysis.reach.bits import columns, members, of_members
from tortie.analysis.reach.places import Place
from tortie.analysis.reach.services import ServiceAnswer, Unlisted, services
from tortie.analysis.reach.space import Region
from tortie.analysis.reach.state import Reach
from tortie.analysis.reach.universe import Universe
from tortie.analysis.reach.words import Words
from tortie.net import Family, Network


class Group(NamedTuple):
    """Ends with equal answers."""

    name: str
    """In few words; unique."""
    members: tuple[str, ...]
    """``namespace/workload``, ``host:NODE``, or networks outside, sorted."""
    is_outside: bool
    is_host: bool
    families: tuple[Family, ...]
    """That its members have addresses of; of those without any both."""


class Connection(NamedTuple):
    """What may pass from some groups to one; they may be one and the same: then between its members."""

    sources: tuple[int, ...]
    destination: int
    packets: tuple[str, ...]
    """In words; never empty."""


class ServiceConnection(NamedTuple):
    """Who can reach a service at one of its ports: groups, by number."""

    service: str
    port: str
    every: tuple[int, ...]
    """All members reach all of its workloads."""
    some: tuple[int, ...]
    """Some members reach, or reach some of its workloads only."""


class Matrix(NamedTuple):
    """Who can reach whom."""

    groups: tuple[Group, ...]
    connections: tuple[Connection, ...]
    """By destination, then sources, by number."""
    services: tuple[ServiceConnection, ...]


def connectivity(reach: Reach, unlisted: Iterable[Unlisted] = ()) -> Matrix:
    """The answer for one state of a cluster; *unlisted* are those behind services whom no slice lists."""
    whole = reach.rows()
    rows = [exact(reach, number, row) for number, row in enumerate(whole)]
    numbered = {ends: number for number, ends in enumerate(dict.fromkeys(ends for row in rows for _, ends in row))}
    in_sets = columns([(ends, 1 << number) for ends, number in numbered.items()], reach.population.count)
    grouped = sorted(
        _grouped(reach, rows, in_sets), key=lambda pair: (pair[0].is_outside, pair[0].is_host, pair[0].name)
    )
    of_sets = columns([(in_sets[ends[0]], 1 << rank) for rank, (_, ends) in enumerate(grouped)], len(numbered))
    groups = tuple(group for group, _ in grouped)
    having_families = {
        families: of_members(rank for rank, group in enumerate(groups) if group.families == families)
        for families in {group.families for group in groups}
    }
    words = words_of(reach)
    found: list[Connection] = []
    for rank, (_, ends) in enumerate(grouped):
        alone = 1 << rank if len(groups[rank].members) == 1 and not groups[rank].is_outside else 0
        row = tuple(Cell(region, of_sets[numbered[sources]] & ~alone) for region, sources in rows[ends[0]])
        found += _connections(rank, row, groups, having_families, words)
    ends = [of_members(numbers) for _, numbers in grouped]
    answers = tuple(_service(answer, ends) for answer in services(reach, whole, unlisted))
    return Matrix(groups, tuple(found), answers)


def _service(answer: ServiceAnswer, ends: Sequence[int]) -> ServiceConnection:
    every = tuple(rank for rank, of_group in enumerate(ends) if not of_group & ~answer.every)
    reaching = answer.every | answer.some
    some = tuple(rank for rank, of_group in enumerate(ends) if of_group & reaching and rank not in every)
    return ServiceConnection(answer.service, answer.port, every, some)


def exact(reach: Reach, number: int, row: Allowed) -> Allowed:
    """A row of end *number*, without what it says of families that the two ends do not both have."""
    v4, v6 = reach.population.having
    if v4 >> number & v6 >> number & 1 and all(not ends & ~(v4 & v6) for _, ends in row):
        return row
    return allowed.either(
        *(
            allowed.among(allowed.within(row, space.OF_FAMILY[family]), having)
            for family, having in zip(Family, (v4, v6), strict=True)
            if having >> number & 1
        )
    )


def _grouped(reach: Reach, rows: Sequence[Allowed], in_sets: Sequence[int]) -> Iterator[tuple[Group, list[int]]]:
    """The groups, and the numbers of their ends. *in_sets* says of every end in which sources' sets it is."""
    known: dict[Allowed, int] = {}
    by_answers: dict[tuple[int, int, bool, bool, tuple[Family, ...]], list[int]] = {}
    for number, row in enumerate(rows):
        is_outside, is_host = bool(reach.universe.places_outside >> number & 1), number in reach.population.hosts
        if is_outside or is_host or reach.population.present >> number & 1:
            of_row = known.setdefault(row, len(known))
            key = of_row, in_sets[number], is_outside, is_host, families_of(reach, number)
            by_answers.setdefault(key, []).append(number)
    for (_, _, is_outside, is_host, families), ends in by_answers.items():
        names = members_of(reach.universe, of_members(ends))
        yield Group(name_of(names), names, is_outside, is_host, families), ends


def _connections(
    destination: int,
    row: Allowed,
    groups: Sequence[Group],
    having_families: Mapping[tuple[Family, ...], int],
    words: Words,
) -> Iterator[Connection]:
    """A row of groups in words; what is the same in words is one connection, though families that no end has may tell them apart."""
    by_packets: dict[tuple[str, ...], int] = {}
    for region, sources in by_sources(row):
        for families, having in having_families.items():
            common = tuple(family for family in families if family in groups[destination].families)
            packets = words.describe(region, common) if sources & having else ()
            if packets:
                by_packets[packets] = by_packets.get(packets, 0) | (sources & having)
    yield from sorted(Connection(tuple(members(s)), destination, packets) for packets, s in by_packets.items())


def by_sources(row: Allowed) -> Iterator[Cell]:
    """For every part of the sources all that may pass from it; the cells of a row may be of the same sources in part."""
    parts: list[tuple[int, list[Region]]] = []
    for region, sources in row:
        split: list[tuple[int, list[Region]]] = []
        left = sources
        for having, regions in parts:
            if inside := having & sources:
                split.append((inside, [*regions, region]))
            if beside := having & ~sources:
                split.append((beside, regions))
            left &= ~having
        if left:
            split.append((left, [region]))
        parts = split
    for sources, regions in parts:
        yield Cell(space.union_of(regions), sources)


def words_of(reach: Reach) -> Words:
    """The words for a cluster: what every host stops anyway is not told."""
    unsent = {context.unsent for context in reach.population.contexts.values()}
    never = functools.reduce(space.intersection, unsent) if unsent else space.NOTHING
    return Words(never)


# --- who they are ---------------------------------------------------------------------------------------------------------


def families_of(reach: Reach, number: int) -> tuple[Family, ...]:
    """The families that an end has an address of."""
    having = zip(Family, reach.population.having, strict=True)
    return tuple(family for family, ends in having if ends >> number & 1)


def members_of(universe: Universe, ends: int) -> tuple[str, ...]:
    """Who some ends are: workloads, then hosts, then networks outside."""
    outside = list(members(ends & universe.places_outside))
    return (
        *workload_members(universe, members(ends & universe.workloads)),
        *host_members(universe, members(ends & universe.all_hosts)),
        *(outside_members(universe, outside) if outside else ()),
    )


def host_members(universe: Universe, numbers: Iterable[int]) -> tuple[str, ...]:
    """``host:NODE`` for each."""
    first = len(universe.classes) + len(universe.outside)
    return tuple(f"host:{universe.hosts[number - first]}" for number in numbers)


def workload_members(universe: Universe, numbers: Iterable[int]) -> tuple[str, ...]:
    """The names of the workloads of some classes."""
    return tuple(sorted(name for number in numbers for name in universe.classes[number].names))


def outside_members(universe: Universe, numbers: Iterable[int]) -> tuple[str, ...]:
    """Places outside in few words: one inside another of the same group is not told, nor what of them is the cluster's own."""
    ends = (universe.outside[number - len(universe.classes)] for number in numbers)
    places = {place.network: place for place in ends}
    absorbed: set[Network] = set()

    def holes(place: Place) -> Iterator[Network]:
        for hole in place.holes:
            if hole in places:
                absorbed.add(hole)
            inner = places.get(hole) or universe.own.get(hole)
            if inner is None:
                yield hole
            else:
                yield from holes(inner)

    told = [Place(place.network, tuple(holes(place))) for place in places.values()]
    return tuple(str(place) for place in told if place.network not in absorbed)


def name_of(names: Sequence[str]) -> str:
    """The first members, and how many more there are."""
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
