"""One connection to the store's file: creating and opening it, transactions, SQLite's errors as the store's.

A new file is built beside its place and linked in when complete, so nobody ever opens half a store and two creators agree on
one. The file is in WAL mode, so readers and the writer do not wait for each other, and every commit is synced to disk.

A connection must not be carried across fork(2): SQLite's locks belong to the process, and closing the child's copy of a
descriptor drops the parent's. Open a store in the process that uses it.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from tortie.datastore.store import StoreError, TooLargeError, UnavailableError

SCHEMA_VERSION = 1
"""Of ``PRAGMA user_version``; a file with a greater one is refused, since its writer knew something that we do not."""

_APPLICATION_ID = 0x546F7274
"""``Tort``, in ``PRAGMA application_id``: tells a store from any other SQLite file."""

# `version` holds every value a key had, with the span of revisions over which it had it. A deletion is a row without a value
# that ended as it began: never part of any state, but an event in its place among the others. `id` grows with the revision and
# within one with the order of the writes; it is never used twice, since the newest revision's rows are never compacted.
_SCHEMA = """
CREATE TABLE state (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    revision INTEGER NOT NULL,                          -- the newest
    oldest   INTEGER NOT NULL CHECK (oldest <= revision), -- the first that can still be read and watched from
    era      TEXT NOT NULL                              -- of the clock that lease.expires_at was read from
) STRICT;
INSERT INTO state VALUES (1, 1, 1, '');

CREATE TABLE version (
    id       INTEGER PRIMARY KEY,
    key      TEXT NOT NULL,
    revision INTEGER NOT NULL,  -- that wrote it
    ended    INTEGER,           -- the revision that replaced or deleted it; NULL while it is current
    lease    INTEGER,
    value    BLOB               -- NULL: a deletion
) STRICT;
CREATE UNIQUE INDEX version_current ON version (key) WHERE ended IS NULL;
CREATE INDEX version_key ON version (key, revision);
CREATE INDEX version_revision ON version (revision);
CREATE INDEX version_ended ON version (ended, key) WHERE ended IS NOT NULL;
CREATE INDEX version_lease ON version (lease) WHERE ended IS NULL AND lease IS NOT NULL;

CREATE TABLE lease (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    ttl_s      REAL NOT NULL,
    expires_at REAL NOT NULL
) STRICT;
CREATE INDEX lease_expires_at ON lease (expires_at);
"""


class BusyError(UnavailableError):
    """Another process held the file for longer than we wait."""


_ERRORS: dict[int, type[StoreError]] = {
    sqlite3.SQLITE_BUSY: BusyError,
    sqlite3.SQLITE_LOCKED: BusyError,
    sqlite3.SQLITE_PROTOCOL: BusyError,
    sqlite3.SQLITE_CANTOPEN: UnavailableError,
    sqlite3.SQLITE_FULL: UnavailableError,
    sqlite3.SQLITE_IOERR: UnavailableError,
    sqlite3.SQLITE_NOMEM: UnavailableError,
    sqlite3.SQLITE_READONLY: UnavailableError,
    sqlite3.SQLITE_TOOBIG: TooLargeError,
    sqlite3.SQLITE_CORRUPT: StoreError,
    sqlite3.SQLITE_NOTADB: StoreError,
}
"""By primary result code. What is not here is our own bug and stays as it is."""


class Database:
    """A connection to an existing store; for one thread at a time."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection

    @classmethod
    def open(cls, path: Path, *, busy_s: float) -> Self:
        """Connect to the store at *path*; operations wait up to *busy_s* for other processes, then raise BusyError.

        StoreError if the file is not a store, or a newer program's.
        """
        _require(path)
        with _mapped(path):
            connection = sqlite3.connect(path, timeout=busy_s, isolation_level=None, check_same_thread=False)
            try:
                _check_format(path, connection)
                connection.execute("PRAGMA synchronous = FULL")
            except BaseException:
                connection.close()
                raise
        return cls(path, connection)

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A transaction that sees the store at one revision."""
        with self._transaction("BEGIN") as connection:
            yield connection

    @contextlib.contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction that is the only one to write, from its first statement on; committed unless the body raises."""
        with self._transaction("BEGIN IMMEDIATE") as connection:
            yield connection

    @contextlib.contextmanager
    def _transaction(self, begin: str) -> Iterator[sqlite3.Connection]:
        with _mapped(self.path):
            self._connection.execute(begin)
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def close(self) -> None:
        self._connection.close()


def create(path: Path) -> None:
    """Make an empty store at *path*, for its owner only, unless there is one already; missing directories are made."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, draft = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".new", dir=path.parent)  # mode 0600
        os.close(handle)
    except OSError as error:
        raise UnavailableError(f"cannot create the datastore {path}: {error.strerror}") from error
    try:
        _write_schema(Path(draft))
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        os.unlink(draft)


def _write_schema(path: Path) -> None:
    with _mapped(path), contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.executescript(
            f"BEGIN; PRAGMA application_id = {_APPLICATION_ID}; PRAGMA user_version = {SCHEMA_VERSION}; {_SCHEMA} COMMIT;"
        )


def _require(path: Path) -> None:
    """SQLite's own words for these, "unable to open database file", help nobody."""
    try:
        os.stat(path)
    except FileNotFoundError as error:
        raise UnavailableError(f"there is no datastore at {path}") from error
    except OSError as error:
        raise UnavailableError(f"cannot open the datastore {path}: {error.strerror}") from error
    if not os.access(path, os.R_OK | os.W_OK):
        raise UnavailableError(f"the datastore {path} belongs to another user: permission denied")


def _check_format(path: Path, connection: sqlite3.Connection) -> None:
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application_id != _APPLICATION_ID:
        raise StoreError(f"{path} is not a Tortie datastore")
    if version > SCHEMA_VERSION:
        raise StoreError(
            f"{path} was written by a newer Tortie (format {version}; this one reads up to {SCHEMA_VERSION}): upgrade Tortie"
        )


@contextlib.contextmanager
def _mapped(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        code: int = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK)
        mapped = _ERRORS.get(code & 0xFF)
        if mapped is None:
            raise
        raise mapped(f"{path}: {error}") from error
