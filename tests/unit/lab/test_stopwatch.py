"""A stopwatch reports the first knock of the first whole streak, whatever order the outcomes come in."""

from __future__ import annotations

import random

import pytest

from tortie.lab.stopwatch import STREAK, Flow


def flow_of(outcomes: list[bool], order: list[int] | None = None) -> Flow:
    flow = Flow("f", "10.0.0.1", 80, reachable=True, sent=[100 * i for i in range(len(outcomes))])
    for number in order if order is not None else range(len(outcomes)):
        flow.record(number, outcomes[number])
    return flow


@pytest.mark.parametrize(
    ("outcomes", "first"),
    [
        ([True] * STREAK, 0),
        ([True] * (STREAK - 1), None),
        ([False] * 3 + [True] * STREAK, 300),
        ([True] * 3 + [False] + [True] * STREAK, 400),
        ([True] * STREAK + [False], 0),
    ],
    ids=[
        "at once",
        "too short a streak",
        "after three",
        "a relapse starts it anew",
        "what comes later does not matter",
    ],
)
def test_the_streak_decides(outcomes: list[bool], first: int | None) -> None:
    assert flow_of(outcomes).first == first


def test_outcomes_may_come_in_any_order() -> None:
    outcomes = [False, True, False, False, *[True] * STREAK]
    for seed in range(20):
        order = list(range(len(outcomes)))
        random.Random(seed).shuffle(order)
        assert flow_of(outcomes, order).first == 400
