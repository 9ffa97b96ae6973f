"""A copy of the store at one revision, while others go on writing: SQLite's online backup."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

from tortie.datastore.sqlite.database import draft_of, mapped, require_sound

_PAGES = 1000
"""Copied between two words of progress; a page has 4096 bytes."""


def write_backup(source: sqlite3.Connection, target: Path, progress: Callable[[int, int], object]) -> None:
    """Copy the store that *source* is reading, inside a transaction, to the new file *target*.

    *progress* is called with pages done and pages in all. The file appears when it is complete and synced, for its owner only.
    FileExistsError, OSError, StoreError.
    """
    # That the source is inside a transaction keeps the copy at one revision: outside, every write of others makes it begin anew.
    assert source.in_transaction
    if target.exists():
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
    with draft_of(target) as draft:
        _copy(source, draft, progress)
        os.link(draft, target)
        _sync(target.parent)


def _copy(source: sqlite3.Connection, draft: Path, progress: Callable[[int, int], object]) -> None:
    with mapped(draft), contextlib.closing(sqlite3.connect(draft, isolation_level=None)) as copy:
        source.backup(copy, pages=_PAGES, progress=lambda _, left, total: progress(total - left, total))
        require_sound(copy, "the copy")
    _sync(draft)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
