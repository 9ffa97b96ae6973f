"""A backup shows the store at one revision, whatever is written meanwhile."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tortie.datastore.sqlite import SQLiteStore, backup
from tortie.datastore.store import Put

KEYS = [f"/a/{number}" for number in range(300)]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SQLiteStore]:
    with SQLiteStore.open(tmp_path / "tortie.db") as opened:
        opened.transact([], [Put(key, b"first" * 300) for key in KEYS])
        yield opened


def test_a_backup_holds_what_the_store_held(store: SQLiteStore, tmp_path: Path) -> None:
    written = store.apply("/b", b"", lease=store.lease(60).id)
    store.backup(tmp_path / "copy.db")
    assert stat.S_IMODE((tmp_path / "copy.db").stat().st_mode) == 0o600
    with SQLiteStore.open(tmp_path / "copy.db", create=False) as copy:
        assert copy.list("").entries == store.list("").entries
        assert copy.revision() == written.revision
        assert copy.get(KEYS[0], at_revision=2) == store.get(KEYS[0], at_revision=2)
    assert {file.name for file in tmp_path.iterdir()} >= {"copy.db"}
    assert not list(tmp_path.glob("*.new"))


def test_a_backup_under_load_is_of_one_revision(
    store: SQLiteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another client overwrites everything between any two steps of the copy."""
    monkeypatch.setattr(backup, "_PAGES", 10)
    steps: list[tuple[int, int]] = []
    before = store.list("").entries
    with SQLiteStore.open(tmp_path / "tortie.db") as writer:

        def overwrite(done: int, total: int) -> None:
            steps.append((done, total))
            writer.transact([], [Put(key, b"%d" % len(steps)) for key in KEYS])

        store.backup(tmp_path / "copy.db", overwrite)
    assert len(steps) > 5
    assert [done for done, _ in steps] == sorted(done for done, _ in steps)
    assert steps[-1][0] == steps[-1][1]
    with SQLiteStore.open(tmp_path / "copy.db", create=False) as copy:
        assert copy.list("").entries == before


_WRITER = """
import sys
from tortie.datastore.sqlite import SQLiteStore
from tortie.datastore.store import Put
with SQLiteStore.open(sys.argv[1]) as store:
    for number in range(1_000_000):
        store.transact([], [Put(f"/a/{key}", b"%d" % number * 100) for key in range(300)])
        print(number, flush=True)
"""


def test_a_backup_ends_though_another_process_never_stops_writing(store: SQLiteStore, tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", _WRITER, tmp_path / "tortie.db"], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        try:
            writer.stdout.readline()
            store.backup(tmp_path / "copy.db")
        finally:
            writer.kill()
    with SQLiteStore.open(tmp_path / "copy.db", create=False) as copy:
        values = {entry.value for entry in copy.list("/a/").entries}
    assert len(values) == 1


def test_a_backup_replaces_nothing(store: SQLiteStore, tmp_path: Path) -> None:
    (tmp_path / "copy.db").write_text("mine")
    with pytest.raises(FileExistsError):
        store.backup(tmp_path / "copy.db")
    assert (tmp_path / "copy.db").read_text() == "mine"


def test_a_backup_that_is_broken_off_leaves_nothing(store: SQLiteStore, tmp_path: Path) -> None:
    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    before = set(os.listdir(tmp_path))
    with pytest.raises(KeyboardInterrupt):
        store.backup(tmp_path / "copy.db", interrupt)
    assert set(os.listdir(tmp_path)) == before
    store.apply("/b", b"")
