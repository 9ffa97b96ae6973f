"""The stream of a store's content: complete, in step with the store, through outages and compactions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from pathlib import Path
from random import Random
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tortie.datastore.sqlite import SQLiteStore
from tortie.datastore.store import (
    Changes,
    Delete,
    Page,
    Progress,
    Put,
    StoreError,
    UnauthorizedError,
    UnavailableError,
    Watch,
)
from tortie.datastore.syncer import Backoff, Batch, sync
from tortie.model.updates import InSync, Update

T = TypeVar("T")

PREFIXES = ("/calico/", "/tortie/")


class UnreliableStore(SQLiteStore):
    """Fails the operations that the test asks it to, and can do something first."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.before_list: list[Callable[[], object]] = []
        self.before_event: list[Callable[[], object]] = []
        self.started_from: list[tuple[str, int]] = []

    def list(
        self, prefix: str, *, limit: int | None = None, after: str | None = None, at_revision: int | None = None
    ) -> Page:
        if self.before_list:
            self.before_list.pop(0)()
        return super().list(prefix, limit=limit, after=after, at_revision=at_revision)

    def watch(self, prefix: str, from_revision: int) -> Watch:  # type: ignore[override]
        self.started_from.append((prefix, from_revision))
        return UnreliableWatch(super().watch(prefix, from_revision), self.before_event)


class UnreliableWatch:
    def __init__(self, watch: Watch, before_event: list[Callable[[], object]]) -> None:
        self._watch = watch
        self._before_event = before_event

    async def __aiter__(self) -> AsyncIterator[Changes | Progress]:
        events = aiter(self._watch)
        while True:
            if self._before_event:
                self._before_event.pop(0)()
            try:
                yield await anext(events)
            except StopAsyncIteration:
                return

    async def aclose(self) -> None:
        await self._watch.aclose()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[UnreliableStore]:
    with UnreliableStore.open(tmp_path / "tortie.db", poll_s=0.01) as opened:
        yield opened


def fail(error: Exception) -> Callable[[], object]:
    def raise_it() -> None:
        raise error

    return raise_it


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(asyncio.wait_for(coroutine, 20))


async def no_sleep(_delay: float) -> None:
    await asyncio.sleep(0)


async def upto(stream: AsyncIterator[Batch], revision: int) -> list[Update | InSync]:
    """What *stream* brings until it is in sync with *revision*."""
    taken: list[Update | InSync] = []
    async for batch in stream:
        taken += batch
        if isinstance(batch[-1], InSync) and batch[-1].revision >= revision:
            break
    return taken


def test_a_snapshot_of_every_prefix_comes_first_and_then_insync(store: UnreliableStore) -> None:
    one = store.apply("/tortie/1", b"1")
    two = store.apply("/calico/2", b"2")
    store.apply("/other/3", b"3")
    assert run(upto(sync(store, PREFIXES), store.revision())) == [
        Update("/calico/2", b"2", two.revision),
        Update("/tortie/1", b"1", one.revision),
        InSync(store.revision()),
    ]


def test_an_empty_store_is_in_sync_at_once(store: UnreliableStore) -> None:
    assert run(upto(sync(store, PREFIXES), 1)) == [InSync(1)]


def test_changes_follow_a_revision_at_a_time(store: UnreliableStore) -> None:
    async def follow() -> None:
        stream = sync(store, PREFIXES)
        assert await anext(stream) == (InSync(1),)
        revision = store.transact([], [Put("/calico/1", b"1"), Put("/other/2", b""), Put("/tortie/3", b"3")])
        assert await anext(stream) == (
            Update("/calico/1", b"1", revision),
            Update("/tortie/3", b"3", revision),
            InSync(revision),
        )
        store.delete("/calico/1")
        assert await anext(stream) == (Update("/calico/1", None, revision + 1), InSync(revision + 1))
        store.apply("/other/2", b"2")
        assert await anext(stream) == (InSync(revision + 2),)
        await stream.aclose()

    run(follow())


