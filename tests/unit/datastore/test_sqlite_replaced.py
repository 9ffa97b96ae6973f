"""A store whose file is taken away or replaced while programs have it open."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tortie.datastore.sqlite import SQLiteStore
from tortie.datastore.sqlite.database import BusyError, Database
from tortie.datastore.store import Progress, ReplacedError, UnavailableError
from tortie.datastore.syncer import Backoff, sync
from tortie.model.updates import InSync, Update


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tortie.db"


@pytest.fixture
def store(path: Path) -> Iterator[SQLiteStore]:
    """A client that had the store open before anything happened to it."""
    with SQLiteStore.open(path, poll_s=0.01) as opened:
        opened.apply("/old", b"1")
        opened.apply("/both", b"1")
        yield opened


def remove(path: Path) -> None:
    for file in path.parent.glob(f"{path.name}*"):
        file.unlink()


def replace(path: Path, *keys: str) -> None:
    """Put a new store with *keys* in the place of the one at *path*."""
    with SQLiteStore.open(path.with_name("new.db")) as new:
        for key in keys:
            new.apply(key, b"2")
    remove(path)
    os.rename(path.with_name("new.db"), path)


def test_a_store_that_was_removed_is_unavailable_until_there_is_one_again(path: Path, store: SQLiteStore) -> None:
    remove(path)
    for operation in (lambda: store.get("/old"), lambda: store.apply("/new", b"")):
        with pytest.raises(UnavailableError, match="there is no datastore at"):
            operation()
    SQLiteStore.open(path).close()
    assert store.list("").entries == ()
    written = store.apply("/new", b"")
    with SQLiteStore.open(path) as other:
        assert other.list("").entries == (written,)


def test_the_store_that_is_there_now_is_read_and_written(path: Path, store: SQLiteStore) -> None:
    replace(path, "/new")
    assert [entry.key for entry in store.list("").entries] == ["/new"]
    store.apply("/more", b"")
    with SQLiteStore.open(path) as other:
        assert [entry.key for entry in other.list("").entries] == ["/more", "/new"]


@pytest.mark.parametrize("when", ["before it is asked", "while it waits"])
def test_a_watch_is_told_that_the_store_was_replaced(path: Path, store: SQLiteStore, when: str) -> None:
    async def follow() -> None:
        watch = store.watch("/", store.revision() + 1)
        if when == "before it is asked":
            replace(path, "/new")
            await anext(watch)
        else:
            waiting = asyncio.ensure_future(anext(watch))
            for _ in range(5):
                await asyncio.sleep(0)
            replace(path, "/new")
            await waiting

    with pytest.raises(ReplacedError, match="was it replaced"):
        asyncio.run(asyncio.wait_for(follow(), 10))


def test_a_watch_that_cannot_look_at_the_new_store_at_once_is_told_later(
    path: Path, store: SQLiteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process recovers or closes it just now: a moment that cannot be met on purpose."""
    opened = Database.open
    answers = [opened, busy, opened, opened]

    def open_in_turn(file: Path, *, busy_s: float) -> Database:
        return answers.pop(0)(file, busy_s=busy_s)

    async def follow() -> None:
        watch = store.watch("/", store.revision() + 1)
        replace(path, *(f"/new/{number}" for number in range(5)))
        monkeypatch.setattr(Database, "open", open_in_turn)
        await anext(watch)

    with pytest.raises(ReplacedError, match="was it replaced"):
        asyncio.run(asyncio.wait_for(follow(), 10))


def busy(file: Path, *, busy_s: float) -> Database:
    raise BusyError(f"{file}: database is locked")


def test_a_follower_comes_to_the_state_of_the_new_store(path: Path, store: SQLiteStore) -> None:
    """Whose revisions and keys are partly the same, with other values; the outage in between is waited for."""

    async def follow() -> dict[str, bytes | None]:
        state: dict[str, bytes | None] = {}
        removed = False

        async def sleep(_: float) -> None:
            if not path.exists():
                replace(path, "/new", "/both")

        async for batch in sync(store, ["/"], backoff=Backoff(), sleep=sleep):
            state |= {item.key: item.value for item in batch if isinstance(item, Update)}
            if any(isinstance(item, InSync) for item in batch):
                if removed:
                    return state
                removed = True
                remove(path)
        raise AssertionError("ended")

    assert asyncio.run(asyncio.wait_for(follow(), 10)) == {"/old": None, "/both": b"2", "/new": b"2"}


def test_a_watch_of_a_store_that_stays_is_not_disturbed(path: Path, store: SQLiteStore) -> None:
    async def follow() -> None:
        watch = store.watch("/", store.revision() + 1)
        waiting = asyncio.ensure_future(anext(watch))
        for _ in range(5):
            await asyncio.sleep(0)
        os.utime(path)
        path.with_name("other.db").touch()
        written = store.apply("/more", b"")
        assert (await waiting).revision == written.revision
        assert not isinstance(await waiting, Progress)

    asyncio.run(asyncio.wait_for(follow(), 10))
