"""The connectivity matrix of a demo: what its programs say they could reach, and how old each answer is.

Only what a workload's own process answered counts. A cell whose newest answer began before the moment asked about is
unknown, whatever it says. Two ways to be out of reach are told apart from each other: a policy drops packets, so that what it denies
times out; a name that is not resolved, or a refusal, is something else and never what a demo expects.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, NamedTuple, TypeAlias

from tortie.lab.demo import Demo
from tortie.lab.families import FAMILIES, FamilyName
from tortie.lab.target import Failure

Pair: TypeAlias = tuple[str, str]
"""(from, to), as probe ids."""


class Cell(NamedTuple):
    """One pair in one family."""

    pair: Pair
    family: FamilyName


class Seen(StrEnum):
    """What came of an attempt: an answer, or a ``Failure``."""

    REACHABLE = "reachable"
    BAD_ADDRESS = Failure.BAD_ADDRESS.value
    TIMED_OUT = Failure.TIMED_OUT.value
    REFUSED = Failure.REFUSED.value
    FAILED = Failure.FAILED.value


POLICY_S_OWN = (Seen.REACHABLE, Seen.TIMED_OUT)
"""What policies lead to; all else tells of something that is missing, or not there yet."""


class Answer(NamedTuple):
    seen: Seen
    asked_ns: int
    """When the attempt began, CLOCK_MONOTONIC."""


Matrix: TypeAlias = Mapping[Cell, Seen | None]
"""What was seen in every measured cell of a demo; None where nobody has answered since."""


def cells(demo: Demo) -> tuple[Cell, ...]:
    return tuple(Cell(pair, family) for pair in demo.pairs for family in FAMILIES)


def answers_of_probe(demo: Demo, row: str, status: Mapping[str, Any]) -> dict[Cell, Answer]:
    """The cells in a probe's ``/status``; targets that nobody draws are left out."""
    ids = {column.url: column.id for column in demo.columns}
    return _answers(row, ((ids.get(target["url"], row), target) for target in status["status"]["targets"]))


def answers_of_collector(demo: Demo, responses: Mapping[str, Any]) -> dict[Cell, Answer]:
    """The collector's own row, in its ``/responses``: which resources it could fetch."""
    assert demo.collector is not None
    return _answers(demo.collector.id, responses["fetches"].items())


def _answers(row: str, targets: Iterable[tuple[str, Mapping[str, Any]]]) -> dict[Cell, Answer]:
    found: dict[Cell, Answer] = {}
    for column, target in targets:
        for family in FAMILIES:
            if column != row and target[family] is not None:
                seen = Seen.REACHABLE if target[family] else Seen(target["failures"][family])
                found[Cell((row, column), family)] = Answer(seen, round(target["checked"][family] * 1e9))
    return found


def matrix_since(demo: Demo, answers: Mapping[Cell, Answer], moment_ns: int) -> Matrix:
    """What *answers* say, counting only those asked after *moment_ns*."""
    return {
        cell: answers[cell].seen if cell in answers and answers[cell].asked_ns > moment_ns else None
        for cell in cells(demo)
    }


def expected(demo: Demo, reachable: frozenset[Pair]) -> Matrix:
    """The matrix in which exactly the pairs *reachable* are connected, in both families, and packets of all others are dropped."""
    return {cell: Seen.REACHABLE if cell.pair in reachable else Seen.TIMED_OUT for cell in cells(demo)}


def differences(one: Matrix, other: Matrix) -> tuple[Cell, ...]:
    return tuple(cell for cell in one if one[cell] != other[cell])
