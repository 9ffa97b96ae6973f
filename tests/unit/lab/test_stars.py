"""What the Stars demo promises after each step is what the oracle makes of its manifests."""

from __future__ import annotations

import pytest

from tortie.analysis.connectivity import Probe, matrix, reachable
from tortie.lab.stars import STARS
from tortie.net import Family
from tortie.testing.demos import demo_resources
from tortie.verdict import Cluster


@pytest.mark.parametrize("number", range(1, len(STARS.steps) + 1), ids=[step.title for step in STARS.steps])
@pytest.mark.parametrize("family", list(Family))
def test_the_oracle_agrees_with_every_cell_of_the_demo_s_table(number: int, family: Family) -> None:
    probes = [Probe(probe.id, probe.workload, probe.port) for probe in (*STARS.probes, STARS.collector)]
    answers = matrix(Cluster.of(demo_resources(STARS, number)), probes)
    measured = reachable(answers, family) & set(STARS.pairs)
    assert measured == STARS.steps[number - 1].reachable


def test_everybody_may_reach_the_ui_throughout() -> None:
    probes = [Probe(probe.id, probe.workload, probe.port) for probe in (*STARS.probes, STARS.collector)]
    for number in range(1, len(STARS.steps) + 1):
        answers = matrix(Cluster.of(demo_resources(STARS, number)), probes)
        assert {("F", "UI"), ("B", "UI"), ("C", "UI")} <= reachable(answers, Family.V4)
