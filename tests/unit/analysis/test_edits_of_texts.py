"""Operations done to a file's text: only what they name changes, however it is laid out."""

from __future__ import annotations

import pytest

from tortie.analysis.edits.operations import Operation, added, applied
from tortie.analysis.edits.textual import edited
from tortie.model.yamltree import Node, SequenceNode, documents

ADD_PORT = Operation("add", ("spec", "ports", 0), 80)
ADD_PORTS = Operation("add", ("spec", "ports"), [80])
REMOVE_0, REMOVE_1 = (Operation("remove", ("spec", "ports", number)) for number in (0, 1))
RULE = Operation("add", ("rules", 0), {"action": "Deny", "source": {"nets": ["10.0.0.0/8"]}})


@pytest.mark.parametrize(
    ("before", "operation", "after"),
    [
        ("spec: {ports: [443]} # why\n", ADD_PORT, "spec: {ports: [80, 443]} # why\n"),
        ("spec:\n  ports: # these\n  - 443\n  # and\n  - 22\n", ADD_PORT, "spec:\n  ports: # these\n  - 80\n  - 443\n  # and\n  - 22\n"),
        ("spec:\n  ports:\n    - 443\n", ADD_PORT, "spec:\n  ports:\n    - 80\n    - 443\n"),
        ("spec:\n  name: x\n", ADD_PORTS, "spec:\n  ports: [80]\n  name: x\n"),
        ("spec: {name: x}\n", ADD_PORTS, "spec: {ports: [80], name: x}\n"),
        ("spec: {}\n", ADD_PORTS, "spec: {ports: [80]}\n"),
        ("spec:\n  ports: []\n  name: x\n", ADD_PORTS, "spec:\n  ports: [80]\n  name: x\n"),
        ("rules:\n- action: Allow\n", RULE, "rules:\n- action: Deny\n  source:\n    nets: [10.0.0.0/8]\n- action: Allow\n"),
        ("rules: [{action: Allow}]\n", RULE, "rules: [{action: Deny, source: {nets: [10.0.0.0/8]}}, {action: Allow}]\n"),
        ("spec: {ports: [443, 22]}\n", REMOVE_0, "spec: {ports: [22]}\n"),
        ("spec: {ports: [443, 22]}\n", REMOVE_1, "spec: {ports: [443]}\n"),
        ("spec: {ports: [{a: ']'}, {b: 'it''s'}]}\n", REMOVE_1, "spec: {ports: [{a: ']'}]}\n"),
        ("spec: {ports: [443]}\n", REMOVE_0, "spec: {ports: []}\n"),
        ("spec:\n  ports:\n  - 443\n  - 22\n\n# end\n", REMOVE_1, "spec:\n  ports:\n  - 443\n\n# end\n"),
        ("spec:\n  ports:\n  - a: |\n      x\n\n      y\n  - 22\n", REMOVE_0, "spec:\n  ports:\n  - 22\n"),
        ("spec:\n  ports:\n  - 443\nmore: 1\n", REMOVE_0, "spec:\n  ports: []\nmore: 1\n"),
        ("a: 'x' # y\nb: z\n", Operation("replace", ("a",), "it's"), "a: it's # y\nb: z\n"),
        ("a: 'it''s'\n", Operation("replace", ("a",), "no"), "a: 'no'\n"),
        ("a: {b: 1, c: 2}\n", Operation("remove", ("a", "c")), "a: {b: 1}\n"),
        ("a:\n  b: 1\n  c: 2\nd: 3\n", Operation("remove", ("a", "c")), "a:\n  b: 1\nd: 3\n"),
        ("a:\n  b: 1\n  c: 2\n", Operation("remove", ("a", "b")), "a:\n  c: 2\n"),
        ("a: {b: 1}\n", Operation("remove", ("a", "b")), "a: {}\n"),
        ('{"spec": {"ports": [443]}}', ADD_PORT, '{"spec": {"ports": [80, 443]}}'),
    ],
)  # fmt: skip
def test_only_what_is_named_changes(before: str, operation: Operation, after: str) -> None:
    (root,) = documents(before)
    assert edited(before, root, operation) == after


@pytest.mark.parametrize(
    ("text", "operation"),
    [
        ("a: |\n  x\n", Operation("replace", ("a",), "y")),
        ("a:\n  b: 1\n", Operation("replace", ("a",), {"c": 1})),
        ("a: {b: 1}\n", Operation("add", ("x", "y"), 1)),
        ("a: [1]\n", Operation("add", ("a", 1), 2)),
        ("- - 1\n  - 2\n", Operation("remove", (0, 0))),
    ],
    ids=["a block of text", "a block", "nothing is there", "behind the last", "on a line with another"],
)
def test_what_cannot_be_done_safely_is_not_done(text: str, operation: Operation) -> None:
    (root,) = documents(text)
    assert edited(text, root, operation) is None


def test_only_its_own_document_of_a_file_changes() -> None:
    text = "a: [1]\n---\na: [1]\n...\n---\na: [1]\n"
    roots: list[Node] = list(documents(text))
    assert edited(text, roots[1], Operation("add", ("a", 0), 2)) == "a: [1]\n---\na: [2, 1]\n...\n---\na: [1]\n"
    block = "a:\n- 1\n- 2\n---\nb: 1\n"
    assert edited(block, next(documents(block)), Operation("remove", ("a", 1))) == "a:\n- 1\n---\nb: 1\n"


def test_operations_are_applied_to_documents_too() -> None:
    document = {"spec": {"ports": [443], "name": "x"}}
    assert applied(document, [ADD_PORT, REMOVE_1]) == {"spec": {"ports": [80], "name": "x"}}
    assert applied(document, [Operation("remove", ("spec", "name"))]) == {"spec": {"ports": [443]}}
    assert document == {"spec": {"ports": [443], "name": "x"}}
    assert added(document, ("spec", "ports"), 80) == ADD_PORT
    assert added({"spec": {}}, ("spec", "ports"), 80) == ADD_PORTS
    assert ADD_PORT.document() == {"op": "add", "path": "/spec/ports/0", "value": 80}
    assert Operation("remove", ("a/b", "c~d")).document() == {"op": "remove", "path": "/a~1b/c~0d"}


def test_the_tree_of_a_list_says_where_its_first_item_begins() -> None:
    """On which adding before it depends."""
    (block,) = documents("a:\n  - 1\n")
    (flow,) = documents("a: [1]\n")
    found = [
        root.entries[0][1] for root in (block, flow) if not isinstance(root, SequenceNode) and hasattr(root, "entries")
    ]
    assert [tuple(node.position) for node in found] == [(2, 3), (1, 4)]
