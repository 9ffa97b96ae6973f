"""Running a table of vectors: each case passes, fails with a text, or does not apply for a stated reason.

Nothing here knows a case: a folder of the same form with other cases runs the same. A case that ends in an exception has
failed; one bad case does not stop its neighbours.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

T = TypeVar("T")
Case: TypeAlias = dict[str, Any]
Judge: TypeAlias = Callable[[Case], None]
"""Returns if the case passes; Mismatch says what differs, NotApplicable why it is not asked."""

PROPERTY = "vectors"
"""The name under which a test's report carries its file's numbers."""


class Mismatch(AssertionError):  # noqa: N818 - it is a finding, no error of the program
    """What was expected and what was found."""


class NotApplicable(Exception):  # noqa: N818 - nor is this
    """Why a case is not asked of this project; the text is what the summary counts by."""


class Tally:
    """What became of the cases of one file."""

    def __init__(self) -> None:
        self.passed = 0
        self.failed: list[str] = []
        self.reasons: Counter[str] = Counter()

    def as_property(self, file: str) -> tuple[str, int, int, dict[str, int]]:
        return (file, self.passed, len(self.failed), dict(self.reasons))

    @staticmethod
    def from_property(value: Any) -> tuple[str, int, int, Mapping[str, int]]:
        """What ``as_property`` gave, after a way through JSON or not."""
        file, passed, failed, reasons = value
        return (str(file), int(passed), int(failed), dict(reasons))


def dispatch(field: str, judges: Mapping[str, Judge], absent: Mapping[str, str] | None = None) -> Judge:
    """A judge that asks the judge of the case's table, which *field* names; a table without one is not applicable, and says so.

    *absent* holds the tables that are known and not asked, with the reason.
    """
    reasons = absent or {}

    def judge(case: Case) -> None:
        table = case[field]
        if table in reasons:
            raise NotApplicable(reasons[table])
        if table not in judges:
            raise NotApplicable(f"no {field} {table!r} in this project")
        judges[table](case)

    return judge


def cases(path: Path) -> list[Case]:
    """The cases of a file of vectors."""
    found: list[Case] = json.loads(path.read_text(encoding="utf-8"))["cases"]
    return found


def judged(path: Path, judge: Judge) -> Tally:
    """Every case of *path*, judged."""
    tally = Tally()
    for case in cases(path):
        judge_one(tally, case["name"], case, judge)
    return tally


def judge_one(tally: Tally, name: str, case: Case, judge: Judge) -> None:
    """Judge *case* and count it; any exception counts as a failure, since vectors look for crashes too."""
    try:
        judge(case)
    except NotApplicable as reason:
        tally.reasons[str(reason)] += 1
    except Mismatch as mismatch:
        tally.failed.append(f"  {name}: {mismatch}")
    except Exception as error:  # noqa: BLE001 - a crash is a finding about this case
        tally.failed.append(f"  {name}: crashed with {type(error).__name__}: {error}")
    else:
        tally.passed += 1


def expect(found: object, wanted: object, what: str = "") -> None:
    """Mismatch unless *found* equals *wanted*."""
    if found != wanted:
        raise Mismatch(f"{what + ': ' if what else ''}expected {wanted!r}, found {found!r}")


def attempted(make: Callable[[], T], *, accepted: bool, refusal: type[ValueError] = ValueError) -> T | None:
    """What *make* returns, None for its *refusal*; Mismatch unless it is *accepted* or refused as wanted."""
    try:
        made = make()
    except refusal as error:
        expect_refusal(True, not accepted, [error])
        return None
    expect_refusal(False, not accepted)
    return made


def comparable(value: Any) -> Any:
    """A stored value without what is new each time."""
    if not isinstance(value, dict) or not isinstance(value.get("metadata"), dict):
        return value
    metadata = {name: of for name, of in value["metadata"].items() if name not in ("uid", "creationTimestamp")}
    return {**value, "metadata": metadata}


def expect_refusal(refused: bool, wanted: bool, why: Iterable[object] = ()) -> None:
    """Mismatch unless something was *refused* just when it was *wanted*; *why* is told with a refusal that was not."""
    if refused and not wanted:
        raise Mismatch(f"should be accepted, was refused: {'; '.join(map(str, why))}")
    if wanted and not refused:
        raise Mismatch("should be refused, was accepted")
