"""What is etcd's own: certificates and passwords, servers that fail, answers that are lost, limits, alarms, large answers."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pytest
from backends import EtcdBackend
from proxy import Proxy

from tortie.datastore.connection import TLS
from tortie.datastore.etcd import EtcdStore, NoSpaceError
from tortie.datastore.etcd import store as etcd_store
from tortie.datastore.etcd.codec import MAX_OPERATIONS, MAX_REQUEST_BYTES
from tortie.datastore.etcd.faults import RevisionCompactedError
from tortie.datastore.etcd.listing import Listing
from tortie.datastore.store import (
    Absent,
    AmbiguousWriteError,
    AtRevision,
    Changes,
    CompactedError,
    Delete,
    Entry,
    Page,
    Put,
    PutEvent,
    ReplacedError,
    StoreError,
    TooLargeError,
    UnauthorizedError,
    UnavailableError,
    Write,
)
from tortie.testing.etcd import EtcdCluster, etcd_cluster, free_ports, make_certificates

T = TypeVar("T")


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(asyncio.wait_for(coroutine, 60))


async def first_changes(store: EtcdStore, prefix: str, from_revision: int) -> Changes:
    """The first changes that a watch brings."""
    watch = store.watch(prefix, from_revision)
    try:
        while not isinstance(item := await anext(watch), Changes):
            pass
        return item
    finally:
        await watch.aclose()


@pytest.fixture
def cluster(etcd: EtcdCluster) -> EtcdCluster:
    """The shared server, without keys."""
    return EtcdBackend(etcd).cluster


@pytest.fixture
def store(cluster: EtcdCluster) -> Iterator[EtcdStore]:
    with cluster.client() as opened:
        yield opened


def test_grpc_is_not_loaded_for_other_stores(tmp_path: Path) -> None:
    program = (
        "import sys; from tortie.datastore.urls import open_store; "
        f"open_store('sqlite://{tmp_path}/a.db').close(); print([name for name in ('grpc', 'google.protobuf') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "[]\n"


# --- who we are ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EtcdCluster]:
    """A server that wants certificates and passwords. Its user ``agent`` may read all, and write below /agent/."""
    with etcd_cluster(tmp_path_factory.mktemp("guarded"), is_tls=True) as cluster:
        cluster.ctl("role", "add", "agent")
        cluster.ctl("role", "grant-permission", "agent", "--prefix", "read", "/")
        cluster.ctl("role", "grant-permission", "agent", "--prefix", "readwrite", "/agent/")
        cluster.ctl("user", "add", "agent:secret")
        cluster.ctl("user", "grant-role", "agent", "agent")
        cluster.use_passwords()
        yield cluster


@pytest.mark.parametrize("is_inline", [False, True], ids=["files", "text"])
def test_certificates_come_as_files_or_as_text(guarded: EtcdCluster, is_inline: bool) -> None:
    assert guarded.certificates is not None
    tls = guarded.certificates.tls(is_inline=is_inline)
    with EtcdStore.open(guarded.endpoints, tls=tls, username="agent", password="secret") as store:
        written = store.apply("/agent/a", b"1")
        assert run(first_changes(store, "/agent/", written.revision)).events[0].entry == written  # type: ignore[union-attr]


def test_neither_side_talks_to_a_stranger(guarded: EtcdCluster, tmp_path: Path) -> None:
    assert guarded.certificates is not None
    theirs, ours = make_certificates(tmp_path).tls(), guarded.certificates.tls()
    for tls in (None, TLS(ca=ours.ca), theirs, theirs._replace(ca=ours.ca), ours._replace(ca=theirs.ca)):
        with EtcdStore.open(guarded.endpoints, tls=tls, patience_s=0) as store, pytest.raises(UnavailableError):
            store.revision()


def test_a_file_that_is_missing_is_named() -> None:
    with (
        EtcdStore.open(["127.0.0.1:1"], tls=TLS(ca=Path("/nowhere/ca.pem"))) as store,
        pytest.raises(UnavailableError, match=r"/nowhere/ca\.pem"),
    ):
        store.revision()


@pytest.mark.parametrize(("username", "password"), [("agent", "wrong"), ("nobody", "secret"), ("", "")])
def test_a_wrong_password_is_refused_for_good(guarded: EtcdCluster, username: str, password: str) -> None:
    """So is nobody: a certificate alone opens the connection, not the store, when its name is no user."""
    with guarded.client(username, password) as store, pytest.raises(UnauthorizedError):
        store.get("/agent/a")


def test_a_right_that_is_missing_is_refused_for_good(guarded: EtcdCluster) -> None:
    with guarded.client("agent", "secret") as store:
        with pytest.raises(UnauthorizedError, match="permission denied"):
            store.apply("/calico/a", b"")
        with pytest.raises(UnauthorizedError, match="permission denied"):
            run(first_changes(store, "", 1))


def test_a_password_is_no_hindrance_where_nobody_asks_for_it(cluster: EtcdCluster) -> None:
    with cluster.client("root", "root") as store:
        assert store.apply("/a", b"") == store.get("/a")


def test_a_token_that_etcd_no_longer_knows_is_renewed(guarded: EtcdCluster) -> None:
    """Its time was over, or the server was restarted; and when users or roles change, it wants newer ones."""
    with guarded.client("agent", "secret") as store:
        written = store.apply("/agent/a", b"1")
        guarded.servers[0].kill()
        guarded.servers[0].start()
        written = store.update("/agent/a", b"2", written.revision)
        store._cluster.token = "unknown"
        written = store.apply("/agent/a", b"3")
        store._cluster.token = "unknown"
        assert run(first_changes(store, "/agent/", written.revision)).revision == written.revision
        subprocess.run(guarded.ctl_command("--user", "root:root", "role", "add", "another"), check=True)
        assert store.get("/agent/a") == written
        assert store.list("/agent/").entries == (written,)


# --- servers that fail -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["dead first", "dead last"])
def test_a_dead_server_is_passed_over(cluster: EtcdCluster, order: tuple[int, int]) -> None:
    endpoints = (f"127.0.0.1:{free_ports(1)[0]}", cluster.endpoints[0])
    for _ in range(8):  # it begins with any of them
        with EtcdStore.open([endpoints[index] for index in order]) as store:
            written = store.apply("/a", b"1")
        with EtcdStore.open([endpoints[index] for index in order]) as store:
            assert run(first_changes(store, "/a", written.revision)).revision == written.revision


def test_when_no_server_answers_it_says_so() -> None:
    endpoint = f"127.0.0.1:{free_ports(1)[0]}"
    with EtcdStore.open([endpoint], patience_s=0.2) as store:
        with pytest.raises(UnavailableError, match=endpoint) as raised:
            store.apply("/a", b"")
        assert not isinstance(raised.value, AmbiguousWriteError)
        with pytest.raises(UnavailableError, match=endpoint):
            run(first_changes(store, "/a", 1))


LOST: dict[str, Callable[[EtcdStore, Entry], object]] = {
    "apply": lambda store, _: store.apply("/a", b"new"),
    "create": lambda store, _: store.create("/new", b"new"),
    "delete": lambda store, _: store.delete("/a"),
    "unguarded transaction": lambda store, _: store.transact([Absent("/new")], [Put("/a", b"new")]),
    "update": lambda store, entry: store.update("/a", b"new", entry.revision),
    "guarded delete": lambda store, entry: store.delete("/a", entry.revision),
    "guarded transaction": lambda store, entry: store.transact([AtRevision("/a", entry.revision)], [Put("/a", b"new"), Put("/b", b"")]),
}  # fmt: skip


@pytest.mark.parametrize("write", LOST.values(), ids=LOST)
def test_a_write_whose_answer_was_lost_is_done_once_and_said_to_be_unknown(
    cluster: EtcdCluster, store: EtcdStore, write: Callable[[EtcdStore, Entry], object]
) -> None:
    """A second attempt, where there is one, finds that its checks fail, and cannot know why."""
    entry = store.apply("/a", b"old")
    raised: list[Exception] = []

    def attempt(through: EtcdStore) -> None:
        try:
            write(through, entry)
        except StoreError as error:
            raised.append(error)

    with Proxy(cluster.endpoints[0]) as proxy, cluster.client(endpoints=(proxy.endpoint,)) as through:
        assert through.get("/a") == entry
        with proxy.losing_replies():
            attempting = threading.Thread(target=attempt, args=(through,))
            attempting.start()
            run(first_changes(store, "/", entry.revision + 1))
        attempting.join()
    assert [type(error) for error in raised] == [AmbiguousWriteError]
    assert store.revision() == entry.revision + 1


def test_a_lost_read_is_read_again(cluster: EtcdCluster, store: EtcdStore) -> None:
    entry = store.apply("/a", b"1")
    with Proxy(cluster.endpoints[0]) as proxy, cluster.client(endpoints=(proxy.endpoint,)) as through:
        for _ in range(3):
            assert through.get("/a") == entry
            proxy.cut()


def test_a_store_that_lost_its_history_is_noticed(tmp_path: Path) -> None:
    with etcd_cluster(tmp_path) as cluster, cluster.client() as store:
        for _ in range(10):
            seen = store.apply("/a", b"").revision
        cluster.servers[0].kill()
        cluster.servers[0].forget()
        cluster.servers[0].start()
        with pytest.raises(ReplacedError, match="replaced"):
            run(first_changes(store, "/a", seen + 1))


# --- limits and alarms -----------------------------------------------------------------------------------------------------


def some_puts(count: int, value: bytes = b"") -> list[Write]:
    return [Put(f"/many/{number:03}", value) for number in range(count)]


def test_as_much_as_etcd_takes_is_written(store: EtcdStore) -> None:
    checks = [Absent(write.key) for write in some_puts(MAX_OPERATIONS)]
    revision = store.transact(checks, some_puts(MAX_OPERATIONS))
    assert len(store.list("/many/").entries) == MAX_OPERATIONS
    assert store.transact([], [Put("/large", bytes(MAX_REQUEST_BYTES - 40))]) == revision + 1
    assert store.apply("/large", bytes(MAX_REQUEST_BYTES - 20)).revision == revision + 2


@pytest.mark.parametrize(
    ("checks", "writes"),
    [
        ([], some_puts(MAX_OPERATIONS + 1)),
        ([Absent(write.key) for write in some_puts(MAX_OPERATIONS + 1)], []),
        ([], some_puts(2, bytes(MAX_REQUEST_BYTES // 2))),
    ],
    ids=["writes", "checks", "bytes"],
)
def test_what_etcd_would_refuse_is_not_sent(checks: list[Absent], writes: list[Write]) -> None:
    with EtcdStore.open(["127.0.0.1:1"]) as nowhere, pytest.raises(TooLargeError):
        nowhere.transact(checks, writes)


def test_what_a_narrower_server_refuses_is_too_large(tmp_path: Path) -> None:
    options = ("--max-txn-ops", "10", "--max-request-bytes", "10000")
    with etcd_cluster(tmp_path, options=options) as cluster, cluster.client() as store:
        for writes in (some_puts(11), some_puts(2, bytes(6000))):
            with pytest.raises(TooLargeError):
                store.transact([], writes)


def test_a_store_that_is_full_says_so_and_is_still_read(tmp_path: Path) -> None:
    with etcd_cluster(tmp_path, options=("--quota-backend-bytes", "200000")) as cluster, cluster.client() as store:
        kept = store.apply("/a", b"1")
        with pytest.raises(NoSpaceError, match="alarm NOSPACE"):
            for _ in range(3000):  # etcd looks at its file's size when it commits, every 100 ms
                store.apply("/b", bytes(20_000))
        assert store.get("/a") == kept
        assert store.health().alarms == ("NOSPACE",)


def test_health_is_the_servers(cluster: EtcdCluster, store: EtcdStore) -> None:
    health = store.health()
    assert (health.endpoint, health.has_leader, health.alarms) == (cluster.endpoints[0], True, ())
    assert health.size_bytes >= health.size_in_use_bytes > 0
    assert f"etcdctl version: {health.version}" in cluster.ctl("version")


# --- large answers, strange keys -------------------------------------------------------------------------------------------


def test_a_long_listing_shows_one_revision(store: EtcdStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(etcd_store, "PAGE", 50)
    for first in range(0, 320, 80):
        store.transact([], [Put(f"/long/{number:03}", b"before") for number in range(first, first + 80)])
    revision = store.revision()

    async def walk() -> list[Page]:
        pages: list[Page] = []
        async for page in store.pages("/long/"):
            pages.append(page)
            store.transact([], [Put("/long/319", b"after"), Put(f"/long/{len(pages)}~", b"after"), Delete("/long/300")])
        return pages

    pages = run(walk())
    assert {page.revision for page in pages} == {revision}
    assert entries_in(pages) == store.list("/long/", at_revision=revision).entries
    assert len(store.list("/long/", at_revision=revision).entries) == 320
    assert len(store.list("/long/").entries) == 319 + len(pages)


def entries_in(pages: Sequence[Page]) -> tuple[Entry, ...]:
    """The entries of *pages*, which say right after which key the next one begins."""
    *others, last = pages
    assert [page.after for page in others] == [page.entries[-1].key for page in others]
    assert last.after is None
    return tuple(entry for page in pages for entry in page.entries)


SHAPES: Mapping[str, Sequence[str]] = {
    "evenly spread": [f"/l/ns-{space}/pod-{number}" for space in range(30) for number in range(4)],
    "nearly all in one place": [*(f"/l/a/{number:03}" for number in range(100)), "/l/b/0", "/l/z"],
    "each the beginning of the next": ["/l/" + "a" * length for length in range(1, 80)],
    "nothing after the first page": [f"/l/a{number}" for number in range(7)],
    "with bytes from end to end": [
        "/l/" + chr(first) + chr(second) for first in (1, 47, 255) for second in range(1, 30)
    ],
}


@pytest.mark.parametrize("prefix", ["/l/", "/", ""])
@pytest.mark.parametrize("keys", SHAPES.values(), ids=SHAPES)
def test_a_long_listing_is_whole_and_in_order(
    store: EtcdStore, monkeypatch: pytest.MonkeyPatch, keys: Sequence[str], prefix: str
) -> None:
    monkeypatch.setattr(etcd_store, "PAGE", 7)
    for first in range(0, len(keys), 100):
        store.transact([], [Put(key, b"") for key in keys[first : first + 100]])

    async def walk() -> list[Page]:
        return [page async for page in store.pages(prefix)]

    assert [entry.key for entry in entries_in(run(walk()))] == sorted(keys)


def test_a_long_listing_survives_lost_connections(
    cluster: EtcdCluster, store: EtcdStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All connections are cut after each page, with the next ones under way."""
    monkeypatch.setattr(etcd_store, "PAGE", 7)
    store.transact([], some_puts(100, b"before"))
    revision = store.revision()

    async def walk(through: EtcdStore, proxy: Proxy) -> list[Page]:
        pages: list[Page] = []
        async for page in through.pages("/many/"):
            pages.append(page)
            store.apply("/many/new", b"after")
            proxy.cut()
        return pages

    with Proxy(cluster.endpoints[0]) as proxy, cluster.client(endpoints=(proxy.endpoint,)) as through:
        pages = run(walk(through, proxy))
    assert len(pages) >= 100 / 7
    assert entries_in(pages) == store.list("/many/", at_revision=revision).entries