def test_a_snapshot_shows_one_revision_though_the_store_goes_on(store: UnreliableStore) -> None:
    first = store.transact([], [Put(f"/calico/{number}", b"before") for number in range(1200)])
    after = store.apply("/tortie/1", b"before").revision
    store.before_list = [lambda: store.transact([], [Put("/tortie/1", b"after"), Delete("/calico/900")])] * 4
    store.before_list[0] = lambda: None
    taken = run(upto(sync(store, PREFIXES), after))
    assert taken[-1] == InSync(after)
    assert taken[:-1] == [
        *(Update(key, b"before", first) for key in sorted(f"/calico/{number}" for number in range(1200))),
        Update("/tortie/1", b"before", after),
    ]


def test_a_lost_watch_goes_on_where_it_stopped(store: UnreliableStore) -> None:
    async def follow() -> list[Update | InSync]:
        stream = sync(store, PREFIXES, sleep=no_sleep)
        assert await anext(stream) == (InSync(1),)
        store.before_event = [lambda: None, fail(UnavailableError("lost")), fail(UnauthorizedError("still lost"))]
        for number in range(3):
            store.apply("/calico/1", str(number).encode())
        return await upto(stream, 4)

    assert [update.value for update in run(follow()) if isinstance(update, Update)] == [b"0", b"1", b"2"]
    assert store.started_from == [("/", 2), ("/", 3), ("/", 3)]


@pytest.mark.parametrize(
    "error", [UnavailableError("away"), UnauthorizedError("who are you?")], ids=["away", "refused"]
)
def test_nothing_is_sent_while_the_store_does_not_answer(store: UnreliableStore, error: Exception) -> None:
    written = store.apply("/calico/1", b"1")
    store.before_list = [fail(error)] * 5
    assert run(upto(sync(store, PREFIXES, sleep=no_sleep), 2)) == [
        Update("/calico/1", b"1", written.revision),
        InSync(written.revision),
    ]


def test_after_a_compaction_only_what_differs_is_sent(store: UnreliableStore) -> None:
    async def follow() -> tuple[list[Update | InSync], list[Update | InSync]]:
        stream = sync(store, PREFIXES, sleep=no_sleep)
        before = await upto(stream, store.revision())
        store.delete("/calico/known to be gone")
        before += await upto(stream, store.revision())
        store.apply("/calico/changed", b"2")
        store.delete("/calico/gone")
        store.delete("/tortie/gone")
        store.apply("/tortie/new", b"1")
        store.apply("/other", b"")
        store.compact(store.revision())
        return before, await upto(stream, store.revision())

    for key in ("/calico/changed", "/calico/gone", "/calico/kept", "/calico/known to be gone", "/tortie/gone"):
        store.apply(key, b"1")
    newest = store.revision() + 1
    before, after = run(follow())
    assert before[-2:] == [Update("/calico/known to be gone", None, newest), InSync(newest)]
    assert after == [
        Update("/calico/changed", b"2", newest + 1),
        Update("/tortie/new", b"1", newest + 4),
        Update("/calico/gone", None, newest + 5),
        Update("/tortie/gone", None, newest + 5),
        InSync(newest + 5),
    ]


def test_a_listing_that_is_compacted_under_the_reader_is_made_again(store: UnreliableStore) -> None:
    def overtake() -> None:
        store.delete("/calico/0000")
        store.apply("/tortie/1", b"1")
        store.compact(store.revision())

    store.transact([], [Put(f"/calico/{number:04}", b"") for number in range(600)])
    store.before_list = [lambda: None, overtake]
    taken = run(upto(sync(store, PREFIXES, sleep=no_sleep), 2))
    assert replayed(taken) == contents(store)
    assert [item for item in taken if isinstance(item, InSync)] == [InSync(store.revision())]


def test_another_error_is_raised(store: UnreliableStore) -> None:
    store.before_list = [fail(StoreError("not a datastore"))]
    with pytest.raises(StoreError, match="not a datastore"):
        run(upto(sync(store, PREFIXES), 1))


def test_the_stream_ends_with_the_store(store: UnreliableStore) -> None:
    async def follow() -> list[Batch]:
        batches = []
        async for batch in sync(store, PREFIXES):
            batches.append(batch)
            asyncio.get_running_loop().call_soon(store.close)
        return batches

    assert run(follow()) == [(InSync(1),)]


