"""``tortie`` at a terminal of its own, as a person sits before it."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

DEADLINE_S = 30.0


class Terminal:
    """The person's end of it."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._unread = ""

    def read_until(self, pattern: str) -> re.Match[str]:
        """Read on until *pattern* has been shown; what was shown after it is left for the next time."""
        deadline = time.monotonic() + DEADLINE_S
        while (found := re.search(pattern, self._unread)) is None:
            readable, _, _ = select.select([self._descriptor], [], [], max(0.0, deadline - time.monotonic()))
            assert readable, f"{pattern!r} was not shown within {DEADLINE_S:.0f} s, but: {self._unread}"
            self._unread += os.read(self._descriptor, 1 << 16).decode(errors="replace")
        self._unread = self._unread[found.end() :]
        return found

    def press_enter(self) -> None:
        os.write(self._descriptor, b"\n")


def address_of(terminal: Terminal) -> str:
    """Of the page that the command says it serves."""
    return terminal.read_until(r"Watch it at (http://127\.0\.0\.1:\d+/)")[1]


@contextmanager
def at_a_terminal(*arguments: str) -> Iterator[Terminal]:
    """Run ``tortie``; what still runs at the end of the block gets Ctrl-C."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "tortie", *arguments], stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    )
    os.close(theirs)
    try:
        yield Terminal(ours)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
        process.wait(timeout=DEADLINE_S)
        os.close(ours)
