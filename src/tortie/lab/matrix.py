"""The connectivity matrix of a demo: what its programs say they could reach, and how old each answer is.

Only what a workload's own process answered counts. A cell whose newest answer began before the moment asked about is
unknown, whatever it says.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, NamedTuple, TypeAlias

from tortie.lab.demo import Demo

FamilyName: TypeAlias = Literal["ipv4", "ipv6"]
FAMILIES: tuple[FamilyName, ...] = ("ipv4", "ipv6")

Pair: TypeAlias = tuple[str, str]
"""(from, to), as probe ids."""


class Cell(NamedTuple):
    """One pair in one family."""

    pair: Pair
    family: FamilyName


class Answer(NamedTuple):
    reachable: bool
    asked_ns: int
    """When the attempt began, CLOCK_MONOTONIC."""


Matrix: TypeAlias = Mapping[Cell, bool | None]
"""Every measured cell of a demo: reachable, not reachable, or None where nobody has answered since."""


def cells(demo: Demo) -> tuple[Cell, ...]:
    return tuple(Cell(pair, family) for pair in demo.pairs for family in FAMILIES)


def answers_of_probe(demo: Demo, row: str, status: Mapping[str, Any]) -> dict[Cell, Answer]:
    """The cells in a probe's ``/status``; targets that nobody draws are left out."""
    ids = {probe.url: probe.id for probe in demo.probes}
    return _answers(row, ((ids.get(target["url"], row), target) for target in status["status"]["targets"]))


def answers_of_collector(demo: Demo, responses: Mapping[str, Any]) -> dict[Cell, Answer]:
    """The collector's own row, in its ``/responses``: which resources it could fetch."""
    return _answers(demo.collector.id, responses["fetches"].items())


def _answers(row: str, targets: Iterable[tuple[str, Mapping[str, Any]]]) -> dict[Cell, Answer]:
    found: dict[Cell, Answer] = {}
    for column, target in targets:
        for family in FAMILIES:
            if column != row and target[family] is not None:
                found[Cell((row, column), family)] = Answer(target[family], round(target["checked"][family] * 1e9))
    return found


def matrix_since(demo: Demo, answers: Mapping[Cell, Answer], moment_ns: int) -> Matrix:
    """What *answers* say, counting only those asked after *moment_ns*."""
    return {
        cell: answers[cell].reachable if cell in answers and answers[cell].asked_ns > moment_ns else None
        for cell in cells(demo)
    }


def expected(demo: Demo, reachable: frozenset[Pair]) -> Matrix:
    """The matrix in which exactly the pairs *reachable* are connected, in both families."""
    return {cell: cell.pair in reachable for cell in cells(demo)}


def differences(one: Matrix, other: Matrix) -> tuple[Cell, ...]:
    return tuple(cell for cell in one if one[cell] != other[cell])
