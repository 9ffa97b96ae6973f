"""Random clusters and packets: the oracle's verdict is what the hosts' rulesets do, in both compilations.

``tortie.testing.differential`` says how. Seeds are new in every run, and the hits of every kind of rule are counted and printed at
the end. A mismatch names the seed of its series; ``TORTIE_SEED=<seed>`` replays just that one. ``TORTIE_SOAK=1`` tries twenty-five
times as much.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from random import Random

import pytest
from expectations import missing_hits

from tortie.testing.differential import QUESTIONS, STATES, run_series
from tortie.testing.tally import Tally

SERIES = 64
"""Of one test: 12,800 packets, which take some 15 seconds."""
TESTS = 400 if "TORTIE_SOAK" in os.environ else 16

pytestmark = pytest.mark.timeout(600)  # some 15 seconds alone, several times that on a machine that does much else


@pytest.mark.skipif("TORTIE_SEED" in os.environ, reason="one series is replayed")
@pytest.mark.parametrize("number", range(TESTS))
def test_rulesets_do_with_packets_what_the_oracle_says(number: int, record: Callable[[str, Tally], None]) -> None:
    tally = Tally()
    seed = secrets.randbelow(2**48)
    print(f"the seeds of this test's series follow from {seed}")
    rng = Random(seed)
    for _ in range(SERIES):
        differing = list(run_series(rng.randrange(2**32), tally))
        assert [line for found in differing[:3] for line in found.lines()] == []
    assert tally.total == SERIES * STATES * QUESTIONS
    record("random packets", tally)
    assert missing_hits(tally) == [], "\n".join(tally.lines())


@pytest.mark.skipif("TORTIE_SEED" not in os.environ, reason="TORTIE_SEED names no series")
def test_a_series_is_replayed() -> None:
    differing = list(run_series(int(os.environ["TORTIE_SEED"]), Tally()))
    assert [line for found in differing for line in found.lines()] == []
