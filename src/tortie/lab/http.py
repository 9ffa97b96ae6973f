"""As much HTTP/1.1 as probe and collector need: one request and one answer per connection, then it is closed (RFC 9112 §9.6).

An answer is a ``Response``, or a ``Stream`` that goes on until one side leaves.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, NamedTuple, TypeAlias
from urllib.parse import SplitResult, urlsplit

_MAX_HEAD = 1 << 16
_MAX_BODY = 1 << 20
_IDLE_S = 10.0
"""A client that has not sent its request by then is not waited for."""


class Request(NamedTuple):
    method: str
    path: str
    """With the query, as it was sent."""
    body: bytes = b""
    fields: Mapping[str, str] = {}
    """Header fields, by name in lower case; the last of several of one name."""


class Response(NamedTuple):
    status: int
    body: bytes = b""
    content_type: str = "application/json"
    fields: tuple[tuple[str, str], ...] = ()
    """Header fields beside those that every answer has."""


Send: TypeAlias = Callable[[bytes], None]
Close: TypeAlias = Callable[[], None]


class Stream(NamedTuple):
    """An answer that has no end: pieces are sent as they come."""

    open: Callable[[Send], Close]
    """Called once with how to send; it returns what is to be called when the client is gone."""
    content_type: str = "text/event-stream"


SocketAddress: TypeAlias = tuple[Any, ...]
"""What a socket connects to: host and port, and more in IPv6."""

Handler = Callable[[Request], Response | Stream]

_LATE_S = 0.1

BACKLOG = 1024
"""Connections that may wait to be accepted: hundreds of knocks a second must not be lost to a busy moment."""


def json_response(value: object, status: int = 200) -> Response:
    return Response(status, json.dumps(value).encode())


NOT_FOUND = Response(404, b"not found\n", "text/plain")


class HTTPError(Exception):
    """What was received is not HTTP, or too large."""


class _Server(asyncio.Protocol):
    """One connection. A protocol, not streams: hundreds of short connections a second must not disturb what is measured."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._received = b""
        self._closed: Close = lambda: None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._timeout = asyncio.get_running_loop().call_later(_IDLE_S, transport.abort)

    def data_received(self, data: bytes) -> None:
        if self._timeout.cancelled():
            return  # the one request has its answer
        self._received += data
        try:
            request = parse_request(self._received)
        except HTTPError:
            self._answer(Response(400, b"bad request\n", "text/plain"))
        else:
            if request is not None:
                self._answer(self._handler(request))

    def connection_lost(self, _: Exception | None) -> None:
        self._timeout.cancel()
        self._closed()

    def _answer(self, answer: Response | Stream) -> None:
        self._timeout.cancel()
        if isinstance(answer, Stream):
            self._transport.write(_head(200, (("Content-Type", answer.content_type), ("Cache-Control", "no-store"))))
            self._closed = answer.open(self._send)
        else:
            self._transport.write(format_response(answer))
            self._transport.close()

    def _send(self, part: bytes) -> None:
        """A piece of a stream; a client that does not take what it is sent is let go."""
        self._transport.write(part)
        if self._transport.get_write_buffer_size() > _MAX_BODY:
            self._transport.abort()


def parse_request(received: bytes) -> Request | None:
    """The request in what was *received* so far; None while it is incomplete. HTTPError if it cannot become one."""
    head, separator, body = received.partition(b"\r\n\r\n")
    if len(received) > _MAX_HEAD:
        raise HTTPError("the request is too large")
    if not separator:
        return None
    line, *fields = head.decode("latin-1").split("\r\n")
    words = line.split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        raise HTTPError(f"{line!r} is not a request line")
    named = _by_name(fields)
    length = _content_length(named) or 0
    return Request(words[0], words[1], body[:length], named) if len(body) >= length else None


def format_response(response: Response) -> bytes:
    """What goes over the wire."""
    length = ("Content-Length", str(len(response.body)))
    return _head(response.status, (("Content-Type", response.content_type), length, *response.fields)) + response.body


def _head(status: int, fields: Sequence[tuple[str, str]]) -> bytes:
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"]
    lines += [f"{name}: {value}" for name, value in (*fields, ("Connection", "close"))]
    return "".join(line + "\r\n" for line in (*lines, "")).encode()


def _by_name(fields: list[str]) -> dict[str, str]:
    named = (field.partition(":") for field in fields)
    return {name.strip().lower(): value.strip() for name, _, value in named}


