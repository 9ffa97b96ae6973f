"""Fuzz targets, side by side: exit status 0 once their time is up, 1 if one crashed or hung.

    python fuzz/run.py [TARGET...] [--seconds N] [--hang N] [--corpus DIR]

What made a target fail is printed, and kept in the current directory as ``TARGET-crash-…`` or ``TARGET-timeout-…``. With --corpus,
inputs that reach further than others are taken from DIR/TARGET and added to it. Needs ``requirements/fuzz.lock`` (``make fuzz``).
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from targets import TARGETS

WORKER = Path(__file__).with_name("worker.py")
GRACE_S = 60
"""What a target may take beside its time: to start, to report, to end. One that takes more hangs where libFuzzer cannot see it."""
LAST_LINES = 40


class Run(NamedTuple):
    """A target being fuzzed."""

    name: str
    process: subprocess.Popen[bytes]
    folder: Path
    """What it works in; ``log`` is all that it said, ``found-…`` what made it fail."""


def start(name: str, folder: Path, seconds: int, hang: int, corpus: Path | None) -> Run:
    folder.mkdir()
    options = [f"-max_total_time={seconds}", f"-timeout={hang}"]
    if corpus is not None:
        (corpus / name).mkdir(parents=True, exist_ok=True)
        options.append(str(corpus / name))  # the first directory is the one that is added to
    with (folder / "log").open("wb") as log:
        command = (sys.executable, str(WORKER), name, str(folder), *options)
        return Run(name, subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log), folder)


def ended_well(run: Run, within_s: float) -> bool:
    """Wait for *run*, and end it if it is still there after *within_s*."""
    try:
        return run.process.wait(within_s) == 0
    except subprocess.TimeoutExpired:
        run.process.kill()
        run.process.wait()
        return False


def report(run: Run, *, well: bool) -> None:
    lines = (run.folder / "log").read_text(errors="backslashreplace").splitlines()
    print(f"== {run.name}: {'' if well else 'FAILED, '}{lines[-1] if lines else 'nothing was said'}")
    if well:
        return
    print(*lines[-LAST_LINES:], sep="\n")
    for found in sorted(run.folder.glob("found-*")):
        kept = Path(f"{run.name}-{found.name.removeprefix('found-')}")
        shutil.copy(found, kept)
        print(f"== {run.name}: the input, kept as {kept}:\n{found.read_bytes()!r}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)} (default: all)")
    parser.add_argument("--seconds", type=int, default=60, help="how long (default: 60)")
    parser.add_argument("--hang", type=int, default=10, help="what takes so many seconds hangs (default: 10)")
    parser.add_argument("--corpus", type=Path, help="a directory to begin with and to add to (default: none)")
    arguments = parser.parse_args()
    names = arguments.targets or list(TARGETS)
    if unknown := set(names) - TARGETS.keys():
        parser.error(f"no such target: {', '.join(sorted(unknown))}; there are {', '.join(TARGETS)}")
    with tempfile.TemporaryDirectory() as folder:
        runs = [start(name, Path(folder, name), arguments.seconds, arguments.hang, arguments.corpus) for name in names]
        try:
            well = [ended_well(run, arguments.seconds + arguments.hang + GRACE_S) for run in runs]
        finally:
            for run in runs:
                run.process.kill()
        for run, good in zip(runs, well, strict=True):
            report(run, well=good)
    sys.exit(0 if all(well) else 1)


if __name__ == "__main__":
    main()
