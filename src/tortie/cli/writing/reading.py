"""What planning reads of a store."""

from __future__ import annotations

from collections.abc import Mapping

from tortie.conversion import ConversionError, meaning
from tortie.datastore.store import Absent, AtRevision, Check, Entry, NotFoundError, Store
from tortie.model.codec import InvalidResourceError, decode
from tortie.model.kinds import ResourceKey
from tortie.model.meta import Resource


def find(store: Store, path: str) -> Entry | None:
    """The entry at *path*, if there is one."""
    try:
        return store.get(path)
    except NotFoundError:
        return None


def unchanged(path: str, entry: Entry | None) -> Check:
    """Holds while *path* is as it was read."""
    return Absent(path) if entry is None else AtRevision(path, entry.revision)


def meaning_of_stored(key: ResourceKey, stored: Entry | None) -> Mapping[ResourceKey, Resource]:
    """What the value that is there means; nothing where it is invalid, for then it never meant anything."""
    if stored is None:
        return {}
    try:
        return meaning(decode(stored.value, key.kind.struct))
    except (InvalidResourceError, ConversionError):
        return {}