def test_leaving_the_stream_ends_its_watch(store: UnreliableStore) -> None:
    async def follow() -> None:
        stream = sync(store, PREFIXES)
        await anext(stream)
        store.apply("/calico/1", b"")
        await anext(stream)
        await stream.aclose()

    run(follow())
    assert store._watches == set()


def test_delays_double_up_to_a_limit_and_differ_between_followers() -> None:
    def first(seed: int) -> list[float]:
        delays = Backoff(first_s=1, most_s=10, random=Random(seed)).delays()
        return [next(delays) for _ in range(6)]

    for delay, due in zip(first(1), (1, 2, 4, 8, 10, 10), strict=True):
        assert due / 2 <= delay <= due
    assert first(1) == first(1) != first(2)


def test_a_success_starts_the_delays_anew(store: UnreliableStore) -> None:
    slept: list[float] = []

    async def sleep(delay: float) -> None:
        slept.append(delay)

    async def follow() -> None:
        stream = sync(store, PREFIXES, backoff=Backoff(1, 100, Random(1)), sleep=sleep)
        store.before_list = [fail(UnavailableError("away"))] * 5
        await upto(stream, 1)
        store.before_event = [fail(UnavailableError("lost"))]
        store.apply("/calico/1", b"")
        await upto(stream, 2)

    run(follow())
    assert len(slept) == 6
    assert slept[4] > 8
    assert slept[5] <= 1


# --- random histories ------------------------------------------------------------------------------------------------------

KEYS = st.sampled_from(["/calico/a", "/calico/b", "/tortie/a", "/other/a"])
STEPS = st.lists(
    st.one_of(
        st.builds(Put, KEYS, st.binary(max_size=1), st.none()),
        st.builds(Delete, KEYS),
        st.sampled_from(["lose the watch", "lose the listing", "compact", "follow"]),
    ),
    max_size=30,
)


def replayed(updates: list[Update | InSync]) -> dict[str, tuple[bytes, int]]:
    state: dict[str, tuple[bytes, int]] = {}
    for update in updates:
        if isinstance(update, InSync):
            continue
        if update.value is None:
            state.pop(update.key, None)
        else:
            state[update.key] = (update.value, update.revision)
    return state


def contents(store: SQLiteStore, at_revision: int | None = None) -> dict[str, tuple[bytes, int]]:
    pages = [SQLiteStore.list(store, prefix, at_revision=at_revision) for prefix in PREFIXES]
    return {entry.key: (entry.value, entry.revision) for page in pages for entry in page.entries}


@settings(deadline=None, max_examples=40)
@given(steps=STEPS)
def test_every_insync_completes_a_state_of_the_store(
    tmp_path_factory: pytest.TempPathFactory, steps: list[Put | Delete | str]
) -> None:
    states: dict[int, dict[str, tuple[bytes, int]]] = {}

    def write(store: SQLiteStore, change: Put | Delete) -> None:
        store.transact([], [change])
        states[store.revision()] = contents(store)

    async def follow(store: UnreliableStore) -> None:
        taken: list[Update | InSync] = []
        stream = sync(store, PREFIXES, sleep=no_sleep)
        for step in [*steps, "follow"]:
            match step:
                case "lose the watch":
                    store.before_event.append(fail(UnavailableError("lost")))
                case "lose the listing":
                    store.before_list.append(fail(UnavailableError("lost")))
                case "compact":
                    store.compact(store.revision())
                case "follow":
                    while not taken or not isinstance(taken[-1], InSync) or taken[-1].revision < store.revision():
                        taken += await anext(stream)
                        if isinstance(taken[-1], InSync):
                            assert replayed(taken) == states[taken[-1].revision]
                case Put() | Delete():
                    write(store, step)
        await stream.aclose()

    with UnreliableStore.open(tmp_path_factory.mktemp("store") / "tortie.db", poll_s=0.01) as store:
        states[store.revision()] = {}
        run(follow(store))
