"""What follows from a selector: its id, and what a match implies for single labels."""

import pytest
from hypothesis import given

from tortie.selectors import LabelRestriction, length_limited_id, named_port_id, parse, unique_id
from tortie.testing.strategies import label_maps, selectors


def values(*one_of: str) -> LabelRestriction:
    return LabelRestriction(present=True, one_of=frozenset(one_of))


PRESENT, ABSENT = LabelRestriction(present=True), LabelRestriction(absent=True)


def test_a_selectors_id_is_calicos():
    # The check value of the compatible behaviour: an IP set's name on every host.
    assert parse("projectcalico.org/namespace=='default'").id == "s:4g010_DunYvItGg3dv2MxnaJYxWEVRwn0exiaA"


def test_an_id_is_a_prefix_and_38_characters_that_depend_on_both_parts():
    ids = {unique_id("s", "x"), unique_id("n", "x"), unique_id("s", "y")}
    assert len(ids) == 3
    assert {len(made) for made in ids} == {len("s:") + 38}


def test_a_named_ports_id_depends_on_selector_protocol_and_name():
    selector = parse("all()").id
    ids = {named_port_id(selector, "tcp", "http"), named_port_id(selector, "any", "http")}
    ids |= {named_port_id(selector, "tcp", "dns"), named_port_id(parse("has(a)").id, "tcp", "http")}
    assert len(ids) == 4
    assert named_port_id(selector, "tcp", "http") == unique_id("n", f"{selector},tcp,http")


@pytest.mark.parametrize(
    ("suffix", "longest", "expected"),
    [
        ("2345", 10, "felix2345"),
        ("12345", 10, "felix12345"),
        ("_2345", 10, "felix_kMQI"),
        ("_234", 10, "felix_234"),
        ("12345678910", 13, "felix_Y2QCZIS"),
        ("", 10, "felix_"),
    ],
    ids=["shorter", "fits exactly", "fits but looks hashed", "shorter with _", "hashed", "empty"],
)
def test_an_id_too_long_is_hashed_to_the_limit(suffix, longest, expected):
    assert length_limited_id("felix", suffix, longest) == expected


@pytest.mark.parametrize("longest", [0, 4, 6])
def test_an_id_that_leaves_no_room_for_a_hash_is_refused(longest):
    with pytest.raises(ValueError, match="no room for a hash after 'felix'; expected 7 or more"):
        length_limited_id("felix", "12345678910", longest)


def test_one_character_of_a_hash_is_enough():
    assert length_limited_id("felix", "12345678910", 7) == "felix_Y"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        ("global()", {}),
        ("a == 'x'", {"a": values("x")}),
        ("a in {'x', 'y'}", {"a": values("x", "y")}),
        ("a in {}", {"a": values()}),
        ("has(a)", {"a": PRESENT}),
        ("a starts with 'x'", {"a": PRESENT}),
        ("a ends with 'x'", {"a": PRESENT}),
        ("a contains 'x'", {"a": PRESENT}),
        ("!has(a)", {"a": ABSENT}),
        ("a != 'x'", {}),
        ("a not in {'x'}", {}),
        ("!(a == 'x')", {}),
        ("has(a) && !has(a)", {"a": LabelRestriction(present=True, absent=True)}),
        ("a in {'x', 'y'} && a in {'y', 'z'}", {"a": values("y")}),
        ("a == 'x' && a == 'y'", {"a": values()}),
        ("a == 'x' && has(b)", {"a": values("x"), "b": PRESENT}),
        ("a == 'x' || a == 'y'", {"a": values("x", "y")}),
        ("a == 'x' || has(a)", {"a": PRESENT}),
        ("a == 'x' || b == 'x'", {}),
        ("a == 'x' || (has(a) && has(b))", {"a": PRESENT}),
        ("a == 'x' || all()", {}),
        ("has(a) || !has(a)", {}),
    ],
)
def test_restrictions_of(text, expected):
    assert dict(parse(text).restrictions()) == expected


@given(selectors(), label_maps())
def test_what_matches_meets_every_restriction(selector, labels):
    if not selector.matches(labels):
        return
    for label, restriction in selector.restrictions().items():
        assert not restriction.present or label in labels
        assert not restriction.absent or label not in labels
        assert restriction.one_of is None or labels[label] in restriction.one_of