def _content_length(fields: Mapping[str, str]) -> int | None:
    return _number(fields["content-length"]) if "content-length" in fields else None


def _number(text: str) -> int:
    """HTTPError if *text* is none: Latin-1 has digits, such as ``²``, that are no decimal ones."""
    if not text.isdecimal():
        raise HTTPError(f"{text!r} is not a number")
    return int(text)


async def serve(handler: Handler, address: str, port: int) -> asyncio.Server:
    """Answer at *address* and *port*; ``0.0.0.0`` stands for every address of both families. OSError."""
    return await serve_on(handler, await asyncio.to_thread(listen, address, port))


async def serve_on(handler: Handler, listener: socket.socket) -> asyncio.Server:
    """Answer at *listener*, which the returned server closes."""
    loop = asyncio.get_running_loop()
    return await loop.create_server(lambda: _Server(handler), sock=listener, backlog=BACKLOG)


def listen(address: str, port: int) -> socket.socket:
    """A listening socket; for "any address" one of both families, if the machine has both."""
    if address in ("", "0.0.0.0", "::") and socket.has_dualstack_ipv6():
        return socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=BACKLOG)
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return socket.create_server((address, port), family=family, backlog=BACKLOG)


async def resolve(url: str, family: socket.AddressFamily) -> SocketAddress:
    """Where to connect for *url* over one address family; OSError if its host has no address of it, HTTPError."""
    parts = _split(url)
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(parts.hostname, parts.port or 80, family=family, type=socket.SOCK_STREAM)
    except UnicodeError as error:  # a label is empty or longer than 63 (RFC 1035 §2.3.4)
        raise HTTPError(f"{parts.hostname!r} cannot be the name of a host") from error
    return found[0][4]


def _split(url: str) -> SplitResult:
    """The parts of *url*, which has a host and whose port can be one; HTTPError."""
    with contextlib.suppress(ValueError):  # brackets without an address in them, or a port that is none
        parts = urlsplit(url)
        if parts.hostname and parts.port != 0:
            return parts
    raise HTTPError(f"{url!r} is not a URL such as http://backend.stars:6379/status")


async def get(
    url: str, family: socket.AddressFamily, connect_s: float | None = None, *, address: SocketAddress | None = None
) -> Response:
    """Fetch *url* over one address family, from *address* if it is known; OSError, HTTPError. Whoever calls it bounds the time.

    TimeoutError, an OSError, also if the TCP handshake takes longer than *connect_s*.
    """
    parts = _split(url)
    if parts.scheme != "http":
        raise HTTPError(f"{url!r} is of a scheme other than http")
    connection = await _connect(address or await resolve(url, family), family, connect_s)
    reader, writer = await asyncio.open_connection(sock=connection, limit=_MAX_BODY)
    try:
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n\r\n".encode())
        return await _read_response(reader)
    finally:
        writer.transport.abort()  # all has been read; nothing to flush, nothing to wait for


async def _connect(address: SocketAddress, family: socket.AddressFamily, within_s: float | None) -> socket.socket:
    """A TCP connection to *address*; OSError."""
    loop = asyncio.get_running_loop()
    while True:
        connection = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        began = loop.time()
        try:
            async with asyncio.timeout(within_s):
                await loop.sock_connect(connection, address)
        except BaseException as error:
            connection.close()
            # A timer that comes this late was kept waiting by a busy machine, and so was the answer: it tells nothing.
            if not isinstance(error, TimeoutError) or within_s is None or loop.time() - began < within_s + _LATE_S:
                raise
        else:
            return connection


async def _read_response(reader: asyncio.StreamReader) -> Response:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        line, *fields = head.decode("latin-1").rstrip("\r\n").split("\r\n")
        words = line.split(" ")
        if len(words) < 2 or not words[0].startswith("HTTP/1."):
            raise HTTPError(f"{line!r} is not a status line")
        status, length = _number(words[1]), _content_length(_by_name(fields))
        body = await _read_to_end(reader) if length is None else await reader.readexactly(length)
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
        raise HTTPError("the answer ended in the middle") from error
    return Response(status, body)


async def _read_to_end(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while part := await reader.read(_MAX_BODY):
        body += part
        if len(body) > _MAX_BODY:
            raise HTTPError("the answer is too large")
    return body
