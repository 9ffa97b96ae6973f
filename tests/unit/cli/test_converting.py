"""``tortie convert``: what Kubernetes objects mean, for people and line by line."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import Result

from tortie.model.document import read

Tortie = Callable[..., Result]

POLICY: dict[str, Any] = {
    "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "web", "namespace": "shop"},
    "spec": {"podSelector": {}, "ingress": [{"ports": [{"port": 80}]}]},
}  # fmt: skip
NAMESPACE: dict[str, Any] = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
POD: dict[str, Any] = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": []}}
CLUSTER_POLICY: dict[str, Any] = {
    "apiVersion": "policy.networking.k8s.io/v1alpha2", "kind": "ClusterNetworkPolicy", "metadata": {"name": "c"},
    "spec": {
        "tier": "Admin", "priority": 5, "subject": {"namespaces": {}},
        "egress": [{"action": "Accept", "to": [{"domainNames": ["example.com"]}]}],
    },
}  # fmt: skip


def test_yaml_can_be_applied_and_says_tier_and_order(tortie: Tortie) -> None:
    text = tortie("convert", "-f", "-", stdin=json.dumps([NAMESPACE, POLICY])).stdout
    result = read(text)
    assert result.errors == ()
    assert [str(item.key) for item in result.resources] == ["Profile kns.shop", "NetworkPolicy shop/knp.default.web"]
    assert "  tier: default\n  order: 1000\n" in text


def test_json_is_a_list(tortie: Tortie) -> None:
    (profile,) = json.loads(tortie("convert", "-f", "-", "-o", "json", stdin=json.dumps(NAMESPACE)).stdout)
    assert (profile["kind"], profile["metadata"]) == ("Profile", {"name": "kns.shop"})


def test_what_means_nothing_and_what_is_left_out_is_told(tortie: Tortie) -> None:
    result = tortie("convert", "-f", "-", "-o", "json", stdin=json.dumps([POD, CLUSTER_POLICY]))
    assert [item["metadata"]["name"] for item in json.loads(result.stdout)] == ["kcnp.admin.c"]
    assert "Warning: Pod default/p: it means no Calico object\n" in result.stderr
    assert "Warning: ClusterNetworkPolicy c: spec.egress[0] is left out, and accepts nothing" in result.stderr


def test_a_mistake_is_told_with_its_place_and_nothing_is_printed(tortie: Tortie) -> None:
    wrong = json.dumps([NAMESPACE, {**POLICY, "spec": {"podSelectr": {}}}])
    result = tortie("convert", "-f", "-", stdin=wrong, status=1)
    assert result.stdout == ""
    assert "did you mean podSelector?" in result.stderr


@pytest.mark.parametrize("arguments", [["convert"], ["convert", "--jsonl", "-f", "-"]])
def test_it_needs_files_or_lines(tortie: Tortie, arguments: list[str]) -> None:
    tortie(*arguments, status=2)


# --- JSON lines ------------------------------------------------------------------------------------------------------------


def answers(tortie: Tortie, *lines: Any) -> list[Any]:
    stdin = "".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines)
    return [json.loads(line) for line in tortie("convert", "--jsonl", stdin=stdin).stdout.splitlines()]


def test_each_line_gets_its_objects_and_the_rest_goes_on(tortie: Tortie) -> None:
    policy, nothing, broken, unknown, last = answers(
        tortie, POLICY, POD, "{", {"apiVersion": "v1", "kind": "Secret"}, NAMESPACE
    )
    assert ([item["metadata"]["name"] for item in policy["objects"]], policy["error"]) == (["knp.default.web"], None)
    assert nothing == {"objects": [], "error": None}
    assert list(broken) == list(unknown) == ["error"]
    assert last["objects"][0]["metadata"]["name"] == "kns.shop"


def test_what_an_api_server_would_not_let_pass_is_converted_as_far_as_it_goes(tortie: Tortie) -> None:
    """Objects of an API server are valid, or from a time when it did not know better: nothing of them may open."""
    spec = {**CLUSTER_POLICY["spec"], "egress": [{"action": "Deny", "to": [{}]}]}
    (answer,) = answers(tortie, {**CLUSTER_POLICY, "spec": spec})
    assert answer["error"] is None
    assert [rule["action"] for rule in answer["objects"][0]["spec"]["egress"]] == ["Deny"]
    assert answer["warnings"][0].startswith("spec.egress[0] denies everything")


def test_an_unreadable_object_is_an_error_beside_no_objects(tortie: Tortie) -> None:
    (answer,) = answers(tortie, {**POLICY, "spec": {"podSelector": 7}})
    assert answer["objects"] == []
    assert "podSelector" in answer["error"]


def test_an_account_without_a_namespace_is_of_the_default_one(tortie: Tortie) -> None:
    (answer,) = answers(tortie, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "a"}})
    assert answer["objects"][0]["metadata"]["name"] == "ksa.default.a"


def test_a_pod_on_a_node_is_its_endpoint(tortie: Tortie) -> None:
    pod = {**POD, "metadata": {"name": "p", "resourceVersion": "7"}, "spec": {"nodeName": "n1", "containers": []}}
    (answer,) = answers(tortie, pod)
    (endpoint,) = answer["objects"]
    assert (endpoint["kind"], endpoint["metadata"]["name"]) == ("WorkloadEndpoint", "n1-k8s-p-eth0")
    printed = tortie("convert", "-f", "-", stdin=json.dumps({**pod, "metadata": {"name": "p"}})).stdout
    assert "resourceVersion" not in printed


def test_a_line_that_is_no_object_of_a_kind_says_what_was_expected(tortie: Tortie) -> None:
    lines = tortie("convert", "--jsonl", stdin='{}\n{"kind": 7, "apiVersion": []}\n').stdout.splitlines()
    assert lines == ['{"error":"expected an object with apiVersion and kind"}'] * 2
