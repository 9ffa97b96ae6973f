"""A client of BIRD's control socket: commands out, typed replies in, nothing waited for without a bound.

    async with await BirdControl.connect(path) as bird:
        status = await bird.status()

BIRD answers one command after the other, so a connection serves one caller at a time. Any failure leaves the connection
unusable: connect again.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from pathlib import Path
from types import TracebackType
from typing import Self

from tortie.routing import (
    ProtocolStatus,
    Reply,
    ReplyError,
    RouteCount,
    Status,
    ends_reply,
    parse_protocols,
    parse_reply,
    parse_route_count,
    parse_status,
)

CONTROL_PATH = Path("/run/tortie/bird.ctl")
"""Where a host's BIRD listens, unless told otherwise."""

TIMEOUT_S = 5.0
"""BIRD answers within milliseconds; a thousand times that is a BIRD that hangs."""

_RECONFIGURATION_IGNORED = 6
_UCRED = struct.Struct("iII")


class BirdError(Exception):
    """Base of what goes wrong with BIRD."""


class BirdUnavailableError(BirdError):
    """No BIRD listens on the control socket, or it ended while we talked to it."""


class BirdTimeoutError(BirdError):
    """A BIRD listens but does not answer in time."""


class BirdRefusedError(BirdError):
    """BIRD refused a command; the text is its own."""

    def __init__(self, command: str, reply: Reply) -> None:
        super().__init__(f"BIRD refused {command!r}: {reply.message}")
        self.command = command
        self.reply = reply


class BirdControl:
    """One connection to a running BIRD."""

    def __init__(
        self, path: Path, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, pid: int, timeout_s: float
    ) -> None:
        self._path = path
        self._reader = reader
        self._writer = writer
        self._timeout_s = timeout_s
        self.pid = pid
        """BIRD's process id, as the kernel tells it in our pid namespace."""

    @classmethod
    async def connect(cls, path: Path, *, timeout_s: float = TIMEOUT_S) -> Self:
        """Connect and read BIRD's welcome; BirdUnavailableError, BirdTimeoutError."""
        connection = _connect(path)
        pid = _listener_pid(connection)
        reader, writer = await asyncio.open_unix_connection(sock=connection)
        control = cls(path, reader, writer, pid, timeout_s)
        try:
            await control._reply()
        except BaseException:
            await control.aclose()
            raise
        return control

    async def command(self, text: str) -> Reply:
        """Send one command, wait for its whole reply; BirdRefusedError if that is an error."""
        self._writer.write(f"{text}\n".encode())
        reply = await self._reply()
        if reply.is_error:
            raise BirdRefusedError(text, reply)
        return reply

    async def status(self) -> Status:
        """What BIRD says of itself."""
        return parse_status(await self.command("show status"))

    async def protocols(self) -> tuple[ProtocolStatus, ...]:
        """All protocols, BGP sessions among them, with their details."""
        return parse_protocols(await self.command("show protocols all"))

    async def route_counts(self) -> tuple[RouteCount, ...]:
        """The sizes of the routing tables."""
        return parse_route_count(await self.command("show route count"))

    async def configure(self, path: Path) -> Reply:
        """Let BIRD take the configuration at *path*; BirdRefusedError, and the old one in force, if it will not have it.

        Sessions that the new configuration leaves as they are go on undisturbed. The reply may come before all is in
        force: the status then says so.
        """
        reply = await self.command(f'configure "{path}"')
        if reply.code == _RECONFIGURATION_IGNORED:
            raise BirdUnavailableError(f"BIRD on {self._path} is shutting down")
        return reply

    async def aclose(self) -> None:
        """End the connection; BIRD goes on."""
        self._writer.close()
        with contextlib.suppress(OSError):  # BIRD closed it first
            await self._writer.wait_closed()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _reply(self) -> Reply:
        lines: list[str] = []
        try:
            async with asyncio.timeout(self._timeout_s):
                while not lines or not ends_reply(lines[-1]):
                    lines.append(await self._line())
        except TimeoutError:
            raise BirdTimeoutError(f"BIRD on {self._path} does not answer within {self._timeout_s:g} s") from None
        except OSError as error:
            raise BirdUnavailableError(f"BIRD on {self._path} ended: {error.strerror}") from error
        try:
            return parse_reply(lines)
        except ReplyError as error:
            raise BirdError(f"what listens on {self._path} does not speak as BIRD 2 does: {error}") from error

    async def _line(self) -> str:
        line = await self._reader.readline()
        if not line.endswith(b"\n"):
            raise BirdUnavailableError(f"BIRD on {self._path} ended")
        return line.decode(errors="replace").removesuffix("\n")


def listener_pid(path: Path) -> int:
    """The process id of the BIRD that listens at *path*, even if it does not answer; BirdUnavailableError."""
    with _connect(path) as connection:
        return _listener_pid(connection)


def _connect(path: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        connection.connect(str(path))  # never waits: a full backlog is EAGAIN, unix(7)
    except BlockingIOError:
        connection.close()
        raise BirdTimeoutError(f"BIRD on {path} has stopped taking connections") from None
    except OSError as error:
        connection.close()
        raise BirdUnavailableError(f"no BIRD listens on {path}: {error.strerror or error}") from error
    return connection


def _listener_pid(connection: socket.socket) -> int:
    """Who called listen(2), by SO_PEERCRED: BIRD itself, as it runs in the foreground and so never forks after that."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
    pid, _, _ = _UCRED.unpack(credentials)
    return int(pid)
