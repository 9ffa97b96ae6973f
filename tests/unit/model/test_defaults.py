"""What is added on storing is what Calico adds, and is taken away on reading."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from tortie.model.defaults import for_storage, with_defaults
from tortie.model.meta import ObjectMeta
from tortie.model.policy import Tier, TierSpec
from tortie.model.stored import from_storage


def calico(kind: str, spec: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    return {"kind": kind, "apiVersion": "projectcalico.org/v3", "metadata": {"name": "x", **metadata}, "spec": spec}


@pytest.mark.parametrize(
    ("rules", "types"),
    [
        ({}, ["Ingress"]),
        ({"ingress": [{"action": "Allow"}]}, ["Ingress"]),
        ({"egress": [{"action": "Allow"}]}, ["Egress"]),
        ({"ingress": [{"action": "Allow"}], "egress": [{"action": "Allow"}]}, ["Ingress", "Egress"]),
        ({"egress": [{"action": "Allow"}], "types": ["Ingress"]}, ["Ingress"]),
    ],
    ids=["no rules", "ingress", "egress", "both", "as written"],
)
@pytest.mark.parametrize("kind", ["NetworkPolicy", "GlobalNetworkPolicy"])
def test_a_policy_governs_the_directions_of_its_rules(kind: str, rules: dict[str, Any], types: list[str]) -> None:
    assert with_defaults(calico(kind, rules))["spec"]["types"] == types


def test_a_policy_carries_its_tier_and_its_own_name() -> None:
    stored = with_defaults(calico("NetworkPolicy", {"tier": "sec"}, labels={"projectcalico.org/tier": "lie", "a": "b"}))
    assert stored["metadata"]["labels"] == {"a": "b", "projectcalico.org/tier": "sec"}
    assert stored["metadata"]["annotations"] == {"projectcalico.org/metadata": '{"name":"x"}'}
    assert with_defaults(calico("NetworkPolicy", {}))["spec"]["tier"] == "default"


@pytest.mark.parametrize(
    ("kind", "spec", "added"),
    [
        pytest.param("Tier", {}, {"order": 1_000_000, "defaultAction": "Deny"}, id="tier"),
        pytest.param("Tier", {"order": 5, "defaultAction": "Pass"}, {}, id="tier with all"),
        pytest.param("BGPConfiguration", {}, {"logSeverityScreen": "Info", "serviceLoadBalancerAggregation": "Enabled"}, id="BGP"),
        pytest.param("BGPPeer", {"peerIP": "10.0.0.1"}, {}, id="peer"),
        pytest.param(
            "IPPool", {"cidr": "10.0.0.0/16"},
            {
                "vxlanMode": "Never", "ipipMode": "Never", "blockSize": 26, "nodeSelector": "all()",
                "allowedUses": ["Workload", "Tunnel"], "assignmentMode": "Automatic",
            },
            id="pool",
        ),
    ],
)  # fmt: skip
def test_specs_are_completed(kind: str, spec: dict[str, Any], added: dict[str, Any]) -> None:
    assert with_defaults(calico(kind, spec))["spec"] == {**spec, **added}


def test_blocks_of_ipv6_have_64_addresses() -> None:
    assert with_defaults(calico("IPPool", {"cidr": "fd00::/48"}))["spec"]["blockSize"] == 122


def test_tiers_and_nodes_have_a_status() -> None:
    assert with_defaults(calico("Tier", {}))["status"] == {}
    assert with_defaults(calico("Node", {}))["status"] == {}
    assert "status" not in with_defaults(calico("IPPool", {"cidr": "10.0.0.0/16"}))


def test_an_endpoint_cannot_choose_its_namespace_and_orchestrator_labels() -> None:
    endpoint = calico(
        "WorkloadEndpoint",
        {"orchestrator": "k8s"},
        namespace="n",
        labels={"projectcalico.org/namespace": "m", "a": "b"},
    )
    labels = with_defaults(endpoint)["metadata"]["labels"]
    assert labels == {"a": "b", "projectcalico.org/namespace": "n", "projectcalico.org/orchestrator": "k8s"}


def test_kubernetes_objects_get_nothing() -> None:
    pod = {"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "x"}, "spec": {}}
    assert with_defaults(pod) == pod


def test_the_argument_is_not_changed() -> None:
    document = calico("NetworkPolicy", {}, labels={"a": "b"})
    before = json.dumps(document)
    with_defaults(document)
    assert json.dumps(document) == before


def test_defaults_are_filled_in_once() -> None:
    once = with_defaults(calico("IPPool", {"cidr": "10.0.0.0/16"}))
    assert with_defaults(once) == once


def test_a_stored_value_has_uid_and_time_but_no_revision() -> None:
    document = calico("Tier", {}, resourceVersion="7", uid="old", generateName="x-", selfLink="/x")
    stored = json.loads(for_storage(document, uid="u", creation_timestamp="2026-01-02T03:04:05Z"))
    assert stored["metadata"] == {"name": "x", "uid": "u", "creationTimestamp": "2026-01-02T03:04:05Z"}


def test_typed_resources_are_stored_like_documents() -> None:
    typed = Tier(metadata=ObjectMeta(name="x"), spec=TierSpec(order=5.0))
    stored = [for_storage(item, uid="u", creation_timestamp="t") for item in (typed, calico("Tier", {"order": 5}))]
    assert json.loads(stored[0]) == json.loads(stored[1])
    assert b'"order":5,' in stored[0]


def test_reading_gives_the_revision_and_hides_the_bookkeeping() -> None:
    stored = for_storage(calico("NetworkPolicy", {}, annotations={"note": "a"}), uid="u", creation_timestamp="t")
    metadata = from_storage(stored, 12)["metadata"]
    assert metadata["resourceVersion"] == "12"
    assert metadata["annotations"] == {"note": "a"}
    alone = from_storage(for_storage(calico("NetworkPolicy", {}), uid="u", creation_timestamp="t"), 12)
    assert "annotations" not in alone["metadata"]


def test_a_policy_stored_under_another_name_is_shown_under_its_own() -> None:
    metadata = {"name": "default.x", "annotations": {"projectcalico.org/metadata": '{"name":"x"}'}}
    stored = msgspec.json.encode(
        {"kind": "NetworkPolicy", "apiVersion": "projectcalico.org/v3", "metadata": metadata, "spec": {}}
    )
    assert from_storage(stored, 1)["metadata"]["name"] == "x"
