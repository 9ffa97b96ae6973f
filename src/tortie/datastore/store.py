"""The contract of a datastore (DESIGN, Contracts): etcd's semantics, whatever the backend.

Keys are paths, values are bytes; every write makes a new revision of the whole store. Calls block; a watch is an
asynchronous iterator. A suite of contract tests runs against every backend.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from types import TracebackType
from typing import NamedTuple, NewType, Protocol, Self, TypeAlias, assert_never

LeaseId = NewType("LeaseId", int)

LAST_CHARACTER = "\U0010ffff"
"""A noncharacter that no key holds: ``prefix + LAST_CHARACTER`` sorts after every key that begins with *prefix*."""


class Entry(NamedTuple):
    """One key's value as of ``revision``, the revision of its last write."""

    key: str
    value: bytes
    revision: int
    lease: LeaseId | None = None


class Page(NamedTuple):
    """Part of a listing, in the order of keys. All pages of one listing show the store at the same ``revision``."""

    entries: tuple[Entry, ...]
    revision: int
    """The revision that the listing shows: where a watch goes on."""
    after: str | None
    """Give it as ``after``, with ``at_revision=revision``, for the next page; None on the last one."""


# --- transactions ----------------------------------------------------------------------------------------------------------


class Absent(NamedTuple):
    """Holds while there is no such key."""

    key: str


class AtRevision(NamedTuple):
    """Holds while the key's last write has this revision."""

    key: str
    revision: int


Check: TypeAlias = Absent | AtRevision


class Put(NamedTuple):
    key: str
    value: bytes
    lease: LeaseId | None = None


class Delete(NamedTuple):
    """Deletes the key if it is there."""

    key: str


Write: TypeAlias = Put | Delete


class Limits(NamedTuple):
    """What a backend can make atomic: more than this in one transaction is a TooLargeError. None: as much as you like."""

    operations: int | None = None
    """Of checks, and of writes, counted apart."""
    size_bytes: int | None = None
    """Of all keys and values to be put."""


# --- watch -----------------------------------------------------------------------------------------------------------------


class PutEvent(NamedTuple):
    entry: Entry
    previous: Entry | None
    """What the key held before; None if it was absent, or where the backend no longer knows."""


class DeleteEvent(NamedTuple):
    key: str
    previous: Entry | None


Event: TypeAlias = PutEvent | DeleteEvent


class Changes(NamedTuple):
    """All events of one revision together, in the order of the writes."""

    revision: int
    events: tuple[Event, ...]


class Progress(NamedTuple):
    """Every event up to *revision* has been delivered; a watch may be resumed from ``revision + 1``."""

    revision: int


# --- errors ----------------------------------------------------------------------------------------------------------------


class StoreError(Exception):
    """Base of what a store raises."""


class NotFoundError(StoreError):
    """There is no such key."""

    def __init__(self, key: str) -> None:
        super().__init__(f"{key} does not exist")
        self.key = key


class AlreadyExistsError(StoreError):
    """The key to be created is there already."""

    def __init__(self, key: str) -> None:
        super().__init__(f"{key} already exists")
        self.key = key


class ConflictError(StoreError):
    """A check failed: somebody else wrote first. Read again and plan again."""

    def __init__(self, key: str) -> None:
        super().__init__(f"{key} was changed by somebody else")
        self.key = key


class CompactedError(StoreError):
    """The revision asked for is no longer kept; list again. ``oldest`` is the first one that can be read."""

    def __init__(self, revision: int, oldest: int) -> None:
        super().__init__(f"revision {revision} is no longer kept; the oldest is {oldest}")
        self.revision = revision
        self.oldest = oldest


class ReplacedError(CompactedError):
    """The store has fewer revisions than it had: it was restored from an old backup, or made anew.

    What is known by its revision is not known any more; list again, and compare values.
    """

    def __init__(self, revision: int, newest: int) -> None:
        StoreError.__init__(
            self, f"the datastore has gone back to revision {newest} from {revision} or later: was it replaced?"
        )
        self.revision = revision
        self.oldest = newest


class TooLargeError(StoreError):
    """A value or transaction is beyond the backend's limits."""


class UnavailableError(StoreError):
    """The store cannot be reached now; it may answer later."""


class UnauthorizedError(StoreError):
    """The store does not let us: it does not know us, or we have not the right. Until somebody gives it, trying again is in vain."""


