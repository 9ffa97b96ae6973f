"""How much memory a process has needed, for benchmarks."""

from __future__ import annotations

import re
from pathlib import Path


def peak_kib() -> int:
    """The most that this process ever had resident (VmHWM, proc(5)); ``getrusage`` would count what its parent had before exec."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found
    return int(found[1])
