"""Starts a lab for a command: takes its name, starts the tree, listens to how it gets on."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import TypeAlias, assert_never

import msgspec

from tortie.lab import layout
from tortie.lab.errors import LabError, LabStartError, NameInUseError, UserNamespacesOffError
from tortie.lab.processes import check_programs
from tortie.lab.protocol import receive
from tortie.lab.settings import RELEASE, Born, Failed, LaunchEvent, Progress, Ready, Settings

Say: TypeAlias = Callable[[str], None]

_EVENT_TIMEOUT_S = 60.0
"""The tree gives up by itself before this; a tree that says nothing for so long hangs."""

_END_TIMEOUT_S = 10.0


class Lifeline:
    """The command's end of what ties a lab to it (``settings``)."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._process1 = -1

    def __enter__(self) -> Lifeline:
        return self

    def __exit__(self, *_: object) -> None:
        self.cut()

    def release(self) -> None:
        """Let the lab outlive this command."""
        self._connection.sendall(RELEASE)
        self._close()

    def cut(self) -> None:
        """End the lab, and wait until everything in it has ended; nothing if it has been released."""
        if self._connection.fileno() < 0:
            return
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_WR)
        self._connection.settimeout(_END_TIMEOUT_S)
        while self._receive():
            pass  # the pidfd may still be to come
        wait_for_end(self._process1)
        self._close()

    def _close(self) -> None:
        self._connection.close()
        if self._process1 >= 0:
            os.close(self._process1)
            self._process1 = -1

    def wait_until_ready(self, progress: Say) -> None:
        """Tell *progress* of each step, until the lab is up; LabStartError, UserNamespacesOffError."""
        for event in self._events():
            match event:
                case Born():
                    pass
                case Progress(text, done, total):
                    progress(f"[{done}/{total}] {text}")
                case Ready():
                    return
                case Failed(error, switched_off):
                    raise UserNamespacesOffError(error) if switched_off else LabStartError(error)
                case _:
                    assert_never(event)
        raise LabStartError("the lab ended while it was being started")

    def _events(self) -> Iterator[LaunchEvent]:
        self._connection.settimeout(_EVENT_TIMEOUT_S)
        pending = b""
        while part := self._receive():
            *lines, pending = (pending + part).split(b"\n")
            for line in lines:
                yield msgspec.json.decode(line, type=LaunchEvent)

    def _receive(self) -> bytes:
        """The next piece of what the tree says, empty at its end; keeps the pidfd that comes with one of them."""
        try:
            part, descriptors = receive(self._connection)
        except TimeoutError:
            raise LabStartError("the lab does not answer") from None
        except ConnectionResetError:
            return b""
        if descriptors:
            (self._process1,) = descriptors
        return part


def launch(name: str, hosts: int, *, supervise_bird: bool, progress: Say) -> Lifeline:
    """Start a lab and wait until it is up; it ends with the returned lifeline, unless that is released.

    NameInUseError, MissingProgramError, UserNamespacesOffError, LabStartError: then nothing is left of it. LabError for a
    name or a number of hosts that cannot be.
    """
    try:
        layout.check_name(name)
        layout.hosts(hosts)
    except ValueError as error:
        raise LabError(str(error)) from error
    check_programs()
    lifeline = _start_tree(name, hosts, supervise_bird)
    try:
        lifeline.wait_until_ready(progress)
    except BaseException:
        lifeline.cut()
        raise
    return lifeline


def _start_tree(name: str, hosts: int, supervise_bird: bool) -> Lifeline:
    with _listen(name) as listener:
        ours, theirs = socket.socketpair()
        settings = Settings(
            name=name,
            hosts=hosts,
            supervise_bird=supervise_bird,
            listen_fd=listener.fileno(),
            channel_fd=theirs.fileno(),
        )
        starter = subprocess.Popen(
            [sys.executable, "-m", "tortie.lab.init", msgspec.json.encode(settings).decode()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(listener.fileno(), theirs.fileno()),
            cwd="/",
            start_new_session=True,
        )
        theirs.close()
    starter.wait()  # it ends as soon as process 1 runs
    return Lifeline(ours)


def _listen(name: str) -> socket.socket:
    """A socket at the lab's address, in this command's network namespace: the address is the lab's name taken."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(layout.socket_address(os.getuid(), name))
    except OSError as error:
        listener.close()
        if error.errno != errno.EADDRINUSE:
            raise
        raise NameInUseError(
            f"a lab named {name!r} is running already: end it with `tortie lab down --name {name}`, or choose another name"
        ) from None
    listener.listen()
    return listener


def wait_for_end(pidfd: int) -> None:
    """Wait until the process behind *pidfd* has ended; LabStartError if it does not. Nothing for -1."""
    if pidfd >= 0 and not select.select([pidfd], [], [], _END_TIMEOUT_S)[0]:
        raise LabStartError(f"the lab has not ended within {_END_TIMEOUT_S:.0f} s")
