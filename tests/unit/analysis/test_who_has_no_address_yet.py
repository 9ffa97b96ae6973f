"""Whoever has no address is in no network and found by labels all the same, whoever is asked."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest
from cluster_documents import Document, calico, kubernetes_policy, node, pod
from hypothesis import given
from hypothesis import strategies as st

from tortie.analysis.cluster import cluster_of
from tortie.analysis.ends import Directory, Question
from tortie.analysis.engines import Engine, OracleEngine, RulesetEngine
from tortie.analysis.placeholders import RANGES, stand_ins, without
from tortie.net import TCP, Address, Network
from tortie.ruleset.options import Compilation
from tortie.verdict import Cluster

EVERYWHERE = "0.0.0.0/0"
ENGINES = ("oracle", Compilation.LINEAR, Compilation.RUNS)


def allowed(who: str, documents: list[Document], source: str, destination: str) -> bool:
    known = cluster_of(documents)
    cluster = Cluster.of(known.values())
    engine: Engine = OracleEngine(cluster) if who == "oracle" else RulesetEngine(known, cluster, Compilation(who))
    question = Question(source=source, destination=destination, protocol=TCP, destination_port=80)
    (answer,) = engine.allow([Directory(known).flow(question)])
    return answer


def ingress(*rules: dict[str, Any]) -> Document:
    return calico("GlobalNetworkPolicy", "in", selector="app == 'db'", types=["Ingress"], ingress=list(rules))


def allow(**source: Any) -> dict[str, Any]:
    return {"action": "Allow", "source": source}


RULES: dict[str, tuple[list[Document], bool]] = {
    "any": ([ingress(allow())], True),
    "a label": ([ingress(allow(selector="app == 'new'"))], True),
    "another label": ([ingress(allow(selector="app == 'old'"))], False),
    "every net": ([ingress(allow(nets=[EVERYWHERE, "::/0"]))], False),
    "the stand-ins' own net": ([ingress(allow(nets=["240.0.0.0/4"]))], False),
    "a net of stand-ins only": ([ingress(allow(nets=["240.0.0.0/24"]))], False),
    "not any net": ([ingress(allow(notNets=["0.0.0.0/1", "128.0.0.0/1"]))], True),
    "not the stand-ins' own net": ([ingress(allow(notNets=["240.0.0.0/4"]))], True),
    "a set of every net": ([ingress(allow(selector="net == 'all'")), calico("GlobalNetworkSet", "all", labels={"net": "all"}, nets=[EVERYWHERE])], False),
    "an ipBlock": ([kubernetes_policy("shop/in", podSelector={"matchLabels": {"app": "db"}}, ingress=[{"from": [{"ipBlock": {"cidr": EVERYWHERE}}]}])], False),
}  # fmt: skip


@pytest.mark.parametrize("who", ENGINES)
@pytest.mark.parametrize(("documents", "expected"), RULES.values(), ids=RULES)
def test_no_net_holds_it_and_every_not_net_passes_it(who: str, documents: list[Document], expected: bool) -> None:
    pods = [pod("shop/new"), pod("shop/db", "10.0.0.2")]
    assert allowed(who, [*pods, *documents], "shop/new", "shop/db") is expected


@pytest.mark.parametrize("who", ENGINES)
def test_as_a_destination_too(who: str) -> None:
    documents = [
        pod("shop/new"),
        pod("shop/db", "10.0.0.2"),
        calico("GlobalNetworkPolicy", "out", types=["Egress"], egress=[{"action": "Deny", "destination": {"nets": [EVERYWHERE]}}, {"action": "Allow"}]),
    ]  # fmt: skip
    assert allowed(who, documents, "shop/db", "shop/new")
    assert not allowed(who, documents, "shop/new", "shop/db")


@pytest.mark.parametrize("who", ENGINES)
def test_two_without_an_address_are_told_apart(who: str) -> None:
    documents = [
        pod("shop/new"),
        pod("shop/other"),
        pod("shop/db", "10.0.0.2"),
        ingress(allow(selector="app == 'new'")),
    ]
    assert allowed(who, documents, "shop/new", "shop/db")
    assert not allowed(who, documents, "shop/other", "shop/db")


@pytest.mark.parametrize("who", ENGINES)
def test_a_host_of_which_no_address_is_known_is_asked_all_the_same(who: str) -> None:
    documents = [
        pod("shop/new", node="one"),
        calico("HostEndpoint", "one-eth0", node="two", interfaceName="eth0", profiles=["projectcalico-default-allow"]),
        calico("GlobalNetworkPolicy", "in", selector="has(app)", types=["Ingress"], ingress=[allow(nets=[EVERYWHERE])]),
    ]
    assert not allowed(who, documents, "host:two", "shop/new")
    assert allowed(who, documents, "shop/new", "host:two")


def test_where_everybody_has_an_address_nothing_is_changed() -> None:
    known = cluster_of(
        [pod("shop/db", "10.0.0.2", node="one"), node("one", "192.0.2.1"), ingress(allow(nets=[EVERYWHERE]))]
    )
    assert stand_ins(known).resources == known.resources


def test_a_cluster_that_nobody_asks_about_any_more_is_forgotten() -> None:
    known = cluster_of([pod("shop/new"), pod("shop/db", "10.0.0.2")])
    engine = RulesetEngine(known, Cluster.of(known.values()))
    question = Question(source="shop/new", destination="shop/db", protocol=TCP, destination_port=80)
    engine.allow([Directory(known).flow(question)])
    ways = weakref.ref(engine._of_flows._ways)
    del engine
    gc.collect()
    assert ways() is None


@given(st.integers(0, 12), st.integers(0, 0xFFFFFFFF), st.integers(0, 0xFFFFFFFF))
def test_cutting_leaves_all_but_the_hole(length: int, base: int, number: int) -> None:
    hole = RANGES[4]
    size = 32 - length
    network = Network((base >> size << size).to_bytes(4, "big"), length)
    address = Address(number.to_bytes(4, "big"))
    expected = network.contains(address) and not hole.contains(address)
    assert any(part.contains(address) for part in without(network, hole)) is expected


def test_a_hole_within_a_network_is_cut_out_exactly() -> None:
    parts = without(Network.parse("240.0.0.0/10"), RANGES[4])
    assert [str(part) for part in parts] == ["240.16.0.0/12", "240.32.0.0/11"]
