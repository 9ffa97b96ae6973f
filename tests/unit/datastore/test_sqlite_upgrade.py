"""A store written by an older Tortie is upgraded when it is opened, with its whole history."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

from tortie.datastore.sqlite import Retention, SQLiteStore
from tortie.datastore.store import Changes, Delete, DeleteEvent, Entry, LeaseId, PutEvent

_FORMAT_1 = """
PRAGMA journal_mode = WAL;
PRAGMA application_id = 0x546F7274;
PRAGMA user_version = 1;
CREATE TABLE state (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1), revision INTEGER NOT NULL,
    oldest INTEGER NOT NULL CHECK (oldest <= revision), era TEXT NOT NULL
) STRICT;
CREATE TABLE version (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL, revision INTEGER NOT NULL, ended INTEGER, lease INTEGER, value BLOB
) STRICT;
CREATE UNIQUE INDEX version_current ON version (key) WHERE ended IS NULL;
CREATE INDEX version_key ON version (key, revision);
CREATE INDEX version_revision ON version (revision);
CREATE INDEX version_ended ON version (ended, key) WHERE ended IS NOT NULL;
CREATE INDEX version_lease ON version (lease) WHERE ended IS NULL AND lease IS NOT NULL;
CREATE TABLE lease (id INTEGER PRIMARY KEY AUTOINCREMENT, ttl_s REAL NOT NULL, expires_at REAL NOT NULL) STRICT;
CREATE INDEX lease_expires_at ON lease (expires_at);

INSERT INTO state VALUES (1, 5, 2, '');
INSERT INTO lease VALUES (7, 60, 0);
-- 2: put /a, /b.  3: put /a again, delete /b.  4: put /c with a lease.  5: put /d.
INSERT INTO version VALUES
    (1, '/a', 2, 3, NULL, x'31'), (2, '/b', 2, 3, NULL, x'31'),
    (3, '/a', 3, NULL, NULL, x'32'), (4, '/b', 3, 3, NULL, NULL),
    (5, '/c', 4, NULL, 7, x''), (6, '/d', 5, NULL, NULL, x'33');
"""

A, B, A2, C, D = (
    Entry("/a", b"1", 2), Entry("/b", b"1", 2), Entry("/a", b"2", 3), Entry("/c", b"", 4, LeaseId(7)), Entry("/d", b"3", 5),
)  # fmt: skip


def older_store(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.executescript(_FORMAT_1)
    connection.close()
    path.chmod(0o600)


def test_an_older_store_keeps_its_states_events_and_leases(tmp_path: Path) -> None:
    older_store(tmp_path / "tortie.db")
    with SQLiteStore.open(tmp_path / "tortie.db") as store:
        assert store.list("").entries == (A2, C, D)
        assert [store.list("", at_revision=at).entries for at in (2, 3, 4)] == [(A, B), (A2,), (A2, C)]

        async def history() -> list[Changes]:
            watch = store.watch("/", 3)
            return [item for item in [await anext(watch) for _ in range(3)] if isinstance(item, Changes)]

        assert asyncio.run(history()) == [
            Changes(3, (PutEvent(A2, A), DeleteEvent("/b", B))), Changes(4, (PutEvent(C, None),)), Changes(5, (PutEvent(D, None),)),
        ]  # fmt: skip
        assert store.retention() == Retention()
        assert store.transact([], [Delete("/d")]) == 6
        store.revoke_lease(LeaseId(7))
        assert store.list("").entries == (A2,)
    with SQLiteStore.open(tmp_path / "tortie.db") as again:
        assert again.list("").entries == (A2,)
