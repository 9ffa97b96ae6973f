"""Following a store: an asynchronous iterator over its history, with a connection of its own.

A watch holds no queue: the history itself is the queue, read in pieces when the consumer asks, so a slow consumer costs no
memory (until the history is compacted under it, which it is told). Between pieces no transaction is open and the event
loop gets its turn; nothing here waits for another process for longer than ``_BUSY_S``.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from typing import Self

from tortie.datastore.listener import Listener
from tortie.datastore.sqlite import history, leases
from tortie.datastore.sqlite.database import BusyError, Database, FileId, ReplacedFileError
from tortie.datastore.sqlite.settings import Settings
from tortie.datastore.store import Changes, Progress, ReplacedError, UnavailableError

_BUSY_S = 0.02
"""Readers wait for nobody in WAL mode, save while another process recovers or closes the file; then the next tick will do."""

_PIECE_REVISIONS = 1000
_PIECE_BYTES = 256 << 10
"""The bounds of one reading: a few milliseconds of the event loop's time, and what the watch holds in memory."""


class SQLiteWatch:
    """See ``store.Watch``. Connects and listens at the first ``__anext__``; *ended* is called when it lets go of both."""

    def __init__(
        self,
        settings: Settings,
        file: FileId,
        prefix: str,
        from_revision: int,
        *,
        ring: Callable[[], object],
        ended: Callable[[SQLiteWatch], object],
    ) -> None:
        self._settings = settings
        self._file = file
        """That *from_revision* is a revision of."""
        self._ring = ring
        self._prefix = prefix
        self._next = from_revision
        self._ended = ended
        self._ready: deque[Changes | Progress] = deque()
        self._wake = asyncio.Event()
        self._listener: Listener | None = None
        self._database: Database | None = None
        self._closed = False
        self._told_at = 0.0
        """When the consumer last heard how far the watch is, by the event loop's clock."""

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Changes | Progress:
        # Cancelled while it waits, it has consumed nothing, and goes on at the next call.
        while not self._ready and not self._closed:
            self._wake.clear()  # before reading: whatever is written from here on rings again
            await asyncio.sleep(0)  # a consumer that is always behind must not keep the loop to itself
            if self._closed:
                break
            try:
                self._read()
            except BaseException:
                self.close()
                raise
            if not self._ready:
                await self._wait()
        if self._closed:
            raise StopAsyncIteration
        self._told_at = _loop_time()
        return self._ready.popleft()

    def _read(self) -> None:
        """Make the next piece of the history ready, or else word of our progress where that is due."""
        with contextlib.suppress(BusyError):
            try:
                database = self._connected()
                self._expire(database)
                with database.reading() as connection:
                    reading = history.read_events(
                        connection, self._prefix, self._next, revisions=_PIECE_REVISIONS, max_bytes=_PIECE_BYTES
                    )
            except ReplacedFileError as error:
                raise self._replaced() from error
            self._take(reading)

    def _expire(self, database: Database) -> None:
        """End the leases that are over; if the file is busy, or the disk full, a later tick will."""
        with database.reading() as connection:
            if not leases.any_is_over(connection, self._settings.clock.now()):
                return
        with contextlib.suppress(UnavailableError):
            with database.writing() as connection:
                has_ended = leases.expire(connection, self._settings)
            if has_ended:
                self._ring()

    def _take(self, reading: history.Reading) -> None:
        self._ready.extend(reading.changes)
        told = reading.changes[-1].revision if reading.changes else self._next - 1
        is_overdue = _loop_time() - self._told_at >= self._settings.progress_s
        if reading.upto > told or (not self._ready and is_overdue and reading.upto <= reading.newest):
            self._ready.append(Progress(reading.upto))
        self._next = reading.upto + 1

    async def _wait(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(self._settings.poll_s, self._settings.progress_s)):
                await self._wake.wait()

    def _connected(self) -> Database:
        if self._listener is None:
            self._listener = Listener(self._settings.bell, self._wake.set)
            self._told_at = _loop_time()
        if self._database is None:
            self._database = Database.open(self._settings.path, busy_s=_BUSY_S)
        if self._database.file != self._file:
            raise self._replaced()
        return self._database

    def _replaced(self) -> ReplacedError:
        """That revisions of the file that is there now have nothing to do with ours; UnavailableError if there is none."""
        with (
            contextlib.closing(Database.open(self._settings.path, busy_s=_BUSY_S)) as found,
            found.reading() as connection,
        ):
            return ReplacedError(self._next - 1, history.span(connection).newest)

    async def aclose(self) -> None:
        self.close()

    def close(self) -> None:
        """What ``aclose`` does, for whoever has no event loop (any more)."""
        if self._closed:
            return
        self._closed = True
        self._wake.set()
        if self._listener is not None:
            self._listener.close()
        if self._database is not None:
            self._database.close()
        self._ended(self)


def _loop_time() -> float:
    return asyncio.get_running_loop().time()
