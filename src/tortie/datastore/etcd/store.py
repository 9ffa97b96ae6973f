"""The store itself: each operation of the contract as one request to etcd, and as one transaction where it compares."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Iterator, Sequence
from math import ceil
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from tortie.datastore.collector import uncollected
from tortie.datastore.connection import TLS
from tortie.datastore.etcd import rpc_pb2 as rpc
from tortie.datastore.etcd.aclient import AsyncClient
from tortie.datastore.etcd.attempts import Effect
from tortie.datastore.etcd.client import Client
from tortie.datastore.etcd.cluster import Cluster
from tortie.datastore.etcd.codec import (
    MAX_OPERATIONS,
    MAX_REQUEST_BYTES,
    entries_of,
    entry_of,
    is_once_only,
    key_bytes,
    key_text,
    one,
    operation,
    put,
    range_of,
    require_size,
    transaction,
)
from tortie.datastore.etcd.faults import RevisionCompactedError
from tortie.datastore.etcd.lease import EtcdLease
from tortie.datastore.etcd.listing import Listing
from tortie.datastore.etcd.memory import give_back, share_one_heap
from tortie.datastore.etcd.methods import ALARM, COMPACT, DELETE_RANGE, LEASE_GRANT, PUT, RANGE, STATUS
from tortie.datastore.etcd.spans import Span
from tortie.datastore.etcd.watch import EtcdWatch
from tortie.datastore.store import (
    Absent,
    AlreadyExistsError,
    AtRevision,
    Check,
    CompactedError,
    ConflictError,
    Delete,
    Entry,
    LeaseId,
    Limits,
    NotFoundError,
    Page,
    Put,
    Write,
    holds,
    refuse_duplicates,
)

PAGE = 10_000
"""Entries of a page: at 500, etcd takes four times as long for 100,000; all at once, both sides need several times the memory."""

_SAFE_BYTES = MAX_REQUEST_BYTES - (128 << 10)
"""Of keys and values: the rest is for what stands around them, and for the keys of checks."""

_ANY_KEY = "/calico/"
"""Read for its answer's revision only. Every role that is of use here may read it."""


class Health(NamedTuple):
    """How the server in use is, for an operator."""

    endpoint: str
    version: str
    has_leader: bool
    size_bytes: int
    """Of its database file, against which the quota counts."""
    size_in_use_bytes: int
    """Less what defragmentation would free."""
    alarms: tuple[str, ...]
    """``NOSPACE``: it refuses writes; ``CORRUPT``."""


