"""The matrix of a lab: who reaches whom at which ports, as measured by packets (``tortie.lab.meter``)."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import IO, Any, NamedTuple, Self

from tortie.lab.attempt import Outcome
from tortie.lab.client import Lab
from tortie.lab.errors import LabError
from tortie.lab.families import FAMILIES
from tortie.lab.listening import Port

RUNNING = "Running"


class Flow(NamedTuple):
    """A source and a port of a destination, in one family."""

    source: str
    target: str
    port: Port
    family: str

    def __str__(self) -> str:
        return f"{self.source} → {self.target}:{self.port} {self.family.replace('ip', 'IP')}"


class Reachability(NamedTuple):
    """One round."""

    workloads: tuple[str, ...]
    """All that ran, by name."""
    ports: Mapping[str, tuple[Port, ...]]
    """The ports that each of them listens at; empty for one that none can be reached at."""
    outcomes: Mapping[Flow, Outcome]

    def changes(self, before: Reachability) -> dict[Flow, Outcome | None]:
        """The flows that are not as they were *before*; None for one that is no more."""
        gone = dict.fromkeys(flow for flow in before.outcomes if flow not in self.outcomes)
        return gone | {
            flow: outcome for flow, outcome in self.outcomes.items() if before.outcomes.get(flow) is not outcome
        }

    def as_json(self) -> dict[str, Any]:
        """``ports``, and the families' outcomes of every pair and port."""
        pairs: dict[tuple[str, str, Port], dict[str, Any]] = {}
        for flow, outcome in self.outcomes.items():
            pair = {"from": flow.source, "to": flow.target, **_as_json(flow.port)}
            pairs.setdefault(flow[:3], pair)[flow.family] = outcome
        ports = {name: [_as_json(port) for port in own] for name, own in self.ports.items()}
        return {"ports": ports, "pairs": list(pairs.values())}


class Meter:
    """Measures a lab round by round; its program ends with the block, or with the lab."""

    def __init__(self, lab: Lab, timeout_s: float) -> None:
        self._lab = lab
        self._timeout_s = timeout_s

    def __enter__(self) -> Self:
        command = self._lab.exec_command("fabric", [sys.executable, "-m", "tortie.lab.meter"])
        self._program = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._program.communicate()

    def measure(self) -> Reachability:
        """One round over the workloads that run now; LabError if the lab has ended."""
        running = [
            {"name": f"{w['namespace']}/{w['name']}", "ipv4": w["ipv4"], "ipv6": w["ipv6"]}
            for w in self._lab.status()["workloads"]
            if w["phase"] == RUNNING
        ]
        try:
            _pipe(self._program.stdin).write(json.dumps({"workloads": running, "timeout_s": self._timeout_s}) + "\n")
            _pipe(self._program.stdin).flush()
            line = _pipe(self._program.stdout).readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise LabError(f"lab {self._lab.name!r} ended while it was measured")
        return reachability(json.loads(line))


def reachability(answer: Mapping[str, Any]) -> Reachability:
    """What the meter's *answer* says."""
    ports = {name: tuple(Port(*port) for port in own) for name, own in answer["ports"].items()}
    outcomes = dict[Flow, Outcome]()
    for source in answer["outcomes"]:
        measured = map(Outcome, answer["outcomes"][source])
        outcomes |= zip(_flows(source, ports), measured, strict=True)
    return Reachability(tuple(answer["outcomes"]), ports, outcomes)


def _flows(source: str, ports: Mapping[str, tuple[Port, ...]]) -> Iterator[Flow]:
    """In the order of ``attempt.attempts``."""
    for target, own in ports.items():
        if target != source:
            yield from (Flow(source, target, port, family) for port in own for family in FAMILIES)


def _as_json(port: Port) -> dict[str, Any]:
    return {"protocol": port.protocol, "port": port.number}


def _pipe(end: IO[str] | None) -> IO[str]:
    assert end is not None
    return end
