"""Random clusters: who can reach whom, as sets, is what the oracle says of each pair of ends and each packet.

``tortie.testing.reachability`` says how. Seeds are new in every run. A disagreement names the seed of its cluster;
``TORTIE_SEED=<seed>`` replays just that one. ``TORTIE_SOAK=1`` tries a thousand clusters and more.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from random import Random

import pytest

from tortie.testing.reachability import run
from tortie.testing.tally import Tally

CLUSTERS = 40
"""Of one test, which take some 10 seconds."""
TESTS = 30 if "TORTIE_SOAK" in os.environ else 2


@pytest.mark.skipif("TORTIE_SEED" in os.environ, reason="one cluster is replayed")
@pytest.mark.parametrize("number", range(TESTS))
def test_every_answer_is_the_oracles(number: int, record: Callable[[str, Tally], None]) -> None:
    tally = Tally()
    seed = secrets.randbelow(2**48)
    print(f"the seeds of this test's clusters follow from {seed}")
    rng = Random(seed)
    for _ in range(CLUSTERS):
        differing = list(run(rng.randrange(2**32), tally))
        assert [line for found in differing[:3] for line in found.lines()] == []
    record("packets of whole answers", tally)
    assert tally.total / 10 < tally["flows"]["all through"] < tally.total * 9 / 10
    assert tally["flows"]["of hosts through"]
    assert tally["flows"]["of hosts stopped"]


@pytest.mark.skipif("TORTIE_SEED" not in os.environ, reason="TORTIE_SEED names no cluster")
def test_a_cluster_is_replayed() -> None:
    assert [line for found in run(int(os.environ["TORTIE_SEED"]), Tally()) for line in found.lines()] == []
