"""Kills labs and looks what is left: process 1 of a machine that has nobody else on it (``machine``).

    kills.py VICTIM MOMENT...    a MOMENT is start:F, run:F or stop:F, with F from 0 to 1: how far into that part of a lab's life
    kills.py fault NAME...       a lab that fails half-way, by one of FAULTS

It prints a line of JSON for each: ``{"case": …, "left": {table: [what was not there before, …]}, "said": what the command printed,
"status": how it ended}``.

A lab's life here: a command starts it, runs a program in its host from outside, waits, ends it. How long each part takes is measured
before with a lab that nobody kills, so the moments are spread over what happens, on any machine.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, NamedTuple

from machine import Tables, furnish

from tortie.lab import client

HOSTS = 2
_PATIENCE_S = 20.0
_POLL_S = 0.005
_LONGEST_PAUSE_S = 1.0

LIFE = f"""
import subprocess, sys
from tortie.lab.client import Lab
from tortie.lab.errors import LabError
print("begun", flush=True)
try:
    lab = Lab.launch(sys.argv[1], hosts={HOSTS})
except LabError as error:
    sys.exit(f"Error: {{error}}")
with lab:
    inside = subprocess.Popen(lab.exec_command("host1", ["sh", "-c", "echo up; exec sleep 1000"]))
    sys.stdin.readline()
    print("stopping", flush=True)
inside.wait()
print("down", flush=True)
"""
"""The command that has a lab; its argument is the lab's name."""


