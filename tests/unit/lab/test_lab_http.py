"""Requests and answers on the wire, and fetching over one family."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tortie.lab import http
from tortie.lab.http import HTTPError, Request, Response, format_response, parse_request

POST = b'POST /resources HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{"id": 1}'


def test_a_request_is_its_method_its_path_its_body_and_its_fields() -> None:
    assert parse_request(b"GET /status HTTP/1.1\r\nHost: x\r\n\r\n") == Request("GET", "/status", b"", {"host": "x"})
    assert parse_request(POST) == Request("POST", "/resources", b'{"id": 1}', {"host": "x", "content-length": "9"})


def test_a_request_is_incomplete_until_its_last_byte() -> None:
    assert [parse_request(POST[:length]) for length in range(len(POST))] == [None] * len(POST)


@pytest.mark.parametrize(
    "received",
    [
        b"hello\r\n\r\n",
        b"GET /\r\n\r\n",
        b"GET / SMTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: \xb2\r\n\r\n",
    ],
)
def test_what_is_not_http_is_refused(received: bytes) -> None:
    with pytest.raises(HTTPError):
        parse_request(received)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_request_or_incomplete_or_refused(received: bytes) -> None:
    try:
        request = parse_request(received)
    except HTTPError:
        return
    assert request is None or received.startswith(request.method.encode("latin-1"))


def test_an_answer_says_how_long_it_is_and_that_the_connection_ends() -> None:
    assert format_response(Response(404, b"not found\n", "text/plain")) == (
        b"HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\nContent-Length: 10\r\nConnection: close\r\n\r\nnot found\n"
    )


def fetch(handler: http.Handler, url: str, family: socket.AddressFamily) -> Response:
    async def run() -> Response:
        server = await http.serve(handler, "0.0.0.0", 0)
        port = server.sockets[0].getsockname()[1]
        try:
            return await http.get(url.format(port=port), family)
        finally:
            server.close()

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("host", "family"),
    [
        pytest.param("127.0.0.1", socket.AF_INET, id="ipv4"),
        pytest.param(
            "[::1]",
            socket.AF_INET6,
            id="ipv6",
            marks=pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="needs IPv6"),
        ),
    ],
)
def test_the_server_answers_in_both_families(host: str, family: socket.AddressFamily) -> None:
    def handler(request: Request) -> Response:
        return http.json_response([request.method, request.path])

    found = fetch(handler, f"http://{host}:{{port}}/status?x=1", family)
    assert found == Response(200, b'["GET", "/status?x=1"]')


def test_a_url_in_the_other_family_is_an_error() -> None:
    with pytest.raises(OSError):
        fetch(lambda _: http.NOT_FOUND, "http://127.0.0.1:{port}/", socket.AF_INET6)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "backend.stars",
        "http:///status",
        "http://a:99999/",
        "http://a:0/",
        "http://[x]/",
        "http://a..b/",
        "http://[::1",
    ],
)
def test_what_is_no_url_is_an_error_of_its_own(url: str) -> None:
    with pytest.raises(HTTPError):
        asyncio.run(http.resolve(url, socket.AF_INET))


@pytest.mark.parametrize(
    "head", [b"HTTP/1.1 \xb2", b"HTTP/1.1 200 OK\r\nContent-Length: \xb2"], ids=["status", "length"]
)
def test_an_answer_with_a_number_that_is_none_is_an_error(head: bytes) -> None:
    async def run() -> Response:
        async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(head + b"\r\n\r\n")
            writer.close()

        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            return await http.get(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", socket.AF_INET)

    with pytest.raises(HTTPError):
        asyncio.run(run())


def test_an_answer_without_a_length_is_read_to_its_end() -> None:
    async def run() -> Response:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.0 200 OK\r\n\r\nfirst ")
            await writer.drain()
            writer.write(b"second")
            writer.close()

        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        try:
            return await http.get(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", socket.AF_INET)
        finally:
            server.close()

    assert asyncio.run(run()).body == b"first second"


@asynccontextmanager
async def streaming() -> AsyncIterator[tuple[Any, asyncio.Queue[http.Send], asyncio.Event]]:
    """A server whose every answer is a stream: its address, how to send to each reader that has come, and whether one has left."""
    senders: asyncio.Queue[http.Send] = asyncio.Queue()
    closed = asyncio.Event()

    def opened(send: http.Send) -> http.Close:
        senders.put_nowait(send)
        return closed.set

    server = await http.serve(lambda _: http.Stream(opened), "127.0.0.1", 0)
    async with server, asyncio.timeout(10):
        yield server.sockets[0].getsockname(), senders, closed


def test_a_stream_is_sent_as_it_comes_and_closed_when_its_reader_is_gone() -> None:
    async def run() -> tuple[bytes, bytes]:
        async with streaming() as (address, senders, closed):
            reader, writer = await asyncio.open_connection(*address)
            writer.write(b"GET /events HTTP/1.1\r\n\r\n")
            send = await senders.get()
            head = await reader.readuntil(b"\r\n\r\n")
            writer.write(b"GET /events HTTP/1.1\r\n\r\n")  # a second request on the same connection is not heard
            send(b"data: 1\n\n")
            first = await reader.readuntil(b"\n\n")
            assert senders.empty()
            writer.close()
            await closed.wait()
        return head, first

    head, first = asyncio.run(run())
    assert b"Content-Type: text/event-stream\r\n" in head
    assert b"Content-Length" not in head
    assert first == b"data: 1\n\n"


def test_a_stream_s_reader_that_takes_nothing_is_let_go() -> None:
    async def run() -> None:
        async with streaming() as (address, senders, closed):
            with socket.create_connection(address) as deaf:
                deaf.sendall(b"GET /events HTTP/1.1\r\n\r\n")
                send = await senders.get()
                while not closed.is_set():
                    send(b"x" * (1 << 20))
                    await asyncio.sleep(0)

    asyncio.run(run())


def test_a_handshake_that_takes_too_long_is_no_connection() -> None:
    """A listener whose queue is full does not answer, like a host whose packets are dropped."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        address = full.getsockname()
        waiting = [socket.create_connection(address, timeout=5)]
        with pytest.raises(TimeoutError):
            asyncio.run(http.get(f"http://127.0.0.1:{address[1]}/", socket.AF_INET, connect_s=0.2))
        for connection in waiting:
            connection.close()
