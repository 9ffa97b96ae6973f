"""The three kinds of patches as functions: the examples of their RFCs, and Kubernetes' lists with keys."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tortie.cli.patching import PatchError, json_patch, merge_patch, parse_patch, strategic_patch
from tortie.model import kinds
from tortie.model.kinds import Kind

_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)


@pytest.mark.parametrize(
    ("document", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "foo"}, None, None),
        ({"a": "foo"}, "bar", "bar"),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_merge_patches_do_what_rfc_7396_appendix_a_says(document: Any, patch: Any, result: Any) -> None:
    assert merge_patch(document, patch) == result


@pytest.mark.parametrize(
    ("document", "operations", "result"),
    [
        ({"foo": "bar"}, [{"op": "add", "path": "/baz", "value": "qux"}], {"foo": "bar", "baz": "qux"}),
        ({"foo": ["bar", "baz"]}, [{"op": "add", "path": "/foo/1", "value": "qux"}], {"foo": ["bar", "qux", "baz"]}),
        ({"baz": "qux", "foo": "bar"}, [{"op": "remove", "path": "/baz"}], {"foo": "bar"}),
        ({"foo": ["bar", "qux", "baz"]}, [{"op": "remove", "path": "/foo/1"}], {"foo": ["bar", "baz"]}),
        ({"baz": "qux"}, [{"op": "replace", "path": "/baz", "value": "boo"}], {"baz": "boo"}),
        ({"a": {"b": 1}, "c": {}}, [{"op": "move", "from": "/a/b", "path": "/c/d"}], {"a": {}, "c": {"d": 1}}),
        ({"foo": ["a", "b", "c"]}, [{"op": "move", "from": "/foo/1", "path": "/foo/2"}], {"foo": ["a", "c", "b"]}),
        ({"a": [1]}, [{"op": "copy", "from": "/a", "path": "/b"}, {"op": "add", "path": "/b/-", "value": 2}], {"a": [1], "b": [1, 2]}),
        ({"baz": "qux"}, [{"op": "test", "path": "/baz", "value": "qux"}], {"baz": "qux"}),
        ({"/": 9, "~1": 10}, [{"op": "test", "path": "/~01", "value": 10}, {"op": "remove", "path": "/~1"}], {"~1": 10}),
        ({"a": 1}, [{"op": "replace", "path": "", "value": {"b": 2}}], {"b": 2}),
        ({"foo": ["bar"]}, [{"op": "add", "path": "/foo/-", "value": ["abc"]}], {"foo": ["bar", ["abc"]]}),
    ],
)  # fmt: skip
def test_json_patches_do_what_rfc_6902_appendix_a_says(document: Any, operations: Any, result: Any) -> None:
    before = copy.deepcopy(document)
    assert json_patch(document, operations) == result
    assert document == before


@pytest.mark.parametrize(
    ("operations", "message"),
    [
        ({"op": "add"}, "a JSON patch is a list"),
        ([{"op": "frob", "path": "/a"}], "operation 0: .* is no operation"),
        ([{"op": "remove", "path": "a"}], "operation 0: path is 'a'; expected a JSON pointer"),
        (
            [{"op": "test", "path": "/a", "value": 1}, {"op": "remove", "path": "/b"}],
            "operation 1: there is nothing at /b",
        ),
        ([{"op": "test", "path": "/a", "value": True}], "operation 0: test of /a: expected True, found 1"),
        ([{"op": "add", "path": "/x/y", "value": 1}], "operation 0: there is nothing at /x/y"),
        ([{"op": "add", "path": "/l/01", "value": 1}], "operation 0: nothing can be added at /l/01"),
        ([{"op": "add", "path": "/l/3", "value": 1}], "operation 0: nothing can be added at /l/3"),
        ([{"op": "replace", "path": "/a"}], "operation 0: replace needs a value"),
        ([{"op": "move", "from": "/m", "path": "/m/n"}], "operation 0: a value cannot be moved into itself"),
        ([{"op": "remove", "path": ""}], "operation 0: the whole document cannot be removed"),
    ],
)
def test_an_operation_that_fails_is_named(operations: Any, message: str) -> None:
    with pytest.raises(PatchError, match=message):
        json_patch({"a": 1, "l": [1, 2], "m": {"n": {}}}, operations)


@given(_VALUES, _VALUES)
def test_a_merge_patch_applied_twice_is_applied_once(document: Any, patch: Any) -> None:
    once = merge_patch(document, patch)
    assert merge_patch(once, patch) == once


POD: dict[str, Any] = {
    "spec": {
        "containers": [{"name": "a", "image": "1", "env": [{"name": "X", "value": "1"}]}, {"name": "b", "image": "1"}],
        "tolerations": [{"key": "k"}],
    },
    "metadata": {"name": "p", "finalizers": ["one"]},
}


@pytest.mark.parametrize(
    ("kind", "patch", "path", "value"),
    [
        (kinds.POD, {"spec": {"containers": [{"name": "b", "image": "2"}]}}, ("containers",), [*POD["spec"]["containers"][:1], {"name": "b", "image": "2"}]),
        (kinds.POD, {"spec": {"containers": [{"name": "a", "env": [{"name": "Y", "value": "2"}]}]}}, ("containers", 0, "env"), [{"name": "X", "value": "1"}, {"name": "Y", "value": "2"}]),
        (kinds.POD, {"spec": {"containers": [{"name": "a", "$patch": "delete"}]}}, ("containers",), [{"name": "b", "image": "1"}]),
        (kinds.POD, {"spec": {"containers": [{"$patch": "replace"}, {"name": "c"}]}}, ("containers",), [{"name": "c"}]),
        (kinds.POD, {"spec": {"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]}}, ("containers", 0, "name"), "b"),
        (kinds.POD, {"spec": {"tolerations": [{"key": "l"}]}}, ("tolerations",), [{"key": "l"}]),
        (kinds.POD, {"spec": {"$patch": "replace", "hostNetwork": True}}, (), {"hostNetwork": True}),
        (kinds.POD, {"spec": {"$retainKeys": ["tolerations"], "tolerations": None}}, (), {}),
        (kinds.NETWORK_POLICY, {"spec": {"containers": [{"name": "z"}]}}, ("containers",), [{"name": "z"}]),
    ],
    ids=["item", "inner-list", "delete-item", "replace-list", "order", "atomic-list", "replace", "retain", "no-keys-in-calico"],
)  # fmt: skip
def test_a_strategic_patch_merges_lists_by_their_keys(
    kind: Kind, patch: Any, path: tuple[Any, ...], value: Any
) -> None:
    before = copy.deepcopy(POD)
    found = strategic_patch(POD, patch, kind)["spec"]
    for part in path:
        found = found[part]
    assert found == value
    assert before == POD


def test_a_list_that_replaces_another_holds_no_directives_and_nulls() -> None:
    containers = [{"$patch": "replace"}, {"name": "c", "image": None, "$retainKeys": ["name"]}]
    found = strategic_patch(POD, {"spec": {"containers": containers}}, kinds.POD)
    assert found["spec"]["containers"] == [{"name": "c"}]


def test_plain_lists_are_merged_as_sets() -> None:
    assert strategic_patch(POD, {"metadata": {"finalizers": ["two", "one"]}}, kinds.POD)["metadata"]["finalizers"] == [
        "one",
        "two",
    ]
    removed = strategic_patch(POD, {"metadata": {"$deleteFromPrimitiveList/finalizers": ["one"]}}, kinds.POD)
    assert removed["metadata"]["finalizers"] == []


@pytest.mark.parametrize("patch", [[], {"spec": {"$patch": "frob"}}, {"spec": {"containers": [{"image": "x"}]}}])
def test_what_is_no_strategic_patch_is_told(patch: Any) -> None:
    with pytest.raises(PatchError):
        strategic_patch(POD, patch, kinds.POD)


# --- what is written -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": [1, 1.5, null, true, "x"]}', {"a": [1, 1.5, None, True, "x"]}),
        ("a: {1: x, no: y}", {"a": {"1": "x", "false": "y"}}),
        ("a: 2020-01-01", {"a": "2020-01-01"}),
        ("- {op: remove, path: /spec/order}", [{"op": "remove", "path": "/spec/order"}]),
        ("", None),
    ],
    ids=["JSON", "names that are no text", "a date", "YAML", "nothing"],
)
def test_what_a_patch_says_is_what_json_can_say(text: str, value: object) -> None:
    assert parse_patch(text) == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": 1e400}', "inf is no number"),
        ('{"a": NaN}', "nan is no number"),
        ("a: .inf", "inf is no number"),
        ('{"a": "\\ud800"}', "half a character"),
        ('{"\\udfff": 1}', "half a character"),
        ("a: 2020-13-01", "neither JSON nor YAML"),
        ("a: {", "neither JSON nor YAML"),
        ("a: !!binary aGk=", "nothing that JSON could say"),
        ("a: !!set {x}", "nothing that JSON could say"),
        ("{[1]: x}", "neither JSON nor YAML|is no name"),
        ("~: x", "None is no name"),
        ("&a [*a]", "nested more than 100 deep"),
        ("[" * 101 + "]" * 101, "nested more than 100 deep"),
        ("[" * 100_000, "nested more than 100 deep"),
    ],
    ids=lambda text: text[:20],
)
def test_what_json_cannot_say_is_no_patch(text: str, message: str) -> None:
    with pytest.raises(PatchError, match=message):
        parse_patch(text)
