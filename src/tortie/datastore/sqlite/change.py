"""Writing: the changes of one transaction, which become at most one new revision, and forgetting old ones."""

from __future__ import annotations

import sqlite3

from tortie.datastore.sqlite import history
from tortie.datastore.store import Entry, LeaseId, NotFoundError, TooLargeError

MAX_TRANSACTION_BYTES = 16 << 20
"""Keys and values of one transaction together: a watcher must be able to hold a whole revision."""

_COMPACTION_STEP = 256
"""So many revisions are forgotten at a time, that most writes need not think about it."""


class Change:
    """The writes of one transaction; every one of them gets ``revision``."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self._kept = history.span(connection)
        self._size = 0
        self.revision = self._kept.newest + 1
        self.is_empty = True
        """Whether there is nothing to make a revision of, as after the deletion of absent keys."""

    @property
    def newest(self) -> int:
        """The store's newest revision, this change included."""
        return self._kept.newest if self.is_empty else self.revision

    def current(self, key: str) -> Entry | None:
        """What is at *key* now."""
        return history.get(self.connection, key, None)

    def put(self, key: str, value: bytes, lease: LeaseId | None) -> Entry:
        """Write *value*; NotFoundError for a lease that has ended, TooLargeError."""
        if not key or history.LAST_CHARACTER in key:
            raise ValueError(f"{key!r} cannot be a key")
        if lease is not None and not self.connection.execute("SELECT 1 FROM lease WHERE id = ?", (lease,)).fetchone():
            raise NotFoundError(f"lease {lease}")
        self._size += len(key) + len(value)
        if self._size > MAX_TRANSACTION_BYTES:
            raise TooLargeError(f"{key}: the transaction is larger than {MAX_TRANSACTION_BYTES} bytes")
        self._end(key)
        self._insert(key, value, ended=None, lease=lease)
        return Entry(key, value, self.revision, lease)

    def delete(self, key: str) -> None:
        """Delete *key* if it is there."""
        if self._end(key):
            self._insert(key, None, ended=self.revision, lease=None)

    def _end(self, key: str) -> bool:
        update = "UPDATE version SET ended = ? WHERE key = ? AND ended IS NULL"
        return self.connection.execute(update, (self.revision, key)).rowcount > 0

    def _insert(self, key: str, value: bytes | None, *, ended: int | None, lease: LeaseId | None) -> None:
        self.is_empty = False
        self.connection.execute(
            "INSERT INTO version (key, revision, ended, lease, value) VALUES (?, ?, ?, ?, ?)",
            (key, self.revision, ended, lease, value),
        )

    def finish(self, retention: int) -> None:
        """Record the new revision, if there is one, and forget what is older than the last *retention*."""
        if self.is_empty:
            return
        self.connection.execute("UPDATE state SET revision = ?", (self.revision,))
        if self.revision - self._kept.oldest >= retention + _COMPACTION_STEP:
            # A bounded step, so that no single write pays for a retention that was lowered.
            compact(self.connection, min(self.revision - retention, self._kept.oldest + 2 * _COMPACTION_STEP))


def compact(connection: sqlite3.Connection, oldest: int) -> None:
    """Forget what ended before revision *oldest*, which becomes the first one that can be read and watched from."""
    connection.execute("DELETE FROM version INDEXED BY version_ended WHERE ended < ?", (oldest,))
    connection.execute("UPDATE state SET oldest = ?", (oldest,))
