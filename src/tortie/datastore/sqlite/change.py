"""Writing: the changes of one transaction, which become at most one new revision, and forgetting old ones."""

from __future__ import annotations

import sqlite3

from tortie.datastore.sqlite import history
from tortie.datastore.sqlite.format import ID_BITS
from tortie.datastore.sqlite.settings import Retention
from tortie.datastore.store import Entry, LeaseId, NotFoundError, TooLargeError, require_key

MAX_TRANSACTION_BYTES = 16 << 20
"""Keys and values of one transaction together: a watcher must be able to hold a whole revision."""

_COMPACTION_STEP = 256
"""So many revisions are forgotten at a time, that most writes need not think about it."""

_MOMENTS = 64
"""Into so many parts the time that revisions are kept for is divided."""


class Change:
    """The writes of one transaction; every one of them gets ``revision``. They reach the tables in ``finish``, all at once."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self._kept = history.span(connection)
        self._size = 0
        self._versions: list[tuple[int, str, LeaseId | None, bytes | None]] = []
        self._current: list[tuple[str, int, LeaseId | None]] = []
        self.revision = self._kept.newest + 1

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to make a revision of, as after the deletion of absent keys."""
        return not self._versions

    @property
    def newest(self) -> int:
        """The store's newest revision, this change included."""
        return self._kept.newest if self.is_empty else self.revision

    def current(self, key: str) -> Entry | None:
        """What was at *key* when the transaction began."""
        return history.get(self.connection, key, None)

    def put(self, key: str, value: bytes, lease: LeaseId | None) -> Entry:
        """Write *value*; NotFoundError for a lease that has ended, TooLargeError."""
        require_key(key)
        if lease is not None and not self.connection.execute("SELECT 1 FROM lease WHERE id = ?", (lease,)).fetchone():
            raise NotFoundError(f"lease {lease}")
        self._size += len(key) + len(value)
        if self._size > MAX_TRANSACTION_BYTES:
            raise TooLargeError(f"{key}: the transaction is larger than {MAX_TRANSACTION_BYTES} bytes")
        self._current.append((key, self._append(key, lease, value), lease))
        return Entry(key, value, self.revision, lease)

    def delete(self, key: str) -> None:
        """Delete *key* if it is there."""
        if self.connection.execute("DELETE FROM current WHERE key = ?", (key,)).rowcount:
            self._append(key, None, None)

    def _append(self, key: str, lease: LeaseId | None, value: bytes | None) -> int:
        place = len(self._versions)
        if place >> ID_BITS:
            raise TooLargeError(f"{key}: the transaction has more than {1 << ID_BITS} writes")
        version = (self.revision << ID_BITS) + place
        self._versions.append((version, key, lease, value))
        return version

    def finish(self, now_s: float) -> None:
        """Write the new revision, if there is one, at *now_s* by the wall clock, and forget what need not be kept any more."""
        if self.is_empty:
            return
        execute, many = self.connection.execute, self.connection.executemany
        many("INSERT INTO version (id, key, lease, value) VALUES (?, ?, ?, ?)", self._versions)
        many("INSERT OR REPLACE INTO current (key, id, lease) VALUES (?, ?, ?)", self._current)
        execute("UPDATE state SET revision = ?", (self.revision,))
        kept = retention(self.connection)
        is_moment = _note_moment(self.connection, self.revision, now_s, kept.age_s)
        oldest = self.revision - kept.revisions
        if oldest - self._kept.oldest < _COMPACTION_STEP:
            oldest = 0
        if is_moment:
            oldest = max(oldest, _newest_before(self.connection, now_s - kept.age_s))
        if oldest > self._kept.oldest:
            # A bounded step, so that no single write pays for a retention that was lowered.
            compact(self.connection, min(oldest, self._kept.oldest + 2 * _COMPACTION_STEP))


def retention(connection: sqlite3.Connection) -> Retention:
    """How much of the past is kept."""
    return Retention(*connection.execute("SELECT keep_revisions, keep_s FROM state").fetchone())


def set_retention(connection: sqlite3.Connection, wanted: Retention) -> None:
    """Keep so much from now on."""
    connection.execute("UPDATE state SET keep_revisions = ?, keep_s = ?", wanted)


def _note_moment(connection: sqlite3.Connection, revision: int, now_s: float, age_s: int) -> bool:
    """Remember when *revision* was made, unless that is near enough to the last moment; a clock that was set back makes one."""
    last = connection.execute("SELECT at_s FROM moment ORDER BY revision DESC LIMIT 1").fetchone()
    if last is not None and last[0] <= now_s < last[0] + age_s / _MOMENTS:
        return False
    connection.execute("INSERT INTO moment (revision, at_s) VALUES (?, ?)", (revision, now_s))
    return True


def _newest_before(connection: sqlite3.Connection, then_s: float) -> int:
    """The newest revision that is known to be of *then_s* or before."""
    found: int | None = connection.execute("SELECT max(revision) FROM moment WHERE at_s <= ?", (then_s,)).fetchone()[0]
    return found or 0


def compact(connection: sqlite3.Connection, oldest: int) -> None:
    """Forget what was replaced or deleted before revision *oldest*, which becomes the first that can be read and watched from."""
    span = {"first": history.span(connection).oldest << ID_BITS, "end": oldest << ID_BITS}
    connection.execute(
        """
        DELETE FROM version WHERE id IN (
            SELECT (SELECT max(before.id) FROM version AS before WHERE before.key = version.key AND before.id < version.id)
            FROM version WHERE id >= :first AND id < :end
        )
        """,
        span,
    )
    connection.execute("DELETE FROM version WHERE id >= :first AND id < :end AND value IS NULL", span)
    connection.execute("DELETE FROM moment WHERE revision < ?", (oldest,))
    connection.execute("UPDATE state SET oldest = ?", (oldest,))
