"""The store itself: each operation of the contract as one SQLite transaction."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self, assert_never

from tortie.datastore.doorbell import Doorbell
from tortie.datastore.sqlite import database, history, leases
from tortie.datastore.sqlite.change import MAX_TRANSACTION_BYTES, Change, compact, retention, set_retention
from tortie.datastore.sqlite.clock import BootClock, Clock
from tortie.datastore.sqlite.database import Database, ReplacedFileError
from tortie.datastore.sqlite.settings import Retention, Settings
from tortie.datastore.store import (
    AlreadyExistsError,
    Check,
    ConflictError,
    Delete,
    Entry,
    LeaseId,
    Limits,
    NotFoundError,
    Page,
    Put,
    UnavailableError,
    Write,
    holds,
    refuse_duplicates,
)

if TYPE_CHECKING:
    from tortie.datastore.sqlite.restore import Restored
    from tortie.datastore.sqlite.watch import SQLiteWatch

_BUSY_S = 5.0
"""How long an operation waits for others' writes, which take milliseconds each, seconds if the disk is in trouble."""

_PAGE = 500
"""Entries of ``pages`` listed at a time: a few milliseconds of the event loop's time."""


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
        clock: Clock | None = None,
        wall_clock: Callable[[], float] = time.time,
        poll_s: float = 1.0,
        progress_s: float = 10.0,
    ) -> Self:
        """Open the store at *path*; with *create*, make it if it is missing, for its owner only.

        The other settings are described in ``Settings``. UnavailableError if there is no store or it is not ours to open;
        StoreError if the file is something else, a newer program's, or on a network file system.
        """
        file = Path(path).absolute()
        settings = Settings(file, clock or BootClock(), wall_clock, poll_s, progress_s)
        if create and not os.path.exists(file):  # Path.exists raises where a directory may not be searched
            database.create(file)
        return cls(*_connect(settings), settings)

    @property
    def limits(self) -> Limits:
        return Limits(size_bytes=MAX_TRANSACTION_BYTES)

    # --- reading -----------------------------------------------------------------------------------------------------------

    def get(self, key: str, *, at_revision: int | None = None) -> Entry:
        with self._reading() as connection:
            entry = history.get(connection, key, at_revision)
        if entry is None:
            raise NotFoundError(key)
        return entry

    def list(
        self, prefix: str, *, limit: int | None = None, after: str | None = None, at_revision: int | None = None
    ) -> Page:
        if limit is not None and limit < 1:
            raise ValueError(f"a page cannot hold {limit} entries")
        with self._reading() as connection:
            return history.page(connection, prefix, limit, after, at_revision)

    async def pages(self, prefix: str, *, at_revision: int | None = None) -> AsyncGenerator[Page, None]:
        after = None
        while True:
            page = self.list(prefix, limit=_PAGE, after=after, at_revision=at_revision)
            yield page
            at_revision, after = page.revision, page.after
            if after is None:
                return

    def revision(self) -> int:
        with self._reading() as connection:
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
        refuse_duplicates(writes)
        with self._changing() as change:
            for check in checks:
                if not holds(check, change.current(check.key)):
                    raise ConflictError(check.key)
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
        with self._writing() as connection:
            history.span(connection).check(oldest)
            compact(connection, oldest)

    # --- the file ----------------------------------------------------------------------------------------------------------

    def retention(self) -> Retention:
        """How much of the past is kept."""
        with self._reading() as connection:
            return retention(connection)

    def set_retention(self, wanted: Retention) -> None:
        """Keep so much of the past from now on, whoever writes."""
        with self._writing() as connection:
            set_retention(connection, wanted)

    def oldest_revision(self) -> int:
        """The first revision that can still be read and watched from."""
        with self._reading() as connection:
            return history.span(connection).oldest

    def backup(self, target: Path, progress: Callable[[int, int], object] = lambda *_: None) -> None:
        """Write the store as it is at one revision, while others go on writing, to the new file *target*.

        *progress* is called with pages done and pages in all. The file appears when it is complete and synced, for its owner
        only; FileExistsError, OSError, StoreError.
        """
        from tortie.datastore.sqlite.backup import write_backup  # noqa: PLC0415 - few need it

        with self._reading() as connection:
            write_backup(connection, target, progress)

    def restore(
        self, backup: Path, *, overwrite: bool = False, progress: Callable[[int, int], object] = lambda *_: None
    ) -> Restored:
        """Make what the file *backup* holds the newest state, in one commit, while others have the store open.

        Without *overwrite*, AlreadyExistsError if the store holds anything. OSError, StoreError. *progress* is called with keys
        written and keys in all.
        """
        from tortie.datastore.sqlite.restore import opened_backup, restore  # noqa: PLC0415 - few need it

        with opened_backup(backup, self._settings.path) as source:
            with self._writing() as connection:
                now_s = self._settings.wall_clock()
                done = restore(connection, source, now_s, overwrite=overwrite, tell=progress)
            self._ring()
        return done

    # --- leases ------------------------------------------------------------------------------------------------------------

    def lease(self, ttl_s: float) -> SQLiteLease:
        if ttl_s <= 0:
            raise ValueError(f"a lease cannot live for {ttl_s} s")
        with self._writing() as connection:
            lease = leases.grant(connection, ttl_s, self._settings.clock.now())
        return SQLiteLease(self, lease, ttl_s)

    def renew_lease(self, lease: LeaseId) -> None:
        """See ``store.Lease.renew``."""
        with self._writing() as connection:
            leases.renew(connection, lease, self._settings.clock.now())

    def revoke_lease(self, lease: LeaseId) -> None:
        """See ``store.Lease.revoke``; nothing happens if the lease has ended."""
        with self._changing() as change:
            leases.end(change, (lease,))

    # --- watching, closing -------------------------------------------------------------------------------------------------

    def watch(self, prefix: str, from_revision: int) -> SQLiteWatch:
        """May be called without an event loop; iterating needs one."""
        from tortie.datastore.sqlite.watch import SQLiteWatch  # noqa: PLC0415 - with asyncio, which commands do not need

        watch = SQLiteWatch(
            self._settings, self._database.file, prefix, from_revision, ring=self._ring, ended=self._watches.discard
        )
        self._watches.add(watch)
        return watch

    def _ring(self) -> None:
        self._doorbell.ring()

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

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """One transaction that reads, after one that ends the leases that are over, if there are such and the disk takes it."""
        with self._begun(Database.reading) as connection:
            if not leases.any_is_over(connection, self._settings.clock.now()):
                yield connection
                return
        with contextlib.suppress(UnavailableError), self._writing():
            pass
        with self._begun(Database.reading) as connection:
            yield connection

    @contextlib.contextmanager
    def _changing(self) -> Iterator[Change]:
        """One transaction that may make a revision, after one for the leases that are over."""
        with self._writing() as connection:
            change = Change(connection)
            yield change
            change.finish(self._settings.wall_clock())
            is_changed = not change.is_empty
        if is_changed:
            self._doorbell.ring()

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction that writes. The bell rings after the commit: a listener must find what it is called for."""
        with self._begun(Database.writing) as connection:
            has_ended = leases.expire(connection, self._settings)
            yield connection
        if has_ended:
            self._doorbell.ring()

    @contextlib.contextmanager
    def _begun(
        self, begin: Callable[[Database], AbstractContextManager[sqlite3.Connection]]
    ) -> Iterator[sqlite3.Connection]:
        """A transaction on the file that is at our path now, which may be another than before."""
        with contextlib.ExitStack() as transaction:
            try:
                connection = transaction.enter_context(begin(self._database))
            except ReplacedFileError:
                self._reconnect()
                connection = transaction.enter_context(begin(self._database))
            yield connection

    def _reconnect(self) -> None:
        import logging  # noqa: PLC0415 - takes 4 ms to load, while completion has 50 in all

        old = self._database, self._doorbell
        self._database, self._doorbell = _connect(self._settings)
        log = logging.getLogger(__name__)
        log.warning("%s is another file than before; going on with that", self._settings.path)
        for closed in old:
            closed.close()


def _connect(settings: Settings) -> tuple[Database, Doorbell]:
    with contextlib.ExitStack() as undo:
        connection = Database.open(settings.path, busy_s=_BUSY_S)
        undo.callback(connection.close)
        leases.enter_era(connection, settings.clock)
        doorbell = _doorbell(settings.bell)
        undo.pop_all()
    return connection, doorbell


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


def _doorbell(path: Path) -> Doorbell:
    try:
        return Doorbell(path)
    except OSError as error:
        raise UnavailableError(f"cannot open {path}: {error.strerror}") from error
