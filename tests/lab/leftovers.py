"""What of a lab is on the machine: its processes, seen from outside."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from tortie.lab import client


class Seen(NamedTuple):
    """A process as the machine sees it: when it started tells it from a later one with its number."""

    pid: int
    started: str


def parents() -> dict[Seen, int]:
    """Every process of the machine that is not a zombie, with its parent."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent, *rest = entry.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if state != "Z":
            found[Seen(int(entry.parent.name), rest[17])] = int(parent)
    return found


def first_process(name: str) -> int | None:
    """Process 1 of the lab *name*, by its number on the machine; None if there is none (yet)."""
    marker = f'"name":"{name}"'.encode()
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            # of the processes that carry the name (the starter, process 1, the daemon) it is 1 in a namespace of its own
            if marker in (entry / "cmdline").read_bytes():
                status = dict(line.split(":", 1) for line in (entry / "status").read_text().splitlines() if ":" in line)
                found[status["NSpid"].split()[-1]] = int(entry.name)
        except OSError:
            continue
    return found.get("1")


def tree(name: str) -> set[Seen]:
    """All processes of the lab *name*: process 1 and its descendants."""
    root = first_process(name)
    known = parents()
    members = {seen for seen in known if seen.pid == root}
    while more := {seen for seen, parent in known.items() if parent in {m.pid for m in members}} - members:
        members |= more
    return members


def eventually(holds: Callable[[], Any], what: str, within_s: float = 15.0) -> Any:
    """Poll until *holds* gives something true, and return that; fails with *what* if it does not in time."""
    deadline = time.monotonic() + within_s
    while not (value := holds()):
        assert time.monotonic() < deadline, f"not within {within_s:.0f} s: {what}"
        time.sleep(0.02)
    return value


def assert_gone(name: str, members: set[Seen]) -> None:
    """Nothing is left of a lab that consisted of *members*."""
    eventually(lambda: not members & set(parents()), f"the processes of {name} end")
    eventually(lambda: first_process(name) is None, f"process 1 of {name} ends")
    eventually(lambda: name not in client.names(), f"the name {name} is free")
