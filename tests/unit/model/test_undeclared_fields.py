"""What a newer version has stored in fields of its own is found, left out, and outlives a write by this one where its place does."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from kinddocuments import document

from tortie.model import kinds
from tortie.model.policy import GlobalNetworkPolicy
from tortie.model.undeclared import undeclared_paths, with_undeclared, without_undeclared

# --- found and left out ----------------------------------------------------------------------------------------------------

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


def test_what_equals_a_default_is_not_left_out() -> None:
    written = {**KNOWN, "spec": {"ingress": [], "selector": ""}}
    assert without_undeclared(GlobalNetworkPolicy, written) == written


# --- kept ------------------------------------------------------------------------------------------------------------------


def test_what_is_not_changed_keeps_them(newer: dict[str, Any]) -> None:
    before = copy.deepcopy(newer)
    assert with_undeclared(GlobalNetworkPolicy, newer, KNOWN) == newer
    assert newer == before


ALLOW, DENY, LOG = {"action": "Allow", "protocol": "TCP"}, {"action": "Deny"}, {"action": "Log"}
LATER = {"later": 1}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param({"order": 1, **LATER}, {"order": 2}, {"order": 2, **LATER}, id="beside a field that changes"),
        pytest.param({"order": 1, **LATER}, {}, LATER, id="beside a field that goes"),
        pytest.param(LATER, {"later": 2}, {"later": 2}, id="in the new document too"),
        pytest.param({"ingress": [ALLOW | LATER]}, {"ingress": [ALLOW]}, {"ingress": [ALLOW | LATER]}, id="in a rule"),
        pytest.param(
            {"ingress": [ALLOW | LATER, LOG]}, {"ingress": [DENY, LOG]}, {"ingress": [DENY | LATER, LOG]}, id="in a rule that changes in its place"
        ),
        pytest.param({"ingress": [ALLOW | LATER, DENY]}, {"ingress": [LOG]}, {"ingress": [LOG]}, id="in a rule that is another"),
        pytest.param({"ingress": [ALLOW | LATER]}, {}, {}, id="in a rule that goes"),
        pytest.param({"ingress": [ALLOW | LATER, DENY | {"why": 1}]}, {"ingress": [ALLOW]}, {"ingress": [ALLOW | LATER]}, id="in a rule that stays"),
        pytest.param(
            {"ingress": [ALLOW | LATER, DENY]}, {"ingress": [DENY, ALLOW]}, {"ingress": [DENY, ALLOW | LATER]}, id="in a rule that moves"
        ),
        pytest.param(
            {"ingress": [ALLOW | LATER, DENY]}, {"ingress": [LOG, ALLOW, DENY]}, {"ingress": [LOG, ALLOW | LATER, DENY]}, id="in a rule after a new one"
        ),
        pytest.param(
            {"ingress": [ALLOW, ALLOW | LATER]}, {"ingress": [ALLOW, ALLOW, ALLOW]},
            {"ingress": [ALLOW, ALLOW | LATER, ALLOW]}, id="in one of equal rules",
        ),
        pytest.param(
            {"ingress": [ALLOW | {"source": {"nets": ["10.0.0.0/8"], **LATER}}]}, {"ingress": [ALLOW | {"source": {"nets": ["10.0.0.0/8"]}}]},
            {"ingress": [ALLOW | {"source": {"nets": ["10.0.0.0/8"], **LATER}}]}, id="deep in a rule",
        ),
        pytest.param(
            {"ingress": [ALLOW | {"source": {"nets": ["10.0.0.0/8"], **LATER}}]}, {"ingress": [DENY | {"source": {"nets": []}}]},
            {"ingress": [DENY | {"source": {"nets": [], **LATER}}]}, id="deep in a rule that changes in its place",
        ),
        pytest.param(
            {"ingress": [ALLOW | {"source": LATER}]}, {"ingress": [ALLOW | {"source": {}}]}, {"ingress": [ALLOW | {"source": LATER}]},
            id="alone",
        ),
        pytest.param(
            {"ingress": [ALLOW | {"source": LATER, "destination": {}}]}, {"ingress": [ALLOW]}, {"ingress": [ALLOW | {"source": LATER}]},
            id="alone, and left out",
        ),
        pytest.param({"ingress": "broken"}, {"ingress": [ALLOW]}, {"ingress": [ALLOW]}, id="what is stored is invalid"),
    ],
)  # fmt: skip
def test_a_field_of_a_newer_version_stays_where_its_place_stays(
    old: dict[str, Any], new: dict[str, Any], expected: dict[str, Any]
) -> None:
    before, after = document(kinds.NETWORK_POLICY, old), document(kinds.NETWORK_POLICY, new)
    given = copy.deepcopy((before, after))
    assert with_undeclared(kinds.NETWORK_POLICY.struct, before, after) == document(kinds.NETWORK_POLICY, expected)
    assert (before, after) == given


def test_what_a_person_could_have_written_is_a_persons_to_remove() -> None:
    old = document(kinds.POD, {"containers": [{"name": "a"}], "volumes": [], "restartPolicy": "Never"})
    new = document(kinds.POD, {"containers": [{"name": "a"}]})
    assert with_undeclared(kinds.POD.struct, old, new) == new


def test_the_spec_of_a_kind_that_may_lack_it_keeps_what_nobody_here_knows() -> None:
    old = document(kinds.K8S_NETWORK_POLICY, {"podSelector": {}, **LATER})
    new = {name: part for name, part in old.items() if name != "spec"}
    assert with_undeclared(kinds.K8S_NETWORK_POLICY.struct, old, new)["spec"] == LATER
