"""Processes that the daemon starts in namespaces of the lab, and the programs that it needs.

A process is never started again: one that ended stays ended, and its status says how.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tortie.lab import layout
from tortie.lab.errors import MissingProgramError
from tortie.lab.namespaces import Space

PATH = f"{layout.BIN}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Of every process in a lab: an ordinary user's own may lack the ``sbin`` folders, where nft, bird and ip are."""

PROGRAMS = ("probe", "collector", "dns", "webserver", "reach")
"""Ours, which demos and the lab itself run in workloads; each is a module of this package."""

_PACKAGES = {"ip": "iproute2", "nft": "nftables", "bird": "bird2", "nsenter": "util-linux"}
"""The Debian package of each program that a lab runs."""


def check_programs(path: str = PATH) -> None:
    """MissingProgramError unless all programs that a lab runs are found."""
    missing = [program for program in _PACKAGES if shutil.which(program, path=path) is None]
    if missing:
        packages = " ".join(_PACKAGES[program] for program in missing)
        raise MissingProgramError(
            f"the lab needs {', '.join(missing)}, which this machine lacks: install with `apt-get install {packages}`"
        )


class Process:
    """A child process in a space of the lab, the head of a process group of its own."""

    def __init__(self, popen: subprocess.Popen[bytes]) -> None:
        self._popen = popen
        self.pid = popen.pid
        loop = asyncio.get_running_loop()
        self._exited: asyncio.Future[int] = loop.create_future()
        self._pidfd = os.pidfd_open(popen.pid)
        loop.add_reader(self._pidfd, self._reap)

    @classmethod
    def start(cls, space: Space, argv: Sequence[str], log: Path, environment: Mapping[str, str]) -> Process:
        """Run *argv* in *space* with its output appended to *log*; OSError if it cannot be started."""
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            return cls(
                subprocess.Popen(
                    space.command(list(argv)),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    cwd="/",
                    env={"PATH": PATH, **environment},
                    start_new_session=True,
                )
            )

    def _reap(self) -> None:
        asyncio.get_running_loop().remove_reader(self._pidfd)
        os.close(self._pidfd)
        self._exited.set_result(self._popen.wait())

    @property
    def exit_status(self) -> int | None:
        """Negative for a signal (as ``subprocess.Popen.returncode``); None while it runs."""
        return self._exited.result() if self._exited.done() else None

    async def wait(self) -> int:
        """Its exit status, when it has ended."""
        return await asyncio.shield(self._exited)

    def signal(self, number: int) -> None:
        """Signal the whole group; nothing if it is gone."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    async def stop(self, patience_s: float) -> None:
        """End the group: asked first, and killed when *patience_s* is over."""
        self.signal(signal.SIGTERM)
        done, _ = await asyncio.wait([self._exited], timeout=patience_s)
        if not done:
            self.signal(signal.SIGKILL)
            await self.wait()

    @property
    def state(self) -> str:
        """``running``, ``stopped`` (by a signal such as SIGSTOP) or ``exited N``."""
        return process_state(self.pid) if self.exit_status is None else f"exited {self.exit_status}"


def process_state(pid: int) -> str:
    """``running``, ``stopped`` or ``gone``, from ``/proc/<pid>/stat``."""
    try:
        letter = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "gone"
    return {"T": "stopped", "t": "stopped", "Z": "gone", "X": "gone"}.get(letter, "running")


def processes_in(space: Space) -> tuple[int, ...]:
    """Every process in *space*'s network namespace, whoever started it."""
    wanted = os.fstat(space.net).st_ino
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):  # it ended meanwhile
                if (entry / "ns/net").stat().st_ino == wanted:
                    found.append(int(entry.name))
    return tuple(sorted(found))


def kill_all(space: Space) -> None:
    """Kill every process in *space*."""
    for pid in processes_in(space):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def write_scripts() -> None:
    """Put ``PROGRAMS`` into the lab's folder for programs."""
    paths = f"export PYTHONPATH={shlex.quote(os.environ['PYTHONPATH'])}\n" if "PYTHONPATH" in os.environ else ""
    for name in PROGRAMS:
        script = layout.BIN / name
        script.write_text(f'#!/bin/sh\n{paths}exec {shlex.quote(sys.executable)} -m tortie.lab.{name} "$@"\n')
        script.chmod(0o755)
