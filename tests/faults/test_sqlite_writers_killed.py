"""kill -9 of a writer, at any moment of a batch: the store is readable, and all of the batch is there or nothing.

Between any two statements deterministically; within a statement, and within the commit's writes to the disk, by kills spread
evenly over the time that the batch takes. ``TORTIE_SOAK=1`` does 200 of those.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import select
import signal
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from tortie.datastore.sqlite import SQLiteStore
from tortie.datastore.sqlite.database import Database
from tortie.datastore.store import Changes, Put
from tortie.testing.clock import ManualClock

KILLS = 200 if os.environ.get("TORTIE_SOAK") else 20
KEYS = [f"/a/{number}" for number in range(500)]
FEW = 10
"""Keys of the batch that is killed between statements: it has two for each of them."""

WAIT_S = 20.0


def in_child(body: Callable[[], None]) -> int:
    """Run *body* in a forked child, which opens the store itself; its pid."""
    child = os.fork()
    if child:
        return child
    try:
        body()
        os._exit(0)
    except BaseException:  # noqa: BLE001 - the exit status tells
        os._exit(1)


def exit_status(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def die_at(store: SQLiteStore, statement: int) -> None:
    """This process is killed as *store* begins its SQL statement *statement* from now on."""
    count = itertools.count(1)

    def trace(_: str) -> None:
        if next(count) == statement:
            os.kill(os.getpid(), signal.SIGKILL)

    store._database._connection.set_trace_callback(trace)


def batch(number: int, size: int = len(KEYS)) -> list[Put]:
    return [Put(key, b"%d" % number * 200) for key in KEYS[:size]]


def expect_whole(path: Path, numbers: range, size: int = len(KEYS)) -> int:
    """The store is sound, and holds one whole batch, whose number is of *numbers*."""
    with SQLiteStore.open(path, create=False) as store:
        values = {int(entry.value[: len(entry.value) // 200]) for entry in store.list("/a/").entries}
        assert len(values) == 1
        (found,) = values
        assert found in numbers
        history = asyncio.run(_last_changes(store))
        assert [len(changes.events) for changes in history] == [size]
        assert history[0].revision == store.revision()
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
    return found


async def _last_changes(store: SQLiteStore) -> list[Changes]:
    watch = store.watch("/", store.revision())
    item = await asyncio.wait_for(anext(watch), WAIT_S)
    await watch.aclose()
    return [item] if isinstance(item, Changes) else []


def test_a_writer_killed_between_any_two_statements_leaves_all_or_nothing(tmp_path: Path) -> None:
    path = tmp_path / "tortie.db"
    with SQLiteStore.open(path) as store:
        store.transact([], batch(0, FEW))
    outcomes: list[bool] = []
    status = -signal.SIGKILL
    while status == -signal.SIGKILL:
        number = len(outcomes) + 1
        status = _write_killed_at(path, number, statement=number)
        found = expect_whole(path, range(number - 1, number + 1), FEW)
        outcomes.append(found == number)
        with SQLiteStore.open(path) as store:
            store.transact([], batch(number, FEW))
    assert status == 0
    assert 2 * FEW < len(outcomes) < 100, "killed at each statement, and at last not at all"
    assert outcomes == [False] * (len(outcomes) - 1) + [True]


def _write_killed_at(path: Path, number: int, statement: int) -> int:
    """Write batch *number* in a process that dies as it begins its SQL statement *statement*; its exit status."""

    def write() -> None:
        with SQLiteStore.open(path) as store:
            die_at(store, statement)
            store.transact([], batch(number, FEW))

    return exit_status(in_child(write))


def test_a_writer_killed_at_any_moment_of_a_batch_leaves_all_or_nothing(tmp_path: Path) -> None:
    path = tmp_path / "tortie.db"
    with SQLiteStore.open(path) as store:
        store.transact([], batch(0))
    duration = min(_write_killed_after(path, number, WAIT_S).took_s for number in (1, 2, 3))
    committed, survived = 3, 0
    for kill in range(KILLS):
        number = committed + 1
        written = _write_killed_after(path, number, duration * (kill + 0.5) / KILLS)
        found = expect_whole(path, range(committed, number + 1))
        if written.acknowledged:
            assert found == number, "what was acknowledged is there"
            survived += 1
        committed = found
    assert survived < KILLS, "some writers were killed before their end"


class Written(NamedTuple):
    """What became of one writer."""

    acknowledged: bool
    took_s: float


def _write_killed_after(path: Path, number: int, delay_s: float) -> Written:
    """Write batch *number* in a process that is killed *delay_s* after it began to."""
    reading, writing = os.pipe()

    def write() -> None:
        with SQLiteStore.open(path) as store:
            writes = batch(number)
            os.write(writing, b"b")
            store.transact([], writes)
            os.write(writing, b"e")

    child = in_child(write)
    os.close(writing)
    assert os.read(reading, 1) == b"b"
    began = time.monotonic()
    select.select([reading], [], [], delay_s)
    took_s = time.monotonic() - began
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    acknowledged = os.read(reading, 1) == b"e"  # nothing, where the writer was killed before
    os.close(reading)
    return Written(acknowledged, took_s)


@pytest.mark.parametrize("statement", range(1, 12))
def test_a_writer_killed_while_it_ends_leases_leaves_them_to_the_next(tmp_path: Path, statement: int) -> None:
    path = tmp_path / "tortie.db"
    clock = ManualClock()
    with SQLiteStore.open(path, clock=clock) as store:
        held = {key: store.apply(key, b"", lease=store.lease(60).id) for key in ("/l/1", "/l/2")}
    clock.reading = 61.0

    def end_leases() -> None:
        with SQLiteStore.open(path, clock=clock) as store:
            die_at(store, statement)
            store.list("")

    assert exit_status(in_child(end_leases)) == -signal.SIGKILL
    with contextlib.closing(Database.open(path, busy_s=1)) as opened, opened.reading() as connection:
        kept = [key for (key,) in connection.execute("SELECT key FROM current")]
    assert set(kept) in (set(held), set())
    with SQLiteStore.open(path, clock=clock) as store:
        assert store.list("").entries == ()
        assert store.revision() == max(entry.revision for entry in held.values()) + 1
