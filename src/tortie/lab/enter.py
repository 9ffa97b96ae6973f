"""Runs a program in a host or workload of a lab: ``python -m tortie.lab.enter LAB TARGET PROGRAM [ARGUMENT…]``.

A process of its own, since only one with a single thread may join a user namespace. It stays outside the lab's pid namespace, waits
for the program, and exits as it does.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

from tortie.lab import namespaces
from tortie.lab.client import Lab
from tortie.lab.errors import LabError
from tortie.lab.processes import PATH


def main() -> NoReturn:
    """Run what the command line says."""
    lab, target, *argv = sys.argv[1:]
    try:
        sys.exit(enter(Lab(lab), target, argv))
    except LabError as error:
        sys.exit(f"Error: {error}")


def enter(lab: Lab, target: str, argv: Sequence[str]) -> int:
    """Join *target* with this process, run *argv* and wait: its status, or 128 and the number of the signal that ended it. LabError."""
    lab.join(target)
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        _become(argv)
    # the program answers to the terminal's signals itself; what is sent to us alone goes on to it
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda caught, _: os.kill(pid, caught))
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return status if status >= 0 else 128 - status


def _become(argv: Sequence[str]) -> NoReturn:
    namespaces.die_with_parent()
    if os.getppid() == 1:
        os._exit(1)  # our parent, who has no number in here, ended before that: process 1 of the lab has taken us over
    os.environ["PATH"] = f"{PATH}:{os.environ.get('PATH', '')}"
    os.chdir("/")
    try:
        os.execvp(argv[0], list(argv))
    except OSError as error:
        print(f"Error: cannot run {argv[0]}: {error.strerror}", file=sys.stderr)
        os._exit(127)


if __name__ == "__main__":
    main()
