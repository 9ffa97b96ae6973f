"""The random clusters of the differential tests: the same for a seed, valid, storable, and of every feature."""

from collections import Counter
from random import Random

import pytest
from hypothesis import given, settings

from tortie.model import codec
from tortie.model.policy import Action
from tortie.net import Family
from tortie.testing.clusters import OUTSIDE, random_cluster, random_flows
from tortie.testing.strategies import random_clusters
from tortie.verdict import Cause, Cluster, EndpointRef

SEEDS = range(60)


@given(random_clusters())
@settings(max_examples=30)
def test_everything_can_be_stored_and_read_back(cluster):
    for resource in (*cluster.resources, *cluster.calico()):
        stored = codec.encode_document(codec.to_document(resource))
        assert codec.decode(stored, type(resource)) == resource


def test_a_seed_gives_the_same_cluster_and_flows():
    one, two = (random_cluster(Random(5), hosts=3) for _ in range(2))
    assert one == two
    assert random_flows(Random(6), one, 20) == random_flows(Random(6), two, 20)


@pytest.mark.parametrize("hosts", [1, 2, 5])
def test_every_workload_is_on_a_host_and_has_one_address_of_each_family(hosts):
    for seed in SEEDS:
        cluster = random_cluster(Random(seed), hosts)
        assert len(cluster.hosts) == hosts
        assert 3 <= len(cluster.endpoints) <= 6
        addresses = [network.address for endpoint in cluster.endpoints for network in endpoint.spec.ip_networks]
        assert len(set(addresses)) == 2 * len(cluster.endpoints)
        for endpoint in cluster.endpoints:
            assert endpoint.spec.node in cluster.hosts
            assert [network.family for network in endpoint.spec.ip_networks] == list(Family)


def test_flows_have_a_workload_at_one_end_and_never_the_same_at_both():
    cluster = random_cluster(Random(1))
    for flow in random_flows(Random(2), cluster, 200):
        workloads = [end for end in (flow.source, flow.destination) if isinstance(end, EndpointRef)]
        assert workloads
        assert len(set(workloads)) == len(workloads)
        assert all(end in OUTSIDE for end in (flow.source, flow.destination) if end not in workloads)


def rules_of(cluster):
    for resource in cluster.calico():
        if type(resource).__name__ in ("NetworkPolicy", "GlobalNetworkPolicy", "Profile"):
            yield from (*resource.spec.ingress, *resource.spec.egress)


def test_every_feature_of_a_rule_occurs():
    seen = Counter()
    for seed in range(300):
        for rule in rules_of(random_cluster(Random(seed))):
            seen.update(f"rule.{name}" for name in rule.__struct_fields__ if getattr(rule, name))
            for peer in (rule.source, rule.destination):
                seen.update(name for name in peer.__struct_fields__ if getattr(peer, name))
    expected = {"nets", "not_nets", "selector", "not_selector", "namespace_selector", "ports", "not_ports"}
    expected |= {"service_accounts", "rule.ip_version", "rule.protocol", "rule.not_protocol", "rule.icmp"}
    assert seen.keys() >= expected | {"rule.not_icmp"}


def test_rules_really_hit():
    causes, actions, verdicts = Counter(), Counter(), Counter()
    for seed in SEEDS:
        random = random_cluster(Random(seed))
        cluster = Cluster.of(random.calico())
        for flow in random_flows(Random(seed), random, 50):
            verdict = cluster.judge(flow)
            verdicts[verdict.allowed] += 1
            for decision in filter(None, (verdict.ingress, verdict.egress)):
                causes[decision.cause] += 1
                rules = [rule for t in decision.tiers for policy in t.policies for rule in policy.rules]
                actions.update(rule.action for rule in rules if not rule.mismatch)
    assert min(verdicts[True], verdicts[False]) > 0.25 * verdicts.total()
    assert causes.keys() >= set(Cause) - {Cause.TUNNEL, Cause.INVALID}
    assert actions.keys() == set(Action)
    assert causes[Cause.POLICY_RULE] > 0.05 * causes.total()
