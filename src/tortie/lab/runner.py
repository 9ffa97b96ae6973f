"""Walks a demo through its steps in a lab: applies, measures, compares.

Nothing here speaks to an agent or to a kernel. Policies go in through ``tortie apply``; what comes out is read from the
workloads: the matrix from each program's own status over its loopback, the time to enforcement from knocks at the ports.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

from tortie.lab import layout
from tortie.lab.client import Lab
from tortie.lab.demo import Demo, Destination, Manifest, Probe, Step
from tortie.lab.errors import DemoError, LabError
from tortie.lab.families import FAMILIES, FamilyName
from tortie.lab.matrix import (
    POLICY_S_OWN,
    Answer,
    Cell,
    Matrix,
    answers_of_collector,
    answers_of_probe,
    differences,
    expected,
    matrix_since,
)
from tortie.lab.stopwatches import Change, Stopwatches
from tortie.net import Address

ENFORCED_WITHIN_S = 5.0
"""A change that has not reached the packets by then is reported as not enforced."""

ANSWERED_WITHIN_S = 12.0
"""How long to wait for answers that are new enough: a probe's period and time-out, several times over."""

_POLL_S = 0.1

_OUTSIDE: Mapping[FamilyName, Address] = {"ipv4": layout.OUTSIDE_V4, "ipv6": layout.OUTSIDE_V6}


class StepResult(NamedTuple):
    number: int
    step: Step
    matrix: Matrix
    changed: tuple[Cell, ...]
    """Cells that differ from the step before."""
    wrong: tuple[Cell, ...]
    """Cells that are unknown, or not what the step says."""
    enforcement_ms: Mapping[str, float | None]
    """For each host whose verdicts change: from the commit to the first packet with the new one; None: not in time."""

    @property
    def ok(self) -> bool:
        return not self.wrong and None not in self.enforcement_ms.values()


class Enforcement(NamedTuple):
    """How a step came into force."""

    took_ms: Mapping[str, float | None]
    """As ``StepResult.enforcement_ms``."""
    settled_ns: int
    """When the last of the hosts had it, CLOCK_MONOTONIC; answers asked after this are judged by the new rules."""


