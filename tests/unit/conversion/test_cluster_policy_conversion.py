"""A Kubernetes ClusterNetworkPolicy → a Calico GlobalNetworkPolicy before or after all NetworkPolicies."""

from __future__ import annotations

from typing import Any

import pytest

from tortie.conversion import ConversionError, cluster_network_policy, meaning, workload_endpoint
from tortie.conversion.cluster_policy import ClusterConversion
from tortie.model import codec, kinds, kubernetes
from tortie.model.checks.policy import BUILT_IN_TIERS
from tortie.model.defaults import for_storage
from tortie.model.kubernetes_cluster_policy import ClusterNetworkPolicy
from tortie.model.meta import HostName, ObjectMeta, Resource
from tortie.model.policy import Tier, TierSpec
from tortie.model.validation import stored_resource
from tortie.net import TCP, UDP, Address, Family
from tortie.verdict import Cluster, Flow

POD = "projectcalico.org/orchestrator == 'k8s'"
WEB = {"namespaces": {"matchLabels": {"kubernetes.io/metadata.name": "web"}}}
FROM_WEB = "kubernetes.io/metadata.name == 'web'"


def policy(name: str = "p", **spec: Any) -> ClusterNetworkPolicy:
    document = {
        "kind": "ClusterNetworkPolicy",
        "metadata": {"name": name},
        "spec": {"tier": "Admin", "priority": 10, "subject": {"namespaces": {}}, **spec},
    }
    return codec.from_document(document, ClusterNetworkPolicy)


def spec_of(conversion: ClusterConversion) -> dict[str, Any]:
    assert conversion.policy is not None
    spec: dict[str, Any] = codec.to_document(conversion.policy)["spec"]
    return spec


def converted(**spec: Any) -> dict[str, Any]:
    conversion = cluster_network_policy(policy(**spec))
    assert conversion.errors == ()
    return spec_of(conversion)


def rules(direction: str, *given: dict[str, Any]) -> list[dict[str, Any]]:
    found = converted(**{direction: list(given)})[direction]
    return [{field: value for field, value in rule.items() if value != {}} for rule in found]


@pytest.mark.parametrize(
    ("tier", "name", "calicos"),
    [("Admin", "kcnp.admin.p", "kube-admin"), ("Baseline", "kcnp.baseline.p", "kube-baseline")],
)
def test_the_tier_decides_the_name_and_calicos_tier(tier: str, name: str, calicos: str) -> None:
    found = cluster_network_policy(policy(tier=tier)).policy
    assert found is not None
    assert (found.metadata.name, found.spec.tier, found.spec.order) == (name, calicos, 10.0)


def test_an_unknown_tier_means_nothing() -> None:
    assert cluster_network_policy(policy(tier="Other")).policy is None
    assert meaning(policy(tier="Other")) == {}


@pytest.mark.parametrize(
    ("subject", "selector", "namespaces"),
    [
        ({"namespaces": {}}, POD, "all()"),
        ({"namespaces": {"matchLabels": {"a": "b"}}}, POD, "a == 'b'"),
        ({"pods": {}}, POD, "all()"),
        (
            {"pods": {"namespaceSelector": {"matchLabels": {"a": "b"}}, "podSelector": {"matchLabels": {"c": "d"}}}},
            f"{POD} && c == 'd'",
            "a == 'b'",
        ),
    ],
    ids=["every pod", "of namespaces", "every pod, as pods", "pods of namespaces"],
)
def test_the_subject_becomes_two_selectors(subject: dict[str, Any], selector: str, namespaces: str) -> None:
    spec = converted(subject=subject)
    assert (spec["selector"], spec["namespaceSelector"]) == (selector, namespaces)


def test_a_policy_without_a_subject_is_refused_whole() -> None:
    with pytest.raises(ConversionError, match=r"spec\.subject: expected exactly one"):
        cluster_network_policy(policy(subject={}))


def test_a_name_that_would_be_too_long_is_refused() -> None:
    with pytest.raises(ConversionError, match="at most 242 are allowed"):
        cluster_network_policy(policy(name="x" * 243))


