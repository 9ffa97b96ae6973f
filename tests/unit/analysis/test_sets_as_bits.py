"""Sets of numbers as integers, and the columns of a matrix of them, turned as a whole or bit by bit."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tortie.analysis.reach import bits


@given(st.sets(st.integers(0, 300)))
def test_members_come_back_in_order(numbers: set[int]) -> None:
    assert list(bits.members(bits.of_members(numbers))) == sorted(numbers)


def slow_columns(rows: list[tuple[int, int]], count: int) -> list[int]:
    found = [0] * count
    for row, owners in rows:
        for number in range(count):
            found[number] |= owners if row >> number & 1 else 0
    return found


@pytest.mark.parametrize("density", [0.05, 0.5, 0.95])
@pytest.mark.parametrize(("height", "count"), [(1, 1), (3, 20), (70, 9), (100, 130)])
def test_columns_are_the_rows_turned(height: int, count: int, density: float) -> None:
    rng = Random(height * count)
    rows = [(bits.of_members(n for n in range(count) if rng.random() < density), 1 << row) for row in range(height)]
    assert bits.columns(rows, count) == slow_columns(rows, count) == bits._turned(rows, height, count)


def test_a_large_dense_matrix_is_turned_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = Random(1)
    rows = [(rng.getrandbits(400), 1 << row) for row in range(400)]
    wanted = slow_columns(rows, 400)
    monkeypatch.setattr(bits, "_DENSE", 1)
    assert bits.columns(rows, 400) == wanted


def test_a_row_may_be_of_several() -> None:
    assert bits.columns([(0b011, 0b0101), (0b110, 0b1010)], 3) == [0b0101, 0b1111, 0b1010]
