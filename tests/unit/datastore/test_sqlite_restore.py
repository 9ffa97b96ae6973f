"""A store goes back to a backup while others have it open: one commit, new revisions, nothing lost if it fails."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tortie.datastore.sqlite import SQLiteStore, change
from tortie.datastore.sqlite.restore import Restored
from tortie.datastore.store import AlreadyExistsError, Changes, Put, StoreError
from tortie.datastore.syncer import sync
from tortie.datastore.transfer import CLUSTER_KEY
from tortie.model import kinds
from tortie.model.updates import InSync, Update


def content(store: SQLiteStore) -> dict[str, bytes]:
    return {entry.key: entry.value for entry in store.list("").entries}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tortie.db"


@pytest.fixture
def store(path: Path) -> Iterator[SQLiteStore]:
    with SQLiteStore.open(path, poll_s=0.01) as opened:
        opened.transact([], [Put("/changed", b"1"), Put("/gone", b"1"), Put("/same", b"1")])
        yield opened


@pytest.fixture
def backup(store: SQLiteStore, tmp_path: Path) -> Path:
    """What ``store`` held before it was changed."""
    store.backup(tmp_path / "copy.db")
    store.apply("/changed", b"2")
    store.delete("/gone")
    store.apply("/new", b"2")
    return tmp_path / "copy.db"


def test_the_store_holds_what_the_backup_held_at_a_new_revision(store: SQLiteStore, backup: Path) -> None:
    before, same = store.revision(), store.get("/same")
    bytes_before = backup.read_bytes()
    assert store.restore(backup, overwrite=True) == Restored(written=2, deleted=1)
    assert content(store) == {"/changed": b"1", "/gone": b"1", "/same": b"1"}
    assert store.revision() == before + 1
    assert store.get("/same") == same
    assert store.get("/new", at_revision=before).value == b"2"
    assert backup.read_bytes() == bytes_before
    assert not [name for name in os.listdir(backup.parent) if name.endswith(".new") or name.startswith("copy.db-")]
    assert store.restore(backup, overwrite=True) == Restored(0, 0)
    assert store.revision() == before + 1


def test_a_store_that_holds_something_is_overwritten_only_if_that_is_meant(store: SQLiteStore, backup: Path) -> None:
    before = content(store)
    with pytest.raises(AlreadyExistsError, match="/changed"):
        store.restore(backup)
    assert content(store) == before


def test_a_new_store_is_filled(backup: Path, tmp_path: Path) -> None:
    with SQLiteStore.open(tmp_path / "other.db") as other:
        assert other.restore(backup) == Restored(3, 0)
        assert content(other) == {"/changed": b"1", "/gone": b"1", "/same": b"1"}


def test_followers_are_told_what_differs(store: SQLiteStore, backup: Path, path: Path) -> None:
    async def follow() -> list[Update | InSync]:
        stream = sync(store, ["/"])
        async for batch in stream:
            if isinstance(batch[-1], InSync):
                break
        with SQLiteStore.open(path) as other:
            other.restore(backup, overwrite=True)
        taken: list[Update | InSync] = []
        while not taken:
            taken = [item for item in await anext(stream) if isinstance(item, Update)]
        return taken

    taken = asyncio.run(asyncio.wait_for(follow(), 10))
    assert {(update.key, update.value) for update in taken if isinstance(update, Update)} == {
        ("/changed", b"1"),
        ("/gone", b"1"),
        ("/new", None),
    }


def test_what_speaks_of_living_processes_is_left_alone(store: SQLiteStore, tmp_path: Path) -> None:
    lease = store.lease(60).id
    store.apply("/status/then", b"", lease=lease)
    store.backup(tmp_path / "copy.db")
    store.delete("/status/then")
    now = store.apply("/status/now", b"", lease=lease)
    store.restore(tmp_path / "copy.db", overwrite=True)
    assert store.list("/status/").entries == (now,)


def test_more_than_a_revision_holds_is_several_in_one_commit(
    store: SQLiteStore, tmp_path: Path, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = [f"{kinds.POD.prefix}a/{n}" for n in range(3)] + [f"{kinds.TIER.prefix}{n}" for n in range(3)]
    with SQLiteStore.open(tmp_path / "large.db") as large:
        large.transact([], [Put(key, b"x" * 700_000) for key in (*keys, CLUSTER_KEY)])
        large.backup(tmp_path / "copy.db")
    monkeypatch.setattr("tortie.datastore.sqlite.restore.MAX_TRANSACTION_BYTES", 1_500_000)
    monkeypatch.setattr(change, "MAX_TRANSACTION_BYTES", 1_500_000)
    seen: set[int] = set()
    before = store.revision()
    with SQLiteStore.open(path) as other:
        store.restore(tmp_path / "copy.db", overwrite=True, progress=lambda *_: seen.add(other.revision()))
    assert seen == {before}
    assert content(store).keys() == {*keys, CLUSTER_KEY}
    order = [
        key
        for key, _ in sorted(((entry.key, entry.revision) for entry in store.list("").entries), key=lambda it: it[1])
    ]
    assert order[0] == CLUSTER_KEY
    assert set(order[-3:]) == {key for key in keys if key.startswith(kinds.POD.prefix)}

    async def last_change() -> Changes:
        found = await anext(store.watch("/gone", store.revision()))
        assert isinstance(found, Changes)
        return found

    assert asyncio.run(last_change()).events[0].key == "/gone"  # type: ignore[union-attr]


@pytest.mark.parametrize("problem", ["in use", "no store", "damaged", "missing"])
def test_what_is_no_whole_backup_changes_nothing(
    store: SQLiteStore, path: Path, backup: Path, tmp_path: Path, problem: str
) -> None:
    before = content(store)
    match problem:
        case "in use":
            file, said = path, "is a store in use"
        case "no store":
            file, said = tmp_path / "text.db", f"^{tmp_path}/text.db: "
            file.write_text("not a database, but longer than a header of one would be" * 100)
        case "damaged":
            file, said = tmp_path / "damaged.db", "damaged.db"
            file.write_bytes(backup.read_bytes()[: 4096 * 3])
        case _:
            file, said = tmp_path / "missing.db", "missing.db"
    with pytest.raises((StoreError, OSError), match=said):
        store.restore(file, overwrite=True)
    assert content(store) == before


def test_a_failure_on_the_way_leaves_the_store_as_it_was(store: SQLiteStore, backup: Path) -> None:
    def fail(*_: int) -> None:
        raise KeyboardInterrupt

    before = content(store), store.revision()
    with pytest.raises(KeyboardInterrupt):
        store.restore(backup, overwrite=True, progress=fail)
    assert (content(store), store.revision()) == before
    assert not [name for name in os.listdir(backup.parent) if name.endswith(".new")]
