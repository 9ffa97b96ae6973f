"""Selectors that nothing can match are told from those that something may."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tortie.selectors import parse
from tortie.selectors.impossible import why_impossible


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param('a == "x" && a == "y"', "no value of a fits all of it", id="two values"),
        pytest.param('a == "x" && a != "x"', "no value of a fits all of it", id="a value and not it"),
        pytest.param('a in {"x", "y"} && a not in {"x", "y", "z"}', "no value of a fits all of it", id="sets"),
        pytest.param('a starts with "p" && a == "x"', "no value of a fits all of it", id="a prefix"),
        pytest.param(
            'a starts with "p" && a starts with "pq" && a starts with "q"',
            "no value of a fits all of it",
            id="prefixes",
        ),
        pytest.param('a ends with "qp" && a ends with "q"', "no value of a fits all of it", id="suffixes"),
        pytest.param('a == "x" && !(a == "x" || b == "y")', "no value of a fits all of it", id="negated alternatives"),
        pytest.param("!(has(a) || !has(a))", "a is to be there and not to be there", id="neither nor"),
        pytest.param('!(a != "x") && a == "y"', "no value of a fits all of it", id="negated twice"),
        pytest.param('a == "x" && !a == "x"', "no value of a fits all of it", id="negated"),
        pytest.param('b == "1" && (a == "x" && (c == "1" && a == "y"))', "no value of a fits all of it", id="nested"),
        pytest.param("has(a) && !has(a)", "a is to be there and not to be there", id="there and not there"),
        pytest.param('a == "x" && !has(a)', "a is to be there and not to be there", id="a value of what is not there"),
        pytest.param("!all()", "it excludes everything", id="not all"),
        pytest.param("has(a) && a in {}", "a is to have one of no values", id="no values"),
        pytest.param('(a == "x" && a == "y") || !all()', "no value of a fits all of it", id="every alternative"),
    ],
)
def test_what_nothing_can_match_is_explained(text: str, why: str) -> None:
    assert why_impossible(parse(text).node) == why


@pytest.mark.parametrize(
    "text",
    [
        "",
        'a == "x" || a == "y"',
        'a != "x" && a == "y"',
        'a != "x" && !has(a)',
        'a in {"x", "y"} && a in {"y", "z"}',
        'a contains "x" && a contains "y"',
        'a starts with "p" && a starts with "pq" && a ends with "x" && b starts with "q"',
        '!(a starts with "p" || a starts with "q")',
        '!(a == "x" && !has(b))',
        'a == "x" && b == "y"',
        '(a == "x" && a == "y") || has(b)',
        '!(a == "x" && a == "y")',
    ],
)
def test_what_something_may_match_is_left_alone(text: str) -> None:
    assert why_impossible(parse(text).node) is None


LEAVES = (
    'a == "x"',
    'a == "y"',
    'a != "x"',
    "has(a)",
    "!has(a)",
    'a in {"x", "z"}',
    'b == "x"',
    "has(b)",
    "!all()",
    'a starts with "x"',
    'a ends with "y"',
)
LABELS = [
    {name: value for name, value in (("a", a), ("b", b)) if value}
    for a, b in itertools.product(["", "x", "y", "z", "xy"], repeat=2)
]


@given(
    st.recursive(
        st.sampled_from(LEAVES),
        lambda inner: st.builds(
            "{}({} {} {})".format, st.sampled_from(["", "!"]), inner, st.sampled_from(["&&", "||"]), inner
        ),
        max_leaves=6,
    )
)
def test_nothing_matches_what_is_called_impossible(text: str) -> None:
    selector = parse(text)
    if why_impossible(selector.node):
        assert [labels for labels in LABELS if selector.matches(labels)] == []
