"""A site moves from one store to another: nothing is lost, nothing is made up, and it may be broken off anywhere."""

from __future__ import annotations

import json
import os
import random
import signal
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tortie.datastore.sqlite import SQLiteStore
from tortie.datastore.store import (
    AmbiguousWriteError,
    Check,
    Delete,
    Entry,
    Limits,
    Page,
    Put,
    Store,
    UnavailableError,
    Write,
)
from tortie.datastore.transfer import (
    CLUSTER_KEY,
    MARKER,
    Item,
    Site,
    TransferError,
    batches,
    export_lines,
    import_site,
    read_site,
)

POLICY = "/calico/resources/v3/projectcalico.org/networkpolicies/default/p{}"
ENDPOINT = "/calico/resources/v3/projectcalico.org/workloadendpoints/default/e{}"
CLUSTER = b'{"kind":"ClusterInformation","spec":{"clusterGUID":"x","datastoreReady":true,"unknown":[1]}}'


class Small(SQLiteStore):
    """With the limits of etcd, so that a site takes many transactions; and it can fail at any of them."""

    dies_at = -1
    written = 0

    @property
    def limits(self) -> Limits:
        return Limits(operations=16, size_bytes=3_000)

    def transact(self, checks: Sequence[Check], writes: Sequence[Write]) -> int:
        assert len(writes) <= 16
        assert len(checks) <= 16
        assert sum(len(write.key) + len(write.value) for write in writes if isinstance(write, Put)) <= 3_000
        if self.written == self.dies_at:
            os.kill(os.getpid(), signal.SIGKILL)
        self.written += 1
        return super().transact(checks, writes)


@pytest.fixture
def source(tmp_path: Path) -> Iterator[SQLiteStore]:
    with SQLiteStore.open(tmp_path / "source.db") as store:
        writes = [
            Put(CLUSTER_KEY, CLUSTER),
            Put("/calico/ipam/v2/handle/a%2fb", b""),
            Put("/tortie/x/\N{CAT}", b"\0\xff"),
        ]
        writes += [Put(POLICY.format(number), b'{"spec":%d}' % number) for number in range(60)]
        writes += [Put(ENDPOINT.format(number), b"{}" * number) for number in range(60)]
        store.transact([], writes)
        yield store


@pytest.fixture
def target(tmp_path: Path) -> Iterator[SQLiteStore]:
    with Small.open(tmp_path / "target.db") as store:
        yield store


def content(store: Store) -> dict[str, bytes]:
    return {entry.key: entry.value for entry in store.list("").entries}


def test_what_was_exported_is_imported_byte_for_byte(source: SQLiteStore, target: SQLiteStore) -> None:
    import_site(target, read_site(export_lines(source)))
    assert content(target) == content(source)
    assert list(export_lines(target))[1:] == list(export_lines(source))[1:]


def test_a_site_of_ten_thousand_objects_compares_equal(tmp_path: Path) -> None:
    generator = random.Random(7)
    with SQLiteStore.open(tmp_path / "a.db") as source, SQLiteStore.open(tmp_path / "b.db") as target:
        for part in range(10):
            source.transact([], [
                Put(ENDPOINT.format(f"{part}-{number}"), json.dumps({"spec": {"n": generator.random()}}).encode())
                for number in range(1000)
            ])  # fmt: skip
        import_site(target, read_site(export_lines(source)))
        assert len(content(target)) == 10_000
        assert content(target) == content(source)


def test_keys_of_living_processes_and_of_others_stay_behind(source: SQLiteStore, target: SQLiteStore) -> None:
    before = content(source)
    source.apply("/calico/felix/v2/no-region/host/h/status", b"{}", lease=source.lease(60).id)
    source.apply("/registry/pods/x", b"kubernetes'")
    import_site(target, read_site(export_lines(source)))
    assert content(target) == before