@pytest.mark.parametrize(
    ("given", "types"),
    [
        ({"ingress": [{"action": "Deny", "from": [WEB]}]}, ("Ingress",)),
        ({"egress": [{"action": "Deny", "to": [WEB]}]}, ("Egress",)),
        ({}, ()),
    ],
    ids=["ingress", "egress", "none"],
)
def test_only_directions_with_rules_are_governed(given: dict[str, Any], types: tuple[str, ...]) -> None:
    assert tuple(converted(**given).get("types", ())) == types


@pytest.mark.parametrize(("action", "calicos"), [("Accept", "Allow"), ("Deny", "Deny"), ("Pass", "Pass")])
def test_a_rule_keeps_its_name_and_gets_calicos_action(action: str, calicos: str) -> None:
    assert rules("ingress", {"name": "n", "action": action, "from": [WEB]}) == [
        {
            "action": calicos,
            "source": {"namespaceSelector": FROM_WEB},
            "metadata": {"annotations": {"name": "n"}},
        }
    ]


def test_networks_of_both_families_stay_in_one_rule() -> None:
    (rule,) = rules("egress", {"action": "Deny", "to": [{"networks": ["10.0.0.1/8", "fd00::/8"]}]})
    assert list(rule["destination"]["nets"]) == ["10.0.0.0/8", "fd00::/8"]


def test_names_of_ports_come_first_then_each_protocol_with_each_peer() -> None:
    api = {"pods": {"podSelector": {"matchLabels": {"role": "api"}}}}
    protocols = [
        {"udp": {"destinationPort": {"range": {"start": 1, "end": 5}}}},
        {"tcp": {"destinationPort": {"number": 80}}},
        {"destinationNamedPort": "http"},
        {"udp": {"destinationPort": {"number": 6}}},
    ]
    found = rules("egress", {"action": "Accept", "to": [WEB, api], "protocols": protocols})
    assert [(rule.get("protocol"), list(rule["destination"]["ports"])) for rule in found] == [
        (None, ["http"]), (None, ["http"]), ("TCP", [80]), ("TCP", [80]), ("UDP", ["1:6"]), ("UDP", ["1:6"]),
    ]  # fmt: skip
    assert [rule["destination"].get("selector") for rule in found[:2]] == [None, f"{POD} && role == 'api'"]


# --- what cannot be converted ----------------------------------------------------------------------------------------------

UNREADABLE = {
    "a range backwards": {"to": [WEB], "protocols": [{"tcp": {"destinationPort": {"range": {"start": 10, "end": 1}}}}]},
    "a port that is none": {"to": [WEB], "protocols": [{"tcp": {"destinationPort": {"number": 70000}}}]},
    "no protocol": {"to": [WEB], "protocols": [{}]},
    "no network": {"to": [{"networks": ["10.0.0.1"]}]},
    "a peer that is unknown": {"to": [{}]},
    "no peer": {"to": []},
    "nodes": {"to": [{"nodes": {}}]},
    "names": {"to": [{"domainNames": ["example.com"]}]},
    "one good peer, one bad": {"to": [WEB, {"networks": ["x"]}]},
}


@pytest.mark.parametrize("action", ["Accept", "Deny", "Pass"])
@pytest.mark.parametrize("rule", UNREADABLE.values(), ids=UNREADABLE)
def test_what_cannot_be_read_fails_closed(rule: dict[str, Any], action: str) -> None:
    """An Accept is left out; anything else denies all, for what comes after it might accept what it would have stopped."""
    conversion = cluster_network_policy(policy(egress=[{"action": action, **rule}]))
    spec = spec_of(conversion)
    assert [rule["action"] for rule in spec.get("egress", ())] == ([] if action == "Accept" else ["Deny"])
    assert spec["types"] == ("Egress",)
    (error,) = conversion.errors
    assert error.startswith("spec.egress[0] is left out" if action == "Accept" else "spec.egress[0] denies everything")


# --- what it does ----------------------------------------------------------------------------------------------------------


