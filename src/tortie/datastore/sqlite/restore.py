"""Back to a backup, while others have the store open: what it holds becomes the newest state, in one commit.

The file of a store that is open cannot be swapped safely: SQLite finds a store's log by its name, so a process that opens it at
the wrong moment would join the log of one file to the pages of the other. So the differences are written, as any change is.
Revisions only grow, watchers are told by events, and a crash leaves all of it or nothing. Where the differences are more than
one revision may hold they are several, policies before what they are enforced on, but still one commit.
"""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from tortie.datastore.sqlite import history
from tortie.datastore.sqlite.change import MAX_TRANSACTION_BYTES, Change
from tortie.datastore.sqlite.database import Database, mapped, require_sound
from tortie.datastore.store import AlreadyExistsError, Entry, Limits, StoreError
from tortie.datastore.transfer import Item, batches, in_order

_PAGE = 1000


class Restored(NamedTuple):
    """What it took."""

    written: int
    deleted: int


@contextlib.contextmanager
def opened_backup(file: Path, beside: Path) -> Iterator[sqlite3.Connection]:
    """A transaction on a copy of the backup *file*, which stays as it is; an older program's is brought up to date.

    The copy is made in a directory *beside* the store. OSError; StoreError for what is damaged, is no store or is one in use.
    """
    log = file.with_name(file.name + "-wal")
    if log.exists() and log.stat().st_size:
        raise StoreError(f"{file} is a store in use: make a backup of it first")
    with tempfile.TemporaryDirectory(prefix=f".{beside.name}.", suffix=".new", dir=beside.parent) as folder:
        copy = Path(folder) / file.name
        shutil.copyfile(file, copy)
        with (
            mapped(file),
            contextlib.closing(_opened(copy, file)) as database,
            database.reading() as connection,
        ):
            require_sound(connection, str(file))
            yield connection


def _opened(copy: Path, file: Path) -> Database:
    """The *copy* of *file*, which is what errors name."""
    try:
        return Database.open(copy, busy_s=0)
    except StoreError as error:
        raise StoreError(str(error).replace(str(copy), str(file))) from error


def restore(
    connection: sqlite3.Connection,
    backup: sqlite3.Connection,
    now_s: float,
    *,
    overwrite: bool,
    tell: Callable[[int, int], object],
) -> Restored:
    """Make what *backup* holds the newest state of the store that *connection* is writing to.

    Keys with a lease are left out on both sides: they speak of living processes. AlreadyExistsError, which names a key, for a
    store that holds something, unless *overwrite*.
    """
    wanted: set[str] = set()
    items: list[Item] = []
    for entry in _entries(backup):
        wanted.add(entry.key)
        stored = history.get(connection, entry.key, None)
        if stored is None or (stored.value, stored.lease) != (entry.value, None):
            items.append(Item(entry.key, entry.value))
    unwanted = []
    for entry in _entries(connection):
        if not overwrite:
            raise AlreadyExistsError(entry.key)
        if entry.key not in wanted:
            unwanted.append(entry.key)
    _write(connection, in_order(items), unwanted, now_s, tell)
    return Restored(len(items), len(unwanted))


def _write(
    connection: sqlite3.Connection,
    items: Iterable[Item],
    unwanted: Iterable[str],
    now_s: float,
    tell: Callable[[int, int], object],
) -> None:
    """The last revision also deletes, so that nothing is without what governs it before everything is there."""
    waiting = list(items)
    parts = [*batches(waiting, Limits(size_bytes=MAX_TRANSACTION_BYTES))] or [[]]
    done = 0
    for part in parts:
        change = Change(connection)
        for item in part:
            change.put(*item, lease=None)
        if part is parts[-1]:
            for key in unwanted:
                change.delete(key)
        change.finish(now_s)
        done += len(part)
        tell(done, len(waiting))


def _entries(connection: sqlite3.Connection) -> Iterator[Entry]:
    after: str | None = None
    while True:
        page = history.page(connection, "", _PAGE, after, None)
        yield from (entry for entry in page.entries if entry.lease is None)
        after = page.after
        if after is None:
            return
