"""Reading the store's states and events, the present ones and those still kept.

Plain functions on a connection that is inside a transaction. The table ``version`` is described in ``database``.
"""

from __future__ import annotations

import sqlite3
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple, TypeAlias

from tortie.datastore.store import Changes, CompactedError, DeleteEvent, Entry, Event, Page, PutEvent, StoreError

LAST_CHARACTER = "\U0010ffff"
"""A noncharacter that no key holds: ``prefix + LAST_CHARACTER`` sorts after every key that begins with *prefix*."""

_Row: TypeAlias = tuple[Any, ...]

_CURRENT = """
    SELECT key, value, revision, lease FROM version INDEXED BY version_current
    WHERE ended IS NULL AND {keys} ORDER BY key LIMIT :limit
"""
_PAST = """
    SELECT key, value, revision, lease FROM version INDEXED BY version_key
    WHERE revision <= :at AND (ended IS NULL OR ended > :at) AND {keys} ORDER BY key LIMIT :limit
"""
_ONE = "key = :key"
_RANGE = "key >= :prefix AND key < :end AND key > :after"

# A deletion has no value, and so is never what another event at its revision replaced.
_EVENTS = """
    SELECT event.revision, event.key, event.value, event.revision, event.lease, before.key, before.value, before.revision, before.lease
    FROM version AS event INDEXED BY version_revision
    LEFT JOIN version AS before INDEXED BY version_ended
        ON before.ended = event.revision AND before.key = event.key AND before.value IS NOT NULL
    WHERE event.revision BETWEEN :first AND :last AND event.key >= :prefix AND event.key < :end
    ORDER BY event.revision, event.id
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
    statement = (_CURRENT if at is None else _PAST).format(keys=keys)
    return [Entry._make(row) for row in connection.execute(statement, arguments | {"at": at})]


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
    limits = {"first": first, "last": last, "prefix": prefix, "end": prefix + LAST_CHARACTER}
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