def cluster(*policies: Resource) -> Cluster:
    resources: list[Resource] = [
        Tier(metadata=ObjectMeta(name=name), spec=TierSpec(order=order, default_action=action))  # type: ignore[arg-type]
        for name, (order, action) in BUILT_IN_TIERS.items()
    ]
    for number, namespace in enumerate(("web", "shop"), start=1):
        source = codec.from_document({"kind": "Namespace", "metadata": {"name": namespace}}, kubernetes.Namespace)
        resources += meaning(source).values()
        document = {"kind": "Pod", "metadata": {"name": "pod", "namespace": namespace}, "spec": {"containers": []}}
        networks = (Address.parse(f"10.0.0.{number}").network(),)
        pod = codec.from_document(document, kubernetes.Pod)
        resources.append(
            workload_endpoint(pod, node=HostName("n"), ifname=f"cali{number}", mac=None, networks=networks)
        )
    for resource in policies:
        for key, means in meaning(resource).items():  # as the store gives it back
            resources.append(stored_resource(key, for_storage(means, uid="", creation_timestamp="")))
    return Cluster.of(resources)


def reaches(judge: Cluster, port: int = 80, protocol: Any = TCP) -> bool:
    source, destination = (judge.endpoint(f"{namespace}/pod").at(Family.V4) for namespace in ("web", "shop"))
    flow = Flow(
        source=source, destination=destination, protocol=protocol, source_port=40000, destination_port=port
    )  # fmt: skip
    return judge.judge(flow).allowed


def network_policy(**spec: Any) -> Resource:
    document = {"kind": "NetworkPolicy", "metadata": {"name": "k", "namespace": "shop"}, "spec": spec}
    return codec.from_document(document, kubernetes.NetworkPolicy)


DENY_ALL = network_policy(podSelector={})
ALLOW_ALL = network_policy(podSelector={}, ingress=[{}])


@pytest.mark.parametrize(
    ("policies", "allowed"),
    [
        pytest.param([policy(ingress=[{"action": "Deny", "from": [WEB]}]), ALLOW_ALL], False, id="Admin denies first"),
        pytest.param([policy(ingress=[{"action": "Accept", "from": [WEB]}]), DENY_ALL], True, id="Admin accepts first"),
        pytest.param([policy(ingress=[{"action": "Pass", "from": [WEB]}]), DENY_ALL], False, id="Admin passes"),
        pytest.param([policy(tier="Baseline", ingress=[{"action": "Deny", "from": [WEB]}]), ALLOW_ALL], True, id="Baseline comes last"),
        pytest.param([policy(tier="Baseline", ingress=[{"action": "Deny", "from": [WEB]}])], False, id="Baseline where nobody decides"),
        pytest.param([policy(egress=[{"action": "Deny", "to": [{"networks": ["10.0.0.0/8", "fd00::/8"]}]}])], False, id="networks of both families"),
        pytest.param(
            [policy("b", priority=1, ingress=[{"action": "Pass", "from": [WEB]}]), policy("a", priority=2, ingress=[{"action": "Deny", "from": [WEB]}])],
            True, id="Pass skips the rest of the tier",
        ),
        pytest.param(
            [policy("b", priority=1, ingress=[{"action": "Accept", "from": [WEB]}]), policy("a", priority=2, ingress=[{"action": "Deny", "from": [WEB]}])],
            True, id="the lower priority comes first",
        ),
    ],
)  # fmt: skip
def test_tiers_and_priorities_decide_as_kubernetes_says(policies: list[Resource], allowed: bool) -> None:
    assert reaches(cluster(*policies)) is allowed


def test_ports_count_for_their_protocol_only() -> None:
    protocols = [{"udp": {"destinationPort": {"range": {"start": 50, "end": 60}}}}]
    judge = cluster(policy(ingress=[{"action": "Deny", "from": [WEB], "protocols": protocols}]))
    assert [reaches(judge, 53, UDP), reaches(judge, 61, UDP), reaches(judge, 53, TCP)] == [False, True, True]


def test_what_it_means_is_a_policy_that_the_store_accepts() -> None:
    ((key, resource),) = meaning(policy(name="a.b.c", tier="Baseline")).items()
    assert key.kind is kinds.GLOBAL_NETWORK_POLICY
    assert stored_resource(key, for_storage(resource, uid="", creation_timestamp="")) is not None
