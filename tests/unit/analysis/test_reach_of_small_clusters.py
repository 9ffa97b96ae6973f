"""Clusters made for what random ones seldom have: the whole answer is the oracle's for every pair of ends."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from cluster_documents import Document, calico, node, pod

from tortie.analysis.cluster import cluster_of
from tortie.analysis.reach.hosts import hosts_as_ends
from tortie.testing.reachability import differing
from tortie.testing.tally import Tally
from tortie.verdict import Cluster

ROUNDS = 20


def serving(name: str, address: str, port: int, **labels: str) -> Document:
    """A pod that calls *port* ``http``."""
    containers = [{"name": "main", "ports": [{"name": "http", "containerPort": port}]}]
    return pod(name, address, labels=labels, containers=containers)


def allow(kind: str, name: str, peer: Document | None = None, **spec: Any) -> Document:
    rule = {"action": "Allow", "protocol": "TCP", **(peer or {})}
    return calico(kind, name, types=["Ingress"], ingress=[rule], **spec)


def on_host(name: str, order: int, **spec: Any) -> Document:
    return calico("GlobalNetworkPolicy", name, selector="has(edge)", applyOnForward=True, order=order, **spec)


EDGE = calico(
    "HostEndpoint", "edge", labels={"edge": "yes"}, node="one", interfaceName="eth0", expectedIPs=["10.9.0.1"]
)
HOSTS = [node("one", "10.9.0.1"), node("two", "10.9.0.2"), EDGE]
PODS = [pod("a/x", "10.0.1.1", node="one"), pod("a/y", "10.0.2.1", node="two"), pod("a/z", "10.0.1.2", node="one")]
FAILSAFE = {"protocol": "TCP", "port": 22, "net": "0.0.0.0/0"}
DENIED = {"types": ["Ingress"], "ingress": [{"action": "Deny"}]}

CLUSTERS: dict[str, list[Document]] = {
    "a named port is another number at each endpoint": [
        serving("a/one", "10.0.0.1", 80, app="x"),
        serving("a/two", "10.0.0.2", 81, app="x"),
        allow("NetworkPolicy", "a/p", {"destination": {"ports": ["http"]}}),
    ],
    "a named port is looked up among those selected": [
        serving("a/one", "10.0.0.1", 80, app="x"),
        serving("a/two", "10.0.0.2", 81, app="y"),
        calico(
            "NetworkPolicy", "a/p", types=["Egress"],
            egress=[{"action": "Allow", "protocol": "TCP", "destination": {"selector": "app == 'x'", "ports": ["http", 443]}}],
        ),
        calico(
            "NetworkPolicy", "a/q", types=["Ingress"], order=1,
            ingress=[
                {"action": "Deny", "protocol": "TCP", "destination": {"selector": "app == 'x'", "notPorts": ["http"]}},
                {"action": "Allow"},
            ],
        ),
    ],
    "a port is looked up at whoever shares the address": [
        serving("a/one", "10.0.0.1", 80, app="x"),
        serving("a/two", "10.0.0.1", 81, app="y"),
        pod("a/client", "10.0.0.3"),
        allow("NetworkPolicy", "a/p", {"destination": {"ports": ["http"]}}),
    ],
    "of those who share an address only the port of whom a rule selects counts": [
        serving("a/one", "10.0.0.1", 80, app="x"),
        serving("a/two", "10.0.0.1", 81, app="y"),
        pod("a/client", "10.0.0.3", labels={"app": "client"}),
        calico(
            "NetworkPolicy", "a/p", selector="app == 'client'", types=["Egress"],
            egress=[{"action": "Allow", "protocol": "TCP", "destination": {"selector": "app == 'x'", "ports": ["http"]}}],
        ),
    ],
    "all() under a serviceAccountSelector means having an account": [
        pod("a/with", "10.0.0.1", serviceAccountName="s"),
        calico(
            "WorkloadEndpoint", "a/one-cni-c-eth0", labels={"app": "without"}, orchestrator="cni", node="one", containerID="c",
            endpoint="eth0", interfaceName="calic", ipNetworks=["10.0.0.2/32"], profiles=["kns.a"],
        ),
        allow("GlobalNetworkPolicy", "p", selector="all()", serviceAccountSelector="role != 'none'"),
    ],
    "hosts tell workloads apart that are alike": [
        *HOSTS,
        *(pod(f"a/{name}", address, node=host, labels={"app": "x"}) for name, address, host in (
            ("x", "10.0.1.1", "one"), ("y", "10.0.2.1", "two"), ("z", "10.0.1.2", "one"),
        )),
        on_host("forward", 1, types=["Ingress", "Egress"], ingress=[{"action": "Allow", "protocol": "UDP"}]),
    ],
    "an untracked Allow spares forward policy, a failsafe does not": [
        *HOSTS, *PODS,
        on_host("untracked", 1, doNotTrack=True, types=["Ingress"], ingress=[{"action": "Allow"}]),
        on_host("forward", 2, **DENIED),
    ],
    "before DNAT a failsafe opens to whom its network holds, and to who has no address": [
        *HOSTS, *PODS, pod("a/new", node="two"),
        on_host("early", 1, preDNAT=True, **DENIED),
        calico("FelixConfiguration", "default", failsafeInboundHostPorts=[FAILSAFE]),
    ],
    "a wildcard's policy before DNAT judges workloads by their own address": [
        node("one", "10.9.0.1"), *PODS, pod("a/new", node="one"),
        calico("HostEndpoint", "every", labels={"edge": "yes"}, node="one", interfaceName="*"),
        on_host("early", 1, preDNAT=True, **DENIED),
        calico("FelixConfiguration", "default", failsafeInboundHostPorts=[{**FAILSAFE, "net": "10.0.1.1/32"}]),
    ],
    "a host without endpoints takes from its own workloads what their policy and its settings allow": [
        node("one", "10.9.0.1"), node("two", "10.9.0.2"), *PODS,
        calico("FelixConfiguration", "default", defaultEndpointToHostAction="Accept"),
        calico(
            "GlobalNetworkPolicy", "out", selector="app == 'x'", types=["Egress"],
            egress=[{"action": "Allow", "protocol": "TCP", "destination": {"nets": ["10.9.0.0/24"]}}],
        ),
        calico("GlobalNetworkPolicy", "in", types=["Ingress"], ingress=[
            {"action": "Allow", "source": {"nets": ["10.9.0.2/32"]}}, {"action": "Deny", "protocol": "TCP"},
        ], selector="all()"),
    ],
    "whose address nobody knows is in no network": [
        pod("a/x", "10.0.1.1", node="one"), pod("a/y", "10.0.2.1", node="two"),
        calico("GlobalNetworkPolicy", "in", types=["Ingress"], ingress=[
            {"action": "Allow", "protocol": "TCP", "source": {"notNets": ["10.0.0.0/8"]}},
            {"action": "Allow", "protocol": "UDP", "source": {"nets": ["0.0.0.0/0"]}},
        ], selector="all()"),
    ],
    "what a host sends and receives is for its endpoint's policy, failsafes and profiles": [
        *HOSTS, *PODS,
        calico("GlobalNetworkPolicy", "both", selector="has(edge)", types=["Ingress", "Egress"], ingress=[
            {"action": "Allow", "protocol": "TCP", "source": {"selector": "app == 'x' || app == 'y'"}},
            {"action": "Pass", "protocol": "UDP"},
        ], egress=[{"action": "Allow", "protocol": "UDP", "destination": {"nets": ["10.0.2.0/24"]}}]),
        calico(
            "FelixConfiguration", "default", failsafeInboundHostPorts=[{**FAILSAFE, "net": "10.9.0.2/32"}],
            failsafeOutboundHostPorts=[{**FAILSAFE, "net": "10.0.2.1/32"}],
        ),
    ],
    "a host is asked where it has the address by which it is known": [
        calico("Node", "one", interfaces=[
            {"name": "eth0", "addresses": ["10.9.0.1/24"]}, {"name": "eth1", "addresses": ["10.9.1.1/24"]},
        ]),
        node("two", "10.9.0.2"), *PODS,
        calico("HostEndpoint", "edge", labels={"edge": "yes"}, node="one", expectedIPs=["10.9.1.1"]),
        calico("GlobalNetworkPolicy", "closed", selector="has(edge)", **DENIED),
        calico("FelixConfiguration", "default", failsafeInboundHostPorts=[{**FAILSAFE, "net": "10.0.2.0/25"}]),
    ],
    "untracked and pre-DNAT policy spare a host's own": [
        *HOSTS, *PODS,
        on_host("untracked", 1, doNotTrack=True, types=["Ingress", "Egress"],
            ingress=[{"action": "Allow", "protocol": "TCP"}], egress=[{"action": "Allow", "protocol": "ICMP"}, {"action": "Deny", "protocol": "UDP"}]),
        on_host("early", 2, preDNAT=True, types=["Ingress"], ingress=[{"action": "Allow", "protocol": "UDP"}, {"action": "Deny", "protocol": "SCTP"}]),
        calico("GlobalNetworkPolicy", "none", selector="has(edge)", types=["Ingress", "Egress"]),
    ],
    "hosts take tunnels from each other whatever their policy, and from no stranger": [
        *HOSTS, *PODS,
        calico("IPPool", "pool", cidr="10.0.0.0/16", ipipMode="Always"),
        calico("IPPool", "other", cidr="10.1.0.0/16", vxlanMode="Always"),
        calico("FelixConfiguration", "default", externalNodesList=["198.51.100.0/24"], defaultEndpointToHostAction="Accept"),
        calico("GlobalNetworkPolicy", "none", selector="has(edge)", types=["Ingress", "Egress"]),
    ],
}  # fmt: skip


@pytest.mark.parametrize("documents", CLUSTERS.values(), ids=CLUSTERS)
def test_every_answer_is_the_oracles(documents: list[Document]) -> None:
    cluster, tally = Cluster.of(cluster_of(documents).values()), Tally()
    for number in range(ROUNDS):
        (hosts,) = hosts_as_ends([cluster], all_hosts=bool(number % 2))
        found = next(differing(Random(number), cluster, 49152, tally, hosts), None)
        assert found is None, f"{found[0]}: the oracle says {found[1].allowed}: {found[1].reason}"
    assert tally["flows"]["all through"]
    assert tally["flows"]["all stopped"]
