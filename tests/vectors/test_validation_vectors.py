"""validation.json: objects, and parts of objects, are accepted or refused; some cannot be deleted, some must bear a second apply."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from calicoparts import from_go, holder
from vectortables import Case, Judge, Mismatch, NotApplicable, expect_refusal

from tortie.cli.errors import CommandError
from tortie.cli.writing import Action, Stamp, perform, plan_apply, plan_delete
from tortie.datastore.sqlite import SQLiteStore
from tortie.model.document import ReadResource, read

STAMP = Stamp(lambda: "6b8d1c1e-0000-4000-8000-000000000001", "2026-01-02T03:04:05Z")


@pytest.fixture
def stores(tmp_path: Path) -> Callable[[], SQLiteStore]:
    """Makes empty stores."""
    numbers = itertools.count()
    return lambda: SQLiteStore.open(tmp_path / f"{next(numbers)}.db")


def judge_with(stores: Callable[[], SQLiteStore]) -> Judge:
    def judge(case: Case) -> None:
        hold = holder(case["type"])
        if hold is None:
            raise NotApplicable(f"no kind or part {case['type']!r} in this project")
        result = read(json.dumps(hold(from_go(case["object"])), ensure_ascii=False))
        expect_refusal(bool(result.errors), not case["valid"], result.errors)
        if case["valid"] and ("apply" in case or "then" in case):
            with stores() as store:
                _judge_stored(case, store, result.resources)

    return judge


def _judge_stored(case: Case, store: SQLiteStore, resources: tuple[ReadResource, ...]) -> None:
    applied = [_apply(store, resources) for _ in range(2 if "apply" in case else 1)]
    if Action.CREATED not in applied[0] or applied[1:] not in ([], [{Action.UNCHANGED}]):
        raise Mismatch(f"applied with these outcomes: {applied}")
    if "delete" in case.get("then", {}):
        refused = list(_refused_deletions(store, resources))
        expect_refusal(bool(refused), not case["then"]["delete"], refused)


def _apply(store: SQLiteStore, resources: tuple[ReadResource, ...]) -> set[Action]:
    outcomes = perform(store, lambda: plan_apply(store, resources, STAMP), lambda: 0)
    return {outcome.action for outcome in outcomes}


def _refused_deletions(store: SQLiteStore, resources: tuple[ReadResource, ...]) -> Iterator[CommandError]:
    for item in resources:
        try:
            plan_delete(store, {item.key: ""}, ignore_not_found=False)
        except CommandError as error:
            yield error


def test_objects_are_judged_as_the_vectors_say(
    run_table: Callable[[str, Judge], None], stores: Callable[[], SQLiteStore]
) -> None:
    run_table("validation.json", judge_with(stores))
