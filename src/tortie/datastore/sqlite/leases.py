"""Leases: keys that are deleted when their holder is gone.

SQLite runs nothing by itself, so whoever has the store open ends the leases that are over: before every operation, and at
every tick of a watch. Ending some is a change like any other: one revision, which every watch sees.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from tortie.datastore.sqlite.change import Change
from tortie.datastore.sqlite.clock import Clock
from tortie.datastore.sqlite.database import Database
from tortie.datastore.sqlite.settings import Settings
from tortie.datastore.store import LeaseId, NotFoundError


def grant(connection: sqlite3.Connection, ttl_s: float, now: float) -> LeaseId:
    """Start a lease."""
    cursor = connection.execute("INSERT INTO lease (ttl_s, expires_at) VALUES (?, ?)", (ttl_s, now + ttl_s))
    assert cursor.lastrowid is not None
    return LeaseId(cursor.lastrowid)


def renew(connection: sqlite3.Connection, lease: LeaseId, now: float) -> None:
    """Start a lease's time to live anew; NotFoundError."""
    if not connection.execute("UPDATE lease SET expires_at = ? + ttl_s WHERE id = ?", (now, lease)).rowcount:
        raise NotFoundError(f"lease {lease}")


def end(change: Change, leases: Iterable[LeaseId]) -> None:
    """End *leases* and delete their keys."""
    held = "SELECT key FROM current WHERE lease = ? ORDER BY key"
    for lease in leases:
        change.connection.execute("DELETE FROM lease WHERE id = ?", (lease,))
        for (key,) in change.connection.execute(held, (lease,)).fetchall():
            change.delete(key)


def any_is_over(connection: sqlite3.Connection, now: float) -> bool:
    """Whether there is a lease to be ended."""
    return connection.execute("SELECT 1 FROM lease WHERE expires_at <= ? LIMIT 1", (now,)).fetchone() is not None


def expire(connection: sqlite3.Connection, settings: Settings) -> bool:
    """End the leases whose time is over, in a transaction that writes; whether that changed any key."""
    now = settings.clock.now()
    rows = connection.execute("SELECT id FROM lease WHERE expires_at <= ? ORDER BY expires_at, id", (now,)).fetchall()
    if not rows:
        return False
    change = Change(connection)
    end(change, (LeaseId(row[0]) for row in rows))
    change.finish(settings.wall_clock())
    return not change.is_empty


def enter_era(database: Database, clock: Clock) -> None:
    """Give every lease its whole time anew if the clock's readings changed their meaning since the store was last used."""
    with database.reading() as connection:
        if _era(connection) == clock.era:
            return
    with database.writing() as connection:
        if _era(connection) != clock.era:
            connection.execute("UPDATE state SET era = ?", (clock.era,))
            connection.execute("UPDATE lease SET expires_at = ? + ttl_s", (clock.now(),))


def _era(connection: sqlite3.Connection) -> str:
    era: str = connection.execute("SELECT era FROM state").fetchone()[0]
    return era
