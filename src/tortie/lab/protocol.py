"""How commands talk to a lab's daemon: one request and one reply per connection, each a line of JSON.

The socket is the lab's abstract address. A reply may carry descriptors (SCM_RIGHTS): namespaces to join, a connected socket, an
open log, a pidfd. They are the reason for a Unix socket: the client needs no right to anything in the lab but these.
"""

from __future__ import annotations

import array
import asyncio
import socket
import struct
from collections.abc import Sequence
from typing import TypeAlias, TypeVar

import msgspec

MAX_LINE = 1 << 20
_INT = struct.Struct("i")

MAX_DESCRIPTORS = 253
"""In one message: the kernel's SCM_MAX_FD."""


class Status(msgspec.Struct, frozen=True, tag="status"):
    """What the lab consists of and how it is; the reply's ``data``."""


class Down(msgspec.Struct, frozen=True, tag="down"):
    """End the lab. The reply carries a pidfd that is readable once everything is gone."""


class Join(msgspec.Struct, frozen=True, tag="join"):
    """Namespaces to join. The reply's ``data`` names them in the order to join them in, and its descriptors are them."""

    target: str = ""
    """A host, ``fabric``, or a workload as ``namespace/pod``; empty: the lab itself, as far as its files go."""


class Connect(msgspec.Struct, frozen=True, tag="connect"):
    """A TCP connection to a program over its workload's own loopback; the reply carries the connected socket."""

    workload: str
    port: int


class Collect(msgspec.Struct, frozen=True, tag="collect"):
    """Write logs, rulesets, routes and BIRD's view of every host into a folder."""

    folder: str


class Signal(msgspec.Struct, frozen=True, tag="signal"):
    """Send a signal to a host's ``agent`` or ``bird``."""

    host: str
    process: str
    number: int


class Logs(msgspec.Struct, frozen=True, tag="logs"):
    """The logs of a host, a workload, or all; the reply's ``data`` names them, its descriptors are open for reading."""

    target: str = ""


class Fail(msgspec.Struct, frozen=True, tag="fail"):
    """Break something on purpose (``tortie.lab.faults``)."""

    kind: str
    name: str


class Heal(msgspec.Struct, frozen=True, tag="heal"):
    """Mend what was broken, or all of it if nothing is named; the reply's ``data`` lists what is mended as ``[kind, name]``."""

    kind: str = ""
    name: str = ""


Request: TypeAlias = Status | Down | Join | Connect | Collect | Signal | Logs | Fail | Heal


class Reply(msgspec.Struct, frozen=True, omit_defaults=True):
    error: str = ""
    """A sentence for the user; empty if all went well."""
    data: object = None


class ProtocolError(ConnectionError):
    """The other side closed the connection, or sent something else than a message."""


T = TypeVar("T")


def decode(line: bytes, kind: type[T]) -> T:
    """Read one message; ProtocolError if it is none."""
    try:
        return msgspec.json.decode(line, type=kind)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise ProtocolError(f"not a message of the lab's protocol: {error}") from error


def peer_uid(connection: socket.socket) -> int:
    """The user at the other end, as this process's user namespace numbers it."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return int(struct.unpack("3i", credentials)[1])


# --- the client's side, blocking ----------------------------------------------------------------------------------------------


def ask(connection: socket.socket, request: Request) -> tuple[Reply, list[int]]:
    """Send *request*; the reply and its descriptors, which are the caller's to close. ProtocolError."""
    connection.sendall(msgspec.json.encode(request) + b"\n")
    line, descriptors = b"", list[int]()
    while not line.endswith(b"\n"):
        part, received = receive(connection)
        descriptors.extend(received)
        if not part:
            raise ProtocolError("the lab ended before it answered")
        line += part
    return decode(line, Reply), descriptors


def receive(connection: socket.socket) -> tuple[bytes, list[int]]:
    """The next bytes, none at the end, and the descriptors that came with them; no program started later inherits these.

    (``socket.recv_fds`` of Python 3.11 drops the flag that this takes.)
    """
    room = socket.CMSG_SPACE(MAX_DESCRIPTORS * _INT.size)
    data, rights, _, _ = connection.recvmsg(1 << 16, room, socket.MSG_CMSG_CLOEXEC)
    descriptors = [
        number
        for level, kind, content in rights
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS)
        for (number,) in _INT.iter_unpack(content)
    ]
    return data, descriptors


# --- the daemon's side, in its event loop ----------------------------------------------------------------------------------------


async def read_request(connection: socket.socket) -> Request:
    """The request of a non-blocking *connection*; ProtocolError."""
    loop = asyncio.get_running_loop()
    line = b""
    while not line.endswith(b"\n"):
        part = await loop.sock_recv(connection, 1 << 16)
        if not part or len(line) > MAX_LINE:
            raise ProtocolError("the connection ended in the middle of a request")
        line += part
    return decode(line, Request)  # type: ignore[arg-type]  # a union is no type to mypy


async def write_reply(connection: socket.socket, reply: Reply, descriptors: Sequence[int] = ()) -> None:
    """Send *reply*; the descriptors go with its first bytes, for which an idle connection always has room."""
    message = msgspec.json.encode(reply) + b"\n"
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
    sent = connection.sendmsg([message], rights)
    if sent < len(message):
        await asyncio.get_running_loop().sock_sendall(connection, message[sent:])
