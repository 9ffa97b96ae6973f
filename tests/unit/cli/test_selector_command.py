"""``tortie selector eval``: whether a selector matches, what it is, and where it is wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import Result

from tortie.selectors import parse

Tortie = Callable[..., Result]


@pytest.mark.parametrize(
    ("labels", "printed"),
    [(["role=web"], "matches\n"), (["role=api"], "does not match\n"), (["role=web", "canary="], "does not match\n")],
)
def test_labels_match_or_do_not(tortie: Tortie, labels: list[str], printed: str) -> None:
    assert tortie("selector", "eval", "role == 'web' && !has(canary)", *labels).stdout == printed


def test_without_labels_it_is_described(tortie: Tortie) -> None:
    text = "a=='b'"
    printed = tortie("selector", "eval", text).stdout
    assert printed == f'canonical  a == "b"\nid         {parse(text).id}\n'


def test_one_that_never_matches_is_warned_about(tortie: Tortie) -> None:
    assert "it never matches anything: no value of a fits" in tortie("selector", "eval", "a=='b' && a=='c'").stderr


def test_a_caret_stands_below_the_mistake(tortie: Tortie) -> None:
    error = tortie("selector", "eval", "role = 'web'", "role=web", status=1).stderr
    message, text, caret = error.splitlines()
    assert message.startswith("Error: a single = is not an operator")
    assert text[caret.index("^")] == "="


@pytest.mark.parametrize("arguments", [[], ["--jsonl", "all()"], ["all()", "role"], ["all()", "=web"]])
def test_wrong_usage_is_told(tortie: Tortie, arguments: list[str]) -> None:
    tortie("selector", "eval", *arguments, status=2)


# --- JSON lines ------------------------------------------------------------------------------------------------------------


def answers(tortie: Tortie, *lines: Any) -> list[Any]:
    stdin = "".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines)
    return [json.loads(line) for line in tortie("selector", "eval", "--jsonl", stdin=stdin).stdout.splitlines()]


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ({"selector": "a == 'b'", "labels": {"a": "b"}}, {"match": True}),
        ({"selector": "a == 'b'", "labels": {}}, {"match": False}),
        ({"selector": "!has(a)", "labels": None}, {"match": True}),
        ({"selector": ""}, {"valid": True, "canonical": "all()", "id": parse("").id, "error": None}),
        ({"selector": "a=='b'"}, {"valid": True, "canonical": 'a == "b"', "id": parse("a=='b'").id, "error": None}),
    ],
)
def test_a_question_is_answered(tortie: Tortie, question: dict[str, Any], answer: dict[str, Any]) -> None:
    assert answers(tortie, question) == [answer]


def test_a_selector_that_cannot_be_read_is_described_as_invalid(tortie: Tortie) -> None:
    (answer,) = answers(tortie, {"selector": "a =="})
    assert (answer["valid"], answer["canonical"], answer["id"]) == (False, None, None)
    assert "at character 5" in answer["error"]


@pytest.mark.parametrize(
    "line",
    [
        {"selector": "a ==", "labels": {}},
        {"labels": {}},
        {"selector": 7},
        {"selector": "all()", "labels": {"a": 1}},
        "x",
        "",
        "[" * 10_000,
    ],
    ids=["selector", "no selector", "no text", "labels", "no JSON", "empty", "too deep"],
)
def test_an_unanswerable_line_gets_an_error_and_the_rest_goes_on(tortie: Tortie, line: Any) -> None:
    bad, good = answers(tortie, line, {"selector": "all()", "labels": {}})
    assert list(bad) == ["error"]
    assert good == {"match": True}


def test_each_answer_comes_before_the_next_question_is_asked() -> None:
    command = [sys.executable, "-m", "tortie", "selector", "eval", "--jsonl"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for expected in (True, False):
            process.stdin.write(json.dumps({"selector": "has(a)", "labels": {"a": ""} if expected else {}}) + "\n")
            assert json.loads(process.stdout.readline()) == {"match": expected}
        process.stdin.close()
    assert process.returncode == 0
