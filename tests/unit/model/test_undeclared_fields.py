"""Fields of a newer version: found, left out, and kept, wherever they stand."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tortie.model.kubernetes import Pod
from tortie.model.policy import GlobalNetworkPolicy
from tortie.model.undeclared import undeclared_paths, with_undeclared, without_undeclared

KNOWN: dict[str, Any] = {
    "apiVersion": "projectcalico.org/v3",
    "kind": "GlobalNetworkPolicy",
    "metadata": {"name": "g", "labels": {"a": "b"}, "generation": 3},
    "spec": {"ingress": [{"action": "Allow", "source": {"nets": ["10.0.0.0/8"]}}, {"action": "Deny"}]},
    "status": {},
}
"""With fields that are not declared, but known to exist."""


@pytest.fixture
def newer() -> dict[str, Any]:
    document = copy.deepcopy(KNOWN)
    document["newest"] = 1
    document["spec"]["future"] = {"spec": 2}
    document["spec"]["ingress"][0]["source"]["geo"] = "XX"
    document["spec"]["ingress"][1]["why"] = "end"
    return document


def test_they_are_found_and_left_out(newer: dict[str, Any]) -> None:
    assert set(undeclared_paths(GlobalNetworkPolicy, newer)) == {
        ("newest",), ("spec", "future"), ("spec", "ingress", 0, "source", "geo"), ("spec", "ingress", 1, "why"),
    }  # fmt: skip
    assert without_undeclared(GlobalNetworkPolicy, newer) == KNOWN
    assert list(undeclared_paths(GlobalNetworkPolicy, KNOWN)) == []


def test_what_is_not_changed_keeps_them(newer: dict[str, Any]) -> None:
    before = copy.deepcopy(newer)
    assert with_undeclared(GlobalNetworkPolicy, newer, KNOWN) == newer
    assert newer == before


def rules(*found: dict[str, Any]) -> dict[str, Any]:
    return {**KNOWN, "spec": {"ingress": list(found)}}


FIRST, SECOND = KNOWN["spec"]["ingress"]
GEO = {"nets": ["10.0.0.0/8"], "geo": "XX"}


@pytest.mark.parametrize(
    ("new", "kept"),
    [
        ((SECOND, FIRST), ({"action": "Deny", "why": "end"}, {"action": "Allow", "source": GEO})),
        ((FIRST,), ({"action": "Allow", "source": GEO},)),
        (({"action": "Log"}, FIRST, SECOND), ({"action": "Log"}, {"action": "Allow", "source": GEO}, {"action": "Deny", "why": "end"})),
        (({"action": "Pass", "source": {"nets": []}}, SECOND), ({"action": "Pass", "source": {"nets": [], "geo": "XX"}}, {"action": "Deny", "why": "end"})),
        (({"action": "Log"},), ({"action": "Log"},)),
    ],
    ids=["moved", "removed", "inserted", "changed in its place", "replaced"],
)  # fmt: skip
def test_items_of_lists_are_told_apart_by_what_is_known_of_them(newer: dict[str, Any], new: Any, kept: Any) -> None:
    assert with_undeclared(GlobalNetworkPolicy, newer, rules(*new))["spec"]["ingress"] == list(kept)


def test_a_struct_that_is_absent_while_empty_keeps_them() -> None:
    old = {**KNOWN, "spec": {"future": 1}}
    new = {name: value for name, value in KNOWN.items() if name != "spec"}
    assert with_undeclared(GlobalNetworkPolicy, old, new)["spec"] == {"future": 1}


def test_where_any_field_may_be_written_an_absent_one_is_gone() -> None:
    old = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"restartPolicy": "Never"}}
    new = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {}}
    assert with_undeclared(Pod, old, new) == new
