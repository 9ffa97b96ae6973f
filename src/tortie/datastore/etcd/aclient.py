"""The same calls for an event loop, and the stream of a watch; each watch and each listing has a client of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from types import TracebackType
from typing import Self, TypeAlias, TypeVar

import grpc

from tortie.datastore.etcd import rpc_pb2 as rpc
from tortie.datastore.etcd.attempts import CALL_S, Attempts, Effect
from tortie.datastore.etcd.cluster import Cluster, Server
from tortie.datastore.etcd.faults import Fault, Kind
from tortie.datastore.etcd.methods import AUTHENTICATE, WATCH, A, Method, Q

T = TypeVar("T")

WatchStream: TypeAlias = "grpc.aio.StreamStreamCall[rpc.WatchRequest, rpc.WatchResponse]"


class AsyncClient:
    """Connects at the first call; to be used ``async with``, since a channel that is left open keeps a process from ending."""

    def __init__(self, cluster: Cluster, *, is_for_listing: bool = False) -> None:
        self._cluster = cluster
        self._is_for_listing = is_for_listing
        self._channel: grpc.aio.Channel | None = None
        self._connected: Server | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._close()

    async def call(self, method: Method[Q, A], request: Q) -> A:
        """The answer to *request*, which only reads."""

        async def attempt() -> A:
            return await _stub(await self._open(), method)(request, timeout=CALL_S, metadata=self._cluster.metadata())

        return await self.run(attempt)

    async def run(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """What *attempt* gives, as often as it is worth trying."""
        attempts = Attempts(self._cluster, Effect.READ)
        while True:
            attempts.begin()
            try:
                await self._authenticate()
                return await attempt()
            except grpc.aio.AioRpcError as error:
                attempts.failed(error)
            await asyncio.sleep(attempts.pause_s())

    async def open_watch(self, request: rpc.WatchCreateRequest) -> tuple[WatchStream, rpc.WatchResponse]:
        """A stream that is asked for one watch, and etcd's first word on it."""
        stream = _stream(await self._open(), WATCH)(metadata=self._cluster.metadata())
        try:
            async with asyncio.timeout(CALL_S):
                await stream.write(rpc.WatchRequest(create=request))
                first = await stream.read()
        except TimeoutError:
            raise broken("no answer to a watch") from None
        except asyncio.InvalidStateError:
            first = grpc.aio.EOF  # the stream ended before it took the request; its status says why
        if isinstance(first, rpc.WatchResponse):
            return stream, first
        await ended(stream)
        raise broken("the stream of a watch ended")

    async def oldest(self, request: rpc.WatchCreateRequest) -> int:
        """The oldest revision that is kept, as ``client.Client.oldest`` asks for it."""
        return await self.run(lambda: self._oldest(request))

    async def _oldest(self, request: rpc.WatchCreateRequest) -> int:
        stream, first = await self.open_watch(request)
        try:
            async with asyncio.timeout(CALL_S):
                if first.canceled:
                    return first.compact_revision
                async for response in responses(stream):
                    if response.canceled:
                        return response.compact_revision
        except TimeoutError:
            raise broken("no answer to a watch") from None
        finally:
            stream.cancel()
        raise broken("the stream of a watch ended")

    async def _authenticate(self) -> None:
        if not self._cluster.needs_token:
            return
        try:
            answer = await _stub(await self._open(), AUTHENTICATE)(self._cluster.credentials(), timeout=CALL_S)
        except grpc.aio.AioRpcError as error:
            if Fault.of(error).kind is not Kind.NO_USERS:
                raise
            self._cluster.token = ""
        else:
            self._cluster.token = answer.token

    async def _open(self) -> grpc.aio.Channel:
        """The channel to the server in use."""
        server = self._cluster.server
        if self._channel is None or self._connected != server:
            await self._close()
            self._channel, self._connected = self._cluster.aio_channel(is_for_listing=self._is_for_listing), server
        return self._channel

    async def _close(self) -> None:
        if self._channel is not None:
            channel, self._channel = self._channel, None
            await channel.close()


async def responses(stream: WatchStream) -> AsyncGenerator[rpc.WatchResponse, None]:
    """What a watch brings after its first response; AioRpcError when the stream breaks."""
    while isinstance(response := await stream.read(), rpc.WatchResponse):
        yield response
    await ended(stream)


async def ended(stream: WatchStream) -> None:
    """Raise the status of a stream that ended, unless that is OK."""
    code, details = await stream.code(), await stream.details()
    if code != grpc.StatusCode.OK:
        raise broken(details, code)


def broken(details: str | None, code: grpc.StatusCode = grpc.StatusCode.UNAVAILABLE) -> grpc.aio.AioRpcError:
    """An error as gRPC raises them, for what it does not raise by itself."""
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata(), details)


def _stub(channel: grpc.aio.Channel, method: Method[Q, A]) -> grpc.aio.UnaryUnaryMultiCallable[Q, A]:
    return channel.unary_unary(
        method.path, request_serializer=method.asks.SerializeToString, response_deserializer=method.answers.FromString
    )


def _stream(channel: grpc.aio.Channel, method: Method[Q, A]) -> grpc.aio.StreamStreamMultiCallable[Q, A]:
    return channel.stream_stream(
        method.path, request_serializer=method.asks.SerializeToString, response_deserializer=method.answers.FromString
    )
