"""A store's content as one stream: a snapshot, then its changes, through outages and compactions.

    list every prefix at ONE revision ──► InSync ──► watch from the next revision on
         ▲                                             │ UnavailableError, UnauthorizedError: wait, watch again from there
         └────────────── wait ◄────────────────────────┘ CompactedError: list again, and tell what is gone

Every batch that ends with InSync brings its receiver to a state that the store had. While the store cannot be reached nothing
is sent: the last known state stays, and no state is ever made up. Only the revision of each key is kept here.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os.path
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from operator import itemgetter
from random import Random
from typing import NamedTuple, TypeAlias

from tortie.datastore.collector import uncollected
from tortie.datastore.store import (
    Changes,
    CompactedError,
    Event,
    Page,
    Progress,
    PutEvent,
    ReplacedError,
    Store,
    UnauthorizedError,
    UnavailableError,
)
from tortie.model.updates import InSync, Update

_log = logging.getLogger(__name__)

Batch: TypeAlias = tuple[Update | InSync, ...]
"""Some updates, and at the end an InSync where they complete a state."""


class Backoff(NamedTuple):
    """How long to wait before trying again: doubling, up to a limit, and never all at the same moment."""

    first_s: float = 0.1
    most_s: float = 10.0
    random: Random = Random()

    def delays(self) -> Iterator[float]:
        """One outage's delays, each drawn from the upper half of what is due."""
        due = self.first_s
        while True:
            yield due * self.random.uniform(0.5, 1.0)
            due = min(2 * due, self.most_s)


async def sync(
    store: Store,
    prefixes: Sequence[str],
    *,
    backoff: Backoff = Backoff(),  # noqa: B008 - immutable but for its random source, which may be shared
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
) -> AsyncGenerator[Batch, None]:
    """All keys of *store* under *prefixes*, and whatever becomes of them; ends when the store is closed.

    InSync comes after the snapshot, and again with every later revision, whether it matters under *prefixes* or not: it tells
    how far the receiver is. Errors other than CompactedError, UnavailableError and UnauthorizedError are raised.

    One watch serves all *prefixes*, so what they begin with in common is what must be readable.
    """
    follower = _Follower(store, prefixes)
    delays = backoff.delays()
    while True:
        try:
            async with contextlib.aclosing(follower.batches()) as batches:
                async for batch in batches:
                    delays = backoff.delays()
                    yield batch
            return
        except CompactedError as error:
            # Every other follower of this store may list again now as well: hence the wait.
            follower.start_over(is_replaced=isinstance(error, ReplacedError))
            problem: Exception = error
        except (UnavailableError, UnauthorizedError) as error:
            # A right that is missing may be given yet, a password be right again: ending would not make it better.
            problem = error
        delay = next(delays)
        _log.warning("following the datastore was interrupted (%s); again in %.1f s", problem, delay)
        await sleep(delay)


class _Follower:
    """What one stream remembers between its attempts."""

    def __init__(self, store: Store, prefixes: Sequence[str]) -> None:
        self._store = store
        self._prefixes = tuple(prefixes)
        self._known: dict[str, int] = {}
        """The revision at which each key was last sent."""
        self.upto: int | None = None
        """Everything up to this revision has been sent; None while a listing has to be made or completed."""
        self._newest = 0
        """The newest revision that was ever sent."""

    def start_over(self, *, is_replaced: bool) -> None:
        """List again; where the store *is_replaced*, an equal revision no longer means an equal value."""
        self.upto = None
        if is_replaced:
            self._newest = 0
            self._known = dict.fromkeys(self._known, 0)

    async def batches(self) -> AsyncGenerator[Batch, None]:
        if self.upto is None:
            async with contextlib.aclosing(self._snapshot()) as pages:
                async for page in pages:
                    yield page
        assert self.upto is not None
        # One watch for all prefixes keeps revisions whole and in order; what it brings beside them is dropped here.
        common = os.path.commonprefix(self._prefixes)  # noqa: RUF071 - keys are text here: by character is right
        watch = self._store.watch(common, self.upto + 1)
        try:
            async for item in watch:
                batch = self._changes(item)
                self.upto = self._newest = item.revision
                yield batch
        finally:
            await watch.aclose()

    async def _snapshot(self) -> AsyncGenerator[Batch, None]:
        """What differs from what was sent before, all prefixes as of one revision."""
        missing = set(self._known)
        revision = None
        for prefix in self._prefixes:
            async with contextlib.aclosing(self._store.pages(prefix, at_revision=revision)) as pages:
                async for page in pages:
                    if page.revision < self._newest:
                        self.start_over(is_replaced=True)
                    revision = self._newest = page.revision
                    if missing:
                        missing.difference_update(entry.key for entry in page.entries)
                    batch = self._differences(page)
                    del page  # or Python's collector would look at its entries while the receiver has the batch
                    if batch:
                        yield batch
                    await asyncio.sleep(0)
        assert revision is not None, "there is nothing to follow"
        self.upto = revision
        yield (*(self._delete(key, revision) for key in sorted(missing)), InSync(revision))

    def _differences(self, page: Page) -> Batch:
        known, new = self._known, tuple.__new__
        # Written for speed: in a large cluster this runs a hundred thousand times before anything is in force.
        with uncollected():
            batch = tuple([new(Update, entry[:3]) for entry in page.entries if known.get(entry[0]) != entry[2]])
            known.update(map(itemgetter(0, 2), batch))
        return batch

    def _changes(self, item: Changes | Progress) -> Batch:
        events = item.events if isinstance(item, Changes) else ()
        return (*self._updates(events, item.revision), InSync(item.revision))

    def _updates(self, events: Sequence[Event], revision: int) -> Iterator[Update]:
        for event in events:
            key = event.entry.key if isinstance(event, PutEvent) else event.key
            if not key.startswith(self._prefixes):
                continue
            yield self._put(*event.entry[:3]) if isinstance(event, PutEvent) else self._delete(key, revision)

    def _put(self, key: str, value: bytes, revision: int) -> Update:
        self._known[key] = revision
        return Update(key, value, revision)

    def _delete(self, key: str, revision: int) -> Update:
        self._known.pop(key, None)
        return Update(key, None, revision)
