"""What a change of a cluster means for who can reach whom: which ends gain or lose which kinds of packets, and through what.

Only those are looked at for whom it may not be the same (``states``): of a destination that lets in other packets, the sources that are
in what is not the same; of a source that sends others, the destinations; and of both halves always as they are together, since what
one end gains may be stopped by the other.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import NamedTuple

from tortie.analysis.reach import allowed
from tortie.analysis.reach.allowed import NOBODY, Allowed, Cell
from tortie.analysis.reach.bits import members, of_members
from tortie.analysis.reach.matrix import by_sources, exact, members_of, words_of
from tortie.analysis.reach.program import Side
from tortie.analysis.reach.space import Region
from tortie.analysis.reach.state import Reach
from tortie.analysis.reach.states import States
from tortie.model.endpoint import HostEndpoint
from tortie.model.kinds import ResourceKey
from tortie.model.policy import Direction
from tortie.net import Family
from tortie.verdict.order import reference
from tortie.verdict.refs import PolicyRef
from tortie.verdict.scope import governs

_SAMPLES = 32
"""Of how many ends on either side it is told through what they changed."""


class Change(NamedTuple):
    """What some ends gain or lose with some others."""

    gained: bool
    sources: tuple[str, ...]
    """Workloads, then networks outside."""
    destinations: tuple[str, ...]
    packets: tuple[str, ...]
    """In words; never empty."""
    because: tuple[str, ...]
    """The objects through whose change it is so."""


class Pairs(NamedTuple):
    """The same as sets."""

    gained: bool
    sources: int
    destinations: int
    region: Region


def difference(states: States) -> tuple[Change, ...]:
    """All that is not the same, what is gained first; empty if nothing is."""
    describing = _Describing(states)
    by_packets: dict[tuple[bool, int, tuple[str, ...], tuple[str, ...]], int] = {}
    for pairs in changed_pairs(states):
        because = describing.because(pairs)
        for sources, destinations, packets in describing.packets(pairs):
            key = pairs.gained, destinations, packets, because
            by_packets[key] = by_packets.get(key, 0) | sources
    changes = (
        Change(gained, describing.names(sources), describing.names(destinations), packets, because)
        for (gained, destinations, packets, because), sources in by_packets.items()
    )
    return tuple(sorted(changes, key=lambda c: (not c.gained, c.destinations, c.sources, c.packets)))


def changed_pairs(states: States) -> Iterator[Pairs]:
    """What is gained and lost; every pair of ends and kind of packet at most once."""
    rows: dict[tuple[bool, Cell], int] = {}
    columns: dict[tuple[bool, Cell], int] = {}
    for number in members(states.ingress):
        _collect(rows, number, _row_changes(states, number))
    for number in members(states.egress):
        _collect(columns, number, _column_changes(states, number))
    for (gained, cell), ends in rows.items():
        yield Pairs(gained, cell.ends, ends, cell.region)
    for (gained, cell), ends in columns.items():
        yield Pairs(gained, ends, cell.ends, cell.region)


def _collect(known: dict[tuple[bool, Cell], int], number: int, changes: tuple[Allowed, Allowed]) -> None:
    for gained, allowed_then in zip((True, False), changes, strict=True):
        for cell in by_sources(allowed_then):
            known[gained, cell] = known.get((gained, cell), 0) | 1 << number


def _row_changes(states: States, number: int) -> tuple[Allowed, Allowed]:
    """What a destination gains and loses."""
    among = _touched(states, number, Reach.ingress) | states.egress
    return _changes(states, number, among, Reach.row)


def _column_changes(states: States, number: int) -> tuple[Allowed, Allowed]:
    """What a source gains and loses with destinations whose rows are not looked at."""
    among = _touched(states, number, Reach.egress) & ~states.ingress
    return _changes(states, number, among, Reach.column)


def _changes(
    states: States, number: int, among: int, answer: Callable[[Reach, int, int], Allowed]
) -> tuple[Allowed, Allowed]:
    among &= ~_alone(states, number)
    if not among:
        return NOBODY, NOBODY
    before, after = (exact(reach, number, answer(reach, number, among)) for reach in (states.before, states.after))
    return allowed.without(after, before), allowed.without(before, after)


def _alone(states: States, number: int) -> int:
    """A host, or a workload that is the only one of its class: what would be between two of them is nothing that can be."""
    classes = states.after.universe.classes
    is_alone = (
        len(classes[number].names) == 1 if number < len(classes) else states.after.universe.all_hosts >> number & 1
    )
    return 1 << number if is_alone else 0


def _touched(states: States, number: int, half: Callable[[Reach, int], Allowed]) -> int:
    """The other ends for which a half may not be the same: all, if it is of an end that is not the same itself."""
    if states.remade >> number & 1:
        return states.after.universe.everybody
    one, other = half(states.before, number), half(states.after, number)
    found = 0
    if one != other:
        for cell in (*allowed.without(one, other), *allowed.without(other, one)):
            found |= cell.ends
    return found


# --- in words ---------------------------------------------------------------------------------------------------------------


class _Describing:
    """Puts pairs into words, and finds through what they changed."""

    def __init__(self, states: States) -> None:
        self._states = states
        self._words = words_of(states.after)
        self._policies = {PolicyRef(key.kind.name, key.namespace, key.name): key for key in states.changed}

    def packets(self, pairs: Pairs) -> Iterator[tuple[int, int, tuple[str, ...]]]:
        """Sources, destinations, and in words what passes or passed: apart where they have other families in common."""
        reach = self._states.after if pairs.gained else self._states.before
        for families, destinations in self._by_families(pairs.destinations, reach):
            for having, sources in self._by_families(pairs.sources, reach):
                packets = self._words.describe(pairs.region, [family for family in families if family in having])
                if packets:
                    yield sources, destinations, packets

    @staticmethod
    def _by_families(ends: int, reach: Reach) -> Iterator[tuple[tuple[Family, ...], int]]:
        v4, v6 = reach.population.having
        both = (Family.V4, Family.V6)
        for families, having in ((both, v4 & v6), (both[:1], v4 & ~v6), (both[1:], v6 & ~v4)):
            if ends & having:
                yield families, ends & having

    def names(self, ends: int) -> tuple[str, ...]:
        return members_of(self._states.after.universe, ends)

    # --- through what -------------------------------------------------------------------------------------------------------

    def because(self, pairs: Pairs) -> tuple[str, ...]:
        """The changed objects through which some of the pairs are what they are."""
        if len(self._states.changed) == 1:
            return tuple(map(str, self._states.changed))
        sources, destinations = _some(pairs.sources), _some(pairs.destinations)
        for reach in (self._states.before, self._states.after):
            reach.book.prepare(Direction.EGRESS, of_members(sources) & reach.population.present)
            reach.book.prepare(Direction.INGRESS, of_members(destinations) & reach.population.present)
        asked = {(source, destinations[0]) for source in sources} | {(sources[0], end) for end in destinations}
        found = {key for source, end in asked for key in self._causes(source, end, pairs.region[0])}
        return tuple(sorted(map(str, found or self._states.changed)))

    def _causes(self, source: int, destination: int, at: int) -> set[ResourceKey]:
        """What has changed of what decides between two ends, before and after; failing that, of the ends themselves."""
        sides = ((Side(source, is_source=True), destination), (Side(destination, is_source=False), source))
        found: set[ResourceKey] = set()
        for reach in (self._states.before, self._states.after):
            for side, other in sides:
                if reach.population.present >> side.number & 1:
                    found.update(self._deciding(reach, side, other, at))
                elif side.number in reach.population.hosts:
                    found.update(self._governing(reach, reach.population.hosts[side.number]))
        return found or {key for key in self._states.changed if self._is_of(key, (source, destination))}

    def _deciding(self, reach: Reach, side: Side, other: int, at: int) -> Iterator[ResourceKey]:
        """The policy that decides, if it has changed; where a tier's end does, those of it that govern the end and have changed."""
        decider = reach.book.decider(side, other, at)
        if isinstance(decider, PolicyRef):
            yield from (self._policies[decider],) if decider in self._policies else ()
            return
        for number in reach.book.program(side.number, side.direction).policies:
            tier, policy = reach.book.ranked[number]
            if (
                reach.book.tiers[tier].name == decider
                and (changed := self._policies.get(reference(policy))) is not None
            ):
                yield changed

    def _governing(self, reach: Reach, node: str) -> Iterator[ResourceKey]:
        """The changed policies that govern a host endpoint of a host."""
        own = [endpoint for endpoint in reach.population.cluster.host_endpoints if endpoint.node == node]
        for _, policy in reach.book.ranked:
            changed = self._policies.get(reference(policy))
            if changed is not None and any(governs(policy, endpoint.labels) for endpoint in own):
                yield changed

    def _is_of(self, key: ResourceKey, ends: tuple[int, ...]) -> bool:
        """Whether a changed object is one of the ends, stands on it, or gives it labels."""
        classes = self._states.after.universe.classes
        if key.kind.name in ("Node", "HostEndpoint"):
            written = [each for each in self._states.changed[key] if each is not None]
            nodes = {each.spec.node if isinstance(each, HostEndpoint) else key.name for each in written}
            populations = (self._states.before.population, self._states.after.population)
            return any(population.hosts.get(end) in nodes for population in populations for end in ends)
        samples = [sample for end in ends if end < len(classes) for sample in classes[end].sample if sample is not None]
        if key.kind.name == "Profile":
            return any(key.name in sample.profiles for sample in samples)
        return key.kind.name == "WorkloadEndpoint" and any(
            (key.namespace, key.name) == (sample.namespace, sample.name) for sample in samples
        )


def _some(ends: int) -> list[int]:
    """The first of them: of all pairs of many ends it would take too long to tell through what each has changed."""
    return list(itertools.islice(members(ends), _SAMPLES))
