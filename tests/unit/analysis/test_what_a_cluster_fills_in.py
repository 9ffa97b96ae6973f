"""Documents without what a live cluster adds by itself are answered as that cluster would."""

from __future__ import annotations

import pytest
from cluster_documents import Document, calico, kubernetes_policy, node, pod

from tortie.analysis.cluster import DEFAULT_NODE, KnownCluster, RefusedError, cluster_of, filled_in
from tortie.analysis.documents import read_documents
from tortie.model.endpoint import WorkloadEndpoint
from tortie.model.kubernetes_endpointslice import EndpointSlice
from tortie.model.policy import Profile, Tier
from tortie.net import Address


def names(cluster: KnownCluster, kind: type) -> set[str]:
    return {resource.metadata.name for resource in cluster.resources.values() if isinstance(resource, kind)}


def profile(cluster: KnownCluster, name: str) -> Profile:
    (found,) = (r for r in cluster.resources.values() if isinstance(r, Profile) and r.metadata.name == name)
    return found


def endpoint(cluster: KnownCluster, name: str) -> WorkloadEndpoint:
    (found,) = cluster.workloads[name]
    return found


def test_tiers_and_the_profile_that_allows_all_are_built_in() -> None:
    cluster = cluster_of([])
    assert names(cluster, Tier) == {"default", "kube-admin", "kube-baseline"}
    assert names(cluster, Profile) == {"projectcalico-default-allow"}


@pytest.mark.parametrize(
    "document",
    [pod("shop/web"), kubernetes_policy("shop/deny"), calico("NetworkSet", "shop/partners")],
    ids=lambda d: d["kind"],
)
def test_a_namespace_that_only_appears_by_name_is_there(document: Document) -> None:
    labels = profile(cluster_of([document]), "kns.shop").spec.labels_to_apply
    assert labels == {"pcns.kubernetes.io/metadata.name": "shop", "pcns.projectcalico.org/name": "shop"}


def test_a_namespace_that_is_given_keeps_its_labels() -> None:
    given = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "labels": {"team": "red"}}}
    assert profile(cluster_of([pod("shop/web"), given]), "kns.shop").spec.labels_to_apply["pcns.team"] == "red"


def test_a_profile_that_is_given_wins() -> None:
    cluster = cluster_of([pod("shop/web"), calico("Profile", "kns.shop", egress=[{"action": "Deny"}])])
    assert profile(cluster, "kns.shop").spec.labels_to_apply == {}


def test_the_service_account_of_a_pod_is_there() -> None:
    cluster = cluster_of([pod("shop/web", serviceAccountName="till")])
    assert profile(cluster, "ksa.shop.till").spec.labels_to_apply == {"pcsa.projectcalico.org/name": "till"}


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        ([], DEFAULT_NODE),
        ([node("one", "192.0.2.1")], "one"),
        ([node("one", "192.0.2.1"), node("two", "192.0.2.2")], DEFAULT_NODE),
    ],
    ids=["no Node", "one Node", "two Nodes"],
)
def test_a_pod_without_a_node_is_on_the_only_one_or_on_its_own(others: list[Document], expected: str) -> None:
    assert endpoint(cluster_of([pod("shop/web"), *others]), "shop/web").spec.node == expected


def test_pods_without_a_node_are_where_the_caller_says() -> None:
    documents = [pod("shop/web"), pod("shop/db", node="two")]
    cluster = cluster_of(documents, "one")
    assert [endpoint(cluster, name).spec.node for name in ("shop/web", "shop/db")] == ["one", "two"]


def test_a_pod_with_the_hosts_network_is_its_node_and_no_endpoint() -> None:
    cluster = cluster_of([pod("kube-system/proxy", node="one", hostNetwork=True), node("one", "192.0.2.1/24")])
    assert cluster.host_network == {"kube-system/proxy": "one"}
    assert cluster.nodes == {"one": (Address.parse("192.0.2.1"),)}
    assert not cluster.workloads


def test_a_kubernetes_node_is_a_node() -> None:
    addresses = [{"type": "Hostname", "address": "one"}, {"type": "InternalIP", "address": "192.0.2.1"}]
    document = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "one"}, "status": {"addresses": addresses}}
    assert cluster_of([document]).nodes == {"one": (Address.parse("192.0.2.1"),)}


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_a_pod_that_has_ended_is_not_there(phase: str) -> None:
    document = pod("shop/job", "10.0.0.1")
    document["status"]["phase"] = phase
    assert not cluster_of([document]).workloads


