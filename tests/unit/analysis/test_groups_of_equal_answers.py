"""The connectivity matrix: who is told together, and what may pass between them."""

from __future__ import annotations

import pytest
from cluster_documents import calico, kubernetes_policy, node, pod

from tortie.analysis.cluster import cluster_of
from tortie.analysis.reach.matrix import Matrix, connectivity
from tortie.analysis.reach.state import Reach
from tortie.analysis.reach.universe import universe
from tortie.verdict import Cluster

Told = set[tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]]
OUTSIDE = ("0.0.0.0/0",)

PODS = [
    pod("shop/web-1", "10.0.0.1", labels={"app": "web", "pod-template-hash": "1"}),
    pod("shop/web-2", "10.0.0.2", labels={"app": "web", "pod-template-hash": "2"}),
    pod("shop/db", "10.0.0.3", labels={"app": "db"}),
]
DATABASE = kubernetes_policy(
    "shop/db",
    podSelector={"matchLabels": {"app": "db"}},
    policyTypes=["Ingress", "Egress"],
    ingress=[{"from": [{"podSelector": {"matchLabels": {"app": "web"}}}], "ports": [{"port": 5432}]}],
)
WEB = ("shop/web-1", "shop/web-2")


def matrix(*documents: object) -> Matrix:
    return connectivity(Reach(universe([Cluster.of(cluster_of(documents).values())])))


def told(*documents: object) -> Told:
    """Members of the sources' groups, of the destination's, and packets."""
    found = matrix(*documents)
    return {
        (
            tuple(name for source in connection.sources for name in found.groups[source].members),
            found.groups[connection.destination].members,
            connection.packets,
        )
        for connection in found.connections
    }


def test_without_policies_all_are_one_group_and_reach_each_other() -> None:
    everybody = ("shop/db", *WEB)
    assert told(*PODS) == {((*everybody, *OUTSIDE), everybody, ("all",)), (everybody, OUTSIDE, ("all",))}


def test_labels_that_no_policy_asks_for_tell_nobody_apart() -> None:
    assert [group.members for group in matrix(*PODS, DATABASE).groups] == [("shop/db",), WEB, OUTSIDE]


def test_what_a_policy_allows_is_between_its_groups() -> None:
    assert told(*PODS, DATABASE) == {
        (WEB, ("shop/db",), ("TCP 5432",)),
        ((*WEB, *OUTSIDE), WEB, ("all",)),
        (WEB, OUTSIDE, ("all",)),
    }


def test_of_a_single_workload_nothing_is_said_to_itself() -> None:
    assert told(PODS[2]) == {(OUTSIDE, ("shop/db",), ("all",)), (("shop/db",), OUTSIDE, ("all",))}


def test_networks_outside_are_told_by_what_is_left_of_them() -> None:
    block = {"ipBlock": {"cidr": "192.0.2.0/24", "except": ["192.0.2.128/25"]}}
    policy = kubernetes_policy("shop/db", ingress=[{"from": [block], "ports": [{"port": 22}]}])
    found = matrix(PODS[2], policy)
    assert [group.members for group in found.groups] == [
        ("shop/db",),
        ("0.0.0.0/0 except 192.0.2.0/24", "192.0.2.128/25"),
        ("192.0.2.0/24 except 192.0.2.128/25",),
    ]
    assert (("192.0.2.0/24 except 192.0.2.128/25",), ("shop/db",), ("TCP 22",)) in told(PODS[2], policy)


def test_addresses_of_the_cluster_are_no_networks_outside() -> None:
    policy = kubernetes_policy("shop/db", ingress=[{"from": [{"ipBlock": {"cidr": "10.0.0.1/32"}}]}])
    here = node("default-node", "10.9.0.1")
    assert [group.members for group in matrix(*PODS, policy, here).groups][-1] == OUTSIDE
    assert not any("10.0.0.1" in name for group in matrix(*PODS, policy, here).groups for name in group.members)


def test_who_has_no_address_is_asked_in_both_families() -> None:
    found = told(pod("shop/new"), pod("shop/old", "10.0.0.9"))
    assert (("shop/old", *OUTSIDE, "::/0"), ("shop/new",), ("all",)) in found
    assert (("shop/new", *OUTSIDE), ("shop/old",), ("all",)) in found


def test_families_are_told_only_where_they_differ() -> None:
    two = pod("shop/a", ["10.0.0.1", "fd00::1"]), pod("shop/b", ["10.0.0.2", "fd00::2"])
    policy = calico(
        "NetworkPolicy", "shop/a", selector="app == 'a'", types=["Ingress"],
        ingress=[
            {"action": "Allow", "protocol": "TCP", "destination": {"ports": [80]}},
            {"action": "Allow", "protocol": "TCP", "ipVersion": 6, "destination": {"ports": [81]}},
        ],
    )  # fmt: skip
    found = told(*two, policy)
    assert (("shop/b",), ("shop/a",), ("TCP 80 (IPv4)", "TCP 80-81 (IPv6)")) in found
    assert (("::/0",), ("shop/a",), ("TCP 80-81",)) in found


def test_a_service_is_reached_by_who_reaches_the_workloads_behind_it_at_their_port() -> None:
    service = {
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "data", "namespace": "shop"},
        "spec": {"selector": {"app": "db"}, "ports": [{"port": 80, "targetPort": 5432}]},
    }  # fmt: skip
    second = pod("shop/db-2", "10.0.0.4", labels={"app": "db", "open": "yes"})
    opened = kubernetes_policy("shop/open", podSelector={"matchLabels": {"open": "yes"}}, ingress=[{}])
    found = matrix(*PODS, DATABASE, second, opened, service)
    (answer,) = found.services
    assert (answer.service, answer.port) == ("shop/data", "TCP 5432")
    assert [found.groups[number].members for number in answer.every] == [WEB]
    assert [found.groups[number].members for number in answer.some] == [("shop/db",), ("shop/db-2",), OUTSIDE]


@pytest.mark.parametrize("order", [1, -1])
def test_the_answer_does_not_depend_on_the_order_of_documents(order: int) -> None:
    documents = [*PODS, DATABASE, pod("ops/x", "10.1.0.1")]
    assert matrix(*documents[::order]) == matrix(*documents)
