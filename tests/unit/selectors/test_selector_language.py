"""The selector language: what is valid, what it prints as, what it matches."""

import pytest
from hypothesis import given

from tortie.selectors import SelectorError, normalise, parse
from tortie.selectors.parser import MAX_DEPTH
from tortie.testing.strategies import label_maps, selectors


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("", "all()"),
        (" \t ", "all()"),
        ("all( )", "all()"),
        ("global()", "global()"),
        ("role=='db'", 'role == "db"'),
        ("role != 'd\"b'", "role != 'd\"b'"),
        ("role contains\"b\"", 'role contains "b"'),
        ("role startswith 'd'", 'role starts with "d"'),
        ("role ends   with 'b'", 'role ends with "b"'),
        ("role in { 'z', 'a', 'z', }", 'role in {"a", "z"}'),
        ("role notin {}", "role not in {}"),
        ("has( role )", "has(role)"),
        ("!!! has(a)", "!has(a)"),
        ("!! has(a)", "has(a)"),
        ("((has(a)))", "has(a)"),
        ("has(a) && has(b) || has(c)", "((has(a) && has(b)) || has(c))"),
        ("has(a) && (has(b) && has(c))", "(has(a) && (has(b) && has(c)))"),
        ("!(has(a) || !has(b))", "!(has(a) || !has(b))"),
        ("in in {'in'}", 'in in {"in"}'),
        ("has == 'x' && all != 'y' && global contains 'z'", '(has == "x" && all != "y" && global contains "z")'),
        ("a/b_c.d-1 == 'ü'", 'a/b_c.d-1 == "ü"'),
    ],
)  # fmt: skip
def test_a_selector_has_one_canonical_text(text, canonical):
    assert str(parse(text)) == canonical


@given(selectors())
def test_the_canonical_text_means_the_selector(selector):
    assert parse(str(selector)) == selector
    assert parse(str(selector)).node == selector.node


def test_a_negation_of_a_negated_group_is_kept_as_calico_keeps_it():
    # Its text decides a set's name, so it is not simplified here although reading the text again does.
    assert str(parse("!(!has(a))")) == "!!has(a)"
    assert str(parse("!!has(a)")) == "has(a)"


@given(selectors(), label_maps())
def test_the_canonical_text_matches_the_same_labels(selector, labels):
    assert parse(str(selector)).matches(labels) is selector.matches(labels)


@pytest.mark.parametrize(
    ("text", "with_label", "without"),
    [
        ("a == 'xy'", True, False),
        ("a == 'x'", False, False),
        ("a != 'x'", True, True),
        ("a != 'xy'", False, True),
        ("a in {'x', 'xy'}", True, False),
        ("a in {}", False, False),
        ("a not in {'xy'}", False, True),
        ("a not in {}", True, True),
        ("a contains 'y'", True, False),
        ("a contains ''", True, False),
        ("a starts with 'x'", True, False),
        ("a starts with 'y'", False, False),
        ("a ends with 'y'", True, False),
        ("has(a)", True, False),
        ("!has(a)", False, True),
        ("all()", True, True),
        ("global()", True, True),
        ("!a == 'xy'", False, True),
        ("has(a) && b == 'z'", True, False),
        ("has(a) || b == 'no'", True, False),
        ("b == 'no' || b == 'z'", True, True),
        ("b == 'z' && (has(a) || has(c))", True, False),
    ],
)
def test_what_matches_with_and_without_the_label(text, with_label, without):
    assert parse(text).matches({"a": "xy", "b": "z"}) is with_label
    assert parse(text).matches({"b": "z"}) is without


@pytest.mark.parametrize(
    ("text", "position", "reason"),
    [
        ("a = 'b'", 2, "a single = is not an operator, expected =="),
        ("a == 'b' & b == 'c'", 9, "a single & is not an operator"),
        ("a == b", 5, "expected a quoted string, found a label"),
        ("a == 'b", 5, "the string has no closing quote"),
        ("a", 1, "expected an operator"),
        ("a squiggles 'b'", 2, "expected an operator"),
        ("a inside {'b'}", 2, "expected an operator"),
        ("'a' == 'b'", 0, "expected a label, has(…)"),
        ("has(a", 4, "expected a label and a )"),
        ("has (a)", 4, "expected an operator"),
        ("all(", 4, "expected a )"),
        ("(has(a)", 7, "expected &&, || or ), found the end"),
        ("has(a) has(b)", 7, "expected &&, || or the end"),
        ("a in 'b'", 5, "expected {"),
        ("a in {'b' 'c'}", 10, "expected a quoted string or }"),
        ("a in {,}", 6, "expected a quoted string or }"),
        ("!", 1, "expected a label"),
        ("a == 'b' &&", 11, "expected a label"),
        ("a == 'b'\n", 8, "unexpected character '\\n'"),
        ("%", 0, "unexpected character '%'"),
        ("a" * 513 + " == 'b'", 0, "longer than 512 bytes"),
        ("(" * (MAX_DEPTH + 1) + "all()" + ")" * (MAX_DEPTH + 1), MAX_DEPTH, "nest deeper"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(text, position, reason):
    with pytest.raises(SelectorError) as refused:
        parse(text)
    assert refused.value.position == position
    assert refused.value.reason.startswith(reason) or reason in refused.value.reason
    assert refused.value.text == text
    assert f"at character {position + 1} of selector" in str(refused.value)


def test_a_caret_points_at_the_place():
    with pytest.raises(SelectorError) as refused:
        parse("a == 'b'\t&& c = 'd'")
    assert refused.value.caret() == "a == 'b' && c = 'd'\n              ^"


def test_parentheses_may_nest_as_deep_as_promised():
    assert str(parse("(" * MAX_DEPTH + "all()" + ")" * MAX_DEPTH)) == "all()"


def test_a_long_run_of_negations_is_no_nesting():
    assert str(parse("!" * 100_001 + "all()")) == "!all()"


def test_normalising_leaves_what_it_cannot_read():
    assert normalise(" a=='b' ") == 'a == "b"'
    assert normalise("a = 'b'") == "a = 'b'"


def test_a_prefix_goes_before_every_label_and_nothing_else():
    selector = parse("a == 'a' && !(has(b) || c not in {'c'}) && all() && global()")
    assert str(selector.with_prefix("pcns.")) == (
        '(pcns.a == "a" && !(has(pcns.b) || pcns.c not in {"c"}) && all() && global())'
    )


def test_selectors_are_values():
    assert len({parse("a=='b'"), parse('a == "b"'), parse("a == 'c'")}) == 2
    assert parse("a=='b'") != 'a == "b"'
