"""Maps that exist only while they have entries, so that no stage looks into one in vain."""

from __future__ import annotations

from tortie.ruleset.values import Flush, MapCreate, MapDelete, MapDelta


def map_changes(change: MapDelta, *, existed: bool, exists: bool) -> Flush:
    """A change of a map that exists only while it has entries."""
    if not change.set and not change.removed:
        return Flush()
    if not existed:
        return Flush(create=(MapCreate(change.name, change.set),)) if exists else Flush()
    return Flush(switch=(change,)) if exists else Flush(delete=(MapDelete(change.name),))
