"""Which answer a failing test failed for, and its explanation in the test's report."""

from __future__ import annotations

import traceback
from collections.abc import Sequence

import pytest

from tortie.pytest_plugin.answers import Answer, Asked, asked_last

_TITLE = "tortie explain"


def explain(report: pytest.TestReport, failure: pytest.ExceptionInfo[BaseException]) -> None:
    """Add to *report* the explanation of the answer that the test failed for, if it is one."""
    answer = _answer_to_blame(failure)
    if answer is None:
        return
    text = _explanation(answer)
    # beside the traceback, where neither --show-capture nor a short --tb hides it; a failure without traceback is a text alone
    add = getattr(report.longrepr, "addsection", None)
    if add is not None:
        add(_TITLE, text)
    else:
        report.sections.append((_TITLE, text))


def _explanation(answer: Answer) -> str:
    try:
        return answer.explanation
    except Exception:  # noqa: BLE001 - a bug of ours, told; raised here, it would end the whole run
        return traceback.format_exc()


def _answer_to_blame(failure: pytest.ExceptionInfo[BaseException]) -> Answer | None:
    """The last answer that the failing statement asked for; or its function, if that failed by hand."""
    frames = [frame for frame, _ in traceback.walk_tb(failure.tb)]
    for frame, place in reversed(list(zip(frames, traceback.extract_tb(failure.tb), strict=True))):
        asked = [asked for asked in asked_last() if asked.code is frame.f_code]
        if here := [each.answer for each in asked if _is_in(each, place)]:
            return _last_new(here)
        if asked and _is_by_hand(failure.value, place, raised_here=frame is frames[-1]):
            return asked[-1].answer
    return None


def _is_by_hand(error: BaseException, place: traceback.FrameSummary, *, raised_here: bool) -> bool:
    """Whether a failure says that something before it has failed: ``pytest.fail``, or an AssertionError without an ``assert``."""
    if isinstance(error, pytest.fail.Exception):
        return True
    return isinstance(error, AssertionError) and raised_here and not (place.line or "").startswith("assert")


def _is_in(asked: Asked, place: traceback.FrameSummary) -> bool:
    return place.lineno is not None and place.lineno <= asked.line <= (place.end_lineno or place.lineno)


def _last_new(answers: Sequence[Answer]) -> Answer:
    """To put a failure into words, pytest asks again for the first answers of an ``and``: that decides nothing."""
    return list({id(answer): answer for answer in answers}.values())[-1]
