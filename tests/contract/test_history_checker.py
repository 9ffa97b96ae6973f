"""The judge of histories itself: it accepts what a register can do, and refuses what it cannot."""

from __future__ import annotations

import pytest
from histories import Operation, legal_order

LEGAL = {
    "one after the other": [
        Operation("create", 0, 1, "done", "a"),
        Operation("get", 2, 3, "a"),
        Operation("swap", 4, 5, "done", "b", "a"),
        Operation("delete", 6, 7, "b"),
        Operation("get", 8, 9, None),
    ],
    "a read beside a write may see either": [
        Operation("put", 0, 1, "done", "a"),
        Operation("put", 2, 6, "done", "b"),
        Operation("get", 3, 4, "a"),
        Operation("get", 4.5, 5, "b"),
    ],
    "calls in one order, effects in the other": [
        Operation("put", 0, 5, "done", "a"),
        Operation("put", 1, 5, "done", "b"),
        Operation("get", 6, 7, "a"),
    ],
    "a lost write that was done": [Operation("put", 0, value="a"), Operation("get", 9, 10, "a")],
    "a lost write that was not done": [Operation("put", 0, value="a"), Operation("get", 9, 10, None)],
    "a lost write that was done late": [
        Operation("put", 0, value="a"),
        Operation("put", 1, 2, "done", "b"),
        Operation("get", 3, 4, "b"),
        Operation("get", 5, 6, "a"),
    ],
}

BROKEN = {
    "a stale read": [
        Operation("put", 0, 1, "done", "a"),
        Operation("put", 2, 3, "done", "b"),
        Operation("get", 4, 5, "a"),
    ],
    "a lost update": [Operation("put", 0, 1, "done", "a"), Operation("get", 2, 3, None)],
    "two reads that go back": [
        Operation("put", 0, 1, "done", "a"),
        Operation("put", 2, 9, "done", "b"),
        Operation("get", 3, 4, "b"),
        Operation("get", 5, 6, "a"),
    ],
    "two swaps of one value": [
        Operation("put", 0, 1, "done", "a"),
        Operation("swap", 2, 5, "done", "b", "a"),
        Operation("swap", 3, 6, "done", "c", "a"),
    ],
    "two creations": [Operation("create", 0, 5, "done", "a"), Operation("create", 1, 6, "done", "b")],
    "a value from nowhere": [Operation("get", 0, 1, "a")],
    "a refused swap that had to succeed": [
        Operation("put", 0, 1, "done", "a"),
        Operation("swap", 2, 3, "refused", "b", "a"),
    ],
    "a lost write that was done twice": [
        Operation("put", 0, value="a"),
        Operation("put", 1, 2, "done", "b"),
        Operation("get", 3, 4, "a"),
        Operation("put", 5, 6, "done", "c"),
        Operation("get", 7, 8, "a"),
    ],
    "a value before it was written": [Operation("get", 0, 1, "a"), Operation("put", 2, 3, "done", "a")],
}


@pytest.mark.parametrize("history", LEGAL.values(), ids=LEGAL)
def test_what_a_register_can_do_is_accepted(history: list[Operation]) -> None:
    order = legal_order(history)
    assert order is not None
    assert {operation for operation in history if operation.outcome != "unknown"} <= set(order)


@pytest.mark.parametrize("history", BROKEN.values(), ids=BROKEN)
def test_what_a_register_cannot_do_is_refused(history: list[Operation]) -> None:
    assert legal_order(history) is None
