"""What a page measures in which order: everything in turn, and soon what has changed."""

from __future__ import annotations

import pytest

from tortie.lab.ui_rounds import Rounds

NAMES = [f"w{number}" for number in range(20)]
EVERY = {(source, target) for source in NAMES for target in NAMES if source != target}


@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_few_are_all_measured_in_each_round(count: int) -> None:
    rounds, names = Rounds(size=100), NAMES[:count]
    for _ in range(3):
        assert set(rounds.next(names)) == {(source, target) for source, target in EVERY if {source, target} <= {*names}}


def test_many_are_measured_in_turn_and_each_round_has_every_row_and_column() -> None:
    rounds, seen = Rounds(size=40), set()
    for number in range(10):
        pairs = set(rounds.next(NAMES))
        assert len(pairs) <= 40 or number == 9
        assert {source for source, _ in pairs} == {target for _, target in pairs} == {*NAMES}
        seen |= pairs
    assert seen == EVERY


@pytest.mark.parametrize(
    "line",
    [
        pytest.param({pair for pair in EVERY if pair[1] == "w7"}, id="what-w7-gets"),
        pytest.param({pair for pair in EVERY if pair[0] == "w7"}, id="what-w7-sends"),
    ],
)
def test_a_changed_row_or_column_is_measured_whole_in_the_round_after_it_was_seen(line: set[tuple[str, str]]) -> None:
    rounds = Rounds(size=40)
    seen = line & set(rounds.next(NAMES))
    assert 0 < len(seen) < len(line)
    rounds.changed(seen)
    rest = line & set(rounds.next(NAMES))
    assert seen | rest == line


def test_what_changed_most_comes_first_and_only_once() -> None:
    rounds = Rounds(size=40)
    rounds.next(NAMES)
    rounds.changed([("w1", "w5"), ("w2", "w5"), ("w3", "w5"), ("w9", "w8")])
    column = {pair for pair in EVERY if pair[1] == "w5"}
    assert column <= set(rounds.next(NAMES))
    rounds.changed(column)
    assert not column <= set(rounds.next(NAMES))


def test_a_workload_that_is_gone_is_not_measured_any_more() -> None:
    rounds = Rounds(size=40)
    rounds.next(NAMES)
    rounds.changed([("w1", "w19")] * 5)
    assert not [pair for pair in rounds.next(NAMES[:-1]) if "w19" in pair]
