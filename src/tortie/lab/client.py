"""Labs as commands see them: started, found by name, asked, joined.

with Lab.launch("demo", hosts=3) as lab:        # ends with the block, however that ends
    lab.status()["workloads"]

Lab.find("default").exec("host1", ["ip", "route"])
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Self

from tortie.lab import layout, namespaces, protocol
from tortie.lab.errors import LabError, NoSuchLabError
from tortie.lab.launch import Lifeline, Say, launch, wait_for_end

DEFAULT_NAME = "default"


class Lab:
    """A lab of this user that runs."""

    def __init__(self, name: str, lifeline: Lifeline | None = None) -> None:
        self.name = name
        self._lifeline = lifeline

    @classmethod
    def launch(
        cls, name: str = DEFAULT_NAME, *, hosts: int = 3, supervise_bird: bool = True, progress: Say = lambda _: None
    ) -> Self:
        """Start a lab and wait until it is up. It ends with this process, or with the ``with`` block, unless detached.

        *progress* is told of each step. LabError, as ``launch.launch`` says.
        """
        return cls(name, launch(name, hosts, supervise_bird=supervise_bird, progress=progress))

    @classmethod
    def find(cls, name: str = DEFAULT_NAME) -> Self:
        """The running lab called *name*; NoSuchLabError."""
        _connect(name).close()
        return cls(name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def detach(self) -> None:
        """Let the lab outlive this process, if this process started it."""
        if self._lifeline is not None:
            self._lifeline.release()
            self._lifeline = None

    def close(self) -> None:
        """End the lab if this process started it and has not detached it; returns when everything in it has ended."""
        if self._lifeline is not None:
            self._lifeline.cut()
            self._lifeline = None

    # --- what can be asked -----------------------------------------------------------------------------------------------------

    def status(self) -> dict[str, Any]:
        """``{"name", "hosts": [{"name", "ipv4", "ipv6", "agent", "bird", "link", "bgp": {"established", "sessions"},
        "peers": [{"address", "state"}]}], "workloads": [{"namespace", "name", "host", "phase", "link", "ipv4", "ipv6", "message"}],
        "faults": [{"kind", "name"}]}``
        """
        status: dict[str, Any] = self._ask(protocol.Status())
        return status

    def down(self) -> None:
        """End the lab; returns when everything in it has ended."""
        with self._asking(protocol.Down()) as (_, descriptors):
            wait_for_end(descriptors[0])
        self.close()

    def connect(self, workload: str, port: int) -> socket.socket:
        """A connection to a program of *workload*, ``namespace/pod``, over its own loopback; LabError if none answers."""
        with self._asking(protocol.Connect(workload, port)) as (_, descriptors):
            connection = socket.socket(fileno=os.dup(descriptors[0]))
            connection.setblocking(True)  # the daemon's was not, and that goes with the descriptor
            return connection

    def collect(self, folder: Path) -> None:
        """Write logs, rulesets, routes and BIRD's view of every host into *folder*."""
        self._ask(protocol.Collect(str(folder.absolute())))

    def signal(self, host: str, process: str, number: int) -> None:
        """Send a signal to the ``agent`` or ``bird`` of *host*; LabError if it does not run."""
        self._ask(protocol.Signal(host, process, number))

    def fail(self, kind: str, name: str) -> None:
        """Break a ``link``, ``host``, ``bird`` or ``agent`` (``tortie.lab.faults``); LabError if it cannot be, or is already."""
        self._ask(protocol.Fail(kind, name))

    def heal(self, kind: str = "", name: str = "") -> list[tuple[str, str]]:
        """Mend what was broken, or all of it if nothing is named; what was mended, as kind and name. LabError."""
        return [(kind, name) for kind, name in self._ask(protocol.Heal(kind, name))]

    @contextlib.contextmanager
    def logs(self, target: str = "") -> Iterator[Mapping[str, IO[bytes]]]:
        """The logs of a host or a workload, or all, by name, open for reading during the block."""
        with self._asking(protocol.Logs(target)) as (names, descriptors), contextlib.ExitStack() as files:
            opened = [files.enter_context(open(descriptor, "rb", closefd=False)) for descriptor in descriptors]
            yield dict(zip(names, opened, strict=True))

    # --- programs inside ---------------------------------------------------------------------------------------------------------

    def exec_command(self, target: str, argv: Sequence[str]) -> list[str]:
        """The command line that runs *argv* in a host, the fabric or a workload; it exits as *argv* does."""
        return [sys.executable, "-m", "tortie.lab.enter", self.name, target, *argv]

    def exec(self, target: str, argv: Sequence[str]) -> int:
        """Run *argv* inside, on this process's own terminal and files; its exit status."""
        return subprocess.run(self.exec_command(target, argv), check=False).returncode

    def join(self, target: str = "") -> None:
        """Move this process, which must have a single thread, into the namespaces of *target*, or just to the lab's files.

        A pid namespace is joined by the children that come after. The working directory stays what it is. LabError.
        """
        with self._asking(protocol.Join(target)) as (kinds, descriptors):
            where = os.open(".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            for kind, descriptor in zip(kinds, descriptors, strict=True):
                try:
                    namespaces.setns(descriptor)
                except OSError as error:
                    raise LabError(
                        f"cannot join the {kind} namespace of lab {self.name!r}: {error.strerror}"
                    ) from error
            os.fchdir(where)  # joining a mount namespace goes to its root
            os.close(where)

    # --- asking ------------------------------------------------------------------------------------------------------------------

    def _ask(self, request: protocol.Request) -> Any:
        with self._asking(request) as (data, _):
            return data

    @contextlib.contextmanager
    def _asking(self, request: protocol.Request) -> Iterator[tuple[Any, list[int]]]:
        """The reply's data and descriptors, which are closed after the block; LabError."""
        with _connect(self.name) as connection:
            try:
                reply, descriptors = protocol.ask(connection, request)
            except ConnectionError as error:
                raise LabError(f"lab {self.name!r} did not answer: {error}") from error
        try:
            if reply.error:
                raise LabError(reply.error)
            yield reply.data, descriptors
        finally:
            for descriptor in descriptors:
                os.close(descriptor)


def names() -> tuple[str, ...]:
    """This user's labs that were started from this network namespace, sorted."""
    return layout.listed_labs(os.getuid(), Path("/proc/net/unix").read_text())


def enter_datastore(name: str) -> str:
    """Join the lab's file system with this process, which must have a single thread; the URL of its datastore there. LabError.

    A database file cannot be opened through ``/proc/PID/root``: SQLite would look for its companions elsewhere.
    """
    Lab.find(name).join()
    return layout.DATASTORE_URL


def _connect(name: str) -> socket.socket:
    try:
        layout.check_name(name)
    except ValueError as error:
        raise NoSuchLabError(str(error)) from error
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(layout.socket_address(os.getuid(), name))
        if protocol.peer_uid(connection) == os.getuid():  # anybody can take an abstract address
            return connection
    except ConnectionError:
        pass
    connection.close()
    others = ", ".join(names())
    hint = f"running: {others}" if others else f"start it with `tortie lab up --name {name}`"
    raise NoSuchLabError(f"there is no lab {name!r}; {hint}")
