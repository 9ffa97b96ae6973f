"""The store itself: each operation of the contract as one SQLite transaction."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, assert_never

from tortie.datastore.doorbell import Doorbell
from tortie.datastore.sqlite import database, history, leases
from tortie.datastore.sqlite.change import Change, compact
from tortie.datastore.sqlite.clock import BootClock, Clock
from tortie.datastore.sqlite.database import Database
from tortie.datastore.sqlite.settings import DEFAULT_RETENTION, Settings
from tortie.datastore.sqlite.watch import SQLiteWatch
from tortie.datastore.store import (
    Absent,
    AlreadyExistsError,
    AtRevision,
    Check,
    ConflictError,
    Delete,
    Entry,
    LeaseId,
    NotFoundError,
    Page,
    Put,
    UnavailableError,
    Write,
)

_BUSY_S = 5.0
"""How long an operation waits for others' writes, which take milliseconds each, seconds if the disk is in trouble."""


class SQLiteStore:
    """``store.Store`` on one file; made by ``open``. For one thread at a time, and not across fork(2)."""

    def __init__(self, connection: Database, doorbell: Doorbell, settings: Settings) -> None:
        self._database = connection
        self._doorbell = doorbell
        self._settings = settings
        self._watches: set[SQLiteWatch] = set()

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        *,
        create: bool = True,
        retention: int = DEFAULT_RETENTION,
        clock: Clock | None = None,
        poll_s: float = 1.0,
        progress_s: float = 10.0,
    ) -> Self:
        """Open the store at *path*; with *create*, make it if it is missing, for its owner only.

        *retention* counts revisions, the other settings are described in ``Settings``. UnavailableError if there is no store
        or it is not ours to open; StoreError if the file is something else, or a newer program's.
        """
        file = Path(path).absolute()
        settings = Settings(file, clock or BootClock(), retention, poll_s, progress_s)
        if create and not os.path.exists(file):  # Path.exists raises where a directory may not be searched
            database.create(file)
        with contextlib.ExitStack() as undo:
            connection = Database.open(file, busy_s=_BUSY_S)
            undo.callback(connection.close)
            leases.enter_era(connection, settings.clock)
            store = cls(connection, _doorbell(settings.bell), settings)
            undo.pop_all()
        return store

    # --- reading -----------------------------------------------------------------------------------------------------------

    def get(self, key: str, *, at_revision: int | None = None) -> Entry:
        self._expire()
        with self._database.reading() as connection:
            entry = history.get(connection, key, at_revision)
        if entry is None:
            raise NotFoundError(key)
        return entry

    def list(
        self, prefix: str, *, limit: int | None = None, after: str | None = None, at_revision: int | None = None
    ) -> Page:
        if limit is not None and limit < 1:
            raise ValueError(f"a page cannot hold {limit} entries")
        self._expire()
        with self._database.reading() as connection:
            return history.page(connection, prefix, limit, after, at_revision)

    def revision(self) -> int:
        self._expire()
        with self._database.reading() as connection:
            return history.span(connection).newest

    # --- writing -----------------------------------------------------------------------------------------------------------

    def create(self, key: str, value: bytes, *, lease: LeaseId | None = None) -> Entry:
        with self._changing() as change:
            if change.current(key) is not None:
                raise AlreadyExistsError(key)
            return change.put(key, value, lease)

    def update(self, key: str, value: bytes, expected_revision: int, *, lease: LeaseId | None = None) -> Entry:
        with self._changing() as change:
            _expect(change, key, expected_revision)
            return change.put(key, value, lease)

    def apply(self, key: str, value: bytes, *, lease: LeaseId | None = None) -> Entry:
        with self._changing() as change:
            return change.put(key, value, lease)

    def delete(self, key: str, expected_revision: int | None = None) -> Entry:
        with self._changing() as change:
            entry = _expect(change, key, expected_revision)
            change.delete(key)
            return entry

    def transact(self, checks: Sequence[Check], writes: Sequence[Write]) -> int:
        """Everything is atomic here, up to ``change.MAX_TRANSACTION_BYTES``."""
        _refuse_duplicates(writes)
        with self._changing() as change:
            for check in checks:
                _verify(change, check)
            for write in writes:
                match write:
                    case Put(key, value, lease):
                        change.put(key, value, lease)
                    case Delete(key):
                        change.delete(key)
                    case _:
                        assert_never(write)
        return change.newest

    def compact(self, oldest: int) -> None:
        """Forget what was replaced or deleted before revision *oldest*; CompactedError if that has been done."""
        with self._database.writing() as connection:
            history.span(connection).check(oldest)
            compact(connection, oldest)

    # --- leases ------------------------------------------------------------------------------------------------------------

    def lease(self, ttl_s: float) -> SQLiteLease:
        if ttl_s <= 0:
            raise ValueError(f"a lease cannot live for {ttl_s} s")
        with self._database.writing() as connection:
            lease = leases.grant(connection, ttl_s, self._settings.clock.now())
        return SQLiteLease(self, lease, ttl_s)

    def renew_lease(self, lease: LeaseId) -> None:
        """See ``store.Lease.renew``."""
        self._expire()
        with self._database.writing() as connection:
            leases.renew(connection, lease, self._settings.clock.now())

    def revoke_lease(self, lease: LeaseId) -> None:
        """See ``store.Lease.revoke``; nothing happens if the lease has ended."""
        with self._changing() as change:
            leases.end(change, (lease,))

    # --- watching, closing -------------------------------------------------------------------------------------------------

    def watch(self, prefix: str, from_revision: int) -> SQLiteWatch:
        """May be called without an event loop; iterating needs one."""
        watch = SQLiteWatch(self._settings, self._doorbell, prefix, from_revision, ended=self._watches.discard)
        self._watches.add(watch)
        return watch

    def close(self) -> None:
        for watch in tuple(self._watches):
            watch.close()
        self._doorbell.close()
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # --- the frame of every operation --------------------------------------------------------------------------------------

    def _expire(self) -> None:
        if leases.expire(self._database, self._settings):
            self._doorbell.ring()

    @contextlib.contextmanager
    def _changing(self) -> Iterator[Change]:
        """One transaction that may make a revision. The bell rings after the commit: a listener must find what it is called for."""
        self._expire()
        with self._database.writing() as connection:
            change = Change(connection)
            yield change
            change.finish(self._settings.retention)
        if not change.is_empty:
            self._doorbell.ring()


