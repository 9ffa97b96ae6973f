"""What every datastore backend promises (``tortie.datastore.store``), etcd's promises about watches by their names.

The backends are in ``backends``. What has to be waited for is awaited from a watch, with a bound.
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest
from backends import Backend, NewBackend
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tortie.datastore.store import (
    Absent,
    AlreadyExistsError,
    AtRevision,
    Changes,
    CompactedError,
    ConflictError,
    Delete,
    DeleteEvent,
    Entry,
    NotFoundError,
    Progress,
    Put,
    PutEvent,
    Store,
    StoreError,
    TooLargeError,
    Watch,
    Write,
)

T = TypeVar("T")

WAIT_S = 20.0


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(asyncio.wait_for(coroutine, WAIT_S))


async def take_upto(watch: Watch, revision: int) -> list[Changes]:
    """The changes that *watch* brings until it is known to have brought all up to *revision*."""
    taken = []
    async for item in watch:
        if isinstance(item, Changes):
            taken.append(item)
        if item.revision >= revision:
            break
    await watch.aclose()
    return taken


def watched(store: Store, prefix: str, from_revision: int, upto: int) -> list[Changes]:
    return run(take_upto(store.watch(prefix, from_revision), upto))


def state(store: Store, at_revision: int | None = None, prefix: str = "") -> dict[str, Entry]:
    return {entry.key: entry for entry in store.list(prefix, at_revision=at_revision).entries}


def replay(state: dict[str, Entry], changes: Changes) -> None:
    """Bring *state* to the revision of *changes*, which must fit it."""
    for event in changes.events:
        if isinstance(event, PutEvent):
            assert event.previous == state.get(event.entry.key)
            state[event.entry.key] = event.entry
        else:
            assert event.previous == state.pop(event.key)


# --- single keys -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [b"", b"\0\xff", b"x" * 100_000], ids=["empty", "binary", "long"])
def test_what_was_created_is_read_back(store: Store, value: bytes) -> None:
    created = store.create("/a", value)
    assert created == Entry("/a", value, store.revision())
    assert store.get("/a") == created


def test_every_write_makes_the_next_revision(store: Store) -> None:
    first = store.revision()
    writes = [store.apply("/a", b"1").revision, store.apply("/a", b"1").revision, store.create("/b", b"").revision]
    assert writes == [first + 1, first + 2, first + 3]
    store.delete("/a")
    assert store.revision() == first + 4


def test_a_missing_key_is_not_found(store: Store) -> None:
    for operation in (store.get, store.delete, lambda key: store.update(key, b"", 1)):
        with pytest.raises(NotFoundError, match="/missing does not exist"):
            operation("/missing")


def test_creating_what_is_there_is_refused(store: Store) -> None:
    created = store.create("/a", b"1")
    with pytest.raises(AlreadyExistsError):
        store.create("/a", b"2")
    assert store.get("/a") == created
    assert store.revision() == created.revision


def test_update_and_delete_compare_the_revision(store: Store) -> None:
    first = store.create("/a", b"1")
    second = store.update("/a", b"2", first.revision)
    with pytest.raises(ConflictError):
        store.update("/a", b"3", first.revision)
    with pytest.raises(ConflictError):
        store.delete("/a", first.revision)
    assert store.get("/a") == second
    assert store.delete("/a", second.revision) == second
    with pytest.raises(NotFoundError):
        store.get("/a")


def test_apply_puts_whether_the_key_is_there_or_not(store: Store) -> None:
    for value in (b"1", b"2"):
        written = store.apply("/a", value)
        assert written.value == value
        assert store.get("/a") == written


def test_a_deleted_key_can_be_created_again(store: Store) -> None:
    store.create("/a", b"1")
    store.delete("/a")
    assert store.create("/a", b"2") == store.get("/a")


def test_what_one_client_writes_the_others_read(backend: Backend, store: Store) -> None:
    with backend.open() as other:
        assert store.apply("/a", b"1") == other.get("/a")


def test_a_store_outlives_its_clients(backend: Backend) -> None:
    with backend.open() as store:
        written = store.apply("/a", b"1")
    with backend.open() as store:
        assert store.get("/a") == written
        assert store.revision() == written.revision


# --- transactions ----------------------------------------------------------------------------------------------------------


def test_a_transaction_is_one_revision(store: Store) -> None:
    gone = store.create("/gone", b"")
    revision = store.transact(
        [Absent("/a"), AtRevision("/gone", gone.revision)], [Put("/a", b"1"), Put("/b", b"2"), Delete("/gone")]
    )
    assert revision == store.revision() == gone.revision + 1
    assert state(store) == {"/a": Entry("/a", b"1", revision), "/b": Entry("/b", b"2", revision)}


@pytest.mark.parametrize(
    ("failing", "key"),
    [
        (Absent("/a"), "/a"),
        (AtRevision("/a", 1), "/a"),
        (AtRevision("/missing", 1), "/missing"),
    ],
    ids=["not absent", "another revision", "missing"],
)
def test_a_transaction_with_a_failing_check_changes_nothing(
    store: Store, failing: Absent | AtRevision, key: str
) -> None:
    kept = store.create("/a", b"1")
    with pytest.raises(ConflictError) as raised:
        store.transact([AtRevision("/a", kept.revision), failing], [Put("/a", b"2"), Put("/b", b"2")])
    assert raised.value.key == key
    assert state(store) == {"/a": kept}
    assert store.revision() == kept.revision


def test_a_transaction_that_changes_nothing_makes_no_revision(store: Store) -> None:
    before = store.revision()
    assert store.transact([Absent("/a")], [Delete("/a")]) == before == store.revision()


def test_two_writes_of_one_transaction_cannot_name_one_key(store: Store) -> None:
    with pytest.raises(ValueError, match="/a"):
        store.transact([], [Put("/a", b"1"), Delete("/a")])


def test_a_transaction_beyond_the_limit_is_refused_whole(backend: Backend, store: Store) -> None:
    before = store.revision()
    with pytest.raises(TooLargeError):
        store.transact([], [Put("/a", b""), Put("/b", bytes(backend.too_large))])
    assert state(store) == {}
    assert store.revision() == before


# --- listing and the past --------------------------------------------------------------------------------------------------


def test_a_listing_is_sorted_and_bounded_by_its_prefix(store: Store) -> None:
    for key in ("/b/2", "/a", "/b0", "/b/10", "/b", "/b/é", "/b/Z", "/c"):
        store.apply(key, b"")
    assert [entry.key for entry in store.list("/b/").entries] == ["/b/10", "/b/2", "/b/Z", "/b/é"]


def test_the_pages_of_a_listing_show_one_revision(store: Store) -> None:
    for number in range(5):
        store.apply(f"/a/{number}", b"before")
    pages = [store.list("/a/", limit=2)]
    while pages[-1].after is not None:
        store.apply("/a/4", b"later")
        store.apply("/a/9", b"later")
        store.transact([], [Delete("/a/3")])
        pages.append(store.list("/a/", limit=2, after=pages[-1].after, at_revision=pages[0].revision))
    assert [[entry.key for entry in page.entries] for page in pages] == [["/a/0", "/a/1"], ["/a/2", "/a/3"], ["/a/4"]]
    assert {entry.value for page in pages for entry in page.entries} == {b"before"}
    assert {page.revision for page in pages} == {pages[0].revision}


def test_the_last_page_says_so_even_if_it_is_full(store: Store) -> None:
    store.apply("/a/1", b"")
    store.apply("/a/2", b"")
    assert store.list("/a/", limit=2).after is None
    assert store.list("/nothing/", limit=2).after is None


def test_an_empty_page_and_a_lease_without_time_make_no_sense(store: Store) -> None:
    with pytest.raises(ValueError, match="0"):
        store.list("", limit=0)
    with pytest.raises(ValueError, match="0"):
        store.lease(0)


def test_the_past_can_be_read(store: Store) -> None:
    first = store.apply("/a", b"1")
    second = store.apply("/a", b"2")
    store.delete("/a")
    third = store.apply("/a", b"3")
    assert store.get("/a", at_revision=first.revision) == first
    assert store.get("/a", at_revision=second.revision) == second
    assert store.get("/a", at_revision=third.revision) == third
    assert state(store, second.revision) == {"/a": second}
    for revision in (first.revision - 1, third.revision - 1):
        assert state(store, revision) == {}
        with pytest.raises(NotFoundError):
            store.get("/a", at_revision=revision)


def test_the_future_cannot_be_read(store: Store) -> None:
    with pytest.raises(StoreError, match="has not happened"):
        store.list("", at_revision=store.revision() + 1)


def test_compaction_forgets_the_past_and_keeps_the_present(backend: Backend, store: Store) -> None:
    old = store.apply("/a", b"1")
    kept = store.apply("/b", b"1")
    new = store.apply("/a", b"2")
    store.transact([], [Put("/c", b"")])
    backend.compact(new.revision)
    assert store.get("/b") == kept
    assert state(store, new.revision) == {"/a": new, "/b": kept}
    for read in (store.list, store.get):
        with pytest.raises(CompactedError) as raised:
            read("/a", at_revision=old.revision)
        assert raised.value.oldest == new.revision


# --- leases ----------------------------------------------------------------------------------------------------------------


def test_revoking_a_lease_deletes_its_keys_in_one_revision(backend: Backend, store: Store) -> None:
    lease = store.lease(backend.ttl_s)
    store.apply("/a", b"", lease=lease.id)
    held = store.apply("/b", b"", lease=lease.id)
    assert held.lease == lease.id
    kept = store.apply("/c", b"")
    lease.revoke()
    assert state(store) == {"/c": kept}
    assert store.revision() == kept.revision + 1


def test_the_keys_of_a_lease_end_with_its_time(backend: Backend, store: Store) -> None:
    lease = store.lease(backend.ttl_s)
    held = store.apply("/a", b"", lease=lease.id)
    backend.pass_time(0.6)
    assert store.get("/a") == held
    backend.pass_time(1)
    assert state(store) == {}
    assert state(store, held.revision) == {"/a": held}


def test_renewing_a_lease_starts_its_time_anew(backend: Backend, store: Store) -> None:
    lease = store.lease(backend.ttl_s)
    held = store.apply("/a", b"", lease=lease.id)
    for _ in range(2):
        backend.pass_time(0.6)
        lease.renew()
    assert store.get("/a") == held
    backend.pass_time(1.1)
    assert state(store) == {}


def test_an_ended_lease_serves_no_more(backend: Backend, store: Store) -> None:
    lease = store.lease(backend.ttl_s)
    backend.pass_time(1.1)
    with pytest.raises(NotFoundError):
        lease.renew()
    with pytest.raises(NotFoundError):
        store.apply("/a", b"", lease=lease.id)
    lease.revoke()
    assert state(store) == {}


def test_a_key_belongs_to_the_lease_of_its_last_write(backend: Backend, store: Store) -> None:
    lease, other = store.lease(backend.ttl_s), store.lease(backend.ttl_s)
    for key in ("/freed", "/moved"):
        store.apply(key, b"", lease=lease.id)
    store.apply("/freed", b"")
    store.apply("/moved", b"", lease=other.id)
    lease.revoke()
    assert set(state(store)) == {"/freed", "/moved"}
    other.revoke()
    assert set(state(store)) == {"/freed"}


def test_a_watch_sees_a_lease_end_though_nobody_writes_or_reads(backend: Backend, store: Store) -> None:
    held = store.apply("/a", b"1", lease=store.lease(backend.ttl_s).id)
    backend.pass_time(1.1)
    (change,) = watched(store, "/", held.revision + 1, held.revision + 1)
    assert change == Changes(held.revision + 1, (DeleteEvent("/a", held),))


# --- watches ---------------------------------------------------------------------------------------------------------------


def write_some(store: Store) -> int:
    """A history with every sort of event; the revision before it."""
    before = store.revision()
    store.apply("/w/a", b"1")
    store.apply("/w/b", b"1")
    store.transact([], [Put("/w/b", b"2"), Delete("/w/a"), Put("/elsewhere", b""), Put("/w/0", b"1")])
    store.delete("/w/b")
    store.apply("/w/a", b"3")
    return before


def test_a_watch_is_ordered(store: Store) -> None:
    before = write_some(store)
    revisions = [change.revision for change in watched(store, "/w/", before + 1, store.revision())]
    assert revisions == sorted(revisions)


def test_a_watch_is_unique(store: Store) -> None:
    before = write_some(store)
    revisions = [change.revision for change in watched(store, "/w/", before + 1, store.revision())]
    assert len(revisions) == len(set(revisions))


def test_a_watch_is_reliable(store: Store) -> None:
    before = write_some(store)
    revisions = [change.revision for change in watched(store, "/w/", before + 1, store.revision())]
    assert revisions == list(range(before + 1, before + 6))


def test_a_watch_is_atomic(store: Store) -> None:
    before = write_some(store)
    change = watched(store, "/w/", before + 1, store.revision())[2]
    a, b = Entry("/w/a", b"1", before + 1), Entry("/w/b", b"1", before + 2)
    assert change.events == (
        PutEvent(Entry("/w/b", b"2", before + 3), b),
        DeleteEvent("/w/a", a),
        PutEvent(Entry("/w/0", b"1", before + 3), None),
    )


def test_a_watch_is_resumable(store: Store) -> None:
    before = write_some(store)
    whole = watched(store, "/w/", before + 1, store.revision())
    for number, change in enumerate(whole[:-1]):
        assert watched(store, "/w/", change.revision + 1, store.revision()) == whole[number + 1 :]


def test_a_watch_is_bookmarkable(store: Store) -> None:
    """Where nothing matches, Progress tells how far the watch is, so that it can be resumed after a compaction."""

    async def follow() -> None:
        watch = store.watch("/nothing/", store.revision() + 1)
        for _ in range(3):
            written = store.apply("/elsewhere", b"")
            assert await anext(aiter(watch)) == Progress(written.revision)
        await watch.aclose()

    run(follow())


def test_a_watch_brings_what_is_written_while_it_waits(backend: Backend, store: Store) -> None:
    async def follow() -> None:
        watch = store.watch("/a", store.revision() + 1)
        waiting = asyncio.ensure_future(anext(aiter(watch)))
        await asyncio.sleep(0)
        assert not waiting.done()
        with backend.open() as other:
            written = other.apply("/a", b"1")
        assert await waiting == Changes(written.revision, (PutEvent(written, None),))
        await watch.aclose()

    run(follow())


def test_a_watch_from_the_future_waits_for_it(store: Store) -> None:
    before = store.revision()
    store.apply("/a", b"")

    async def follow() -> list[Changes]:
        watch = store.watch("/", before + 3)
        taking = asyncio.ensure_future(take_upto(watch, before + 3))
        for _ in range(2):
            await asyncio.sleep(0)
            store.apply("/a", b"")
        return await taking

    assert [change.revision for change in run(follow())] == [before + 3]


def test_giving_up_waiting_loses_no_change(store: Store) -> None:
    async def follow() -> None:
        watch = aiter(store.watch("/a", store.revision() + 1))
        for _ in range(5):
            waiting = asyncio.ensure_future(anext(watch))
            await asyncio.sleep(0)
            waiting.cancel()
            written = store.apply("/a", b"")
            with pytest.raises(asyncio.CancelledError):
                await waiting
            assert (await anext(watch)).revision == written.revision

    run(follow())


def test_a_watch_cannot_start_before_the_oldest_revision(backend: Backend, store: Store) -> None:
    first = store.apply("/a", b"1")
    second = store.apply("/a", b"2")
    backend.compact(second.revision)
    with pytest.raises(CompactedError) as raised:
        watched(store, "/", first.revision, second.revision)
    assert raised.value.oldest == second.revision
    third = store.apply("/a", b"3")
    (change,) = watched(store, "/", third.revision, third.revision)
    assert change == Changes(third.revision, (PutEvent(third, second),))


def test_a_deletion_at_the_oldest_revision_is_not_passed_over(backend: Backend, store: Store) -> None:
    """What is kept of the oldest revision is the backend's affair; but a watch from there is whole, or refused."""
    before = store.apply("/a", b"1")
    revision = store.transact([], [Delete("/a")])
    last = store.apply("/b", b"2")
    backend.compact(revision)
    deleted = [Changes(revision, (DeleteEvent("/a", previous),)) for previous in (before, None)]
    with contextlib.suppress(CompactedError):
        assert watched(store, "/", revision, last.revision)[0] in deleted
    assert [change.revision for change in watched(store, "/", revision + 1, last.revision)] == [last.revision]