class Life:
    """One lab, from the beginning of its command."""

    def __init__(self, name: str, prefix: Sequence[str] = ()) -> None:
        """*prefix* is what the command is run by."""
        self.name = name
        self.command = subprocess.Popen(
            [*prefix, sys.executable, "-c", LIFE, name],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        self.said = ""
        self.stopper: subprocess.Popen[bytes] | None = None

    def until(self, word: str) -> float:
        """Read on until the command says *word*; when that was."""
        while not self.said.endswith(f"{word}\n"):
            line = _pipe(self.command.stdout).readline()
            assert line, f"the command never said {word!r}, but: {self.said}"
            self.said += line
        return time.monotonic()

    def let_go_on(self) -> None:
        """Have the command end its lab."""
        _pipe(self.command.stdin).write("\n")
        _pipe(self.command.stdin).flush()

    def stop_from_elsewhere(self) -> None:
        """Begin ``tortie lab down``."""
        command = [sys.executable, "-m", "tortie", "lab", "down", "--name", self.name]
        self.stopper = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def finish(self) -> None:
        """The command's input ends, and what is left of its output is read."""
        self.said += self.command.communicate(timeout=_PATIENCE_S)[0]
        if self.stopper is not None:
            self.stopper.wait(timeout=_PATIENCE_S)


def _pipe(end: IO[str] | None) -> IO[str]:
    assert end is not None
    return end


# --- who is killed ------------------------------------------------------------------------------------------------------------


def first_process(life: Life) -> int:
    """The lab's process 1, and before there is one the process that will make it: what begins the tree at this moment."""
    while life.command.poll() is None:
        tree = dict(_starters())
        for pid, spaces in sorted(tree.items()):
            if spaces[-1] == "1":
                return pid
        if tree:
            return min(tree)
        time.sleep(_POLL_S)
    return life.command.pid  # the tree has ended before we looked


def _starters() -> Iterator[tuple[int, list[str]]]:
    """The processes that run ``tortie.lab.init``, with their numbers in each process namespace from ours on."""
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if b"tortie.lab.init" in (entry / "cmdline").read_bytes():
                status = dict(line.split(":", 1) for line in (entry / "status").read_text().splitlines())
                yield int(entry.name), status["NSpid"].split()


def stopping_command(life: Life) -> int:
    """``tortie lab down``, in another terminal than the one that the lab was started from."""
    assert life.stopper is not None
    return life.stopper.pid


VICTIMS: Mapping[str, Callable[[Life], int]] = {
    "command": lambda life: life.command.pid,
    "first-process": first_process,
    "down": stopping_command,
}


# --- when ------------------------------------------------------------------------------------------------------------------------


class Durations(NamedTuple):
    """Of the parts of a lab's life, in seconds."""

    start: float
    run: float
    stop: float

    @classmethod
    def measure(cls, victim: str) -> Durations:
        """By a lab that nobody kills."""
        life = Life("unharmed")
        begun = life.until("begun")
        up = life.until("up")
        if victim == "down":
            stopping = time.monotonic()
            life.stop_from_elsewhere()
            life.finish()
            down = time.monotonic()
        else:
            life.let_go_on()
            stopping = life.until("stopping")
            down = life.until("down")
            life.finish()
        # what there is to disturb after it is up is the lab's own workload, which takes less than a start
        return cls(up - begun, (up - begun) / 2, down - stopping)


def kill(victim: str, moment: str, durations: Durations) -> Life:
    """Live a lab up to a *moment*, kill, and wait for the command to notice."""
    part, _, fraction = moment.partition(":")
    life = Life(f"kill-{victim}-{moment.replace(':', '-').replace('.', '-')}")
    life.until("begun" if part == "start" else "up")
    if victim == "down":
        life.stop_from_elsewhere()
    elif part == "stop":
        life.let_go_on()
        life.until("stopping")
    time.sleep(float(fraction) * getattr(durations, part))  # no waiting for anything: the moment is the test's subject
    with contextlib.suppress(ProcessLookupError):
        os.kill(VICTIMS[victim](life), signal.SIGKILL)
    life.finish()
    return life


# --- labs that fail half-way --------------------------------------------------------------------------------------------------


class Refusal(NamedTuple):
    """What the kernel will not give to a lab in the middle of its start."""

    prefix: tuple[str, ...] = ()
    """What the lab's command is run by."""
    kind: str = ""
    """Of namespaces: of these there may be only *more* than this machine has by itself, which is one."""
    more: int = 0


FAULTS: Mapping[str, Refusal] = {
    "no network namespace": Refusal(kind="net", more=0),
    "no network namespace for the first host": Refusal(kind="net", more=1),
    "no network namespace for the second host": Refusal(kind="net", more=2),
    "no mount namespace for the second host": Refusal(kind="mnt", more=2),
    "no descriptors for the hosts": Refusal(("prlimit", "--nofile=20:20")),
    "no descriptors for the agents": Refusal(("prlimit", "--nofile=26:26")),
    "no file may have a size": Refusal(("prlimit", "--fsize=0:0")),
    "no file may be as large as the datastore": Refusal(("prlimit", "--fsize=20000:20000")),
}


def fail(fault: str) -> Life:
    """Start a lab that cannot come up."""
    refusal = FAULTS[fault]
    limits = {path: path.read_text() for path in Path("/proc/sys/user").glob("max_*_namespaces")}
    if refusal.kind:
        Path(f"/proc/sys/user/max_{refusal.kind}_namespaces").write_text(str(1 + refusal.more))
    life = Life(f"fail-{list(FAULTS).index(fault)}", refusal.prefix)
    life.finish()
    for path, text in limits.items():
        path.write_text(text)
    return life


# --- looking --------------------------------------------------------------------------------------------------------------------


def whats_left(before: Tables) -> dict[str, list[str]]:
    """What there is more than *before*, once nothing changes for the better any more.

    Looking makes namespaces, which the kernel forgets some tenths of a second after they have ended: so it is done more and more seldom.
    """
    deadline = time.monotonic() + _PATIENCE_S
    pause = _POLL_S
    while left := Tables.read().added_to(before):
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass  # as every process 1 does
        if time.monotonic() > deadline:
            break
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE_S)
    return left


def main(what: str, *cases: str) -> None:
    """Print what is left after each of *cases*."""
    furnish()
    before = Tables.read()
    durations = Durations.measure(what) if what in VICTIMS else None
    assert not (left := whats_left(before)), f"a lab that ends in good order leaves {left}"
    for case in cases:
        life = fail(case) if durations is None else kill(what, case, durations)
        left = whats_left(before)
        if life.name in client.names():
            left["names"] = [life.name]
        result = {"case": case, "left": left, "said": life.said, "status": life.command.returncode}
        print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