def test_an_export_is_of_one_revision_though_others_write(source: SQLiteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tortie.datastore.store._PAGE", 10)
    before = content(source)
    listing = source.list

    def disturbed(*args: Any, **arguments: Any) -> Page:
        for key in (POLICY.format(59), ENDPOINT.format(59)):
            source.apply(key, b"later")
        return listing(*args, **arguments)

    monkeypatch.setattr(source, "list", disturbed)
    site = read_site(export_lines(source))
    assert {item.key: item.value for item in site.items} == before


def test_a_target_that_holds_something_is_refused_unless_told(source: SQLiteStore, target: SQLiteStore) -> None:
    target.apply(POLICY.format(3), b"mine")
    target.apply(POLICY.format("-other"), b"stays")
    site = read_site(export_lines(source))
    with pytest.raises(TransferError, match=r"not empty: .*/p-other is there; --merge"):
        import_site(target, site)
    import_site(target, site, merge=True)
    assert content(target) == {**content(source), POLICY.format("-other"): b"stays"}


@pytest.mark.parametrize("merge", [False, True], ids=["empty", "merge"])
def test_an_import_that_is_killed_anywhere_is_completed_by_the_next(
    source: SQLiteStore, tmp_path: Path, merge: bool
) -> None:
    site = read_site(export_lines(source))
    expected = content(source)
    for dies_at in range(100):
        path = tmp_path / f"{dies_at}.db"
        killed = _import_killed(path, site, dies_at, merge=merge)
        with Small.open(path) as store:
            if not killed:
                assert content(store) == expected
                assert dies_at > 5
                return
            partly = content(store)
            partly.pop(MARKER, None)
            assert partly.keys() <= expected.keys()
            if CLUSTER_KEY in partly:
                assert json.loads(partly[CLUSTER_KEY])["spec"]["datastoreReady"] is False
            import_site(store, site, merge=merge)
            assert content(store) == expected
    pytest.fail("it never came to its end")


def _import_killed(path: Path, site: Site, dies_at: int, *, merge: bool) -> bool:
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    try:
        with Small.open(path) as store:
            store.dies_at = dies_at
            import_site(store, site, merge=merge)
        os._exit(0)
    except BaseException:  # noqa: BLE001 - the exit status tells
        os._exit(1)


def test_what_is_enforced_comes_before_what_it_is_enforced_on(
    source: SQLiteStore, target: SQLiteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And before both, that nobody should act on it; the last word is that one may."""
    order: list[list[str]] = []
    transact = target.transact

    def record(checks: Sequence[Check], writes: Sequence[Write]) -> int:
        order.append([write.key for write in writes])
        return transact(checks, writes)

    monkeypatch.setattr(target, "transact", record)
    import_site(target, read_site(export_lines(source)))
    keys = [key for batch in order for key in batch]
    assert CLUSTER_KEY in order[0]
    assert order[-1] == [MARKER, CLUSTER_KEY]
    assert max(keys.index(POLICY.format(n)) for n in range(60)) < min(keys.index(ENDPOINT.format(n)) for n in range(60))


@pytest.mark.parametrize("value", [b"\xff", b"[]", b'{"spec":[]}'], ids=["no JSON", "no object", "no spec"])
def test_what_nobody_understands_is_carried_even_where_the_site_says_that_it_is_ready(
    source: SQLiteStore, target: SQLiteStore, value: bytes
) -> None:
    source.apply(CLUSTER_KEY, value)
    import_site(target, read_site(export_lines(source)))
    assert content(target) == content(source)


def test_another_file_cannot_complete_an_import(source: SQLiteStore, target: SQLiteStore) -> None:
    site = read_site(export_lines(source))

    def fail(done: int, total: int) -> None:
        if done > 20:
            raise UnavailableError("lost")

    with pytest.raises(UnavailableError):
        import_site(target, site, tell=fail)
    source.apply(POLICY.format(0), b"changed")
    with pytest.raises(TransferError, match="an import of another file was broken off here"):
        import_site(target, read_site(export_lines(source)))


@pytest.mark.parametrize("is_written", [False, True], ids=["lost", "written"])
@pytest.mark.parametrize("merge", [False, True], ids=["empty", "merge"])
def test_a_write_of_which_nothing_is_known_is_looked_up(
    source: SQLiteStore, target: SQLiteStore, monkeypatch: pytest.MonkeyPatch, is_written: bool, merge: bool
) -> None:
    """Every other answer is lost, that of the last batch too."""
    transact = target.transact
    asked: list[int] = []

    def unsure(checks: Sequence[Check], writes: Sequence[Write]) -> int:
        asked.append(len(writes))
        is_last = Delete(MARKER) in writes
        if len(asked) % 2 == 0 and not (is_last and len(asked) > 1 and asked[-2] == asked[-1]):
            if is_written:
                transact(checks, writes)
            raise AmbiguousWriteError("lost")
        return transact(checks, writes)

    monkeypatch.setattr(target, "transact", unsure)
    import_site(target, read_site(export_lines(source)), merge=merge)
    assert content(target) == content(source)


def test_one_item_that_is_larger_than_a_batch_is_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    items = [Item("/a", b"x" * 10), Item("/b", b"x" * 5_000), Item("/c", b"")]
    assert [[item.key for item in batch] for batch in batches(items, Limits(16, 3_000))] == [["/a"], ["/b"], ["/c"]]
    assert list(batches([], Limits())) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda _: [], "line 1: not what"),
        (lambda _: [b"{}\n"], "line 1: this is not what"),
        (lambda lines: [b'{"tortieExport":2}\n', *lines[1:]], r"newer Tortie wrote this \(format 2\)"),
        (lambda lines: lines[:-1], "cut off: its last line is missing"),
        (lambda lines: [*lines[:5], *lines[6:]], "damaged"),
        (lambda lines: [*lines[:5], lines[5].replace(b"spec", b"spek"), *lines[6:]], "damaged"),
        (lambda lines: [*lines[:5], b"apiVersion: v1\n", *lines[6:]], "line 6: not what"),
        (lambda lines: [*lines[:5], b'{"key":"/registry/x","value":""}\n', *lines[6:]], "line 6: not an entry"),
        (lambda lines: [*lines[:5], b'{"key":"/tortie/x","base64":"/w="}\n', *lines[6:]], "line 6: not base64"),
        (
            lambda lines: [*lines[:5], b'{"key":"/tortie/\xf4\x8f\xbf\xbf","value":""}\n', *lines[6:]],
            "line 6: .*cannot be a key",
        ),
    ],
    ids=[
        "empty",
        "another's",
        "newer",
        "cut off",
        "a line lost",
        "a byte changed",
        "no JSON",
        "another's key",
        "no base64",
        "no store's key",
    ],
)
def test_a_file_that_is_not_whole_is_refused_before_anything_is_written(
    source: SQLiteStore, change: Callable[[list[bytes]], list[bytes]], message: str
) -> None:
    lines = change(list(export_lines(source)))
    with pytest.raises(TransferError, match=message):
        read_site(lines)


def test_progress_is_told_and_ends_at_the_whole(source: SQLiteStore, target: SQLiteStore) -> None:
    told: list[tuple[int, int]] = []
    import_site(target, read_site(export_lines(source)), tell=lambda done, total: told.append((done, total)))
    assert told == sorted(told)
    assert told[0][0] == 0
    assert told[-1] == (123, 123)


def test_an_entry_knows_no_lease_after_it_was_moved(source: SQLiteStore, target: SQLiteStore) -> None:
    import_site(target, read_site(export_lines(source)))
    assert all(isinstance(entry, Entry) and entry.lease is None for entry in target.list("").entries)
