"""Which of many other ends are let through, by kind of packet: cells of disjoint regions, each with the ends that are.

What no cell covers is let through for nobody. The operations keep cells few: equal sets of ends are one cell.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, TypeAlias

from tortie.analysis.reach import space
from tortie.analysis.reach.space import Region


class Cell(NamedTuple):
    """Packets of a region, with all of these ends."""

    region: Region
    ends: int


Allowed: TypeAlias = tuple[Cell, ...]
"""Cells of disjoint regions, no two with the same ends and none without any, ordered by region: equal answers are equal values."""

NOBODY: Allowed = ()


def everything(ends: int) -> Allowed:
    return (Cell(space.EVERYTHING, ends),) if ends else NOBODY


def collected(cells: Iterable[tuple[Region, int]]) -> Allowed:
    """Cells of disjoint regions in their one form."""
    by_ends: dict[int, list[Region]] = {}
    for region, ends in cells:
        if ends and region:
            by_ends.setdefault(ends, []).append(region)
    merged = (Cell(r[0] if len(r) == 1 else space.union_of(r), ends) for ends, r in by_ends.items())
    return tuple(sorted(merged))


def of_overlapping(pairs: Iterable[tuple[Region, int]]) -> Allowed:
    """The union of pairs whose regions may overlap."""
    pairs = tuple(pairs)
    cut = space.partition(frozenset(region for region, _ in pairs))
    ends = [0] * len(cut.parts)
    for region, of_region in pairs:
        for part in cut.parts_of[region]:
            ends[part] |= of_region
    return collected(zip(cut.parts, ends, strict=True))


def both(one: Allowed, other: Allowed) -> Allowed:
    """What *one* and *other* let through."""
    if len(one) == 1 and one[0].region == space.EVERYTHING:
        return among(other, one[0].ends)
    if len(other) == 1 and other[0].region == space.EVERYTHING:
        return among(one, other[0].ends)
    return collected(
        (space.intersection(region, beside), ends & there)
        for region, ends in one
        for beside, there in other
        if ends & there
    )


def either(*alternatives: Allowed) -> Allowed:
    """What any of *alternatives* lets through."""
    some = [allowed for allowed in alternatives if allowed]
    return some[0] if len(some) == 1 else of_overlapping(cell for allowed in some for cell in allowed)


def among(allowed: Allowed, ends: int) -> Allowed:
    """The part of *allowed* that is with *ends*."""
    return collected((region, having & ends) for region, having in allowed)


def within(allowed: Allowed, region: Region) -> Allowed:
    """The part of *allowed* that is of *region*."""
    return collected((space.intersection(having, region), ends) for having, ends in allowed)


def without(one: Allowed, other: Allowed) -> Allowed:
    """What *one* lets through and *other* does not."""
    if not other:
        return one
    cut = space.partition(frozenset(cell.region for cell in (*one, *other)))
    ends = [0] * len(cut.parts)
    for cell in one:
        for part in cut.parts_of[cell.region]:
            ends[part] = cell.ends
    for cell in other:
        for part in cut.parts_of[cell.region]:
            ends[part] &= ~cell.ends
    return collected(zip(cut.parts, ends, strict=True))


def region_of(allowed: Allowed, end: int) -> Region:
    """The kinds of packets that are let through with one end."""
    return space.union_of(region for region, ends in allowed if ends >> end & 1)
