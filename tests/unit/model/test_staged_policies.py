"""Staged policies are kept like the policies that they may become, and are none of them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from kinddocuments import document, refused

from tortie.model import kinds
from tortie.model.codec import decode
from tortie.model.defaults import for_storage, with_defaults
from tortie.model.document import read
from tortie.model.fieldpath import path_text
from tortie.model.kinds import Kind
from tortie.model.policy import GlobalNetworkPolicy, NetworkPolicy
from tortie.model.staged import StagedAction, StagedNetworkPolicy

STAGED = (kinds.STAGED_NETWORK_POLICY, kinds.STAGED_GLOBAL_NETWORK_POLICY, kinds.STAGED_KUBERNETES_NETWORK_POLICY)
ALLOW = {"action": "Allow"}


@pytest.mark.parametrize("action", [action.value for action in StagedAction])
@pytest.mark.parametrize("kind", STAGED, ids=lambda kind: kind.name)
def test_every_action_is_accepted(kind: Kind, action: str) -> None:
    assert refused(kind, {"stagedAction": action}) == []


@pytest.mark.parametrize("kind", STAGED, ids=lambda kind: kind.name)
def test_another_action_is_refused_with_a_suggestion(kind: Kind) -> None:
    (error,) = read(json.dumps(document(kind, {"stagedAction": "Delte"}))).errors
    assert path_text(error.path) == "spec.stagedAction"
    assert "did you mean Delete?" in error.message


@pytest.mark.parametrize(
    ("kind", "spec", "fields"),
    [
        pytest.param(kinds.STAGED_NETWORK_POLICY, {"tier": "mine"}, [], id="a tier"),
        pytest.param(kinds.STAGED_NETWORK_POLICY, {"order": 1}, ["order"], id="an order"),
        pytest.param(kinds.STAGED_NETWORK_POLICY, {"selector": "all()", "ingress": [ALLOW]}, ["ingress", "selector"], id="two fields"),
        pytest.param(
            kinds.STAGED_GLOBAL_NETWORK_POLICY, {"applyOnForward": True, "namespaceSelector": "has(a)"},
            ["namespaceSelector", "applyOnForward"], id="fields of global policies",
        ),
        pytest.param(kinds.STAGED_KUBERNETES_NETWORK_POLICY, {"podSelector": {}}, [], id="an empty podSelector"),
        pytest.param(
            kinds.STAGED_KUBERNETES_NETWORK_POLICY, {"podSelector": {"matchLabels": {"a": "b"}}, "policyTypes": ["Ingress"]},
            ["podSelector", "policyTypes"], id="fields of Kubernetes policies",
        ),
    ],
)  # fmt: skip
def test_a_deletion_says_no_more_than_its_tier(kind: Kind, spec: dict[str, Any], fields: list[str]) -> None:
    assert refused(kind, {"stagedAction": "Delete", **spec}) == [f"spec.{field}" for field in fields]


@pytest.mark.parametrize(
    ("kind", "spec", "fields"),
    [
        pytest.param(kinds.STAGED_NETWORK_POLICY, {"selector": "a =="}, ["selector"], id="selector"),
        pytest.param(kinds.STAGED_NETWORK_POLICY, {"ingress": [{"action": "Allow", "icmp": {"type": 8}}]}, ["ingress[0].icmp"], id="rule"),
        pytest.param(kinds.STAGED_NETWORK_POLICY, {"preDNAT": True}, ["preDNAT"], id="a field of global policies"),
        pytest.param(kinds.STAGED_GLOBAL_NETWORK_POLICY, {"doNotTrack": True}, ["doNotTrack"], id="doNotTrack alone"),
        pytest.param(
            kinds.STAGED_GLOBAL_NETWORK_POLICY, {"preDNAT": True, "applyOnForward": True, "egress": [ALLOW]}, ["egress"], id="preDNAT egress"
        ),
        pytest.param(kinds.STAGED_KUBERNETES_NETWORK_POLICY, {"ingress": [{"from": [{}]}]}, ["ingress[0].from[0]"], id="an empty peer"),
        pytest.param(kinds.STAGED_KUBERNETES_NETWORK_POLICY, {"tier": "default"}, ["tier"], id="always in the default tier"),
    ],
)  # fmt: skip
def test_what_a_policy_may_not_say_its_staging_may_not_either(
    kind: Kind, spec: dict[str, Any], fields: list[str]
) -> None:
    assert refused(kind, spec) == [f"spec.{field}" for field in fields]


@pytest.mark.parametrize("name", ["eng.thing", "tHiNg", "a.b.c"])
@pytest.mark.parametrize("kind", STAGED[:2], ids=lambda kind: kind.name)
def test_names_are_those_of_policies(kind: Kind, name: str) -> None:
    assert refused(kind, {}, name) == ([] if name == "eng.thing" else ["metadata.name"])


@pytest.mark.parametrize(
    ("spec", "completed"),
    [
        pytest.param({}, {"stagedAction": "Set", "tier": "default", "types": ["Ingress"]}, id="nothing given"),
        pytest.param(
            {"stagedAction": "Learn", "egress": [ALLOW]}, {"stagedAction": "Learn", "tier": "default", "egress": [ALLOW], "types": ["Egress"]},
            id="learned",
        ),
        pytest.param({"stagedAction": "Delete", "tier": "a"}, {"stagedAction": "Delete", "tier": "a"}, id="a deletion has no types"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", STAGED[:2], ids=lambda kind: kind.name)
def test_they_are_completed_like_policies(kind: Kind, spec: dict[str, Any], completed: dict[str, Any]) -> None:
    stored = with_defaults(document(kind, spec))
    assert stored["spec"] == completed
    assert stored["metadata"]["labels"] == {"projectcalico.org/tier": completed["tier"]}
    assert stored["metadata"]["annotations"] == {"projectcalico.org/metadata": '{"name":"x"}'}


def test_a_staged_kubernetes_policy_is_in_no_tier_that_it_could_name() -> None:
    stored = with_defaults(document(kinds.STAGED_KUBERNETES_NETWORK_POLICY, {}))
    assert stored["spec"] == {"stagedAction": "Set", "podSelector": {}}
    assert stored["metadata"] == {"name": "x"}


@pytest.mark.parametrize("kind", STAGED, ids=lambda kind: kind.name)
def test_no_staged_policy_passes_for_a_policy(kind: Kind) -> None:
    """Whatever enforces policies asks for these types."""
    assert not issubclass(kind.struct, NetworkPolicy | GlobalNetworkPolicy)


def test_what_is_stored_is_read_back() -> None:
    (item,) = read(json.dumps(document(kinds.STAGED_NETWORK_POLICY, {"stagedAction": "Ignore", "order": 5}))).resources
    stored = decode(for_storage(item.document, uid="u", creation_timestamp="t"), StagedNetworkPolicy)
    assert (stored.spec.staged_action, stored.spec.order) == (StagedAction.IGNORE, 5)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("snp", STAGED[0]), ("sgnp", STAGED[1]), ("sknp", STAGED[2]), ("StagedNetworkPolicies", STAGED[0])],
)
def test_they_have_short_names(name: str, kind: Kind) -> None:
    assert kinds.find_kind(name) is kind
