"""etcd's promises about watches, by name, for a follower that is struck by random faults and resumes after each.

One writer's random transactions are followed under a prefix; what the follower is given is recorded, and each promise is a
question to that record. (https://etcd.io/docs/v3.4/learning/api_guarantees; Progress is etcd's bookmark.)
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import sys
import threading
from random import Random
from typing import NamedTuple

import pytest
from benches import BENCHES, END, PREFIX, WITHIN_S, Bench, Written, events, write

from tortie.datastore.store import (
    Changes,
    CompactedError,
    Event,
    Progress,
    PutEvent,
    Store,
    UnavailableError,
)

pytestmark = pytest.mark.timeout(WITHIN_S + 20)

SEEDS = range(30 if os.environ.get("TORTIE_SOAK") else 2)


class Listing(NamedTuple):
    """What the follower read anew, because its place in the history was no longer kept."""

    revision: int


class Break(NamedTuple):
    """The watch ended, or was ended, and another one goes on after ``revision``."""

    revision: int


Item = Changes | Progress | Listing | Break


# --- the follower ----------------------------------------------------------------------------------------------------------


async def follow(store: Store, first: int, random: Random, bookmarked: threading.Event) -> list[Item]:
    """What *store* gives a follower that begins after revision *first*, until ``END`` is written."""
    given: list[Item] = []
    upto = first
    while True:
        watch = store.watch(PREFIX, upto + 1)
        try:
            async for item in watch:
                given.append(item)
                upto = item.revision
                if isinstance(item, Progress):
                    bookmarked.set()
                if isinstance(item, Changes) and any(_key(event) == END for event in item.events):
                    return given
                if random.random() < 0.02:
                    break
        except CompactedError:
            upto = await _list(store)
            given.append(Listing(upto))
        except UnavailableError:
            pass
        finally:
            await watch.aclose()
        given.append(Break(upto))


async def _list(store: Store) -> int:
    while True:
        with contextlib.suppress(UnavailableError):
            async with contextlib.aclosing(store.pages(PREFIX)) as pages:
                return [page.revision async for page in pages][-1]


def _key(event: Event) -> str:
    return event.entry.key if isinstance(event, PutEvent) else event.key


# --- the record and the promises -------------------------------------------------------------------------------------------


class Record(NamedTuple):
    """One run: what was written, by revision, and what the follower was given."""

    first: int
    """The follower began after this revision."""
    written: Written
    given: list[Item]

    def changes(self) -> list[Changes]:
        return [item for item in self.given if isinstance(item, Changes)]

    def due(self) -> list[int]:
        """The revisions that the follower must be given: those that no listing stood in for."""
        due = set(events(self.written))
        upto = self.first
        for item in self.given:
            if isinstance(item, Listing):
                due -= set(range(upto + 1, item.revision + 1))
            upto = item.revision
        return sorted(due)


@pytest.fixture(
    scope="module", params=[(name, seed) for name in BENCHES for seed in SEEDS], ids=lambda p: f"{p[0]}-{p[1]}"
)
def record(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Record:
    name, seed = request.param
    bookmarked = threading.Event()

    async def run(bench: Bench) -> Record:
        with bench.follower() as store:
            first = store.revision()
            async with asyncio.TaskGroup() as tasks:  # so that a writer that fails is heard of
                writing = tasks.create_task(asyncio.to_thread(write, bench, seed, bookmarked))
                following = tasks.create_task(follow(store, first, Random(seed), bookmarked))
            return Record(first, writing.result(), following.result())

    with BENCHES[name](tmp_path_factory.mktemp("promises")) as bench:
        return asyncio.run(asyncio.wait_for(run(bench), WITHIN_S))


def test_a_watch_is_ordered(record: Record) -> None:
    revisions = [item.revision for item in record.given]
    assert revisions == sorted(revisions)


def test_a_watch_is_unique(record: Record) -> None:
    seen = [(change.revision, _key(event)) for change in record.changes() for event in change.events]
    assert len(seen) == len(set(seen))


def test_a_watch_is_reliable(record: Record) -> None:
    assert [change.revision for change in record.changes()] == record.due()


def test_a_watch_is_atomic(record: Record) -> None:
    expected = events(record.written)
    for change in record.changes():
        given = [(_key(event), event.entry.value if isinstance(event, PutEvent) else None) for event in change.events]
        assert given == list(expected[change.revision].items())


def test_a_watch_is_resumable(record: Record) -> None:
    due = record.due()
    resumed = 0
    for broken, after in itertools.pairwise(record.given):
        if isinstance(broken, Break) and isinstance(after, Changes):
            assert after.revision == next(revision for revision in due if revision > broken.revision)
            resumed += 1
    assert resumed, "nothing was resumed"


def test_a_watch_is_bookmarkable(record: Record) -> None:
    due = iter(record.due())
    ahead = next(due)
    bookmarks = 0
    for item in record.given:
        if isinstance(item, Changes):
            assert item.revision == ahead
            ahead = next(due, sys.maxsize)
        if isinstance(item, Progress):
            assert item.revision < ahead, "an event at or before a bookmark had not been given"
            bookmarks += 1
    assert bookmarks, "there was no bookmark"
