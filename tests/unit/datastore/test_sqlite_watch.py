"""What a watch of an SQLite store does beyond the contract: its bell, its ticks, its bounds."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from tortie.datastore.sqlite import SQLiteStore
from tortie.datastore.store import Changes, CompactedError, DeleteEvent, Progress
from tortie.testing.clock import ManualClock

T = TypeVar("T")

NEVER_S = 3600.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tortie.db"


@pytest.fixture
def writer(path: Path) -> Iterator[SQLiteStore]:
    """Another client of the same store."""
    with SQLiteStore.open(path) as store:
        yield store


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(asyncio.wait_for(coroutine, 20))


def test_the_bell_alone_wakes_a_watch(path: Path, writer: SQLiteStore) -> None:
    async def follow(store: SQLiteStore) -> None:
        watch = store.watch("/", store.revision() + 1)
        waiting = asyncio.ensure_future(anext(watch))
        for _ in range(5):
            await asyncio.sleep(0)
        written = writer.apply("/a", b"")
        assert (await waiting).revision == written.revision

    with SQLiteStore.open(path, poll_s=NEVER_S, progress_s=NEVER_S) as store:
        run(follow(store))


def test_a_watch_whose_bell_was_taken_away_looks_by_itself(path: Path, writer: SQLiteStore) -> None:
    async def follow(store: SQLiteStore) -> None:
        watch = store.watch("/", store.revision() + 1)
        waiting = asyncio.ensure_future(anext(watch))
        for _ in range(5):
            await asyncio.sleep(0)
        path.with_name("tortie.db-bell").unlink()
        with SQLiteStore.open(path) as other:  # makes a new bell, which the watch does not hear
            written = other.apply("/a", b"")
        assert (await waiting).revision == written.revision

    with SQLiteStore.open(path, poll_s=0.01) as store:
        run(follow(store))


def test_a_quiet_watch_tells_its_progress_now_and_then(path: Path, writer: SQLiteStore) -> None:
    async def follow(store: SQLiteStore) -> list[Changes | Progress]:
        watch = store.watch("/", store.revision() + 1)
        return [await anext(watch), await anext(watch)]

    with SQLiteStore.open(path, progress_s=0.01) as store:
        assert run(follow(store)) == [Progress(writer.revision())] * 2


def test_a_watch_from_the_future_claims_no_progress(path: Path, writer: SQLiteStore) -> None:
    async def follow(store: SQLiteStore) -> Changes | Progress:
        watch = store.watch("/", writer.revision() + 3)
        waiting = asyncio.ensure_future(anext(watch))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(waiting), 0.05)
        for _ in range(3):
            written = writer.apply("/a", b"")
        item = await waiting
        assert item.revision == written.revision
        return item

    with SQLiteStore.open(path, progress_s=0.01) as store:
        assert isinstance(run(follow(store)), Changes)


def test_one_clients_watch_ends_a_lease_and_wakes_the_others(path: Path) -> None:
    clock = ManualClock()

    async def follow(ticking: SQLiteStore, listening: SQLiteStore) -> None:
        held = listening.apply("/a", b"", lease=listening.lease(60).id)
        watches = [store.watch("/a", held.revision + 1) for store in (ticking, listening)]
        waiting = [asyncio.ensure_future(anext(watch)) for watch in watches]
        for _ in range(5):
            await asyncio.sleep(0)
        clock.reading = 61
        assert await asyncio.gather(*waiting) == [Changes(held.revision + 1, (DeleteEvent("/a", held),))] * 2

    with (
        SQLiteStore.open(path, clock=clock, poll_s=0.01) as ticking,
        SQLiteStore.open(path, clock=clock, poll_s=NEVER_S, progress_s=NEVER_S) as listening,
    ):
        run(follow(ticking, listening))


def test_a_lease_that_cannot_be_ended_now_does_not_stop_a_watch(path: Path) -> None:
    clock = ManualClock()

    async def follow(store: SQLiteStore, other: sqlite3.Connection) -> None:
        before = store.apply("/a", b"1", lease=store.lease(60).id)
        after = store.apply("/b", b"1")
        watch = store.watch("/", before.revision)
        clock.reading = 61
        other.execute("BEGIN IMMEDIATE")
        assert [(await anext(watch)).revision, (await anext(watch)).revision] == [before.revision, after.revision]
        other.execute("ROLLBACK")
        assert await anext(watch) == Changes(after.revision + 1, (DeleteEvent("/a", before),))

    with SQLiteStore.open(path, clock=clock, poll_s=0.01) as store:
        other = sqlite3.connect(path, isolation_level=None)
        run(follow(store, other))
        other.close()


def test_a_watch_that_is_far_behind_lets_the_loop_run(writer: SQLiteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its history comes in pieces; between two of them others get their turn."""
    monkeypatch.setattr("tortie.datastore.sqlite.watch._PIECE_REVISIONS", 10)
    first = writer.revision() + 1
    for _ in range(25):
        last = writer.apply("/a", b"")
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def follow() -> None:
        running = asyncio.ensure_future(others())
        watch = writer.watch("/", first)
        while (await anext(watch)).revision < last.revision:
            pass
        running.cancel()

    run(follow())
    assert turns >= 3


def held(folder: Path) -> list[str]:
    """What is open of the files in *folder*, and listened to (inotify(7)): other descriptors of the process come and go as they like."""
    links = map(_link, os.listdir("/proc/self/fd"))
    return sorted(link for link in links if link == "anon_inode:inotify" or link.startswith(f"{folder}/"))


def _link(descriptor: str) -> str:
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}")
    except FileNotFoundError:  # the listing's own, or closed meanwhile
        return ""


@pytest.mark.parametrize("turns", range(5))
def test_a_watch_that_is_ended_at_any_moment_holds_no_descriptor(path: Path, writer: SQLiteStore, turns: int) -> None:
    async def follow(turns: int) -> list[str]:
        watch = writer.watch("/", writer.revision() + 1)
        waiting = asyncio.ensure_future(anext(watch, None))
        for _ in range(turns):
            await asyncio.sleep(0)
        await watch.aclose()
        await watch.aclose()
        assert await waiting is None
        return held(path.parent)

    # SQLite keeps one closed connection's descriptor for the next, while another is open: the first watch does not count.
    assert run(follow(5)) == run(follow(turns)) == run(follow(turns))


def test_a_watch_that_is_left_behind_is_told_so(writer: SQLiteStore) -> None:
    """The history is its queue: nothing was read ahead of the consumer."""

    async def follow() -> None:
        watch = aiter(writer.watch("/a", writer.revision() + 1))
        written = writer.apply("/a", b"1")
        assert (await anext(watch)).revision == written.revision
        writer.compact([writer.apply("/a", b"2"), writer.apply("/a", b"3")][-1].revision)
        with pytest.raises(CompactedError):
            await anext(watch)

    run(follow())