def test_a_watch_that_is_left_behind_is_told_so_or_misses_nothing(backend: Backend, store: Store) -> None:
    """What has been read ahead of its consumer is delivered; what has not, and is compacted, is not passed over."""

    async def follow() -> None:
        watch = aiter(store.watch("/a", store.revision() + 1))
        written = store.apply("/a", b"1")
        assert (await anext(watch)).revision == written.revision
        later = [store.apply("/a", b"2").revision, store.apply("/a", b"3").revision]
        backend.compact(later[-1])
        try:
            for revision in later:
                while not isinstance(change := await anext(watch), Changes):
                    pass
                assert change.revision == revision
        except CompactedError:
            with pytest.raises(StopAsyncIteration):
                await anext(watch)

    run(follow())


@pytest.mark.parametrize("by", ["watch", "store"])
def test_closing_ends_a_watch(backend: Backend, by: str) -> None:
    async def follow(store: Store) -> None:
        watch = store.watch("/", store.revision() + 1)
        waiting = asyncio.ensure_future(take_upto(watch, 1_000_000))
        await asyncio.sleep(0)
        if by == "watch":
            await watch.aclose()
        else:
            store.close()
        assert await waiting == []

    with backend.open() as store:
        run(follow(store))


def test_many_watches_of_one_store_do_not_disturb_each_other(store: Store) -> None:
    before = write_some(store)

    async def follow() -> list[list[Changes]]:
        watches = [store.watch(prefix, before + 1) for prefix in ("/w/a", "/w/b", "/", "/w/a")]
        return await asyncio.gather(*(take_upto(watch, before + 5) for watch in watches))

    of_a, of_b, of_all, of_a_too = run(follow())
    assert [change.revision for change in of_a] == [before + 1, before + 3, before + 5]
    assert [change.revision for change in of_b] == [before + 2, before + 3, before + 4]
    assert len(of_all) == 5
    assert of_a == of_a_too


