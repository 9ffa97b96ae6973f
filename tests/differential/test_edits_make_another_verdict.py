"""Random clusters: what ``tortie explain`` tells to change makes the verdict another, applied to a datastore's objects or to files.

``tortie.testing.edits`` says how. Seeds are new in every run. A failure names the seed of its cluster; ``TORTIE_SEED=<seed>``
replays just that one. ``TORTIE_SOAK=1`` tries a thousand clusters and more.
"""

from __future__ import annotations

import os
import secrets
from collections import Counter
from random import Random

import pytest

from tortie.testing.edits import run

CLUSTERS = 50
"""Of one test, which take some 10 seconds."""
TESTS = 24 if "TORTIE_SOAK" in os.environ else 2


@pytest.mark.skipif("TORTIE_SEED" in os.environ, reason="one cluster is replayed")
@pytest.mark.parametrize("number", range(TESTS))
def test_every_edit_makes_another_verdict(number: int) -> None:
    tally = Counter[str]()
    seed = secrets.randbelow(2**48)
    print(f"the seeds of this test's clusters follow from {seed}")
    rng = Random(seed)
    for _ in range(CLUSTERS):
        failures = list(run(rng.randrange(2**32), tally))
        assert [line for failure in failures[:3] for line in failure.lines()] == []
    print(*(f"{count:6} {what}" for what, count in tally.most_common()), sep="\n")
    assert min(tally["to allow"], tally["to deny"]) > CLUSTERS / 5
    assert tally["written"] > 9 * tally["not to be written"]


@pytest.mark.skipif("TORTIE_SEED" not in os.environ, reason="TORTIE_SEED names no cluster")
def test_a_cluster_is_replayed() -> None:
    assert [line for failure in run(int(os.environ["TORTIE_SEED"]), Counter()) for line in failure.lines()] == []
