"""A long listing for the event loop: spans of it (``spans``) are asked for side by side, and answered in the order of keys."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import AsyncExitStack
from itertools import islice
from types import TracebackType
from typing import Self

from tortie.datastore.etcd import rpc_pb2 as rpc
from tortie.datastore.etcd.aclient import AsyncClient
from tortie.datastore.etcd.cluster import Cluster
from tortie.datastore.etcd.methods import RANGE
from tortie.datastore.etcd.spans import Span, cut

_AT_ONCE = 3
"""Requests under way, each with a connection of its own. With more etcd would not be done sooner, and answers wait in memory."""

_TURNS_TO_SEND = 2
"""Of the event loop, until a request has left: gRPC makes a task for it inside ours."""


class _Part:
    """A span, and its answer once it is asked for."""

    def __init__(self, span: Span) -> None:
        self.span = span
        self.answer: asyncio.Task[rpc.RangeResponse] | None = None


class Listing:
    """All keys of *span*, in answers of *limit* keys at most, as of one revision; to be used ``async with``."""

    def __init__(self, cluster: Cluster, span: Span, at_revision: int | None, limit: int) -> None:
        self._cluster = cluster
        self._parts = deque([_Part(span)])
        self._limit = limit
        self._idle: list[AsyncClient] = []
        self._open = AsyncExitStack()
        self.revision = at_revision
        """What is listed; where none was given, the first answer's."""

    async def __aenter__(self) -> Self:
        for _ in range(_AT_ONCE):  # connecting only when they are used
            client = AsyncClient(self._cluster, is_for_listing=True)
            self._idle.append(await self._open.enter_async_context(client))
        self._open.push_async_callback(self._cancel)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._open.aclose()

    @property
    def is_over(self) -> bool:
        """Whether there is no further answer."""
        return not self._parts

    async def next(self) -> rpc.RangeResponse:
        """The next answer, which may be empty; when it is there, others are under way."""
        self._ask()
        part = self._parts[0]
        assert part.answer is not None
        response = await part.answer
        self._parts.popleft()
        self.revision = self.revision or response.header.revision
        if response.more:
            rest = cut(response.kvs[0].key, response.kvs[-1].key, part.span.end)
            self._parts.extendleft(map(_Part, reversed(rest)))
        self._ask()
        for _ in range(_TURNS_TO_SEND):
            await asyncio.sleep(0)
        return response

    def _ask(self) -> None:
        """Ask for what comes next, as far as connections are free: the very next has the first claim."""
        for part in islice(self._parts, _AT_ONCE):
            if part.answer is None and self._idle:
                part.answer = asyncio.create_task(self._fetch(self._idle.pop(), part.span))

    async def _fetch(self, client: AsyncClient, span: Span) -> rpc.RangeResponse:
        request = rpc.RangeRequest(key=span.begin, range_end=span.end, limit=self._limit, revision=self.revision or 0)
        try:
            return await client.call(RANGE, request)
        finally:
            self._idle.append(client)

    async def _cancel(self) -> None:
        under_way = [part.answer for part in self._parts if part.answer is not None]
        for answer in under_way:
            answer.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
