"""Real packets for a program that has to stay where it is: a process of its own moves into namespaces and sends them.

    program ── cluster, then flows ──► python -m tortie.lab.packetprocess ─► KernelEngine
            ◄── what became of each ──

The process ends with its program, and the kernel removes with it all that it has made.
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from collections.abc import Sequence
from multiprocessing.connection import Connection, Pipe
from typing import Any, Self

from tortie.analysis.cluster import KnownCluster
from tortie.lab.errors import LabError
from tortie.lab.packetengine import KernelEngine
from tortie.ruleset.options import Compilation
from tortie.verdict import Cluster, Flow

_END_TIMEOUT_S = 10.0


class PacketProcess:
    """A process that sends packets through the hosts of one cluster."""

    def __init__(self, known: KnownCluster, compilation: Compilation = Compilation.AUTO) -> None:
        """LabError where the system has no namespaces for us."""
        self._connection, theirs = Pipe()
        with theirs:
            self._process = subprocess.Popen(
                # -P: what lies in the program's folder is none of the process's modules
                [sys.executable, "-P", "-m", __name__, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )
        try:
            self._ask((known, compilation))
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int:
        return self._process.pid

    def allow(self, flows: Sequence[Flow]) -> list[bool]:
        """Whether the first packet of each flow is delivered. LabError."""
        answers: list[bool] = self._ask(flows)
        return answers

    def close(self) -> None:
        self._connection.close()
        try:
            self._process.wait(_END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, question: object) -> Any:
        try:
            self._connection.send(question)
            answer = self._connection.recv()
        except (EOFError, OSError) as error:
            self.close()
            status = self._process.returncode
            raise LabError(f"the process that sends packets has ended with status {status}") from error
        if isinstance(answer, Exception):
            raise answer
        return answer


def serve(connection: Connection) -> None:
    """Be asked until nobody asks any more. A failure is an answer; what nobody expected ends the process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the program, which then ends the connection
    known, compilation = connection.recv()
    try:
        engine = KernelEngine(known, Cluster.of(known.values()), compilation)
    except (OSError, ValueError) as error:
        connection.send(error)
        return
    connection.send(None)
    with engine:
        while True:
            try:
                connection.send(engine.allow(connection.recv()))
            except (LabError, ValueError) as error:
                connection.send(error)


if __name__ == "__main__":
    with Connection(int(sys.argv[1])) as asked, contextlib.suppress(EOFError, BrokenPipeError):
        serve(asked)
