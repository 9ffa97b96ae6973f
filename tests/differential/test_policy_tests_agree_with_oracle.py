"""Random tests of random clusters: what holds, between how many pairs not, and which rules decided is what the oracle says.

``tortie.testing.policytests`` says how. Seeds are new in every run. A disagreement names the seed of its cluster;
``TORTIE_SEED=<seed>`` replays just that one. ``TORTIE_SOAK=1`` tries a thousand clusters and more.
"""

from __future__ import annotations

import os
import secrets
from collections import Counter
from random import Random

import pytest

from tortie.testing.policytests import run

CLUSTERS = 30
"""Of one test, which take some 10 seconds."""
TESTS = 36 if "TORTIE_SOAK" in os.environ else 2


@pytest.mark.skipif("TORTIE_SEED" in os.environ, reason="one cluster is replayed")
@pytest.mark.parametrize("number", range(TESTS))
def test_every_outcome_is_the_oracles(number: int) -> None:
    counts: Counter[str] = Counter()
    seed = secrets.randbelow(2**48)
    print(f"the seeds of this test's clusters follow from {seed}")
    rng = Random(seed)
    for _ in range(CLUSTERS):
        assert list(run(rng.randrange(2**32), counts))[:3] == []
    assert all(counts[met] for met in ("passed", "failed", "could not be asked"))
    assert all(counts[met] for met in ("tested", "untested", "shadowed", "idle", "clusters asked about everything"))


@pytest.mark.skipif("TORTIE_SEED" not in os.environ, reason="TORTIE_SEED names no cluster")
def test_a_cluster_is_replayed() -> None:
    assert list(run(int(os.environ["TORTIE_SEED"]), Counter())) == []