# --- many writers, random histories ----------------------------------------------------------------------------------------

_COUNTING = """
store.apply(f"/ready/{me}", b"")
while len(store.list("/ready/").entries) < 2:
    pass
for number in range(50):
    while True:
        entry = store.get("/sum")
        try:
            store.transact([AtRevision("/sum", entry.revision)], [
                Put("/sum", str(int(entry.value) + 1).encode()), Put(f"/writer/{me}", str(number).encode())])
            break
        except ConflictError:
            pass
"""


def test_writers_in_other_processes_lose_no_update_and_a_watch_sees_each(backend: Backend, store: Store) -> None:
    start = store.apply("/sum", b"0")
    program = f"from tortie.datastore.store import *\nimport sys\nme = sys.argv[1]\n{backend.opening()}{_COUNTING}"

    async def follow() -> list[Changes]:
        watch = store.watch("/sum", start.revision + 1)
        with contextlib.ExitStack() as writers:
            for name in ("a", "b"):
                writer = writers.enter_context(subprocess.Popen([sys.executable, "-c", program, name]))
                writers.callback(writer.kill)
            return await take_upto(watch, start.revision + 2 + 100)

    sums = [event.entry.value for change in run(follow()) for event in change.events if isinstance(event, PutEvent)]
    assert sums == [str(number).encode() for number in range(1, 101)]


