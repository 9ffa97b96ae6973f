"""The SQLite store on a disk that is full or read-only: an error that says so, and nothing lost.

The disk is a small tmpfs in a mount namespace of the test's own.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from isolation import isolated

from tortie.datastore.sqlite import SQLiteStore
from tortie.datastore.store import Changes, Entry, Put, PutEvent, StoreError, UnavailableError
from tortie.lab.namespaces import CLONE_NEWNS, MS_PRIVATE, MS_REC, mount, unshare
from tortie.testing.clock import ManualClock

MS_RDONLY = 0x1  # <sys/mount.h>
MS_REMOUNT = 0x20

SIZE = "size=4m"


def disk(folder: Path) -> Path:
    """Where the store is, on a small disk that only this process sees."""
    unshare(CLONE_NEWNS)
    mount("none", "/", flags=MS_REC | MS_PRIVATE)
    mount("tmpfs", folder, "tmpfs", data=SIZE)
    return folder / "tortie.db"


def content(store: SQLiteStore) -> dict[str, Entry]:
    return {entry.key: entry for entry in store.list("").entries}


def fill(folder: Path) -> Path:
    """Take all the room that is left."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (65536, 4096):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue
    return filler


@isolated
def test_a_full_disk_is_an_error_and_loses_nothing(tmp_path: Path) -> None:
    path = disk(tmp_path)
    with SQLiteStore.open(path) as store:
        acknowledged: dict[str, Entry] = {}
        with pytest.raises(UnavailableError, match="disk is full"):
            for number in range(1000):
                key = f"/a/{number % 50}"
                acknowledged[key] = store.apply(key, b"%d" % number * 5000)
        assert len(acknowledged) >= 50
        assert content(store) == acknowledged
        with SQLiteStore.open(path) as other:
            assert content(other) == acknowledged


@isolated
def test_a_batch_that_the_disk_has_no_room_for_is_not_half_there(tmp_path: Path) -> None:
    path = disk(tmp_path)
    with SQLiteStore.open(path) as store:
        kept = store.apply("/kept", b"1")
        filler = fill(tmp_path)
        with pytest.raises(UnavailableError, match="disk is full"):
            store.transact([], [Put(f"/a/{number}", bytes(10_000)) for number in range(50)])
        assert content(store) == {"/kept": kept}
        filler.unlink()
        revision = store.transact([], [Put(f"/a/{number}", bytes(10_000)) for number in range(50)])
    with SQLiteStore.open(path) as again:
        assert len(content(again)) == 51
        assert again.revision() == revision == kept.revision + 1


@isolated
def test_a_full_disk_does_not_keep_readers_out(tmp_path: Path) -> None:
    """Though a lease is over, which nobody can write down; a later reader ends it."""
    clock = ManualClock()
    path = disk(tmp_path)
    with SQLiteStore.open(path, clock=clock, poll_s=0.01) as store:
        held = store.apply("/held", bytes(5000), lease=store.lease(60).id)
        filler = fill(tmp_path)
        with pytest.raises(UnavailableError, match="disk is full"):
            store.transact([], [Put(f"/a/{number}", bytes(10_000)) for number in range(50)])
        clock.reading = 61
        assert content(store) == {"/held": held}

        async def first() -> object:
            return await anext(store.watch("/", held.revision))

        assert asyncio.run(asyncio.wait_for(first(), 10)) == Changes(held.revision, (PutEvent(held, None),))
        filler.unlink()
        assert content(store) == {}


@isolated
def test_no_store_is_made_on_a_full_disk(tmp_path: Path) -> None:
    path = disk(tmp_path)
    filler = fill(tmp_path)
    with pytest.raises(StoreError):
        SQLiteStore.open(path)
    filler.unlink()
    assert list(tmp_path.iterdir()) == []
    SQLiteStore.open(path).close()


@isolated
def test_a_read_only_disk_is_an_error_and_loses_nothing(tmp_path: Path) -> None:
    path = disk(tmp_path)
    with SQLiteStore.open(path) as store:
        kept = store.apply("/kept", b"1")
    mount("none", tmp_path, flags=MS_REMOUNT | MS_RDONLY)
    for create in (True, False):
        with pytest.raises(UnavailableError, match="is on a read-only file system"):
            SQLiteStore.open(path, create=create)
    with pytest.raises(UnavailableError, match=r"cannot create the datastore .*: Read-only file system"):
        SQLiteStore.open(tmp_path / "new.db")
    mount("none", tmp_path, flags=MS_REMOUNT)
    with SQLiteStore.open(path) as store:
        assert content(store) == {"/kept": kept}
        store.apply("/kept", b"2")
