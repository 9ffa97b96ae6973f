"""The file of an SQLite store: who may open it, what is refused, what survives a crash and a reboot."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tortie.datastore.sqlite import Retention, SQLiteStore, database, history, mounts
from tortie.datastore.store import CompactedError, Entry, NotFoundError, StoreError, UnavailableError
from tortie.testing.clock import ManualClock


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new" / "tortie.db"


@pytest.fixture
def connection(path: Path) -> Iterator[sqlite3.Connection]:
    """A stranger to the store, on an existing file."""
    SQLiteStore.open(path).close()
    opened = sqlite3.connect(path, isolation_level=None)
    yield opened
    opened.close()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_only_the_owner_can_read_a_new_store(path: Path) -> None:
    with SQLiteStore.open(path) as store:
        store.apply("/a", b"")
        assert mode(path.parent) == 0o700
        assert {file.name: mode(file) for file in path.parent.iterdir()} == dict.fromkeys(
            ("tortie.db", "tortie.db-bell", "tortie.db-shm", "tortie.db-wal"), 0o600
        )


def test_a_missing_store_is_created_only_if_wanted(path: Path) -> None:
    with pytest.raises(UnavailableError, match=f"there is no datastore at {path}"):
        SQLiteStore.open(path, create=False)
    assert not path.parent.exists()


def test_a_store_cannot_be_created_where_a_file_is_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UnavailableError, match="cannot create the datastore"):
        SQLiteStore.open(tmp_path / "file" / "tortie.db")


@pytest.mark.parametrize("create", [True, False])
def test_a_path_that_cannot_be_looked_at_is_unavailable(tmp_path: Path, create: bool) -> None:
    """A link to itself stands for whatever the system refuses, also to root."""
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(UnavailableError, match=r"cannot (open|create) the datastore .*loop/tortie\.db: "):
        SQLiteStore.open(tmp_path / "loop" / "tortie.db", create=create)


@pytest.mark.parametrize(
    ("others", "reason"), [(1, "belongs to another user"), (0, "may not be read and written by its owner")]
)
def test_a_file_that_we_may_not_use_says_whose_it_is(
    path: Path, monkeypatch: pytest.MonkeyPatch, others: int, reason: str
) -> None:
    SQLiteStore.open(path).close()
    owner = path.stat().st_uid
    monkeypatch.setattr("os.access", lambda *_: False)
    monkeypatch.setattr("os.geteuid", lambda: owner + others)
    with pytest.raises(UnavailableError, match=reason):
        SQLiteStore.open(path)


def test_commits_are_synced_to_disk(path: Path) -> None:
    SQLiteStore.open(path).close()
    opened = database.Database.open(path, busy_s=1)
    with opened.reading() as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
    opened.close()


def test_a_newer_format_is_refused(path: Path, connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA user_version = 3")
    with pytest.raises(StoreError, match=r"newer Tortie \(format 3; this one reads up to 2\): upgrade"):
        SQLiteStore.open(path)


@pytest.mark.parametrize("content", [b"", b"apiVersion: v1\n" * 100], ids=["empty", "text"])
def test_a_file_that_is_no_store_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other"
    path.write_bytes(content)
    with pytest.raises(StoreError, match=r"other\b.* not a"):
        SQLiteStore.open(path)
    assert path.read_bytes() == content


def test_a_database_of_another_program_is_refused(tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "other.db")
    other.execute("CREATE TABLE version (id)")
    other.close()
    with pytest.raises(StoreError, match="not a Tortie datastore"):
        SQLiteStore.open(tmp_path / "other.db")


def test_a_store_that_is_held_by_another_process_is_unavailable(
    path: Path, connection: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tortie.datastore.sqlite.store._BUSY_S", 0)
    with SQLiteStore.open(path) as store:
        connection.execute("BEGIN IMMEDIATE")
        with pytest.raises(UnavailableError, match="locked") as raised:
            store.apply("/a", b"")
        assert isinstance(raised.value.__cause__, sqlite3.OperationalError)
        assert store.list("").entries == ()  # readers do not wait
        connection.execute("ROLLBACK")
        store.apply("/a", b"")


def test_a_writer_shuts_the_others_out_from_its_first_statement_on(path: Path) -> None:
    """Or what it has read might be old when it writes."""
    SQLiteStore.open(path).close()
    one, two = (database.Database.open(path, busy_s=0) for _ in range(2))
    with one.writing(), pytest.raises(database.BusyError), two.writing():
        pass
    one.close()
    two.close()


def test_a_writer_that_dies_in_the_middle_of_a_transaction_has_written_nothing(path: Path) -> None:
    with SQLiteStore.open(path) as store:
        kept = store.apply("/a", b"1")
        dying = (
            "import os, sys\n"
            "from tortie.datastore.sqlite.change import Change\n"
            "from tortie.datastore.sqlite.database import Database\n"
            "from pathlib import Path\n"
            "with Database.open(Path(sys.argv[1]), busy_s=1).writing() as connection:\n"
            "    Change(connection).put('/a', b'2', None)\n"
            "    os._exit(7)\n"
        )
        assert subprocess.run([sys.executable, "-c", dying, path], check=False).returncode == 7
        assert store.list("").entries == (kept,)
        assert store.apply("/a", b"3").revision == kept.revision + 1


def oldest_revision(path: Path) -> int:
    with contextlib.closing(database.Database.open(path, busy_s=1)) as opened, opened.reading() as connection:
        return history.span(connection).oldest


def test_a_retention_bounds_the_history(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tortie.datastore.sqlite.change._COMPACTION_STEP", 8)
    with SQLiteStore.open(path) as store:
        store.set_retention(Retention(revisions=10))
        first = store.apply("/kept", b"")
        for number in range(40):
            written = store.apply("/a", str(number).encode())
            assert written.revision - oldest_revision(path) < 10 + 8
        oldest = oldest_revision(path)
        assert oldest > first.revision
        assert store.get("/a", at_revision=written.revision - 10).value == b"29"
        assert store.get("/kept", at_revision=oldest) == first
        with pytest.raises(CompactedError):
            store.get("/a", at_revision=oldest - 1)


def test_what_is_compacted_takes_no_room(path: Path, connection: sqlite3.Connection) -> None:
    with SQLiteStore.open(path) as store:
        for number in range(10):
            store.apply("/a", b"")
            store.apply(f"/gone/{number}", b"")
            store.delete(f"/gone/{number}")
        store.compact(store.apply("/b", b"").revision)
    assert connection.execute("SELECT key FROM version ORDER BY key").fetchall() == [("/a",), ("/b",)]


def test_a_lowered_retention_is_reached_step_by_step(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tortie.datastore.sqlite.change._COMPACTION_STEP", 8)
    with SQLiteStore.open(path) as store:
        for _ in range(40):
            store.apply("/a", b"")
    with SQLiteStore.open(path) as store:
        store.set_retention(Retention(revisions=0))
        kept = [store.apply("/a", b"").revision - oldest_revision(path) for _ in range(4)]
    assert kept == [42 - 17, 43 - 33, 0, 1]


def test_what_is_older_than_a_store_keeps_is_forgotten_by_the_next_write(path: Path) -> None:
    now = 1_000_000.0
    with SQLiteStore.open(path, wall_clock=lambda: now) as store:
        store.set_retention(Retention(age_s=3600))
        old = [store.apply("/a", b"%d" % number) for number in range(3)]
        kept = store.apply("/kept", b"")
        now += 3500
        middle = store.apply("/a", b"middle")
        assert store.get("/a", at_revision=old[0].revision) == old[0]
        now += 200
        store.apply("/a", b"new")
        assert store.oldest_revision() == old[0].revision  # known to be old enough: nothing before it
        now += 3600
        store.apply("/a", b"newest")
        assert store.oldest_revision() > middle.revision
        assert store.list("").entries[1] == kept
        with pytest.raises(CompactedError):
            store.get("/a", at_revision=middle.revision)


def test_a_clock_that_is_set_back_forgets_nothing_early(path: Path) -> None:
    now = 1_000_000.0
    with SQLiteStore.open(path, wall_clock=lambda: now) as store:
        first = store.apply("/a", b"1")
        now -= 500_000
        for _ in range(3):
            store.apply("/a", b"2")
            now += 3600
        assert store.get("/a", at_revision=first.revision) == first


def test_how_much_of_the_past_is_kept_is_the_stores_own(path: Path) -> None:
    with SQLiteStore.open(path) as store, SQLiteStore.open(path) as other:
        assert other.retention() == Retention(10_000, 24 * 3600)
        store.set_retention(Retention(5, 60))
        assert other.retention() == Retention(5, 60)


@pytest.mark.parametrize("name", ["nfs4", "cifs", "9p", "fuse.sshfs"])
def test_a_store_on_a_network_file_system_is_refused(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No such file system can be mounted in a test: /dev/shm stands for one, and a file for what the kernel says of its mounts."""
    device = os.stat("/dev/shm").st_dev
    line = f"36 35 0:{os.minor(device)} / /mnt rw,noatime shared:1 - {name} server:/x rw,vers=4.2"
    (tmp_path / "mountinfo").write_text(f"1 0 254:1 / / rw - ext4 /dev/x rw\n{line}\n")
    monkeypatch.setattr(mounts, "_MOUNTS", tmp_path / "mountinfo")
    with (
        tempfile.TemporaryDirectory(dir="/dev/shm") as folder,
        pytest.raises(StoreError, match=rf"on a network file system \({name}\).* use a local directory, or etcd"),
    ):
        SQLiteStore.open(f"{folder}/new.db")


