"""Following etcd: a task that reads the stream of one watch into a bounded queue, and an asynchronous iterator over that.

    etcd ── history ──► stream ──► reader task ──► queue (bounded) ──► __anext__
                                   stops reading while it is full: then gRPC's window fills, and etcd keeps the rest in its
                                   history, which costs nobody memory until it is compacted; then we are told

A stream that is lost ends the watch; who follows resumes with a new one. So every promise rests on etcd's own and on
``events.Assembler``, and nothing here tries to mend a gap. One of etcd's own is stepped over: a compaction at the revision where
a key was deleted takes that deletion away, and a watch from that very revision is not told (etcd's issues 18089 and 19179, which
Debian 12's 3.4.23 has). So each watch begins one revision early; then etcd says that it was compacted.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Self

import grpc

from tortie.datastore.etcd import rpc_pb2 as rpc
from tortie.datastore.etcd.aclient import AsyncClient, WatchStream, broken, responses
from tortie.datastore.etcd.cluster import Cluster
from tortie.datastore.etcd.codec import range_of
from tortie.datastore.etcd.events import Assembler
from tortie.datastore.etcd.faults import Fault
from tortie.datastore.etcd.methods import RANGE
from tortie.datastore.store import Changes, CompactedError, Progress, ReplacedError

_QUEUE_BYTES = 4 << 20
"""So much is read ahead of the consumer, and one response more, which etcd keeps near 1.5 MiB."""


class EtcdWatch:
    """See ``store.Watch``. Connects at the first ``__anext__``; *ended* is called when it has let go."""

    def __init__(
        self, cluster: Cluster, prefix: str, from_revision: int, *, ended: Callable[[EtcdWatch], object]
    ) -> None:
        self._cluster = cluster
        self._prefix = prefix
        self._from = max(from_revision, 1)
        self._ended = ended
        self._queue: deque[Changes | Progress] = deque()
        self._queued_bytes = 0
        """Received since the queue was last empty."""
        self._news = asyncio.Event()
        self._drained = asyncio.Event()
        self._reader: asyncio.Task[None] | None = None
        self._failure: Exception | None = None
        self._is_over = False
        """Nothing more will be put into the queue."""
        self._is_token_new = False
        """Whether the token in use was made for this watch."""

    # --- the consumer's side -----------------------------------------------------------------------------------------------

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Changes | Progress:
        # Cancelled while it waits, it has consumed nothing, and goes on at the next call.
        if self._reader is None and not self._is_over:
            self._reader = asyncio.create_task(self._read())
        while not self._queue and not self._is_over:
            self._news.clear()
            await self._news.wait()
        if self._queue:
            return self._pop()
        failure, self._failure = self._failure, None
        await self.aclose()
        if failure is not None:
            raise failure
        raise StopAsyncIteration

    def _pop(self) -> Changes | Progress:
        item = self._queue.popleft()
        if not self._queue:
            self._queued_bytes = 0
            self._drained.set()
        return item

    async def aclose(self) -> None:
        self.close()
        if self._reader is not None:
            await asyncio.gather(self._reader, return_exceptions=True)

    def close(self) -> None:
        """What ``aclose`` does, but for waiting until the connection is gone; for whoever has no event loop (any more)."""
        self._is_over = True
        self._queue.clear()
        if self._reader is not None and not self._reader.get_loop().is_closed():
            self._reader.cancel()
        self._news.set()
        self._ended(self)

    # --- the reader's side -------------------------------------------------------------------------------------------------

    async def _read(self) -> None:
        try:
            async with AsyncClient(self._cluster) as client:
                await self._follow(client)
        except Exception as error:  # noqa: BLE001 - raised where the watch is consumed
            self._failure = error
        finally:
            self._is_over = True
            self._news.set()

    async def _follow(self, client: AsyncClient) -> None:
        stream, first = await client.run(lambda: self._open(client))
        server = self._cluster.server
        await self._require_history(client, first.header.revision)
        assembler = Assembler(self._from)
        try:
            async for response in responses(stream):
                self._cluster.note(response.header)
                self._refuse_cancelled(response)
                await self._put(assembler, response)
            raise broken("the stream of a watch ended")
        except grpc.aio.AioRpcError as error:
            self._cluster.leave(server)
            raise Fault.of(error).error(server.endpoint, is_write=False) from error

    async def _open(self, client: AsyncClient) -> tuple[WatchStream, rpc.WatchResponse]:
        key, end = range_of(self._prefix)
        token = self._cluster.token
        early = max(self._from - 1, 1)  # what it brings of that revision, the assembler drops
        stream, first = await client.open_watch(
            rpc.WatchCreateRequest(
                key=key, range_end=end, start_revision=early, prev_kv=True, progress_notify=True, fragment=True
            )
        )
        # older releases of etcd say that a right is missing where in truth the token is unknown: the first one is not trusted
        if first.canceled and token and not self._is_token_new:
            self._is_token_new = True
            raise broken("etcdserver: invalid auth token", grpc.StatusCode.UNAUTHENTICATED)
        self._refuse_cancelled(first)
        return stream, first

    def _refuse_cancelled(self, response: rpc.WatchResponse) -> None:
        if response.compact_revision:
            raise CompactedError(self._from, response.compact_revision)
        if response.canceled:
            raise broken(response.cancel_reason or "etcd cancelled a watch")

    async def _require_history(self, client: AsyncClient, revision: int) -> None:
        """ReplacedError if the cluster has fewer revisions than we have seen; *revision* is of one server, which may be behind."""
        known = min(self._from - 1, self._cluster.seen)
        if revision >= known:
            return
        key, end = range_of(self._prefix)
        answer = await client.call(RANGE, rpc.RangeRequest(key=key, range_end=end, limit=1))
        if answer.header.revision < known:
            raise ReplacedError(known, answer.header.revision)

    async def _put(self, assembler: Assembler, response: rpc.WatchResponse) -> None:
        self._queue.extend(assembler.take(response))
        if not self._queue:
            return
        self._news.set()
        self._queued_bytes += response.ByteSize()
        if self._queued_bytes > _QUEUE_BYTES:
            self._drained.clear()
            await self._drained.wait()