class EtcdStore:
    """``store.Store`` in an etcd cluster; made by ``open``. For one thread at a time, and not across fork(2)."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._client = Client(cluster)
        self._watches: set[EtcdWatch] = set()

    @classmethod
    def open(
        cls,
        endpoints: Sequence[str],
        *,
        tls: TLS | None = None,
        username: str = "",
        password: Path | str = "",
        patience_s: float = 5.0,
    ) -> Self:
        """The store in the cluster whose servers are at *endpoints* (``HOST:PORT``); connects at the first operation.

        Without *tls* all is said in clear text, the password too, which may be a path: that of a file that holds it, read
        whenever etcd asks. Operations are tried again, at other servers, for *patience_s*: an election takes one or two seconds.
        """
        share_one_heap()
        return cls(Cluster(endpoints, tls, username, password, patience_s=patience_s))

    @property
    def limits(self) -> Limits:
        return Limits(MAX_OPERATIONS, _SAFE_BYTES)

    # --- reading -----------------------------------------------------------------------------------------------------------

    def get(self, key: str, *, at_revision: int | None = None) -> Entry:
        if not key:
            raise NotFoundError(key)
        with self._naming_oldest(key, at_revision):
            pairs = self._range(one(key, at_revision)).kvs
        if not pairs:
            raise NotFoundError(key)
        return entry_of(pairs[0])

    def list(
        self, prefix: str, *, limit: int | None = None, after: str | None = None, at_revision: int | None = None
    ) -> Page:
        if limit is not None and limit < 1:
            raise ValueError(f"a page cannot hold {limit} entries")
        with self._naming_oldest(prefix, at_revision):
            if limit is not None:
                answer = self._range(_listing(prefix, after, at_revision, limit))
                return _page(answer, at_revision, is_last=not answer.more)
            pages = tuple(self._pages(prefix, after, at_revision))
        return Page(tuple(entry for page in pages for entry in page.entries), pages[-1].revision, None)

    def _pages(self, prefix: str, after: str | None, at_revision: int | None) -> Iterator[Page]:
        """All that is left of a listing; the next page is asked for before this one is taken apart."""
        answer = self._range(_listing(prefix, after, at_revision))
        while answer.more:
            at_revision = at_revision or answer.header.revision
            coming = self._client.ask(_listing(prefix, key_text(answer.kvs[-1].key), at_revision))
            yield _page(answer, at_revision, is_last=False)
            answer = coming()
        yield _page(answer, at_revision, is_last=True)

    async def pages(self, prefix: str, *, at_revision: int | None = None) -> AsyncGenerator[Page, None]:
        """Pages of ``PAGE`` entries at most; what comes next is under way while the receiver has this one (``listing``)."""
        try:
            async with Listing(self._cluster, Span(*range_of(prefix)), at_revision, PAGE) as listing:
                while not listing.is_over:
                    yield await self._next(listing, prefix)  # no name for it here: it is the receiver's to let go of
        finally:
            give_back()

    async def _next(self, listing: Listing, prefix: str) -> Page:
        _refuse_before_first(listing.revision)
        while True:
            try:
                answer = await listing.next()
            except RevisionCompactedError as error:
                async with AsyncClient(self._cluster) as client:
                    oldest = await client.oldest(_from_the_first(prefix))
                raise CompactedError(listing.revision or 0, oldest) from error
            self._cluster.note(answer.header)
            if answer.kvs or listing.is_over:
                return _page(answer, listing.revision, is_last=listing.is_over)

    def revision(self) -> int:
        return self._range(one(_ANY_KEY)).header.revision

    def health(self) -> Health:
        """How the server in use is; UnavailableError if none answers."""
        status = self._client.call(STATUS, rpc.StatusRequest())
        alarms = self._client.call(ALARM, rpc.AlarmRequest()).alarms
        return Health(
            endpoint=self._cluster.server.endpoint,
            version=status.version,
            has_leader=bool(status.leader),
            size_bytes=status.size_bytes,
            size_in_use_bytes=status.size_in_use_bytes,
            alarms=tuple(sorted({rpc.AlarmMember.Type.Name(alarm.alarm) for alarm in alarms})),
        )

    # --- writing -----------------------------------------------------------------------------------------------------------

    def create(self, key: str, value: bytes, *, lease: LeaseId | None = None) -> Entry:
        revision, failed = self._transact([Absent(key)], [Put(key, value, lease)])
        if failed is not None:
            raise AlreadyExistsError(key)
        return Entry(key, value, revision, lease)

    def update(self, key: str, value: bytes, expected_revision: int, *, lease: LeaseId | None = None) -> Entry:
        revision, failed = self._transact([AtRevision(key, expected_revision)], [Put(key, value, lease)])
        if failed is not None:
            raise NotFoundError(key) if failed.found is None else ConflictError(key)
        return Entry(key, value, revision, lease)

    def apply(self, key: str, value: bytes, *, lease: LeaseId | None = None) -> Entry:
        request = put(key, value, lease)
        require_size(request)
        header = self._client.call(PUT, request, Effect.WRITE).header
        self._cluster.note(header)
        return Entry(key, value, header.revision, lease)

    def delete(self, key: str, expected_revision: int | None = None) -> Entry:
        if expected_revision is not None:
            return self._delete_at(key, expected_revision)
        request = rpc.DeleteRangeRequest(key=key_bytes(key), prev_kv=True)
        answer = self._client.call(DELETE_RANGE, request, Effect.WRITE)
        self._cluster.note(answer.header)
        if not answer.prev_kvs:
            raise NotFoundError(key)
        return entry_of(answer.prev_kvs[0])

    def _delete_at(self, key: str, expected_revision: int) -> Entry:
        request = transaction([AtRevision(key, expected_revision)], [operation(Delete(key))])
        answer = self._client.transact(request, Effect.ONCE_ONLY)
        self._cluster.note(answer.header)
        if answer.succeeded:
            return entry_of(answer.responses[0].delete_range.prev_kvs[0])
        raise ConflictError(key) if answer.responses[0].range.kvs else NotFoundError(key)

    def transact(self, checks: Sequence[Check], writes: Sequence[Write]) -> int:
        """Atomic up to ``codec.MAX_OPERATIONS`` checks and as many writes, in ``codec.MAX_REQUEST_BYTES``."""
        refuse_duplicates(writes)
        if not checks and not writes:
            return self.revision()
        revision, failed = self._transact(checks, writes)
        if failed is not None:
            raise ConflictError(failed.key)
        return revision

    def _transact(self, checks: Sequence[Check], writes: Sequence[Write]) -> tuple[int, _Failed | None]:
        """The revision of the answer, and the first check that did not hold: then nothing was written."""
        request = transaction(checks, [*map(operation, writes)])
        require_size(request)
        effect = Effect.ONCE_ONLY if is_once_only(checks, writes) else Effect.WRITE if writes else Effect.READ
        answer = self._client.transact(request, effect)
        self._cluster.note(answer.header)
        return answer.header.revision, None if answer.succeeded else _first_failed(checks, answer)

    def compact(self, oldest: int) -> None:
        """Forget what was replaced or deleted before revision *oldest*; CompactedError if that has been done."""
        with self._naming_oldest("", oldest):
            self._client.call(COMPACT, rpc.CompactionRequest(revision=oldest, physical=True), Effect.WRITE)

    # --- leases, watching, closing -----------------------------------------------------------------------------------------

    def lease(self, ttl_s: float) -> EtcdLease:
        if ttl_s <= 0:
            raise ValueError(f"a lease cannot live for {ttl_s} s")
        # granted twice, the first one ends by itself and holds nothing
        answer = self._client.call(LEASE_GRANT, rpc.LeaseGrantRequest(ttl_s=ceil(ttl_s)), Effect.READ)
        return EtcdLease(self._client, LeaseId(answer.id), answer.ttl_s)

    def watch(self, prefix: str, from_revision: int) -> EtcdWatch:
        """May be called without an event loop; iterating needs one."""
        watch = EtcdWatch(self._cluster, prefix, from_revision, ended=self._watches.discard)
        self._watches.add(watch)
        return watch

    def close(self) -> None:
        for watch in tuple(self._watches):
            watch.close()
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # --- what operations share ---------------------------------------------------------------------------------------------

    def _range(self, request: rpc.RangeRequest) -> rpc.RangeResponse:
        answer = self._client.call(RANGE, request)
        self._cluster.note(answer.header)
        return answer

    @contextlib.contextmanager
    def _naming_oldest(self, prefix: str, at_revision: int | None) -> Iterator[None]:
        """Turn etcd's bare "compacted" into a CompactedError, which also tells the oldest revision."""
        _refuse_before_first(at_revision)
        try:
            yield
        except RevisionCompactedError as error:
            raise CompactedError(at_revision or 0, self._client.oldest(_from_the_first(prefix))) from error


