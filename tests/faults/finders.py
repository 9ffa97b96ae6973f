"""The tests that decide, as those who look for faults: quickest first."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

TESTS = Path(__file__).parents[1]
WITHIN_S = 400


class Finder(NamedTuple):
    """A run of tests."""

    name: str
    arguments: tuple[str, ...]

    def finds(self, source: Path, scratch: Path) -> bool:
        """Whether a test fails with the sources of the folder *source*; RuntimeError if that cannot be told.

        It is run from *scratch*, where it leaves what tests leave.
        """
        # What a fault has broken is no example for the code without it.
        own = {"PYTHONPATH": str(source), "HYPOTHESIS_STORAGE_DIRECTORY": str(scratch / "hypothesis")}
        without = ("TORTIE_SOAK", "TORTIE_SEED", "TORTIE_FAULTS", "PYTEST_XDIST_WORKER", "PYTEST_ADDOPTS")
        environment = {name: value for name, value in os.environ.items() if name not in without} | own
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
        command += ["-c", str(TESTS.parent / "pyproject.toml"), f"--basetemp={scratch / 'pytest'}"]
        done = subprocess.run(
            [*command, *(str(TESTS / argument) if "/" in argument else argument for argument in self.arguments)],
            check=False,
            cwd=scratch,
            env=environment,
            capture_output=True,
            text=True,
            timeout=WITHIN_S,
        )
        if done.returncode not in (0, 1):
            raise RuntimeError(f"{self.name} did not run:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        return done.returncode == 1


_RANDOM = "differential/test_rulesets_agree_with_oracle.py::test_rulesets_do_with_packets_what_the_oracle_says"
_KERNELS = "netns/test_packets_agree_with_oracle.py::test_packets_among_random_clusters_fare_as_the_oracle_says"
_HISTORIES = "unit/calc/test_random_histories.py"

RULESETS = Finder("random packets through rulesets", (f"{_RANDOM}[0]",))
HISTORIES = Finder("random histories of the calculation", (_HISTORIES,))
KERNELS = Finder("random packets through kernels", (_KERNELS,))
MORE = Finder("more random packets through rulesets", tuple(f"{_RANDOM}[{number}]" for number in range(1, 13)))

POLICY_TESTS = Finder(
    "tests of policies",
    ("unit/analysis/test_assertions_of_policies.py", "unit/analysis/test_rules_that_tests_try.py"),
)
RANDOM_POLICY_TESTS = Finder(
    "random tests of policies",
    ("differential/test_policy_tests_agree_with_oracle.py::test_every_outcome_is_the_oracles",),
)
