"""A machine with nobody else on it, and everything that is on it.

Run a program under ``alone()`` and it is process 1 of a machine of its own: user, process, network, mount, host name and IPC
namespaces, and empty folders where programs leave files. ``Tables.read()`` is then all there is; whatever is there after a lab that
was not there before it, the lab has left.

The kernel counts the namespaces of each kind that exist below a user namespace, and refuses one more than
``/proc/sys/user/max_*_namespaces`` (namespaces(7)). The count itself is told nowhere, so it is found by asking with rising limits.
A namespace that nothing can be seen to hold is counted all the same.
"""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from tortie.lab import namespaces

ROOT = Path(__file__).parents[2]

OWN_FOLDERS = (Path("/run"), Path("/var/lib"), Path("/var/log"), Path("/var/tmp"), Path("/dev/shm"))
HOME = Path("/run/home")
"""Of whoever is on this machine; their temporary files lie there too."""

_KINDS = {
    "mnt": namespaces.CLONE_NEWNS,
    "net": namespaces.CLONE_NEWNET,
    "pid": namespaces.CLONE_NEWPID,
    "user": namespaces.CLONE_NEWUSER,
    "uts": namespaces.CLONE_NEWUTS,
}
_MOST = 200
"""Namespaces of a kind; a lab of two hosts has half a dozen."""


def alone(*command: str) -> list[str]:
    """The command line that runs *command* as process 1 of a machine of its own; skips the test where that is not allowed."""
    hidden = [folder for folder in OWN_FOLDERS if ROOT.is_relative_to(folder)]
    if hidden:
        pytest.skip(f"the checkout lies below {hidden[0]}, which the machine has for itself")
    spaces = ["--user", "--map-root-user", "--net", "--mount", "--pid", "--uts", "--ipc", "--fork", "--kill-child"]
    unshare = ["unshare", *spaces, "--mount-proc"]
    if not shutil.which("unshare") or subprocess.run([*unshare, "true"], capture_output=True, check=False).returncode:
        pytest.skip("needs unshare(1) and user namespaces")
    return [*unshare, *command]


def furnish() -> None:
    """Give the machine its folders; called once, by its process 1."""
    for folder in OWN_FOLDERS:
        namespaces.mount("tmpfs", folder, "tmpfs")
    HOME.mkdir()
    os.environ |= {"HOME": str(HOME), "TMPDIR": str(HOME)}
    os.environ.pop("XDG_STATE_HOME", None)


class Tables(NamedTuple):
    """All there is on the machine, each table sorted."""

    processes: tuple[str, ...]
    mounts: tuple[str, ...]
    links: tuple[str, ...]
    routes: tuple[str, ...]
    rules: tuple[str, ...]
    """The tables of nf_tables."""
    sockets: tuple[str, ...]
    """Those of Unix that have a name, and all that listen."""
    files: tuple[str, ...]
    namespaces: tuple[str, ...]
    """How many there are of each kind."""

    @classmethod
    def read(cls) -> Tables:
        return cls(
            processes=tuple(sorted(_processes())),
            mounts=tuple(sorted(Path("/proc/self/mountinfo").read_text().splitlines())),
            links=_lines("ip", "-o", "link"),
            routes=_lines("ip", "route", "show", "table", "all") + _lines("ip", "-6", "route", "show", "table", "all"),
            rules=_lines("nft", "list", "tables"),
            sockets=tuple(sorted(_sockets())),
            files=tuple(sorted(str(path) for folder in OWN_FOLDERS for path in folder.rglob("*"))),
            namespaces=tuple(f"{kind} {_count(kind, flag)}" for kind, flag in _KINDS.items()),
        )

    def added_to(self, before: Tables) -> dict[str, list[str]]:
        """What is here and was not there *before*, by table; the tables that have nothing new are left out."""
        pairs = zip(self._fields, self, before, strict=True)
        return {name: new for name, now, then in pairs if (new := sorted(set(now) - set(then)))}


def _processes() -> list[str]:
    """Zombies too: nobody but us could reap them, and we have."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
            found.append(f"{entry.name} {command or (entry / 'stat').read_text().split()[1]}")
        except OSError:
            continue  # it ended meanwhile
    return found


def _lines(*command: str) -> tuple[str, ...]:
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return tuple(sorted(done.stdout.splitlines()))


def _sockets() -> list[str]:
    names = [line.split()[7:] for line in Path("/proc/net/unix").read_text().splitlines()[1:]]
    listening = [
        f"{family} {line.split()[1]}"
        for family in ("tcp", "tcp6")
        for line in Path("/proc/net", family).read_text().splitlines()[1:]
        if line.split()[3] == "0A"
    ]
    return listening + [name for (name,) in filter(None, names)]


def _count(kind: str, flag: int) -> int:
    """How many namespaces of a *kind* there are: one less than the least limit at which one more may be made."""
    limit = Path(f"/proc/sys/user/max_{kind}_namespaces")
    before = limit.read_text()
    try:
        for number in range(_MOST):
            limit.write_text(str(number + 1))
            if _may_make(flag):
                return number
    finally:
        limit.write_text(before)
    raise AssertionError(f"there are more than {_MOST} namespaces of kind {kind}")


def _may_make(flag: int) -> bool:
    child = os.fork()
    if child == 0:
        try:
            namespaces.unshare(flag)
        except OSError as error:
            os._exit(1 if error.errno == errno.ENOSPC else 2)
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status < 2, "a namespace is refused for another reason than their number"
    return status == 0
