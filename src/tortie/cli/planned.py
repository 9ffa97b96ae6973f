"""The cluster as it is stored, and as it would be with planned changes, for telling people what those mean."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from tortie.analysis.assertions import Located
from tortie.analysis.assertions.bearing import OF_A_NAMESPACE, Claimants, bearing_on, named_namespaces
from tortie.analysis.cluster import KnownCluster, RefusedError, filled_in
from tortie.analysis.followers import followed
from tortie.cli.errors import CommandError
from tortie.cli.stored import BEARING_KINDS, Stored
from tortie.cli.unmatched import valid_resources
from tortie.cli.writing import Change
from tortie.datastore.store import Entry, Put, Write
from tortie.model.kinds import ResourceKey, parse_path
from tortie.model.meta import Resource
from tortie.model.policy import Profile


class Planned(NamedTuple):
    """Both states, what a cluster fills in by itself filled in."""

    before: KnownCluster
    after: KnownCluster
    stored: Mapping[ResourceKey, Resource]
    """What would be stored afterwards."""

    @property
    def is_same(self) -> bool:
        """Whether the changes change nothing of it."""
        return self.before == self.after


def bearing(changes: Iterable[Change]) -> bool:
    """Whether any of *changes* writes something that bears on who can reach whom."""
    written = (parse_path(write.key) for write in _writes(changes))
    return any(key is not None and key.kind in BEARING_KINDS for key in written)


def planned_if_small(stored: Stored, changes: Sequence[Change], at_most: int) -> Planned | None:
    """The cluster without and with *changes*, endpoints following their pods; None if more than *at_most* resources are stored.

    CommandError for a resource that means nothing safe.
    """
    found = stored.entries(at_most + 1)
    return None if len(found) > at_most else _states(found, _writes(changes))


def may_break(stored: Stored, changes: Sequence[Change], tests: Sequence[Located]) -> bool:
    """Whether *changes* may bear on *tests*; if all are of namespaces that cannot, that is told without reading others.

    Who shares an address or link with an end is looked for where something changes, and nowhere else. Elsewhere such endpoints could
    only be changed through profiles of theirs that are of a namespace where something changes.
    """
    writes = _writes(changes)
    keys = [key for write in writes if (key := parse_path(write.key)) is not None and key.kind in BEARING_KINDS]
    changed = frozenset(key.namespace for key in keys)
    named = named_namespaces(tests)
    if named is None or not named.isdisjoint(changed) or any(key.kind not in OF_A_NAMESPACE for key in keys):
        return True
    claimants = _claimants(_keyed(stored.of(changed, OF_A_NAMESPACE)), writes)
    try:
        found = _closed(named, tests, claimants, lambda needed: _part(stored, writes, needed | changed))
    except CommandError:  # maybe of what changes, which does not matter if it cannot bear on them
        return True
    if found is None or found.by_address or not found.namespaces.isdisjoint(changed):
        return True
    return _profiles(found.states.before) != _profiles(found.states.after)


def planned_for(stored: Stored, changes: Sequence[Change], tests: Sequence[Located]) -> Planned:
    """The cluster without and with *changes*, as far as it bears on *tests*, and all of it if that cannot be told."""
    writes = _writes(changes)
    putting = [key for write in writes if isinstance(write, Put) and (key := parse_path(write.key)) is not None]
    named = named_namespaces(tests, {key.namespace for key in (*(key for key, _ in stored.keyed), *putting)})
    if named is not None:
        claimants = _claimants(stored.keyed, writes)
        found = _closed(named, tests, claimants, lambda needed: _part(stored, writes, needed))
        if found is not None:
            return found.states
    return _states(stored.entries(), writes)


class _Closed(NamedTuple):
    """A part in which nobody is missing who bears on it."""

    states: Planned
    namespaces: frozenset[str]
    by_address: bool
    """As in ``Bearing``."""


def _closed(
    needed: frozenset[str],
    tests: Sequence[Located],
    claimants: Claimants,
    read: Callable[[frozenset[str]], Planned],
) -> _Closed | None:
    """Of the namespaces *needed* and all that bear on *tests* beside them; None if only the whole cluster tells."""
    while True:
        states = read(needed)
        found = [bearing_on(tests, cluster) for cluster in (states.before, states.after)]
        bear = [each for each in found if each is not None]
        if len(bear) < len(found):
            return None
        more = needed.union(*(each.namespaces | claimants.of(each) for each in bear))
        if more == needed:
            return _Closed(states, needed, any(each.by_address for each in bear))
        needed = more


def _part(stored: Stored, writes: Iterable[Write], namespaces: Collection[str]) -> Planned:
    keyed = [(parse_path(write.key), write) for write in writes]
    theirs = (w for key, w in keyed if key and (key.kind not in OF_A_NAMESPACE or key.namespace in namespaces))
    return _states(stored.of(namespaces, OF_A_NAMESPACE), list(theirs))


def _claimants(stored: Iterable[tuple[ResourceKey, Entry]], writes: Iterable[Write]) -> Claimants:
    """Who is stored, and who would be."""
    putting = _keyed(Entry(write.key, write.value, 0) for write in writes if isinstance(write, Put))
    return Claimants((key, entry.value) for key, entry in (*stored, *putting))


def _keyed(found: Iterable[Entry]) -> Iterator[tuple[ResourceKey, Entry]]:
    keyed = ((parse_path(entry.key), entry) for entry in found)
    return ((key, entry) for key, entry in keyed if key is not None)


def _profiles(cluster: KnownCluster) -> Mapping[ResourceKey, Resource]:
    return {key: found for key, found in cluster.resources.items() if isinstance(found, Profile)}


def _states(stored: Iterable[Entry], writes: Sequence[Write]) -> Planned:
    before = valid_resources(stored)
    after = followed(before, _written(before, writes))
    try:
        return Planned(filled_in(before), filled_in(after), after)
    except RefusedError as error:
        raise CommandError(f"what the change means cannot be told: {error}") from error


def _writes(changes: Iterable[Change]) -> list[Write]:
    return [write for change in changes for write in change.writes]


def _written(before: Mapping[ResourceKey, Resource], writes: Sequence[Write]) -> dict[ResourceKey, Resource]:
    put = valid_resources(Entry(write.key, write.value, 0) for write in writes if isinstance(write, Put))
    gone = {parse_path(write.key) for write in writes}
    return {key: resource for key, resource in before.items() if key not in gone} | put
