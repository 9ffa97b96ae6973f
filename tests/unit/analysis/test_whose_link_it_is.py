"""Packets at one host, over links that several workloads claim, that nobody has, or whose workload has no address yet: all engines agree."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from cluster_documents import Document, calico, node

from tortie.analysis.cluster import cluster_of
from tortie.analysis.ends import Directory, Question
from tortie.analysis.engines import Engine, OracleEngine, RulesetEngine
from tortie.net import ICMPV6, TCP, Address
from tortie.ruleset.options import Compilation
from tortie.verdict import Cluster, HostPacket

ENGINES = ("oracle", Compilation.LINEAR, Compilation.RUNS)
OUTSIDE = "203.0.113.1"


def workload(name: str, *addresses: str, orchestrator: str, link: str = "cali1") -> Document:
    namespace, _, own = name.partition("/")
    identity = {"k8s": "pod", "cni": "containerID"}.get(orchestrator, "workload")
    return calico(
        "WorkloadEndpoint", f"{namespace}/one-{orchestrator}-{own.replace('-', '--')}-eth0",
        **{identity: own, "node": "one", "orchestrator": orchestrator, "endpoint": "eth0", "interfaceName": link},
        ipNetworks=list(addresses), profiles=[f"kns.{namespace}"],
    )  # fmt: skip


def engine_of(who: str, documents: Sequence[Document]) -> Engine:
    known = cluster_of([node("one", "192.0.2.1/24"), *documents])
    cluster = Cluster.of(known.values())
    return OracleEngine(cluster) if who == "oracle" else RulesetEngine(known, cluster, Compilation(who))


def passes(who: str, documents: Sequence[Document], source: str, destination: str, came: str, goes: str) -> bool:
    packet = HostPacket(
        source=Address.parse(source), destination=Address.parse(destination), protocol=TCP, source_port=1024,
        destination_port=80, in_interface=came, out_interface=goes,
    )  # fmt: skip
    return engine_of(who, documents).pass_host("one", [packet]) == [True]


CLAIMS = {
    "by orchestrator before namespace": (("b/x", "cni"), ("a/x", "k8s")),
    "by namespace": (("a/y", "k8s"), ("b/x", "k8s")),
    "by name, in which a - counts once": (("a/web", "k8s"), ("a/web-2", "k8s")),
}
"""Who has the link, and who has to wait."""


@pytest.mark.parametrize("who", ENGINES)
@pytest.mark.parametrize(("winner", "loser"), CLAIMS.values(), ids=CLAIMS)
def test_of_those_that_claim_one_link_the_lowest_in_rank_has_it(
    who: str, winner: tuple[str, str], loser: tuple[str, str]
) -> None:
    documents = [
        workload(loser[0], "10.0.0.2/32", orchestrator=loser[1]),
        workload(winner[0], "10.0.0.1/32", orchestrator=winner[1]),
    ]
    assert passes(who, documents, "10.0.0.1", OUTSIDE, "cali1", "eth0")
    assert not passes(who, documents, "10.0.0.2", OUTSIDE, "cali1", "eth0")


@pytest.mark.parametrize("who", ENGINES)
def test_who_waits_for_a_link_neither_sends_over_it_nor_is_asked(who: str) -> None:
    documents = [
        workload("b/x", "10.0.0.1/32", orchestrator="cni"),
        workload("a/x", "10.0.0.2/32", orchestrator="k8s"),
        calico("NetworkPolicy", "a/closed", types=["Ingress"]),
    ]
    known = cluster_of([node("one", "192.0.2.1/24"), *documents])
    ask = [("a/x", OUTSIDE), (OUTSIDE, "a/x"), ("b/x", OUTSIDE)]
    flows = [
        Directory(known).flow(Question(source=source, destination=destination, protocol=TCP, destination_port=80))
        for source, destination in ask
    ]
    assert engine_of(who, documents).allow(flows) == [False, True, True]


@pytest.mark.parametrize("who", ENGINES)
def test_the_link_of_an_endpoint_without_an_address_is_closed(who: str) -> None:
    documents = [
        workload("a/new", orchestrator="k8s"),
        workload("a/w", "10.0.0.1/32", orchestrator="k8s", link="cali2"),
    ]
    assert not passes(who, documents, OUTSIDE, "10.0.0.9", "eth0", "cali1")
    assert not passes(who, documents, "10.0.0.1", "10.0.0.9", "cali2", "cali1")
    assert passes(who, documents, "10.0.0.1", OUTSIDE, "cali2", "eth0")


@pytest.mark.parametrize("who", ENGINES)
def test_nobodys_link_finds_no_neighbours_but_by_its_own_address(who: str) -> None:
    solicitations = [
        HostPacket(
            source=Address.parse(source), destination=Address.parse("fd00:1::1"), protocol=ICMPV6, icmp_type=135,
            in_interface="cali9",
        )
        for source in ("fd00::9", "fe80::9")
    ]  # fmt: skip
    assert engine_of(who, []).pass_host("one", solicitations) == [False, True]
