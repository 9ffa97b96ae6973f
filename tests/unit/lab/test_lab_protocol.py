"""Requests, replies and descriptors between a command and the daemon."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import Awaitable, Callable, Sequence

import pytest

from tortie.lab import protocol
from tortie.lab.protocol import ProtocolError, Reply, Request

REQUESTS = [
    protocol.Status(),
    protocol.Down(),
    protocol.Join("host1"),
    protocol.Connect("stars/frontend", 80),
    protocol.Collect("/tmp/x"),
    protocol.Signal("host1", "agent", 19),
    protocol.Logs(),
    protocol.Fail("link", "host1"),
    protocol.Heal(),
]


def exchange(
    request: Request, reply: Reply, descriptors: Sequence[int] = ()
) -> tuple[Request | None, Reply, list[int]]:
    """What the daemon's side received, and what the client's side got back."""
    ours, theirs = socket.socketpair()
    received: list[Request] = []

    async def serve() -> None:
        theirs.setblocking(False)
        received.append(await protocol.read_request(theirs))
        await protocol.write_reply(theirs, reply, descriptors)
        theirs.close()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        answer, given = protocol.ask(ours, request)
    finally:
        thread.join()
        ours.close()
    return received[0], answer, given


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda request: type(request).__name__)
def test_a_request_arrives_as_it_was_sent(request_: Request) -> None:
    received, reply, _ = exchange(request_, Reply(data={"a": [1, None]}))
    assert received == request_
    assert reply == Reply(data={"a": [1, None]})


def test_a_refusal_arrives_as_its_sentence() -> None:
    _, reply, _ = exchange(protocol.Status(), Reply(error="there is no host 'x'"))
    assert reply.error == "there is no host 'x'"


def test_descriptors_arrive_in_order_and_are_closed_on_exec() -> None:
    pipes = [os.pipe() for _ in range(3)]
    _, _, given = exchange(protocol.Logs(), Reply(), [read for read, _ in pipes])
    for number, (_, write) in enumerate(pipes):
        os.write(write, b"%d" % number)
    assert [os.read(descriptor, 10) for descriptor in given] == [b"0", b"1", b"2"]
    assert not any(os.get_inheritable(descriptor) for descriptor in given)
    for descriptor in (*given, *(end for pipe in pipes for end in pipe)):
        os.close(descriptor)


def test_a_reply_larger_than_the_socket_s_buffer_arrives_whole() -> None:
    text = "x" * (1 << 20)
    read, write = os.pipe()
    _, reply, given = exchange(protocol.Status(), Reply(data=text), [read])
    assert reply.data == text
    assert len(given) == 1
    for descriptor in (*given, read, write):
        os.close(descriptor)


def converse(sent: bytes, side: Callable[[socket.socket], Awaitable[object]]) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall(sent)
        ours.shutdown(socket.SHUT_WR)
        theirs.setblocking(False)
        asyncio.run(side(theirs))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "sent",
    [b"", b'{"type": "status"', b"hello\n", b'{"type": "explode"}\n', b'{"type": "connect", "workload": "a/b"}\n'],
    ids=["nothing", "half", "no-json", "unknown", "incomplete"],
)
def test_what_is_no_request_is_refused(sent: bytes) -> None:
    with pytest.raises(ProtocolError):
        converse(sent, protocol.read_request)


def test_a_daemon_that_ends_before_it_answers_is_told() -> None:
    ours, theirs = socket.socketpair()
    with ours:
        theirs.shutdown(socket.SHUT_WR)
        with theirs, pytest.raises(ProtocolError, match="ended before it answered"):
            protocol.ask(ours, protocol.Status())


def test_the_peer_is_known_by_its_user() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert protocol.peer_uid(ours) == os.getuid()
