"""What a host is told, as plain values: everything by name, sets by what they are of."""

from __future__ import annotations

from typing import Any

from cluster_documents import calico, kubernetes_policy, node, pod

from tortie.analysis.cluster import cluster_of
from tortie.analysis.hoststate import host_state
from tortie.model.meta import HostName

CLUSTER = cluster_of(
    [
        pod("shop/web", "10.0.0.1", node="one", containers=[{"ports": [{"name": "http", "containerPort": 8080}]}]),
        pod("shop/db", "10.0.0.2", node="two"),
        node("one", "192.0.2.1/24"),
        node("two", "192.0.2.2/24"),
        kubernetes_policy(
            "shop/web",
            podSelector={"matchLabels": {"app": "web"}},
            ingress=[{"from": [{"podSelector": {"matchLabels": {"app": "db"}}}], "ports": [{"port": "http"}]}],
        ),
        calico("StagedNetworkPolicy", "shop/later", selector="app == 'web'", types=["Ingress"]),
        calico("GlobalNetworkPolicy", "early", order=1, selector="app == 'web'", types=["Ingress", "Egress"], ingress=[{"action": "Pass"}], egress=[{"action": "Allow", "destination": {"services": {"name": "db", "namespace": "shop"}}}]),
        calico("HostEndpoint", "one-eth0", node="one", interfaceName="eth0", expectedIPs=["192.0.2.1"]),
        calico("FelixConfiguration", "default", defaultEndpointToHostAction="Accept"),
    ]
)  # fmt: skip


def state(name: str) -> dict[str, Any]:
    return host_state(HostName(name), CLUSTER.resources)


def test_endpoints_have_their_policies_in_order() -> None:
    (endpoint,) = state("one")["workloadEndpoints"]
    (tier,) = endpoint["tiers"]
    assert endpoint["name"] == "one-k8s-web-eth0"
    assert (tier["name"], tier["defaultAction"]) == ("default", "Deny")
    assert [policy["name"] for policy in tier["ingress"]] == ["early", "knp.default.web", "later"]
    assert tier["egress"] == [{"kind": "GlobalNetworkPolicy", "name": "early"}]
    assert endpoint["profiles"] == ["kns.shop"]


def test_sets_say_what_they_are_of() -> None:
    by_selector = [
        found for found in state("one")["ipSets"] if "app ==" in found.get("selector", "") and "port" not in found
    ]
    assert [found["members"] for found in by_selector] == [["10.0.0.2/32"]]
    (named,) = [found for found in state("one")["ipSets"] if "port" in found]
    assert named["port"] == {"name": "http", "protocol": "TCP"}
    assert named["members"] == ["10.0.0.1,TCP:8080"]
    (service,) = [found for found in state("one")["ipSets"] if "service" in found]
    assert service["service"] == {"namespace": "shop", "name": "db"}


def test_policies_and_profiles_are_those_that_are_active() -> None:
    assert [policy["name"] for policy in state("one")["policies"]] == ["early", "knp.default.web", "later"]
    assert [policy.get("staged", False) for policy in state("one")["policies"]] == [False, False, True]
    assert state("two")["policies"] == []
    assert [profile["name"] for profile in state("two")["profiles"]] == ["kns.shop"]


def test_host_endpoints_hosts_and_settings_are_there() -> None:
    found = state("one")
    assert [endpoint["expectedIPs"] for endpoint in found["hostEndpoints"]] == [["192.0.2.1"]]
    assert [host["node"] for host in found["hosts"]] == ["one", "two"]
    assert found["config"] == {"defaultEndpointToHostAction": "Accept"}


def test_routes_of_workloads_say_where_they_are() -> None:
    routes = {route["destination"]: route for route in state("one")["routes"]}
    assert routes["10.0.0.1/32"]["types"] == ["LOCAL_WORKLOAD"]
    assert routes["10.0.0.1/32"]["node"] == "one"
