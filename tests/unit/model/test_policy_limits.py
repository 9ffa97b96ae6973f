"""Rules of policies beside the table of tests/unit/model/test_validation.py: names, notes, limits, and what only the door refuses."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from kinddocuments import document, refused

from tortie.model import kinds
from tortie.model.columns import columns
from tortie.model.defaults import with_defaults
from tortie.model.document import read
from tortie.model.kinds import Kind, ResourceKey
from tortie.model.validation import stored_resource


def refused_rule(**rule: Any) -> list[str]:
    paths = refused(kinds.GLOBAL_NETWORK_POLICY, {"ingress": [{"action": "Allow", **rule}]})
    return [path.removeprefix("spec.ingress[0].") for path in paths]


@pytest.mark.parametrize(
    ("rule", "fields"),
    [
        pytest.param({"metadata": {"annotations": {"note": "any text", "example.com/Who": "me"}}}, [], id="notes"),
        pytest.param({"metadata": {"annotations": {"a b": "x"}}}, ["metadata.annotations[a b]"], id="a note's name"),
        pytest.param({"metadata": {"annotations": {"a": "x" * 262_144}}}, ["metadata.annotations"], id="a long note"),
        pytest.param({"source": {"serviceAccounts": {"names": ["a", "b", "a"]}}}, ["source.serviceAccounts.names[2]"], id="an account twice"),
        pytest.param({"source": {"services": {"name": "S", "namespace": "n"}}}, ["source.services.name"], id="a service in capitals"),
        pytest.param({"source": {"services": {"name": "s", "namespace": "a b"}}}, ["source.services.namespace"], id="a namespace with a space"),
        pytest.param({"http": {"paths": [{"prefix": "/" + "x" * 1023}]}}, [], id="a path of 1024"),
        pytest.param({"http": {"paths": [{"prefix": "/" + "x" * 1024}]}}, ["http.paths[0].prefix"], id="a path of 1025"),
        pytest.param({"http": {"paths": [{"exact": "a"}]}}, ["http.paths[0].exact"], id="a path without slash"),
        pytest.param({"http": {"methods": [f"M{i}" for i in range(21)]}}, ["http.methods"], id="21 methods"),
    ],
)  # fmt: skip
def test_rules(rule: dict[str, Any], fields: list[str]) -> None:
    assert refused_rule(**rule) == fields


@pytest.mark.parametrize(
    ("spec", "fields"),
    [
        pytest.param({"tier": "sec"}, [], id="tier"),
        pytest.param({"tier": "Sec"}, ["spec.tier"], id="a tier in capitals"),
        pytest.param({"performanceHints": ["AssumeNeededOnEveryNode"]}, [], id="hint"),
        pytest.param({"performanceHints": ["AssumeNeededOnEveryNode"] * 2}, ["spec.performanceHints[1]"], id="a hint twice"),
        pytest.param({"ingress": [{"action": "Allow"}] * 1025}, ["spec.ingress"], id="1025 rules"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", [kinds.NETWORK_POLICY, kinds.GLOBAL_NETWORK_POLICY], ids=lambda kind: kind.name)
def test_policies(kind: Kind, spec: dict[str, Any], fields: list[str]) -> None:
    assert refused(kind, spec) == fields


@pytest.mark.parametrize(
    ("name", "valid"), [("a", True), ("sec.a", True), ("knp.default.a", False), ("a.b.c", False), ("A", False)]
)
@pytest.mark.parametrize(
    "kind", [kinds.GLOBAL_NETWORK_POLICY, kinds.STAGED_GLOBAL_NETWORK_POLICY], ids=lambda kind: kind.name
)
def test_global_policies_have_short_names(kind: Kind, name: str, valid: bool) -> None:
    assert refused(kind, {}, name) == ([] if valid else ["metadata.name"])


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param({"types": ["Ingress", "Ingress"]}, id="a type twice"),
        pytest.param({"tier": "Sec"}, id="a tier in capitals"),
        pytest.param({"ingress": [{"action": "Allow", "metadata": {"annotations": {"a b": "x"}}}]}, id="a note"),
        pytest.param({"ingress": [{"action": "Deny", "source": {"serviceAccounts": {"names": ["a", "a"]}}}]}, id="an account twice"),
    ],
)  # fmt: skip
def test_what_changes_no_verdict_does_not_put_a_stored_policy_out_of_force(spec: dict[str, Any]) -> None:
    assert refused(kinds.GLOBAL_NETWORK_POLICY, spec)
    value = msgspec.json.encode(document(kinds.GLOBAL_NETWORK_POLICY, spec))
    assert stored_resource(ResourceKey(kinds.GLOBAL_NETWORK_POLICY, "", "x"), value)


@pytest.mark.parametrize(
    ("name", "spec", "order"),
    [
        ("default", {}, 1_000_000),
        ("kube-admin", {"defaultAction": "Pass"}, 1_000),
        ("kube-baseline", {"defaultAction": "Pass"}, 10_000_000),
        ("mine", {}, 1_000_000),
        ("mine", {"order": 5}, 5),
    ],
)
def test_a_tier_without_order_gets_its_own(name: str, spec: dict[str, Any], order: int) -> None:
    """So that a built-in tier is never stored with an order that its own rule refuses."""
    stored = with_defaults(document(kinds.TIER, spec, name))
    assert stored["spec"]["order"] == order
    assert stored_resource(ResourceKey(kinds.TIER, "", name), msgspec.json.encode(stored))


@pytest.mark.parametrize(
    "kind",
    [
        kinds.NETWORK_POLICY, kinds.GLOBAL_NETWORK_POLICY, kinds.STAGED_NETWORK_POLICY, kinds.STAGED_GLOBAL_NETWORK_POLICY,
        kinds.STAGED_KUBERNETES_NETWORK_POLICY, kinds.TIER,
    ],
    ids=lambda kind: kind.name,
)  # fmt: skip
def test_a_status_that_calico_has_written_is_kept(kind: Kind) -> None:
    status = {"conditions": [{"type": "Valid", "status": "True"}]}
    (item,) = read(json.dumps({**document(kind, {}), "status": status})).resources
    assert item.document["status"] == status


@pytest.mark.parametrize(
    ("spec", "workload"),
    [({"pod": "p"}, "p"), ({"workload": "vm"}, "vm"), ({"workload": "vm", "pod": "p"}, "vm"), ({}, "")],
)
def test_endpoints_are_listed_with_their_workload(spec: dict[str, Any], workload: str) -> None:
    column = next(column for column in columns(kinds.WORKLOAD_ENDPOINT, wide=False) if column.header == "WORKLOAD")
    assert column.text({"spec": spec}) == workload
