"""A matrix counts answers of workloads only, and only those that are new enough."""

from __future__ import annotations

import pytest

from tortie.lab.advanced import ADVANCED
from tortie.lab.matrix import (
    Answer,
    Cell,
    Seen,
    answers_of_collector,
    answers_of_probe,
    differences,
    expected,
    matrix_since,
)
from tortie.lab.stars import STARS

FRONTEND = "http://frontend.stars:80/status"
BACKEND = "http://backend.stars:6379/status"


def target(url: str, ipv4: bool | None, ipv6: bool | None, at: float = 1.0) -> dict[str, object]:
    return {
        "url": url,
        "reachable": bool(ipv4 or ipv6),
        "ipv4": ipv4,
        "ipv6": ipv6,
        "checked": {"ipv4": at, "ipv6": at},
        "failures": {"ipv4": None if ipv4 else "timed out", "ipv6": None if ipv6 else "timed out"},
    }


def test_a_probe_fills_its_own_row_in_both_families_and_leaves_itself_out() -> None:
    status = {"status": {"targets": [target(FRONTEND, True, True), target(BACKEND, True, False)]}}
    assert answers_of_probe(STARS, "F", status) == {
        Cell(("F", "B"), "ipv4"): Answer(Seen.REACHABLE, 1_000_000_000),
        Cell(("F", "B"), "ipv6"): Answer(Seen.TIMED_OUT, 1_000_000_000),
    }


def test_a_target_not_yet_answered_is_no_answer() -> None:
    assert answers_of_probe(STARS, "F", {"status": {"targets": [target(BACKEND, None, None)]}}) == {}


@pytest.mark.parametrize("failure", ["bad address", "connection refused", "failed"])
def test_what_no_policy_leads_to_is_told_apart_and_differs_from_every_expectation(failure: str) -> None:
    failed = target("http://nginx", False, False) | {"failures": {"ipv4": failure, "ipv6": failure}}
    answers = answers_of_probe(ADVANCED, "access", {"status": {"targets": [failed]}})
    matrix = matrix_since(ADVANCED, answers, 0)
    cell = Cell(("access", "nginx"), "ipv4")
    assert matrix[cell] == failure
    assert all(cell in differences(matrix, expected(ADVANCED, step.reachable)) for step in ADVANCED.steps)


def test_the_collector_fills_only_the_row_of_the_ui() -> None:
    fetched = target(FRONTEND, True, False)
    assert {cell.pair for cell in answers_of_collector(STARS, {"fetches": {"F": fetched}})} == {("UI", "F")}


@pytest.mark.parametrize(
    ("asked_ns", "since_ns", "shown"),
    [(11, 10, Seen.REACHABLE), (10, 10, None), (9, 10, None)],
    ids=["newer counts", "equally old does not", "older does not"],
)
def test_a_cell_counts_only_if_it_was_asked_after_the_change(asked_ns: int, since_ns: int, shown: Seen | None) -> None:
    cell = Cell(("F", "B"), "ipv4")
    assert matrix_since(STARS, {cell: Answer(Seen.REACHABLE, asked_ns)}, since_ns)[cell] is shown


def test_a_cell_that_nobody_answered_is_unknown_and_differs_from_every_expectation() -> None:
    unknown = matrix_since(STARS, {}, 0)
    assert set(unknown.values()) == {None}
    for step in STARS.steps:
        assert len(differences(unknown, expected(STARS, step.reachable))) == len(unknown)


def test_the_matrix_has_every_pair_that_a_program_probes_and_no_diagonal() -> None:
    assert set(STARS.pairs) == {
        *((a, b) for a in "FBC" for b in "FBC" if a != b),
        ("UI", "F"),
        ("UI", "B"),
        ("UI", "C"),
    }
