"""Maps that exist only while they have entries, so that no stage looks into one in vain."""

from __future__ import annotations

from typing import NamedTuple

from tortie.ruleset.values import MapCreate, MapDelete, MapDelta


class MapChanges(NamedTuple):
    created: tuple[MapCreate, ...] = ()
    changed: tuple[MapDelta, ...] = ()
    deleted: tuple[MapDelete, ...] = ()


def map_changes(change: MapDelta, *, existed: bool, exists: bool) -> MapChanges:
    """A change of a map that exists only while it has entries."""
    if not change.set and not change.removed:
        return MapChanges()
    if not existed:
        return MapChanges(created=(MapCreate(change.name, change.set),)) if exists else MapChanges()
    return MapChanges(changed=(change,)) if exists else MapChanges(deleted=(MapDelete(change.name),))