class SQLiteLease:
    """See ``store.Lease``."""

    def __init__(self, store: SQLiteStore, lease: LeaseId, ttl_s: float) -> None:
        self._store = store
        self.id = lease
        self.ttl_s = ttl_s

    def renew(self) -> None:
        self._store.renew_lease(self.id)

    def revoke(self) -> None:
        self._store.revoke_lease(self.id)


def _expect(change: Change, key: str, expected_revision: int | None) -> Entry:
    """The current entry at *key*; NotFoundError, ConflictError."""
    entry = change.current(key)
    if entry is None:
        raise NotFoundError(key)
    if expected_revision is not None and entry.revision != expected_revision:
        raise ConflictError(key)
    return entry


def _verify(change: Change, check: Check) -> None:
    entry = change.current(check.key)
    match check:
        case Absent():
            holds = entry is None
        case AtRevision(_, revision):
            holds = entry is not None and entry.revision == revision
        case _:
            assert_never(check)
    if not holds:
        raise ConflictError(check.key)


def _refuse_duplicates(writes: Sequence[Write]) -> None:
    seen: set[str] = set()
    for write in writes:
        if write.key in seen:
            raise ValueError(f"two writes of one transaction name {write.key}")
        seen.add(write.key)


def _doorbell(path: Path) -> Doorbell:
    try:
        return Doorbell(path)
    except OSError as error:
        raise UnavailableError(f"cannot open {path}: {error.strerror}") from error
