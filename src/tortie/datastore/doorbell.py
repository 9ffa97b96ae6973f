"""Telling other processes of this machine that a store has changed: one file, touched after each commit.

Whoever waits watches the file (``tortie.datastore.listener``), which wakes it in well under a millisecond and costs nothing
meanwhile. A bell can be missed (a full queue, a deleted file, a limit on inotify instances), so a listener also looks by itself
now and then: the bell is for speed, never for correctness.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


class Doorbell:
    """The ringing side. The file is made if it is missing, readable and writable by its owner only."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def ring(self) -> None:
        """Wake every listener. Never fails: the change itself is already committed, and listeners look by themselves too."""
        with contextlib.suppress(OSError):
            os.utime(self._fd)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
