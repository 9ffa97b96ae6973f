"""The file's tables, and bringing those of an older Tortie up to date.

A log and an index of what is current: ``version`` holds every value that a key had, in the order of writing, and ``current``
points at each key's newest. A write appends, and never touches an old value again: so it takes less than twice the time of an
upsert into one plain table (bench/sqlite_store.py), where writing the old value again took four times that.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

SCHEMA_VERSION = 2
"""Of ``PRAGMA user_version``; a file with a greater one is refused, since its writer knew something that we do not."""

APPLICATION_ID = 0x546F7274
"""``Tort``, in ``PRAGMA application_id``: tells a store from any other SQLite file."""

ID_BITS = 24
"""``version.id`` is the revision, shifted by so many bits, and the write's place in it: in the order of ids is in the order
of events. A transaction has fewer writes than this has room for."""

_TABLES = f"""
CREATE TABLE version (
    id    INTEGER PRIMARY KEY, -- revision << {ID_BITS} | place in the transaction
    key   TEXT NOT NULL,
    lease INTEGER,
    value BLOB                 -- NULL: a deletion
) STRICT;
CREATE INDEX version_key ON version (key, id);

CREATE TABLE current (
    key   TEXT PRIMARY KEY,
    id    INTEGER NOT NULL,    -- of the key's newest version, which is no deletion
    lease INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX current_lease ON current (lease) WHERE lease IS NOT NULL;

-- When revisions were made, by the wall clock: one row now and then, enough to forget by age.
CREATE TABLE moment (
    revision INTEGER PRIMARY KEY,
    at_s     REAL NOT NULL     -- since 1970
) STRICT;
"""

_RETENTION = "keep_revisions INTEGER NOT NULL DEFAULT 10000", "keep_s INTEGER NOT NULL DEFAULT 86400"
"""Columns of ``state``: see ``settings.Retention``."""

SCHEMA = f"""
CREATE TABLE state (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    revision INTEGER NOT NULL,                            -- the newest
    oldest   INTEGER NOT NULL CHECK (oldest <= revision), -- the first that can still be read and watched from
    era      TEXT NOT NULL,                               -- of the clock that lease.expires_at was read from
    {_RETENTION[0]},
    {_RETENTION[1]}
) STRICT;
INSERT INTO state (only_row, revision, oldest, era) VALUES (1, 1, 1, '');

CREATE TABLE lease (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    ttl_s      REAL NOT NULL,
    expires_at REAL NOT NULL
) STRICT;
CREATE INDEX lease_expires_at ON lease (expires_at);
{_TABLES}
"""

# Format 1 kept the span of revisions over which each value was current, and so had to write every old value again.
_FROM_1 = f"""
ALTER TABLE version RENAME TO version_1;
DROP INDEX version_key;
ALTER TABLE state ADD COLUMN {_RETENTION[0]};
ALTER TABLE state ADD COLUMN {_RETENTION[1]};
{_TABLES}
INSERT INTO version SELECT (revision << {ID_BITS}) + row_number() OVER (PARTITION BY revision ORDER BY id) - 1, key, lease, value
    FROM version_1;
INSERT INTO current SELECT key, max(id), lease FROM version WHERE key IN (SELECT key FROM version_1 WHERE ended IS NULL) GROUP BY key;
DROP TABLE version_1;
"""

_UPGRADES: Mapping[int, str] = {1: _FROM_1}
"""What leads from each older format to the next."""


def upgrade(connection: sqlite3.Connection, version: int) -> None:
    """Bring tables of format *version* up to date, inside the transaction that is open."""
    for older in range(version, SCHEMA_VERSION):
        for statement in _UPGRADES[older].split(";\n"):
            connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
