"""YAML text becomes trees with places, within bounds."""

from __future__ import annotations

import contextlib

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tortie.model.yamltree import (
    MAX_DEPTH,
    MappingNode,
    Node,
    Position,
    ScalarNode,
    SequenceNode,
    YAMLSyntaxError,
    documents,
    is_well_formed,
)


def plain(node: Node) -> object:
    match node:
        case ScalarNode():
            return node.text
        case SequenceNode():
            return [plain(item) for item in node.items]
        case MappingNode():
            return {key.text: plain(value) for key, value in node.entries}


def only(text: str) -> Node:
    (root,) = documents(text)
    return root


def test_every_node_knows_its_line_and_column() -> None:
    root = only("a:\n  - b\n  - {c: d}\n")
    assert isinstance(root, MappingNode)
    items = root.entries[0][1]
    assert isinstance(items, SequenceNode)
    assert [item.position for item in items.items] == [Position(2, 5), Position(3, 5)]


@pytest.mark.parametrize(
    ("text", "plainly"),
    [
        pytest.param("a: &x 1\nb: *x\n", {"a": "1", "b": "1"}, id="alias of a scalar"),
        pytest.param("a: &x [1, 2]\nb: *x\n", {"a": ["1", "2"], "b": ["1", "2"]}, id="alias of a list"),
        pytest.param(
            "a: &x {k: 1, l: 2}\nb: {<<: *x, k: 3}\n",
            {"a": {"k": "1", "l": "2"}, "b": {"k": "3", "l": "2"}},
            id="merge",
        ),
        pytest.param("b: {<<: [{k: 1}, {k: 2, l: 3}]}\n", {"b": {"k": "1", "l": "3"}}, id="merge: the first wins"),
        pytest.param("b: {'<<': x}\n", {"b": {"<<": "x"}}, id="quoted, it is a key like any other"),
        pytest.param('{"a": [true, null]}', {"a": ["true", "null"]}, id="JSON"),
    ],
)
def test_aliases_are_expanded_and_merge_keys_merged(text: str, plainly: object) -> None:
    assert plain(only(text)) == plainly


@pytest.mark.parametrize(
    ("text", "read"),
    [
        pytest.param(r'{"a": "\ud83d\ude00\uD83D\uDE01"}', {"a": "\U0001f600\U0001f601"}, id="in JSON they are one"),
        pytest.param(
            r'{"a": "\\ud83d\\ude00"}', {"a": r"\ud83d\ude00"}, id="behind an escaped backslash they are text"
        ),
        pytest.param(r"a: '\ud83d\ude00'", {"a": r"\ud83d\ude00"}, id="in YAML's single quotes too"),
    ],
)
def test_two_halves_of_a_character_are_read_as_json_means_them(text: str, read: object) -> None:
    assert [plain(node) for node in documents(text)] == [read]


def test_anchors_end_with_their_document() -> None:
    with pytest.raises(YAMLSyntaxError, match=r"alias \*x has no finished anchor"):
        list(documents("a: &x 1\n---\nb: *x\n"))


@pytest.mark.parametrize(
    ("text", "position", "message"),
    [
        pytest.param("a: [1", Position(2, 1), "did not find", id="unfinished list"),
        pytest.param("a: b\n c: d", Position(2, 3), "mapping values are not allowed", id="wrong indentation"),
        pytest.param("a:\r\n\tb: c", Position(2, 1), "a tab; YAML is indented with spaces", id="tab"),
        pytest.param("x: y\na: b\x01", Position(2, 5), "control characters", id="control character"),
        pytest.param("a: &x [*x]", Position(1, 8), "no finished anchor", id="alias inside what it names"),
        pytest.param("? [a]\n: b", Position(1, 3), "a key must be plain text", id="a list as key"),
        pytest.param("a: {<<: 7}", Position(1, 9), "'<<' merges a mapping", id="merging a scalar"),
        pytest.param("[" * (MAX_DEPTH + 1), Position(1, MAX_DEPTH + 1), "nested more than", id="too deep"),
    ],
)
def test_what_is_not_yaml_is_reported_with_its_place(text: str, position: Position, message: str) -> None:
    with pytest.raises(YAMLSyntaxError, match=message) as caught:
        list(documents(text))
    assert caught.value.position == position


@pytest.mark.parametrize(
    "loader", [getattr(yaml, "CSafeLoader", None), yaml.SafeLoader], ids=["libyaml", "Python alone"]
)
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("a: 1\n---\nb: [2]\n", True, id="two documents"),
        pytest.param("a: 1\n---\nb: [2\n", False, id="the second has no end"),
        pytest.param("a: '\x01'", False, id="a character that is not allowed"),
        pytest.param(r'{"a": "\ud83d\ude00"}', True, id="two halves in JSON"),
    ],
)
def test_what_is_yaml_is_known_without_a_tree(
    monkeypatch: pytest.MonkeyPatch, loader: type | None, text: str, expected: bool
) -> None:
    if loader is None:
        pytest.skip("PyYAML was built without libyaml")
    monkeypatch.setattr("tortie.model.yamltree._LOADER", loader)
    assert is_well_formed(text) is expected


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(
            "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9) if n else 1}]\n" for n in range(9)), id="laughs"
        ),
        pytest.param("".join(f"a{n}: &a{n} [*a{n - 1}]\n" if n else "a0: &a0 [1]\n" for n in range(200)), id="tower"),
    ],
)
def test_aliases_cannot_make_a_small_text_large(text: str) -> None:
    with pytest.raises(YAMLSyntaxError, match="too large or too deep"):
        list(documents(text))


@given(st.text(alphabet="ab:-[]{}&*!<>|'\"#%?, \n\t~", max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(YAMLSyntaxError):
        assert all(root.position >= Position(1, 1) for root in documents(text))
