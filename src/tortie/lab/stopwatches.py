"""The stopwatches of a demo: one process in each workload, told what to knock at (``tortie.lab.stopwatch``)."""

from __future__ import annotations

import contextlib
import json
import select
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import IO, Any, NamedTuple

from tortie.lab.client import Lab
from tortie.lab.errors import DemoError

_ANSWER_SLACK_S = 10.0
"""On top of the time allowed for the measurement itself, for processes on a busy machine."""


class Change(NamedTuple):
    """A flow whose verdict is about to change."""

    source: str
    """``namespace/pod``."""
    decider: str
    """The workload whose policies decide: the destination by its ingress, or the source by its egress."""
    host: str
    """Where that runs."""
    address: str
    port: int
    reachable: bool
    """What it becomes."""


class _Process(NamedTuple):
    popen: subprocess.Popen[bytes]
    input: IO[bytes]
    output: IO[bytes]

    def send(self, message: Mapping[str, Any]) -> None:
        self.input.write(json.dumps(message).encode() + b"\n")
        self.input.flush()

    def receive(self, timeout_s: float) -> dict[str, Any]:
        readable, _, _ = select.select([self.output], [], [], timeout_s)
        line = self.output.readline() if readable else b""
        if not line:
            raise DemoError("a stopwatch in a workload ended, or did not answer in time")
        message: dict[str, Any] = json.loads(line)
        return message


class Watching:
    """A measurement under way."""

    def __init__(self, asked: Mapping[_Process, tuple[Change, ...]], timeout_s: float) -> None:
        self._asked = asked
        self._timeout_s = timeout_s

    def first_packets(self) -> dict[Change, int | None]:
        """When the first packet with the new verdict was sent, for each change; blocks until all are known or late."""
        found: dict[Change, int | None] = {}
        for process, changes in self._asked.items():
            first = process.receive(self._timeout_s + _ANSWER_SLACK_S)["first"]
            found |= {change: first[str(number)] for number, change in enumerate(changes)}
        return found


class Stopwatches:
    """Starts, asks and ends them."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._processes: dict[str, _Process] = {}

    def start(self, workloads: Iterable[str]) -> None:
        """One in each of *workloads*; returns when all are ready."""
        for workload in workloads:
            command = self._lab.exec_command(workload, [sys.executable, "-m", "tortie.lab.stopwatch"])
            # a session of its own: Ctrl-C is for the command, and the end of standard input ends it
            popen = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, start_new_session=True
            )
            assert popen.stdin is not None
            assert popen.stdout is not None
            self._processes[workload] = _Process(popen, popen.stdin, popen.stdout)
        for process in self._processes.values():
            process.receive(_ANSWER_SLACK_S)

    def stop(self) -> None:
        for process in self._processes.values():
            with contextlib.suppress(OSError):
                process.input.close()
            process.output.close()
        for process in self._processes.values():
            process.popen.wait()
        self._processes.clear()

    @contextlib.contextmanager
    def watching(self, changes: Iterable[Change], timeout_s: float) -> Iterator[Watching]:
        """Knock at all *changes* during the block; it is entered when every stopwatch has begun."""
        by_source: dict[str, tuple[Change, ...]] = {}
        for change in changes:
            by_source[change.source] = (*by_source.get(change.source, ()), change)
        asked = {self._processes[source]: flows for source, flows in by_source.items()}
        for process, flows in asked.items():
            described = [
                {"id": str(number), "address": flow.address, "port": flow.port, "reachable": flow.reachable}
                for number, flow in enumerate(flows)
            ]
            process.send({"flows": described, "timeout_s": timeout_s})
        for process in asked:
            process.receive(_ANSWER_SLACK_S)
        yield Watching(asked, timeout_s)