def test_a_listing_of_what_is_compacted_does_not_hold_up_others_while_etcd_is_silent(
    cluster: EtcdCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """etcd says that the revision is compacted, then nothing more: the oldest one is asked for without the event loop waiting."""
    with Proxy(cluster.endpoints[0]) as proxy, EtcdStore.open([proxy.endpoint]) as store:
        store.apply("/a", b"1")
        oldest = store.apply("/a", b"2").revision
        store.compact(oldest)
        run(_listing_into_silence(store, oldest, proxy, monkeypatch))


async def _listing_into_silence(store: EtcdStore, oldest: int, proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    told, silence, original = asyncio.Event(), contextlib.ExitStack(), Listing.next

    async def told_and_cut_off(listing: Listing) -> object:
        try:
            return await original(listing)
        except RevisionCompactedError:
            silence.enter_context(proxy.losing_replies())
            told.set()
            raise

    monkeypatch.setattr(Listing, "next", told_and_cut_off)
    listing = asyncio.create_task(anext(store.pages("/", at_revision=oldest - 1)))
    with silence:
        await told.wait()
        assert not listing.done(), "the event loop stood still until the store had given up"
    with pytest.raises(CompactedError) as caught:
        await listing
    assert caught.value.oldest == oldest


def test_a_revision_that_etcd_sends_in_pieces_arrives_whole(store: EtcdStore) -> None:
    """Values and what they replaced are 2.5 MB together, which etcd cuts at 1.5."""
    store.transact([], some_puts(100, bytes(12_000)))
    revision = store.transact([], some_puts(100, bytes(12_001)))
    changes = run(first_changes(store, "/many/", revision))
    assert [type(event) for event in changes.events] == [PutEvent] * 100
    assert {len(event.previous.value) for event in changes.events if event.previous} == {12_000}


def test_a_watch_nobody_reads_does_not_fill_the_memory(cluster: EtcdCluster, store: EtcdStore) -> None:
    """80 MB of changes: a few go into the watch's queue and the system's buffers, and etcd keeps the rest."""

    async def follow(through: EtcdStore, proxy: Proxy) -> None:
        watch = through.watch("/large", store.revision() + 1)
        waiting = asyncio.ensure_future(anext(watch))
        written = [await asyncio.to_thread(store.apply, "/large", bytes(1 << 20)) for _ in range(80)]
        assert proxy.forwarded_bytes < 40 << 20
        taken = [await waiting]
        while taken[-1].revision < written[-1].revision:
            taken.append(await anext(watch))
        assert [item.revision for item in taken if isinstance(item, Changes)] == [entry.revision for entry in written]
        await watch.aclose()

    with Proxy(cluster.endpoints[0]) as proxy, cluster.client(endpoints=(proxy.endpoint,)) as through:
        run(follow(through, proxy))


def test_keys_that_are_no_text_are_kept_apart(cluster: EtcdCluster, store: EtcdStore) -> None:
    for key in (b"/odd/\xff", b"/odd/\xfe\xff", b"/odd/\xc3"):
        subprocess.run([*cluster.ctl_command("put"), "--", key, b"x"], check=True, capture_output=True)
    entries = store.list("/odd/").entries
    assert [entry.key.encode("utf-8", "surrogateescape") for entry in entries] == [
        b"/odd/\xc3",
        b"/odd/\xfe\xff",
        b"/odd/\xff",
    ]
    for entry in entries:
        assert store.get(entry.key) == entry
        assert store.list(entry.key).entries == (entry,)
        store.delete(entry.key, entry.revision)
    assert store.list("/odd/").entries == ()