class AmbiguousWriteError(UnavailableError):
    """The store was lost while it wrote: whether it did is not known. Read again and plan again."""


def holds(check: Check, entry: Entry | None) -> bool:
    """Whether *check* holds where its key has *entry*."""
    match check:
        case Absent():
            return entry is None
        case AtRevision(_, revision):
            return entry is not None and entry.revision == revision
        case _:
            assert_never(check)


def require_key(key: str) -> None:
    """ValueError for what no backend takes as a key."""
    if not key or LAST_CHARACTER in key:
        raise ValueError(f"{key!r} cannot be a key")


def refuse_duplicates(writes: Sequence[Write]) -> None:
    """ValueError if two *writes* of a transaction name one key, whatever the backend would make of it."""
    seen: set[str] = set()
    for write in writes:
        if write.key in seen:
            raise ValueError(f"two writes of one transaction name {write.key}")
        seen.add(write.key)


# --- the store -------------------------------------------------------------------------------------------------------------


class Lease(Protocol):
    """Keys put with it are deleted when it ends: when it is revoked, or not renewed within its time to live."""

    id: LeaseId
    ttl_s: float

    def renew(self) -> None:
        """Start the time to live anew; NotFoundError if the lease has ended."""

    def revoke(self) -> None:
        """End the lease and delete its keys, at once."""


class Watch(Protocol):
    """A stream of changes in the order of their revisions, each whole, none twice, none left out.

    Iterating raises CompactedError where the next revision is no longer kept, UnavailableError where the store is lost;
    a new watch from the last revision seen, plus one, goes on without a gap. The oldest revision itself can be read, and its
    events may be gone: a watch from there may raise CompactedError too.
    """

    def __aiter__(self) -> AsyncIterator[Changes | Progress]: ...

    async def aclose(self) -> None:
        """End the watch and free what it holds; iterating then stops."""


class Store(Protocol):
    """A datastore backend. ``at_revision`` reads the past; CompactedError if it is no longer kept."""

    @property
    def limits(self) -> Limits:
        """Of one transaction."""

    def get(self, key: str, *, at_revision: int | None = None) -> Entry:
        """The entry at *key*; NotFoundError."""

    def list(
        self, prefix: str, *, limit: int | None = None, after: str | None = None, at_revision: int | None = None
    ) -> Page:
        """Entries whose keys begin with *prefix*: at most *limit* of them, those that sort after *after*."""

    def pages(self, prefix: str, *, at_revision: int | None = None) -> AsyncGenerator[Page, None]:
        """All of a listing at one revision, in pages of the backend's choice: each a few ms of the event loop's time.

        Between two of them the receiver lets the loop have its turn.
        """

    def create(self, key: str, value: bytes, *, lease: LeaseId | None = None) -> Entry:
        """Put a new key; AlreadyExistsError."""

    def update(self, key: str, value: bytes, expected_revision: int, *, lease: LeaseId | None = None) -> Entry:
        """Replace a value that still has *expected_revision*; ConflictError, NotFoundError."""

    def apply(self, key: str, value: bytes, *, lease: LeaseId | None = None) -> Entry:
        """Put, whether the key is there or not."""

    def delete(self, key: str, expected_revision: int | None = None) -> Entry:
        """Delete and return what was there; NotFoundError, ConflictError."""

    def transact(self, checks: Sequence[Check], writes: Sequence[Write]) -> int:
        """Do all *writes* if all *checks* hold, in one revision, which is returned; ConflictError names the first that fails.

        All or nothing, also for watchers. No two writes may name one key. TooLargeError beyond the backend's limits.
        """

    def lease(self, ttl_s: float) -> Lease:
        """A new lease."""

    def watch(self, prefix: str, from_revision: int) -> Watch:
        """Changes from *from_revision* on, that one included, under *prefix*; Progress comes now and then."""

    def revision(self) -> int:
        """The newest revision."""

    def close(self) -> None:
        """Free what the store holds; watches end."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


_PAGE = 500


def entries(store: Store, prefix: str, *, at_revision: int | None = None) -> Iterator[Entry]:
    """Everything under *prefix*, as of one revision, page by page."""
    after = None
    while True:
        page = store.list(prefix, limit=_PAGE, after=after, at_revision=at_revision)
        yield from page.entries
        at_revision, after = page.revision, page.after
        if after is None:
            return
