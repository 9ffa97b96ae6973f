"""Calls that block: one channel, a deadline for each attempt, and as many attempts as ``attempts`` allows."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

import grpc

from tortie.datastore.etcd import rpc_pb2 as rpc
from tortie.datastore.etcd.attempts import CALL_S, Attempts, Effect
from tortie.datastore.etcd.cluster import Cluster, Server
from tortie.datastore.etcd.faults import Fault, Kind
from tortie.datastore.etcd.methods import AUTHENTICATE, LEASE_KEEP_ALIVE, RANGE, TXN, WATCH, A, Method, Q
from tortie.datastore.store import AmbiguousWriteError

T = TypeVar("T")


class Client:
    """Connects at the first call. For one thread at a time, and not across fork(2)."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._channel: grpc.Channel | None = None
        self._connected: Server | None = None
        """Whom ``_channel`` belongs to."""

    def call(self, method: Method[Q, A], request: Q, effect: Effect = Effect.READ) -> A:
        """The answer to *request*; what etcd refuses is raised as the store's error."""
        return self._run(lambda: self._unary(method, request), Attempts(self._cluster, effect))

    def transact(self, request: rpc.TxnRequest, effect: Effect) -> rpc.TxnResponse:
        """The answer to a transaction, checks that failed included; AmbiguousWriteError where they may have failed by our own doing."""
        attempts = Attempts(self._cluster, effect)
        answer = self._run(lambda: self._unary(TXN, request), attempts)
        if attempts.was_lost and not answer.succeeded:
            raise AmbiguousWriteError(
                "a connection to etcd was lost during a write, and now its checks fail: by that write, or by somebody else's"
            )
        return answer

    def ask(self, request: rpc.RangeRequest) -> Callable[[], rpc.RangeResponse]:
        """Send *request* now; what is returned waits for the answer, and asks again if it was lost."""
        attempts = Attempts(self._cluster, Effect.READ)
        if self._cluster.needs_token:
            return lambda: self._run(lambda: self._unary(RANGE, request), attempts)
        sent = _stub(self._open(), RANGE).future(request, timeout=CALL_S, metadata=self._cluster.metadata())

        def first() -> rpc.RangeResponse:
            return sent.result() if not sent.done() or sent.exception() is None else self._unary(RANGE, request)

        return lambda: self._run(first, attempts)

    def keep_alive(self, request: rpc.LeaseKeepAliveRequest) -> rpc.LeaseKeepAliveResponse:
        """Renew a lease once."""
        return self._run(lambda: self._keep_alive(request), Attempts(self._cluster, Effect.READ))

    def oldest(self, request: rpc.WatchCreateRequest) -> int:
        """The oldest revision that is kept: what etcd answers to a watch from a revision that is known not to be."""
        return self._run(lambda: self._oldest(request), Attempts(self._cluster, Effect.READ))

    def close(self) -> None:
        """Let go of the connection; a later call makes a new one."""
        if self._channel is not None:
            self._channel.close()
            self._channel = None

    def _run(self, attempt: Callable[[], T], attempts: Attempts) -> T:
        while True:
            attempts.begin()
            was_sent = False
            try:
                if self._cluster.needs_token:
                    self._authenticate()
                was_sent = True
                return attempt()
            except grpc.RpcError as error:
                attempts.failed(error, was_sent=was_sent)
            if pause := attempts.pause_s():
                time.sleep(pause)

    def _unary(self, method: Method[Q, A], request: Q) -> A:
        return _stub(self._open(), method)(request, timeout=CALL_S, metadata=self._cluster.metadata())

    def _keep_alive(self, request: rpc.LeaseKeepAliveRequest) -> rpc.LeaseKeepAliveResponse:
        stub = _stream(self._open(), LEASE_KEEP_ALIVE)
        stream = stub(iter([request]), timeout=CALL_S, metadata=self._cluster.metadata())
        try:
            return next(stream)
        finally:
            stream.cancel()

    def _oldest(self, request: rpc.WatchCreateRequest) -> int:
        answered = threading.Event()

        def requests() -> Iterator[rpc.WatchRequest]:
            yield rpc.WatchRequest(create=request)
            answered.wait(CALL_S)  # when requests end, so does etcd's side

        stream = _stream(self._open(), WATCH)(requests(), timeout=CALL_S, metadata=self._cluster.metadata())
        try:
            return next(response.compact_revision for response in stream if response.canceled)
        finally:
            answered.set()
            stream.cancel()

    def _authenticate(self) -> None:
        try:
            answer = _stub(self._open(), AUTHENTICATE)(self._cluster.credentials(), timeout=CALL_S)
        except grpc.RpcError as error:
            if Fault.of(error).kind is not Kind.NO_USERS:
                raise
            self._cluster.token = ""
        else:
            self._cluster.token = answer.token

    def _open(self) -> grpc.Channel:
        """The channel to the server in use."""
        server = self._cluster.server
        if self._channel is None or self._connected != server:
            self.close()
            self._channel, self._connected = self._cluster.channel(), server
        return self._channel


def _stub(channel: grpc.Channel, method: Method[Q, A]) -> grpc.UnaryUnaryMultiCallable[Q, A]:
    return channel.unary_unary(
        method.path, request_serializer=method.asks.SerializeToString, response_deserializer=method.answers.FromString
    )


def _stream(channel: grpc.Channel, method: Method[Q, A]) -> grpc.StreamStreamMultiCallable[Q, A]:
    return channel.stream_stream(
        method.path, request_serializer=method.asks.SerializeToString, response_deserializer=method.answers.FromString
    )
