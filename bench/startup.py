"""How long the command takes to start, as multiples of what Python itself needs, measured in turns in one run.

    python bench/startup.py [--rounds N]

``tortie --version`` and completion should take at most 4 times, ``tortie get`` of one object from SQLite at most 9 times the wall
time of ``python -c pass``. The medians are compared; the times behind them belong to the machine.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

POOL = "{apiVersion: projectcalico.org/v3, kind: IPPool, metadata: {name: p}, spec: {cidr: 10.0.0.0/16}}"

START = "import sys; from tortie.cli.start import main; sys.exit(main())"
"""What the script ``tortie`` holds that an installation makes."""

COMMANDS: Mapping[str, tuple[float, tuple[str, ...]]] = {
    "tortie --version": (4, ("--version",)),
    "tortie completion bash": (4, ("completion", "bash")),
    "completing a command": (4, ("__complete", "bash", "tortie", "de")),
    "completing a kind": (4, ("__complete", "bash", "tortie", "get", "ip")),
    "completing a name": (4, ("__complete", "bash", "tortie", "get", "ippool", "")),
    "tortie get ippool p": (9, ("get", "ippool", "p")),
    "tortie get ippool p -o json": (9, ("get", "ippool", "p", "-o", "json")),
    "tortie get ippool p -o yaml": (9, ("get", "ippool", "p", "-o", "yaml")),
}
"""What is measured, and its bar."""


def run(arguments: Sequence[str], environment: Mapping[str, str], text: str = "") -> float:
    """Seconds that a process of this Python with *arguments* takes from start to end."""
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, *arguments], env=environment, input=text, text=True, capture_output=True, check=True
    )
    return time.perf_counter() - started


def measure(rounds: int, environment: Mapping[str, str]) -> tuple[float, dict[str, float]]:
    """The median of plain Python and of each command, in turns, so that all share the machine's moods."""
    plain: list[float] = []
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(rounds):
        plain.append(run(["-c", "pass"], environment))
        for name, (_, words) in COMMANDS.items():
            times[name].append(run(["-c", START, *words], environment))
    return statistics.median(plain), {name: statistics.median(taken) for name, taken in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=21)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        environment |= {
            "TORTIE_DATASTORE": f"sqlite://{Path(folder)}/tortie.db",
            "PYTHONPYCACHEPREFIX": f"{Path(folder)}/compiled",  # an installation has its modules compiled
        }
        run(["-c", START, "apply", "-f", "-"], environment, POOL)
        measure(1, environment)
        plain, medians = measure(rounds, environment)
    print(f"{'python -c pass':<30}{plain * 1e3:>8.1f} ms")
    for name, median in medians.items():
        bar, _ = COMMANDS[name]
        print(f"{name:<30}{median * 1e3:>8.1f} ms{median / plain:>8.2f} x   bar {bar:g} x")


if __name__ == "__main__":
    main()