def _refuse_before_first(at_revision: int | None) -> None:
    """CompactedError for a revision that never was: to etcd, 0 is the newest."""
    if at_revision is not None and at_revision < 1:
        raise CompactedError(at_revision, 1)


def _from_the_first(prefix: str) -> rpc.WatchCreateRequest:
    """The watch that makes a server say which revision is the oldest it has, once it has compacted any."""
    key, end = range_of(prefix)
    return rpc.WatchCreateRequest(key=key, range_end=end, start_revision=1)


class _Failed(NamedTuple):
    """A check that did not hold."""

    key: str
    found: Entry | None


def _first_failed(checks: Sequence[Check], answer: rpc.TxnResponse) -> _Failed:
    for check, response in zip(checks, answer.responses, strict=True):
        found = entry_of(response.range.kvs[0]) if response.range.kvs else None
        if not holds(check, found):
            return _Failed(check.key, found)
    raise AssertionError("etcd refused a transaction whose checks all hold")


def _listing(prefix: str, after: str | None, at_revision: int | None, limit: int | None = None) -> rpc.RangeRequest:
    key, end = range_of(prefix, after)
    return rpc.RangeRequest(key=key, range_end=end, limit=limit or PAGE, revision=at_revision or 0)


def _page(answer: rpc.RangeResponse, at_revision: int | None, *, is_last: bool) -> Page:
    with uncollected():
        entries = entries_of(answer.kvs)
    return Page(entries, at_revision or answer.header.revision, None if is_last else entries[-1].key)
