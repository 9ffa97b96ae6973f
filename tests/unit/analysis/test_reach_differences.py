"""What a change opens and closes is the difference of two whole matrices, however little of them is looked at."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from random import Random

import pytest
from cluster_documents import Document, calico, kubernetes_policy, node, pod

from tortie.analysis.cluster import cluster_of
from tortie.analysis.reach import space
from tortie.analysis.reach.bits import members
from tortie.analysis.reach.diff import Change, changed_pairs, difference
from tortie.analysis.reach.state import Reach
from tortie.analysis.reach.states import States, load
from tortie.model.kinds import ResourceKey
from tortie.model.meta import Resource
from tortie.testing.clusters import RandomCluster, random_cluster
from tortie.testing.histories import keyed, later
from tortie.testing.reachability import with_peculiar_endpoints

SEEDS = range(1000 if "TORTIE_SOAK" in os.environ else 60)
POLICIES = ("NetworkPolicy", "GlobalNetworkPolicy", "StagedNetworkPolicy")

Resources = Mapping[ResourceKey, Resource]
Pair = tuple[bool, int, int]


def whole_difference(states: States) -> dict[Pair, space.Region]:
    """By asking of every pair in two states that know nothing of each other."""
    universe = states.before.universe
    before, after = Reach(universe, 0), Reach(universe, 1)
    found: dict[Pair, space.Region] = {}
    alone = {number for number, workloads in enumerate(universe.classes) if len(workloads.names) == 1}
    alone.update(members(universe.all_hosts))
    for source in members(universe.everybody):
        for destination in members(universe.everybody):
            if source == destination and source in alone:
                continue
            was, is_now = (reach.region(source, destination) for reach in (before, after))
            found[True, source, destination] = space.difference(is_now, was)
            found[False, source, destination] = space.difference(was, is_now)
    return {pair: region for pair, region in found.items() if region}


def told_difference(states: States) -> dict[Pair, space.Region]:
    found: dict[Pair, space.Region] = {}
    for gained, sources, destinations, region in changed_pairs(states):
        for source in members(sources):
            for destination in members(destinations):
                known = found.get((gained, source, destination), space.NOTHING)
                assert not space.intersection(known, region), "told twice"
                found[gained, source, destination] = space.union(known, region)
    return found


@pytest.mark.parametrize("first", SEEDS[::20])
def test_of_any_change_the_difference_is_that_of_whole_matrices(first: int) -> None:
    for seed in range(first, first + 20):
        rng = Random(seed)
        cluster = random_cluster(rng)
        after = _resources(seed, later(rng, cluster))
        states = load(_resources(seed, cluster), after, all_hosts=bool(seed % 2))
        assert told_difference(states) == whole_difference(states), seed


@pytest.mark.parametrize("first", SEEDS[::20])
def test_of_changed_policies_it_is_so_too_and_others_are_not_looked_at(first: int) -> None:
    some = 0
    for seed in range(first, first + 20):
        rng = Random(seed)
        cluster = random_cluster(rng)
        before = {key: r for key, r in _resources(seed, cluster).items() if key.kind.name != "HostEndpoint"}
        after = _with_policies_of(before, _resources(seed, later(rng, cluster)))
        states = load(before, after, all_hosts=bool(seed % 2))
        assert told_difference(states) == whole_difference(states), seed
        some += states.ingress | states.egress != states.before.universe.everybody
    assert some


@pytest.mark.parametrize("first", SEEDS[::20])
def test_of_changed_workloads_it_is_so_too_and_what_is_not_with_them_is_not_looked_at(first: int) -> None:
    some = 0
    for seed in range(first, first + 20):
        rng = Random(seed)
        cluster = random_cluster(rng)
        before = {key: r for key, r in _resources(seed, cluster).items() if key.kind.name != "HostEndpoint"}
        changing = ("WorkloadEndpoint", *rng.choice(((), ("Profile",), ("EndpointSlice",), POLICIES)))
        after = _with_those_of(before, _resources(seed, later(rng, cluster)), changing)
        states = load(before, after)
        assert told_difference(states) == whole_difference(states), seed
        some += states.ingress | states.egress not in (0, states.before.universe.everybody)
    assert some


def _resources(seed: int, cluster: RandomCluster) -> Resources:
    """With workloads that share addresses and links; mostly the same ones in the states of one seed."""
    return keyed(with_peculiar_endpoints(Random(seed), cluster.calico()))


def slice_of(address: str) -> Document:
    return {
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {"name": "s", "namespace": "a", "labels": {"kubernetes.io/service-name": "s"}},
        "endpoints": [{"addresses": [address]}], "ports": [{"protocol": "TCP", "port": 80}],
    }  # fmt: skip


def to(selector: str, **peer: object) -> Document:
    rule = {"action": "Allow", "protocol": "TCP", "destination": {"selector": selector, **peer}}
    return calico("GlobalNetworkPolicy", "to", selector="app == 'x'", types=["Egress"], egress=[rule])


def profile(action: str, **labels: str) -> Document:
    rules = [{"action": action}]
    return calico("Profile", "kns.b", ingress=rules, egress=rules, labelsToApply={"pcns.zone": "z", **labels})


X, Y, Z = pod("a/x", "10.0.0.1"), pod("a/y", "10.0.0.2"), pod("a/z", "10.0.0.3")
IN_B = pod("b/w", "10.0.1.1")
SET = calico("NetworkSet", "b/outside", nets=["203.0.113.0/24"])

CHANGES: dict[str, tuple[list[Document], list[Document], list[Document]]] = {
    "others' policies select a workload anew": ([X, Z, to("app == 'new'")], [Y], [pod("a/y", "10.0.0.2", labels={"app": "new"})]),
    "whoever shares its address is found by it no more": (
        [X, pod("a/z", "10.0.0.2"), to("app == 'new'")], [Y], [pod("a/y", "10.0.0.2", labels={"app": "new"})],
    ),
    "a profile has other rules": ([X, IN_B], [profile("Allow")], [profile("Deny")]),
    "a profile gives other labels to sets too": (
        [X, IN_B, SET, to("pcns.zone == 'other'")], [profile("Allow")], [profile("Allow", **{"pcns.zone": "other"})],
    ),
    "another workload is behind a service that a rule names": (
        [X, Y, Z, calico("GlobalNetworkPolicy", "to", selector="app == 'x'", types=["Egress"], egress=[
            {"action": "Allow", "destination": {"services": {"name": "s", "namespace": "a"}}},
        ])],
        [slice_of("10.0.0.2")], [slice_of("10.0.0.3")],
    ),
    "a slice that no rule asks about": ([X, Y, Z], [slice_of("10.0.0.2")], [slice_of("10.0.0.3")]),
}  # fmt: skip


@pytest.mark.parametrize(("same", "before", "after"), CHANGES.values(), ids=CHANGES)
def test_of_whoever_is_not_the_same_everything_is_looked_at(
    same: list[Document], before: list[Document], after: list[Document]
) -> None:
    states = load(*(cluster_of([*same, *documents]).resources for documents in (before, after)))
    assert told_difference(states) == whole_difference(states)


def _with_policies_of(resources: Resources, others: Resources) -> dict[ResourceKey, Resource]:
    return _with_those_of(resources, others, POLICIES)


def _with_those_of(resources: Resources, others: Resources, changing: Sequence[str]) -> dict[ResourceKey, Resource]:
    kept = {key: resource for key, resource in resources.items() if key.kind.name not in changing}
    return kept | {key: resource for key, resource in others.items() if key.kind.name in changing}


# --- in words, and through what ------------------------------------------------------------------------------------------

WORKLOADS = [pod("shop/web", "10.0.0.1"), pod("shop/db", "10.0.0.2"), pod("ops/backup", "10.0.0.3")]


def database(*clients: str) -> dict[str, object]:
    peers = [{"podSelector": {"matchLabels": {"app": client}}, "namespaceSelector": {}} for client in clients]
    return kubernetes_policy(
        "shop/db", podSelector={"matchLabels": {"app": "db"}}, ingress=[{"from": peers, "ports": [{"port": 5432}]}]
    )


def differences(before: list[object], after: list[object]) -> list[Change]:
    return list(difference(load(*(cluster_of([*WORKLOADS, *policies]).resources for policies in (before, after)))))


def test_who_gains_and_loses_what_is_told_with_the_policy() -> None:
    because = ("NetworkPolicy shop/knp.default.db",)
    assert differences([database("web")], [database("backup")]) == [
        Change(True, ("ops/backup",), ("shop/db",), ("TCP 5432",), because),
        Change(False, ("shop/web",), ("shop/db",), ("TCP 5432",), because),
    ]


def test_a_first_policy_closes_all_that_it_does_not_allow() -> None:
    others, web = differences([], [database("web")])
    assert (others.gained, others.sources, others.packets) == (False, ("ops/backup", "0.0.0.0/0"), ("all",))
    assert (web.gained, web.sources) == (False, ("shop/web",))
    assert web.packets == ("TCP 0-5431,5433-65535", "UDP", "SCTP", "ICMP", "other protocols")


def test_text_that_means_the_same_is_no_difference() -> None:
    same = calico(
        "NetworkPolicy",
        "shop/other",
        selector="app in {'db'}",
        types=["Ingress"],
        ingress=[
            {
                "action": "Allow",
                "protocol": "TCP",
                "source": {"selector": "app == 'web'", "namespaceSelector": "all()"},
                "destination": {"ports": ["5432:5432"]},
            }
        ],
    )
    assert differences([database("web")], [same]) == []


def test_of_several_changes_only_those_that_count_are_told() -> None:
    unrelated = calico("NetworkPolicy", "ops/unrelated", selector="app == 'nobody'", types=["Ingress"])
    (change,) = differences([database("web")], [database("web", "backup"), unrelated])
    assert change.because == ("NetworkPolicy shop/knp.default.db",)


def test_a_workload_that_comes_gains_what_it_can_reach_and_be_reached_with() -> None:
    before, after = cluster_of(WORKLOADS[:1]).resources, cluster_of(WORKLOADS[:2]).resources
    changes = difference(load(before, after))
    assert [(change.sources, change.destinations, change.packets) for change in changes] == [
        (("shop/web", "0.0.0.0/0"), ("shop/db",), ("all",)),
        (("shop/db",), ("shop/web", "0.0.0.0/0"), ("all",)),
    ]
    assert all(change.gained for change in changes)
    assert {change.because for change in changes} == {("WorkloadEndpoint shop/default--node-k8s-db-eth0",)}


# --- hosts ---------------------------------------------------------------------------------------------------------------


def edge(port: int) -> list[Document]:
    """A host with an endpoint, which may be reached at one port; no failsafes."""
    rule = {"action": "Allow", "protocol": "TCP", "destination": {"ports": [port]}}
    return [
        node("one", "10.9.0.1"),
        calico("HostEndpoint", "edge", labels={"edge": "yes"}, node="one", interfaceName="eth0"),
        calico("GlobalNetworkPolicy", "edge", selector="has(edge)", types=["Ingress"], ingress=[rule]),
        calico("FelixConfiguration", "default", failsafeInboundHostPorts=[], failsafeOutboundHostPorts=[]),
    ]


def of_hosts(changes: list[Change]) -> set[tuple[bool, tuple[str, ...], tuple[str, ...]]]:
    return {(c.gained, c.packets, c.because) for c in changes if c.destinations == ("host:one",)}


def test_what_a_hosts_endpoint_lets_in_is_told_of_the_host() -> None:
    because = ("GlobalNetworkPolicy edge",)
    found = differences([database("web"), *edge(22)], [database("backup"), *edge(80)])
    assert of_hosts(found) == {(True, ("TCP 80",), because), (False, ("TCP 22",), because)}


def test_a_host_that_gets_an_endpoint_was_open_before() -> None:
    first, endpoint, policy, settings = edge(22)
    (found,) = of_hosts(differences([first, policy, settings], [first, endpoint, policy, settings]))
    assert (found[0], found[2]) == (False, ("HostEndpoint edge",))
    assert "TCP 0-21,23-65535" in found[1]


def test_without_endpoints_hosts_are_only_told_of_if_they_are_asked_about() -> None:
    deny = kubernetes_policy("shop/none", policyTypes=["Egress"])
    others = [*WORKLOADS, node("one", "10.9.0.1"), node("two", "10.9.0.2")]
    before, after = (cluster_of([*others, *more]).resources for more in ([], [deny]))
    for all_hosts in (False, True):
        told = {name for change in difference(load(before, after, all_hosts=all_hosts)) for name in change.destinations}
        assert ("host:one" in told) is all_hosts
