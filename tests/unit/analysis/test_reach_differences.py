"""What a change opens and closes is the difference of two whole matrices, however little of them is looked at."""

from __future__ import annotations

import os
from collections.abc import Mapping
from random import Random

import pytest
from cluster_documents import calico, kubernetes_policy, pod

from tortie.analysis.cluster import cluster_of
from tortie.analysis.reach import space
from tortie.analysis.reach.bits import members
from tortie.analysis.reach.diff import Change, changed_pairs, difference
from tortie.analysis.reach.state import Reach
from tortie.analysis.reach.states import States, load
from tortie.model.kinds import ResourceKey
from tortie.model.meta import Resource
from tortie.testing.clusters import random_cluster
from tortie.testing.histories import keyed, later

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
        states = load(keyed(cluster.calico()), keyed(later(rng, cluster).calico()))
        assert told_difference(states) == whole_difference(states), seed


@pytest.mark.parametrize("first", SEEDS[::20])
def test_of_changed_policies_it_is_so_too_and_others_are_not_looked_at(first: int) -> None:
    some = 0
    for seed in range(first, first + 20):
        rng = Random(seed)
        cluster = random_cluster(rng)
        before = {key: r for key, r in keyed(cluster.calico()).items() if key.kind.name != "HostEndpoint"}
        after = _with_policies_of(before, keyed(later(rng, cluster).calico()))
        states = load(before, after)
        assert told_difference(states) == whole_difference(states), seed
        some += states.ingress | states.egress != states.before.universe.everybody
    assert some


def _with_policies_of(resources: Resources, others: Resources) -> dict[ResourceKey, Resource]:
    kept = {key: resource for key, resource in resources.items() if key.kind.name not in POLICIES}
    return kept | {key: resource for key, resource in others.items() if key.kind.name in POLICIES}


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
