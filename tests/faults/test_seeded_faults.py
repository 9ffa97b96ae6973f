"""The tests that decide are tested: each fault of ``fault_table``, put into a copy of the sources, is found by one of them.

Every run tries four that are drawn by a seed, ``make faults`` all of them; what found each is printed at the end.
``TORTIE_FAULTS`` is ``all``, or the seed of the draw.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from fault_table import ASSERTIONS, CALC, FAULTS, RULESET, SOURCE, Fault
from finders import HISTORIES, KERNELS, MORE, POLICY_TESTS, RANDOM_POLICY_TESTS, RULESETS, WITHIN_S, Finder

DRAWN = 4
WANTED = os.environ.get("TORTIE_FAULTS", "")

FINDERS = {
    "calc": (RULESETS, HISTORIES, HISTORIES, MORE),
    "ruleset": (RULESETS, MORE, KERNELS),
    "driver": (KERNELS, KERNELS),
    "assertions": (POLICY_TESTS, RANDOM_POLICY_TESTS),
}
"""One that stands twice draws anew each time: what it has missed it may find."""


def part_of(fault: Fault) -> str:
    parts = {"calc": CALC, "ruleset": RULESET, "assertions": ASSERTIONS}
    return next((part for part, faults in parts.items() if fault in faults), "driver")


def faulty(fault: Fault | None, folder: Path) -> Path:
    """A copy of the sources in *folder*, with the fault."""
    source = folder / "src"
    shutil.copytree(SOURCE, source, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    if fault is not None:
        fault.apply(source)
    return source


def finder_of(fault: Fault, folder: Path) -> tuple[Finder, float] | None:
    """The first to find it, and the seconds that it took; None: nobody did."""
    source = faulty(fault, folder)
    for number, finder in enumerate(FINDERS[part_of(fault)]):
        scratch = folder / str(number)
        scratch.mkdir()
        started = time.perf_counter()
        if finder.finds(source, scratch):
            return finder, time.perf_counter() - started
    return None


def check(fault: Fault, folder: Path, note: Callable[[str, str], None]) -> None:
    found = finder_of(fault, folder)
    assert found is not None, f"nobody finds it: {fault.name}\n  {fault.file}\n- {fault.old}\n+ {fault.new}"
    finder, seconds = found
    note("seeded faults and what found each", f"{fault.name} ({fault.file}): {finder.name}, {seconds:.0f} s")


def test_every_fault_is_still_a_change_of_a_line_that_is_there() -> None:
    assert len(FAULTS) >= 50
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)
    assert [fault.name for fault in FAULTS if (SOURCE / "tortie" / fault.file).read_text().count(fault.old) != 1] == []


def test_the_copy_is_what_the_finders_look_at(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import tortie; print(tortie.__file__)"]
    environment = {**os.environ, "PYTHONPATH": str(faulty(None, tmp_path))}
    found = subprocess.run(command, check=True, env=environment, capture_output=True, text=True).stdout
    assert Path(found.strip()).is_relative_to(tmp_path)


@pytest.mark.skipif(WANTED == "all", reason="all faults are tried")
@pytest.mark.timeout(3 * WITHIN_S)
@pytest.mark.parametrize("number", range(DRAWN))
def test_a_fault_that_is_drawn_is_found(
    number: int, tmp_path: Path, note: Callable[[str, str], None], testrun_uid: str
) -> None:
    seed = WANTED or testrun_uid
    print(f"TORTIE_FAULTS={seed} draws the same faults")
    check(Random(seed).sample(FAULTS, DRAWN)[number], tmp_path, note)


@pytest.mark.skipif(WANTED != "all", reason="TORTIE_FAULTS=all tries all faults")
@pytest.mark.timeout(3 * WITHIN_S)
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name.replace(" ", "-"))
def test_every_fault_is_found(fault: Fault, tmp_path: Path, note: Callable[[str, str], None]) -> None:
    check(fault, tmp_path, note)