def test_a_process_that_cannot_see_its_mounts_may_open_a_store(monkeypatch: pytest.MonkeyPatch) -> None:
    """As one that has joined a lab's namespaces, whose store is on a tmpfs."""
    monkeypatch.setattr(mounts, "_MOUNTS", Path("/proc/nobody/mountinfo"))
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        SQLiteStore.open(f"{folder}/new.db").close()


def test_the_kernel_tells_which_file_system_a_path_is_on() -> None:
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    assert mounts.file_system(os.stat("/proc").st_dev, lines) == "proc"
    assert mounts.file_system(os.makedev(4095, 4095), lines) is None


@pytest.mark.parametrize(("era", "survives"), [("one", False), ("two", True)], ids=["same boot", "after a reboot"])
def test_a_lease_starts_anew_when_the_clock_does(path: Path, era: str, survives: bool) -> None:
    with SQLiteStore.open(path, clock=ManualClock("one", 100)) as store:
        held = store.apply("/a", b"", lease=store.lease(60).id)
    clock = ManualClock(era, reading=161)
    with SQLiteStore.open(path, clock=clock) as store:
        assert store.list("").entries == ((held,) if survives else ())
        clock.reading += 61
        with pytest.raises(NotFoundError):
            store.get("/a")


def test_a_store_is_found_again_from_another_directory(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.parent.mkdir()
    monkeypatch.chdir(path.parent)
    with SQLiteStore.open("tortie.db", poll_s=0.01) as store:
        monkeypatch.chdir("/")
        written = store.apply("/a", b"")

        async def first() -> object:
            return await anext(aiter(store.watch("", written.revision)))

        assert asyncio.run(first()).revision == written.revision  # type: ignore[attr-defined]


@pytest.mark.parametrize("key", ["", "/a\U0010ffff"], ids=["empty", "U+10FFFF"])
def test_a_key_that_would_not_be_found_again_is_refused(path: Path, key: str) -> None:
    with SQLiteStore.open(path) as store, pytest.raises(ValueError, match="cannot be a key"):
        store.apply(key, b"")


def test_the_history_is_read_in_pieces_of_whole_revisions(path: Path) -> None:
    with SQLiteStore.open(path) as store:
        entries = [store.apply("/a", b"x" * 100) for _ in range(10)]
    with contextlib.closing(database.Database.open(path, busy_s=1)) as opened, opened.reading() as connection:
        by_size = history.read_events(connection, "/", 2, revisions=1000, max_bytes=450)
        by_count = history.read_events(connection, "/", 2, revisions=4, max_bytes=1 << 20)
        elsewhere = history.read_events(connection, "/b", 2, revisions=4, max_bytes=1 << 20)
    assert [change.revision for change in by_size.changes] == [2, 3, 4]  # 100, 200, 200 bytes with what was before
    assert by_size.upto == 4
    assert [change.revision for change in by_count.changes] == [entry.revision for entry in entries[:4]]
    assert (elsewhere.changes, elsewhere.upto, elsewhere.newest) == ((), 5, 11)


def test_an_entry_is_plain_bytes(path: Path) -> None:
    with SQLiteStore.open(path) as store:
        assert store.apply("/a", b"1") == Entry("/a", b"1", 2, None)
