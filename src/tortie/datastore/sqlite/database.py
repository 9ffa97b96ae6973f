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
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Self

from tortie.datastore.sqlite.format import APPLICATION_ID, SCHEMA, SCHEMA_VERSION, upgrade
from tortie.datastore.sqlite.mounts import refuse_network
from tortie.datastore.store import StoreError, TooLargeError, UnavailableError


class BusyError(UnavailableError):
    """Another process held the file for longer than we wait."""


class ReplacedFileError(UnavailableError):
    """The path leads to another file than the one that was opened, or to none."""


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

    def __init__(self, path: Path, connection: sqlite3.Connection, file: FileId) -> None:
        self.path = path
        self.file = file
        self._connection = connection

    @classmethod
    def open(cls, path: Path, *, busy_s: float) -> Self:
        """Connect to the store at *path*; operations wait up to *busy_s* for other processes, then raise BusyError.

        StoreError if the file is not a store, a newer program's, or on a network file system; an older program's is upgraded.
        """
        file = _require(path)
        refuse_network(path)
        with mapped(path):
            connection = sqlite3.connect(path, timeout=busy_s, isolation_level=None, check_same_thread=False)
            try:
                version = _check_format(path, connection)
                connection.execute("PRAGMA synchronous = FULL")
                opened = cls(path, connection, file)
                if version < SCHEMA_VERSION:
                    opened._upgrade()
            except BaseException:
                connection.close()
                raise
        return opened

    def _upgrade(self) -> None:
        with self.writing() as connection:
            upgrade(connection, _check_format(self.path, connection))  # another process may have been here before

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
        with mapped(self.path):
            self._connection.execute(begin)
            try:
                # After the lock, so that whoever swaps the file while holding it swaps it for everybody.
                self._require_in_place()
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def _require_in_place(self) -> None:
        try:
            found = FileId.of(self.path)
        except FileNotFoundError:
            raise ReplacedFileError(f"the datastore {self.path} was removed while it was open") from None
        except OSError as error:
            raise UnavailableError(f"cannot look at the datastore {self.path}: {error.strerror}") from error
        if found != self.file:
            raise ReplacedFileError(f"the datastore {self.path} was replaced by another file while it was open")

    def close(self) -> None:
        self._connection.close()


class FileId(NamedTuple):
    """Which file a path leads to."""

    device: int
    inode: int

    @classmethod
    def of(cls, path: Path) -> Self:
        """OSError."""
        found = os.stat(path)
        return cls(found.st_dev, found.st_ino)


def create(path: Path) -> None:
    """Make an empty store at *path*, for its owner only, unless there is one already; missing directories are made."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        refuse_network(path.parent)
        with draft_of(path) as draft:
            _write_schema(draft)
            with contextlib.suppress(FileExistsError):
                os.link(draft, path)
    except OSError as error:
        raise UnavailableError(f"cannot create the datastore {path}: {error.strerror}") from error


@contextlib.contextmanager
def draft_of(path: Path) -> Iterator[Path]:
    """An empty file beside *path*, for its owner only, to be linked in when it is complete; gone after the block. OSError."""
    import tempfile  # noqa: PLC0415 - takes time to load, and a store is made once

    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".new", dir=path.parent)  # mode 0600
    os.close(handle)
    try:
        yield Path(name)
    finally:
        os.unlink(name)


def _write_schema(path: Path) -> None:
    with mapped(path), contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.executescript(
            f"BEGIN; PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {SCHEMA_VERSION}; {SCHEMA} COMMIT;"
        )


def _require(path: Path) -> FileId:
    """SQLite's own words for these, "unable to open database file", help nobody."""
    try:
        file = FileId.of(path)
    except FileNotFoundError as error:
        raise UnavailableError(f"there is no datastore at {path}") from error
    except OSError as error:
        raise UnavailableError(f"cannot open the datastore {path}: {error.strerror}") from error
    if os.statvfs(path).f_flag & os.ST_RDONLY:
        raise UnavailableError(f"the datastore {path} is on a read-only file system")
    if not os.access(path, os.R_OK | os.W_OK):
        is_ours = os.stat(path).st_uid == os.geteuid()
        reason = "may not be read and written by its owner" if is_ours else "belongs to another user"
        raise UnavailableError(f"the datastore {path} {reason}: permission denied")
    return file


def _check_format(path: Path, connection: sqlite3.Connection) -> int:
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application_id != APPLICATION_ID:
        raise StoreError(f"{path} is not a Tortie datastore")
    if version > SCHEMA_VERSION:
        raise StoreError(
            f"{path} was written by a newer Tortie (format {version}; this one reads up to {SCHEMA_VERSION}): upgrade Tortie"
        )
    return int(version)


def require_sound(connection: sqlite3.Connection, what: str) -> None:
    """StoreError for *what* is damaged."""
    (verdict,) = connection.execute("PRAGMA quick_check").fetchone()
    if verdict != "ok":
        raise StoreError(f"{what} is damaged: {verdict}")


@contextlib.contextmanager
def mapped(path: Path) -> Iterator[None]:
    """SQLite's errors about the file at *path* become the store's."""
    try:
        yield
    except sqlite3.Error as error:
        code: int = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK)
        kind = _ERRORS.get(code & 0xFF)
        if kind is None:
            raise
        raise kind(f"{path}: {error}") from error