def test_an_endpoint_beside_its_pod_stands_for_it() -> None:
    (given,) = cluster_of([pod("shop/web", "10.0.0.1", node="one")]).workloads["shop/web"]
    written = calico("WorkloadEndpoint", f"shop/{given.metadata.name}", orchestrator="k8s", node="one", pod="web",
                     endpoint="eth0", ipNetworks=["10.0.0.9/32"], interfaceName="cali9")  # fmt: skip
    found = endpoint(cluster_of([pod("shop/web", "10.0.0.1", node="one"), written]), "shop/web")
    assert [str(network) for network in found.spec.ip_networks] == ["10.0.0.9/32"]
    assert found.spec.interface_name == "cali9"


# --- services --------------------------------------------------------------------------------------------------------------


def service(**spec: object) -> Document:
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": "shop"}, "spec": spec}


def slices(cluster: KnownCluster) -> list[tuple[str, list[int | None]]]:
    found = (r for r in cluster.resources.values() if isinstance(r, EndpointSlice))
    return [(s.endpoints[0].addresses[0], [port.port for port in s.ports]) for s in found]


def test_a_service_has_the_pods_that_it_selects_behind_it() -> None:
    pods = [pod("shop/web", "10.0.0.1"), pod("shop/db", "10.0.0.2"), pod("other/web", "10.0.0.3"), pod("shop/web-2")]
    cluster = cluster_of([*pods, service(selector={"app": "web"}, ports=[{"port": 80, "targetPort": 8080}])])
    assert slices(cluster) == [("10.0.0.1", [8080])]


def test_a_target_port_by_name_is_the_pods_own() -> None:
    containers = [{"name": "main", "ports": [{"name": "http", "containerPort": 8080}]}]
    ports = [{"name": "a", "port": 80, "targetPort": "http"}, {"name": "b", "port": 81, "targetPort": "nobody"}]
    cluster = cluster_of(
        [pod("shop/web", "10.0.0.1", containers=containers), service(selector={"app": "web"}, ports=ports)]
    )
    assert slices(cluster) == [("10.0.0.1", [8080])]


def test_a_service_with_slices_of_its_own_gets_no_others() -> None:
    given = {
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {"name": "web-x", "namespace": "shop", "labels": {"kubernetes.io/service-name": "web"}},
        "endpoints": [{"addresses": ["10.9.9.9"]}], "ports": [{"port": 1}],
    }  # fmt: skip
    cluster = cluster_of([pod("shop/web", "10.0.0.1"), service(selector={"app": "web"}, ports=[{"port": 80}]), given])
    assert slices(cluster) == [("10.9.9.9", [1])]


# --- what means nothing ----------------------------------------------------------------------------------------------------


def test_what_is_left_out_is_told() -> None:
    policy = {
        "apiVersion": "policy.networking.k8s.io/v1alpha2", "kind": "ClusterNetworkPolicy", "metadata": {"name": "names"},
        "spec": {"tier": "Admin", "priority": 1, "subject": {"namespaces": {}},
                 "egress": [{"action": "Accept", "to": [{"domainNames": ["example.com"]}]}]},
    }  # fmt: skip
    (sentence,) = cluster_of([policy]).left_out
    assert sentence.startswith("ClusterNetworkPolicy names: spec.egress[0] is left out, and accepts nothing")


def test_a_pod_whose_address_is_none_is_refused_by_name() -> None:
    broken = pod("shop/web", "10.0.0.1")
    broken["status"]["podIPs"] = [{"ip": "nonsense"}]
    with pytest.raises(RefusedError, match="Pod shop/web: 'nonsense' is not an IP address"):
        filled_in({key: item.resource for key, item in read_documents([broken]).items()})


def test_so_is_one_with_the_hosts_network_which_a_service_may_stand_before() -> None:
    broken = pod("shop/web", "10.0.0.1", hostNetwork=True)
    broken["status"]["podIPs"] = [{"ip": "nonsense"}]
    documents = [broken, service(selector={"app": "web"}, ports=[{"port": 80}])]
    with pytest.raises(RefusedError, match="Pod shop/web: 'nonsense' is not an IP address"):
        filled_in({key: item.resource for key, item in read_documents(documents).items()})
