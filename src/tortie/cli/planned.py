"""The cluster as it is stored, and as it would be with planned changes, for telling people what those mean."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from tortie.analysis.cluster import KnownCluster, RefusedError, filled_in
from tortie.analysis.followers import followed
from tortie.cli.errors import CommandError
from tortie.cli.unmatched import valid_resources
from tortie.cli.writing import Change
from tortie.datastore.store import Entry, Put, Store, Write, entries
from tortie.model import kinds
from tortie.model.kinds import Kind, ResourceKey, parse_path
from tortie.model.meta import Resource

BEARING_KINDS: tuple[Kind, ...] = (
    kinds.NETWORK_POLICY,
    kinds.GLOBAL_NETWORK_POLICY,
    kinds.K8S_NETWORK_POLICY,
    kinds.CLUSTER_NETWORK_POLICY,
    kinds.TIER,
    kinds.PROFILE,
    kinds.NETWORK_SET,
    kinds.GLOBAL_NETWORK_SET,
    kinds.WORKLOAD_ENDPOINT,
    kinds.HOST_ENDPOINT,
    kinds.NODE,
    kinds.FELIX_CONFIGURATION,
    kinds.NAMESPACE,
    kinds.SERVICE_ACCOUNT,
    kinds.POD,
    kinds.SERVICE,
    kinds.ENDPOINT_SLICE,
)
"""The kinds that bear on who can reach whom. Staged policies do not."""


class Planned(NamedTuple):
    """Both states, what a cluster fills in by itself filled in."""

    before: KnownCluster
    after: KnownCluster
    stored: Mapping[ResourceKey, Resource]
    """What would be stored afterwards."""


def bearing(changes: Iterable[Change]) -> bool:
    """Whether any of *changes* writes something that bears on who can reach whom."""
    written = (parse_path(write.key) for write in _writes(changes))
    return any(key is not None and key.kind in BEARING_KINDS for key in written)


def planned(store: Store, changes: Sequence[Change]) -> Planned:
    """The cluster without and with *changes*, endpoints following their pods. CommandError for a resource that means nothing safe."""
    return _states(_bearing_entries(store), changes)


def planned_if_small(store: Store, changes: Sequence[Change], at_most: int) -> Planned | None:
    """The same; None if more than *at_most* resources are stored, of which no more are read then."""
    stored = list(itertools.islice(_bearing_entries(store), at_most + 1))
    return None if len(stored) > at_most else _states(stored, changes)


def _bearing_entries(store: Store) -> Iterator[Entry]:
    return (entry for kind in BEARING_KINDS for entry in entries(store, kind.prefix))


def _states(stored: Iterable[Entry], changes: Iterable[Change]) -> Planned:
    before = valid_resources(stored)
    after = followed(before, _written(before, _writes(changes)))
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
