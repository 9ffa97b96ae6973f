"""Rules that fail by one criterion are told, with it; those that match or fail by more are not."""

from __future__ import annotations

from cluster_documents import Document, calico, pod

from tortie.analysis.cluster import cluster_of
from tortie.analysis.ends import Directory, Question
from tortie.analysis.near import near_misses
from tortie.net import TCP
from tortie.verdict import Cluster

PODS = [pod("shop/web", "10.0.0.1"), pod("shop/db", "10.0.0.2"), pod("shop/new")]


def nearly(documents: list[Document], source: str = "shop/web", port: int = 80) -> list[str]:
    known = cluster_of([*PODS, *documents])
    cluster = Cluster.of(known.values())
    question = Question(source=source, destination="shop/db", protocol=TCP, destination_port=port)
    return [str(near) for near in near_misses(cluster, cluster.judge(Directory(known).flow(question)))]


def policy(*rules: Document, name: str = "shop/db", **spec: object) -> Document:
    return calico("NetworkPolicy", name, selector="app == 'db'", types=["Ingress"], ingress=list(rules), **spec)


def rule(selector: str, port: int, action: str = "Allow") -> Document:
    return {"action": action, "protocol": "TCP", "source": {"selector": selector}, "destination": {"ports": [port]}}


def test_the_one_criterion_that_does_not_hold_is_told() -> None:
    assert nearly([policy(rule("app == 'web'", 443), rule("app == 'api'", 80))]) == [
        "NetworkPolicy shop/db, ingress rule 0 Allow: destination port 80 is none of the ports",
        "NetworkPolicy shop/db, ingress rule 1 Allow: source 10.0.0.1 is no endpoint or network set that the rule selects",
    ]


def test_a_rule_that_fails_by_two_is_far() -> None:
    assert nearly([policy(rule("app == 'api'", 443))]) == []


def test_rules_after_the_deciding_one_were_not_considered() -> None:
    assert nearly([policy(rule("app == 'web'", 80), rule("app == 'web'", 443))]) == []


def test_rules_of_policies_that_do_not_govern_were_not_considered() -> None:
    other = calico(
        "NetworkPolicy", "shop/other", selector="app == 'web'", types=["Ingress"], ingress=[rule("app == 'web'", 443)]
    )
    assert nearly([policy(rule("app == 'api'", 443)), other]) == []


def test_a_profiles_rules_count_too() -> None:
    profile = calico("Profile", "kns.shop", ingress=[rule("app == 'web'", 443)], egress=[{"action": "Allow"}])
    assert nearly([profile]) == ["profile kns.shop, ingress rule 0 Allow: destination port 80 is none of the ports"]


def test_who_has_no_address_nearly_matches_by_its_labels() -> None:
    by_net = {"action": "Allow", "source": {"selector": "app == 'new'", "nets": ["10.0.0.0/8"]}}
    assert nearly([policy(by_net)], source="shop/new") == [
        "NetworkPolicy shop/db, ingress rule 0 Allow: source without an address is in none of the nets"
    ]
