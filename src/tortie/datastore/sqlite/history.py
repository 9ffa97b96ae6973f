"""Reading the store's states and events, the present ones and those still kept.

Plain functions on a connection that is inside a transaction. The tables are described in ``format``.
"""

from __future__ import annotations

import sqlite3
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple, TypeAlias

from tortie.datastore.sqlite.format import ID_BITS
from tortie.datastore.store import (
    LAST_CHARACTER,
    Changes,
    CompactedError,
    DeleteEvent,
    Entry,
    Event,
    Page,
    PutEvent,
    StoreError,
)

_Row: TypeAlias = tuple[Any, ...]

_CURRENT = f"""
    SELECT current.key, version.value, current.id >> {ID_BITS}, current.lease
    FROM current CROSS JOIN version ON version.id = current.id
    WHERE {{keys}} ORDER BY current.key LIMIT :limit
"""
_PAST = f"""
    SELECT current.key, current.value, current.id >> {ID_BITS}, current.lease
    FROM version AS current INDEXED BY version_key
    WHERE {{keys}} AND current.id < :bound AND current.value IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM version AS later WHERE later.key = current.key AND later.id > current.id AND later.id < :bound
    )
    ORDER BY current.key LIMIT :limit
"""
_ONE = "current.key = :key"
_RANGE = "current.key >= :prefix AND current.key < :end AND current.key > :after"

# The version before an event's is what it replaced, unless that is a deletion.
_EVENTS = f"""
    SELECT event.id >> {ID_BITS}, event.key, event.value, event.id >> {ID_BITS}, event.lease,
        before.key, before.value, before.id >> {ID_BITS}, before.lease
    FROM version AS event LEFT JOIN version AS before
        ON before.id = (SELECT max(id) FROM version AS older WHERE older.key = event.key AND older.id < event.id)
        AND before.value IS NOT NULL
    WHERE event.id >= :first AND event.id < :bound AND event.key >= :prefix AND event.key < :end
    ORDER BY event.id
"""


class Span(NamedTuple):
    """The revisions that can be read."""

    oldest: int
    newest: int

    def check(self, revision: int) -> None:
        """CompactedError for a *revision* before the span, StoreError for one after it."""
        if revision < self.oldest:
            raise CompactedError(revision, self.oldest)
        if revision > self.newest:
            raise StoreError(f"revision {revision} has not happened yet; the newest is {self.newest}")


def span(connection: sqlite3.Connection) -> Span:
    """The revisions that are kept."""
    return Span(*connection.execute("SELECT oldest, revision FROM state").fetchone())


def get(connection: sqlite3.Connection, key: str, at: int | None) -> Entry | None:
    """The entry at *key*, now or as of revision *at*."""
    if at is not None:
        span(connection).check(at)
    found = _select(connection, at, _ONE, {"key": key, "limit": 1})
    return found[0] if found else None


def page(connection: sqlite3.Connection, prefix: str, limit: int | None, after: str | None, at: int | None) -> Page:
    """One page of the keys under *prefix*; *limit* None means all of them."""
    kept = span(connection)
    if at is not None:
        kept.check(at)
    limits = {"prefix": prefix, "end": prefix + LAST_CHARACTER, "after": after or ""}
    entries = _select(
        connection, None if at == kept.newest else at, _RANGE, limits | {"limit": -1 if limit is None else limit + 1}
    )
    is_last = limit is None or len(entries) <= limit
    shown = tuple(entries if is_last else entries[:limit])
    return Page(shown, kept.newest if at is None else at, None if is_last else shown[-1].key)


def _select(connection: sqlite3.Connection, at: int | None, keys: str, arguments: dict[str, object]) -> list[Entry]:
    if at is None:
        rows = connection.execute(_CURRENT.format(keys=keys), arguments)
    else:
        rows = connection.execute(_PAST.format(keys=keys), arguments | {"bound": (at + 1) << ID_BITS})
    return [Entry._make(row) for row in rows]


class Reading(NamedTuple):
    """Part of the events of a watch."""

    changes: tuple[Changes, ...]
    upto: int
    """Every event up to this revision is in ``changes``, or was read before."""
    newest: int
    """The store's revision when it was read: there is more to read while ``upto`` is less."""


def read_events(connection: sqlite3.Connection, prefix: str, first: int, *, revisions: int, max_bytes: int) -> Reading:
    """The events under *prefix* from revision *first* on, in whole revisions.

    At most *revisions* revisions are looked at, and reading stops after the one with which the values exceed *max_bytes*.
    CompactedError if *first* is no longer kept.
    """
    kept = span(connection)
    if first < kept.oldest:
        raise CompactedError(first, kept.oldest)
    last = min(first + revisions - 1, kept.newest)
    limits = {
        "first": first << ID_BITS,
        "bound": (last + 1) << ID_BITS,
        "prefix": prefix,
        "end": prefix + LAST_CHARACTER,
    }
    changes = []
    size = 0
    for revision, rows in groupby(connection.execute(_EVENTS, limits), key=itemgetter(0)):
        events = tuple(map(_event, rows))
        changes.append(Changes(revision, events))
        size += sum(map(_size, events))
        if size > max_bytes:
            return Reading(tuple(changes), revision, kept.newest)
    return Reading(tuple(changes), max(last, first - 1), kept.newest)


def _event(row: _Row) -> Event:
    entry, before = row[1:5], row[5:9]
    previous = Entry._make(before) if before[0] is not None else None
    return DeleteEvent(entry[0], previous) if entry[1] is None else PutEvent(Entry._make(entry), previous)


def _size(event: Event) -> int:
    written = len(event.entry.value) if isinstance(event, PutEvent) else 0
    return written + (len(event.previous.value) if event.previous is not None else 0)