KEYS = st.sampled_from(["/a", "/a/1", "/a/2", "/b", "/b/\N{GREEK SMALL LETTER ALPHA}", "/b/\U0001f408"])
WRITES: st.SearchStrategy[Write] = st.builds(Put, KEYS, st.binary(max_size=3), st.none()) | st.builds(Delete, KEYS)
HISTORIES = st.lists(st.lists(WRITES, max_size=4, unique_by=lambda write: write.key), max_size=12)


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=HISTORIES, prefix=st.sampled_from(["", "/a", "/a/", "/b/"]), compacted=st.integers(0, 12))
def test_replaying_a_watch_gives_the_listing_at_every_revision(
    new_backend: NewBackend, history: list[list[Write]], prefix: str, compacted: int
) -> None:
    with new_backend() as backend, backend.open() as store:
        before = store.revision()
        for writes in history:
            store.transact([], writes)
        oldest, newest = min(store.revision(), before + compacted), store.revision()
        backend.compact(oldest)
        replayed = state(store, oldest, prefix)
        for change in watched(store, prefix, oldest + 1, newest) if newest > oldest else []:
            assert change.events
            replay(replayed, change)
            assert replayed == state(store, change.revision, prefix)
        assert replayed == state(store, newest, prefix) == state(store, None, prefix)
        for revision in range(oldest, newest + 1):
            for entry in state(store, revision).values():
                assert store.get(entry.key, at_revision=revision) == entry
