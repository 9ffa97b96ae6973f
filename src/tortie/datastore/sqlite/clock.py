"""The time by which leases end.

A wall clock steps (NTP, an operator), and a step must neither end every lease at once nor keep a dead process's keys for
hours. The time since boot, suspension included, never steps and is the same for every process of the machine; but it means
nothing after the next boot. So readings carry their *era*, here the boot's id; a store that was last used in another era
gives every lease its whole time to live anew, as etcd does when its leader changes.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Protocol


class Clock(Protocol):
    """What a store asks for the time."""

    @property
    def era(self) -> str:
        """Readings compare with one another within an era only."""

    def now(self) -> float:
        """Seconds; never goes back within an era."""


class BootClock:
    """Seconds since the machine booted, suspension included."""

    def __init__(self) -> None:
        self.era = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()

    def now(self) -> float:
        return time.clock_gettime(time.CLOCK_BOOTTIME)