class Runner:
    """One demo in one lab."""

    def __init__(self, demo: Demo, lab: Lab) -> None:
        self._demo = demo
        self._lab = lab
        self._stopwatches = Stopwatches(lab)
        self._before: Matrix = {}
        """What the step before measured."""
        self._reachable: frozenset[tuple[str, str]] = frozenset()
        """What the step before should have led to."""

    def start(self) -> None:
        """Apply the demo's workloads and wait until every one of them listens, and the DNS server too."""
        for manifest in self._demo.workloads:
            self._apply(manifest)
        wanted = {(program.workload, program.port) for program in self._demo.programs}
        wanted |= {(workload, column.port) for column in self._demo.columns for workload in column.workloads}
        wanted.add((layout.DNS_WORKLOAD, layout.DNS_PORT))
        deadline = time.monotonic() + ANSWERED_WITHIN_S
        while missing := {place for place in wanted if not self._listens(*place)}:
            if time.monotonic() > deadline:
                names = sorted({workload for workload, _ in missing})
                raise DemoError(f"these workloads did not start: {', '.join(names)}")
            time.sleep(_POLL_S)
        self._stopwatches.start(sorted(program.workload for program in self._demo.programs))

    def stop(self) -> None:
        self._stopwatches.stop()

    def run_step(self, number: int) -> StepResult:
        """Bring step *number* (from 1) into force and measure it."""
        enforcement = self.enforce(number)
        step = self._demo.steps[number - 1]
        matrix = self._measure(enforcement.settled_ns)
        changed = differences(matrix, self._before) if self._before else ()
        wrong = differences(matrix, expected(self._demo, step.reachable))
        self._before = matrix
        return StepResult(number, step, matrix, changed, wrong, enforcement.took_ms)

    def enforce(self, number: int) -> Enforcement:
        """Bring step *number* into force, and time it; the matrix is not read."""
        step = self._demo.steps[number - 1]
        with self._stopwatches.watching(self._changes(step), ENFORCED_WITHIN_S) as watch:
            commits: dict[str, int] = {}
            for manifest in step.apply:
                commits |= self._apply(manifest)
            first_packets = watch.first_packets()
        self._reachable = step.reachable
        late_ns = time.monotonic_ns()
        took: dict[str, float | None] = {}
        for change, first_ns in first_packets.items():
            took_ms = None if first_ns is None else (first_ns - _commit_behind(change, commits)) / 1e6
            before = took.get(change.host, 0.0)
            took[change.host] = None if took_ms is None or before is None else max(before, took_ms)
        settled_ns = max((first_ns or late_ns for first_ns in first_packets.values()), default=late_ns)
        return Enforcement(dict(sorted(took.items())), settled_ns)

    def undo(self) -> None:
        """Delete the policies of all steps with ``tortie delete``: everything is connected again, as at step 1."""
        for step in reversed(self._demo.steps):
            for manifest in step.apply:
                self._tortie("delete", manifest, "--ignore-not-found")
        self._reachable = self._demo.steps[0].reachable

    def skip_step(self, number: int) -> None:
        """Bring a step into force without timing or measuring it."""
        step = self._demo.steps[number - 1]
        for manifest in step.apply:
            self._apply(manifest)
        self._reachable = step.reachable

    # --- applying ----------------------------------------------------------------------------------------------------------

    def _apply(self, manifest: Manifest) -> dict[str, int]:
        """``tortie apply -f``; for each namespace written to, when its commit was asked for, in monotonic nanoseconds."""
        applied = json.loads(self._tortie("apply", manifest, "-o", "json"))
        return {item["namespace"]: item["committedAtNs"] for item in applied if item["committedAtNs"] is not None}

    def _tortie(self, command: str, manifest: Manifest, *options: str) -> str:
        """Run a command on a manifest as a user would type it; what it printed."""
        with resources.as_file(self._demo.folder) as folder:
            line = [sys.executable, "-m", "tortie", "--lab", self._lab.name, command, "-f", str(folder / manifest.file)]
            line += ["-n", manifest.namespace] if manifest.namespace else []
            done = subprocess.run([*line, *options], capture_output=True, text=True, check=False)
        if done.returncode:
            raise DemoError(f"tortie {command} -f {manifest} failed: {done.stderr.strip()}")
        return done.stdout

    # --- measuring ---------------------------------------------------------------------------------------------------------

    def _changes(self, step: Step) -> tuple[Change, ...]:
        """The flows to time: for each workload whose policy's verdicts the step changes, one in each family; none at the first step.

        One is enough, since a host's rules change at once, and more would keep this machine's processors from the agents. The knocks
        go to the pods behind a service, each for itself: all of them must follow.
        """
        if not step.apply:
            return ()
        workloads = {f"{w['namespace']}/{w['name']}": w for w in self._lab.status()["workloads"]}
        flows: dict[tuple[str, str], Change] = {}
        for row, column in sorted(step.reachable ^ self._reachable):
            source, reachable = self._demo.probe(row).workload, (row, column) in step.reachable
            for decider, address, port in _ends(source, self._demo.column(column), workloads):
                change = Change(source, decider, workloads[decider]["host"], address, port, reachable)
                flows.setdefault((decider, address), change)
        return tuple(flows.values())

    def _measure(self, since_ns: int) -> Matrix:
        """The matrix of answers asked after *since_ns*: waits until every cell is one that policies lead to, or the time is up."""
        answers: dict[Cell, Answer] = {}
        deadline = time.monotonic() + ANSWERED_WITHIN_S
        while True:
            for probe in self._demo.probes:
                with contextlib.suppress(OSError, ValueError, LookupError):
                    answers |= answers_of_probe(self._demo, probe.id, self._fetch(probe, "/status"))
            if self._demo.collector is not None:
                with contextlib.suppress(OSError, ValueError, LookupError):
                    answers |= answers_of_collector(self._demo, self._fetch(self._demo.collector, "/responses"))
            matrix = matrix_since(self._demo, answers, since_ns)
            if all(seen in POLICY_S_OWN for seen in matrix.values()) or time.monotonic() > deadline:
                return matrix
            time.sleep(_POLL_S)

    def _fetch(self, probe: Probe, path: str) -> dict[str, Any]:
        """GET from a workload's program over that workload's own loopback."""
        connection = http.client.HTTPConnection("localhost", probe.port, timeout=2)
        connection.sock = self._lab.connect(probe.workload, probe.port)
        connection.sock.settimeout(2)
        try:
            connection.request("GET", path)
            body: dict[str, Any] = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        return body

    def _listens(self, workload: str, port: int) -> bool:
        try:
            self._lab.connect(workload, port).close()
        except LabError:
            return False
        return True


def _ends(
    source: str, column: Destination, workloads: Mapping[str, Mapping[str, str]]
) -> Iterator[tuple[str, str, int]]:
    """From *source* to everyone behind *column*, whose policies decide; for what is outside, those of *source* do.

    The deciding workload, and the address and port to knock at.
    """
    for family in FAMILIES:
        places = {workload: workloads[workload][family] for workload in column.workloads}
        for decider, address in (places or {source: str(_OUTSIDE[family])}).items():
            yield decider, address, column.port


def _commit_behind(change: Change, commits: Mapping[str, int]) -> int:
    """The commit that changed the verdict: the one to the deciding workload's namespace, or the last one where none was."""
    namespace, _, _ = change.decider.partition("/")
    return commits.get(namespace, max(commits.values(), default=time.monotonic_ns()))


def failure_folder(name: str) -> Path:
    """Where the evidence of a failed run is kept: ``$XDG_STATE_HOME/tortie/failures/<name>-<time>``."""
    state = os.environ.get("XDG_STATE_HOME", "")
    # A relative one is to be ignored (XDG Base Directory Specification).
    folder = Path(state) if os.path.isabs(state) else Path.home() / ".local" / "state"
    return folder / "tortie" / "failures" / f"{name}-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"


@contextlib.contextmanager
def running(demo: Demo, lab: Lab) -> Iterator[Runner]:
    """A runner whose workloads are up; its stopwatches end with the block."""
    runner = Runner(demo, lab)
    try:
        runner.start()
        yield runner
    finally:
        runner.stop()
