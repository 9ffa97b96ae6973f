"""A reader's terminal: a shell on what looks like a machine of its own.

    unshare ─ network, mounts, processes ─ bash ◄── commands of a page, one after the other

Links, labs, ``/run``, ``/var/lib`` and ``/var/log`` belong to the terminal: pages can run at the same time under the names they
print, and as root, and the kernel removes everything with the shell.
"""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import pytest
from pages import ROOT

DEADLINE_S = 20.0
"""For one command; the slowest, a lab's start, takes one or two seconds."""

_OWN_FOLDERS = ("/run", "/var/lib", "/var/log")
_END = "\036"
_SETTING = f"""
set -e
for folder in {" ".join(_OWN_FOLDERS)}; do mount -t tmpfs tmpfs "$folder"; done
ip link set lo up
ip link add eth0 type veth peer name network
ip link set network up
ip link set eth0 up
ip address add 192.0.2.10/24 dev eth0
ip route add default via 192.0.2.1
set +e
trap 'failed=$?' ERR
"""
"""What a machine has: places for its files, an address, a default route."""


class Result(NamedTuple):
    status: int
    """0 if no part of the command failed."""
    output: str
    errors: str


class Terminal:
    """Runs commands in one bash, in *folder*, until the block ends."""

    def __init__(self, folder: Path, home: Path) -> None:
        self._errors = home / "stderr"
        self._shell = subprocess.Popen(
            [*_own_machine(), "bash", "--norc", "--noprofile"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=folder, env=_environment(home),
        )  # fmt: skip
        self._pending = b""

    def __enter__(self) -> Self:
        started = self.run(_SETTING)
        assert started.status == 0, started.errors
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._shell.kill()  # of unshare, and by --kill-child of the shell, which is process 1 to everything else
        self._shell.communicate()

    def run(self, command: str) -> Result:
        """Run *command* and wait for it; TimeoutError."""
        assert self._shell.stdin is not None
        wrapped = f"failed=0\n{{\n{command}\n}} </dev/null 2>'{self._errors}'\nprintf '{_END}%d\\n' \"$failed\"\n"
        self._shell.stdin.write(wrapped.encode())
        self._shell.stdin.flush()
        output, _, status = self._until_end().partition(_END)
        return Result(int(status), output, self._errors.read_text())

    def _until_end(self) -> str:
        """What the shell prints up to the line with the status; the rest waits."""
        assert self._shell.stdout is not None
        deadline = time.monotonic() + DEADLINE_S
        while not (_END.encode() in self._pending and self._pending.endswith(b"\n")):
            ready, _, _ = select.select([self._shell.stdout], [], [], max(0.0, deadline - time.monotonic()))
            part = os.read(self._shell.stdout.fileno(), 1 << 16) if ready else b""
            if not part:
                raise TimeoutError(f"no end within {DEADLINE_S:.0f} s, but so far: {self._pending.decode()!r}")
            self._pending += part
        text, self._pending = self._pending.decode(), b""
        return text


def _environment(home: Path) -> dict[str, str]:
    path = f"{Path(sys.executable).parent}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    return {"PATH": path, "HOME": str(home), "LANG": "C.UTF-8"}


def _own_machine() -> list[str]:
    """The command that runs another in namespaces of its own; skips the test where that is not allowed."""
    hidden = [folder for folder in _OWN_FOLDERS if ROOT.is_relative_to(folder)]
    if hidden:
        pytest.skip(f"the checkout lies below {hidden[0]}, which a page has for itself")
    spaces = ["--net", "--mount", "--pid", "--mount-proc", "--fork", "--kill-child"]
    # as root without a user namespace where that is possible, since in a new one files of other users are nobody's
    for command in (["unshare", *spaces], ["unshare", "--user", "--map-root-user", *spaces]):
        if (
            shutil.which("unshare")
            and subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 0
        ):
            return command
    pytest.skip("needs unshare(1), and user namespaces or root")
