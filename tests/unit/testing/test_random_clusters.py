"""The random clusters of the differential tests: the same for a seed, valid, storable, and of every feature."""

from collections import Counter
from random import Random

import pytest
from hypothesis import given, settings

from tortie.model import codec
from tortie.model.kinds import kind_of
from tortie.model.policy import Action
from tortie.model.validation import stored_resource, violations
from tortie.net import Family
from tortie.testing.clusters import random_cluster
from tortie.testing.differential import run_series
from tortie.testing.flows import Traffic, crossings, random_flows, rules_of
from tortie.testing.histories import keyed, later
from tortie.testing.strategies import random_clusters
from tortie.testing.tally import Tally
from tortie.testing.topology import OUTSIDE
from tortie.verdict import Cause, EndpointRef, HostRef

SEEDS = range(60)


@given(random_clusters())
@settings(max_examples=30)
def test_everything_is_valid_and_can_be_stored_and_read_back(cluster):
    for key, resource in keyed((*cluster.resources, *cluster.calico())).items():
        document = codec.to_document(resource)
        assert stored_resource(key, codec.encode_document(document)) == resource
        if resource in cluster.resources:
            assert list(violations(key.kind, resource, document)) == []


def test_a_seed_gives_the_same_cluster_flows_and_history():
    one, two = (random_cluster(Random(5), hosts=3) for _ in range(2))
    assert one == two
    assert random_flows(Random(6), one, 20) == random_flows(Random(6), two, 20)
    assert later(Random(7), one) == later(Random(7), two)


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


def test_no_two_workloads_have_one_address_however_a_cluster_goes_on():
    rng = Random(1)
    cluster = random_cluster(rng)
    for _ in range(60):
        cluster = later(rng, cluster)
        addresses = [network.address for endpoint in cluster.endpoints for network in endpoint.spec.ip_networks]
        assert addresses
        assert len(set(addresses)) == len(addresses)
        assert len(keyed(cluster.resources)) == len(cluster.resources)


def test_what_a_cluster_becomes_shares_much_with_what_it_was():
    rng = Random(2)
    cluster = random_cluster(rng)
    kept = Counter()
    for _ in range(60):
        after = later(rng, cluster)
        kept["stay"] += len(set(map(str, cluster.resources)) & set(map(str, after.resources)))
        kept["were"] += len(cluster.resources)
        cluster = after
    assert 0.5 < kept["stay"] / kept["were"] < 0.95


def test_flows_have_an_end_in_the_cluster_and_never_the_same_at_both():
    cluster = random_cluster(Random(1))
    outside = {address for addresses in OUTSIDE.values() for address in addresses}
    kinds = Counter()
    for flow in random_flows(Random(2), cluster, 300):
        inside = [end for end in (flow.source, flow.destination) if isinstance(end, EndpointRef | HostRef)]
        assert inside
        assert flow.source_address != flow.destination_address
        assert all(end in outside for end in (flow.source, flow.destination) if end not in inside)
        assert crossings(flow, cluster.topology)
        kinds[type(flow.source).__name__, type(flow.destination).__name__] += 1
    assert len(kinds) == 8  # but for outside to outside
    assert min(kinds.values()) >= 3


def test_a_liar_sends_from_an_address_that_it_does_not_have_and_no_host_does():
    cluster = random_cluster(Random(1))
    traffic, topology = Traffic(Random(3), cluster), cluster.topology
    for _ in range(100):
        flow, origin = traffic.spoofed()
        place = topology.place(flow.source_address)
        assert place != origin
        assert place is None or not place.is_own
        assert crossings(flow, topology, origin)[0].packet.in_interface == origin.interface


# --- what occurs -----------------------------------------------------------------------------------------------------------


def seen_in_rules():
    for seed in range(300):
        yield from rules_of(random_cluster(Random(seed)))


def test_every_criterion_of_a_rule_occurs():
    seen = Counter()
    for rule in seen_in_rules():
        seen.update(f"rule.{name}" for name in rule.__struct_fields__ if getattr(rule, name))
        for peer in (rule.source, rule.destination):
            seen.update(name for name in peer.__struct_fields__ if getattr(peer, name))
            seen.update("named" for port in (*peer.ports, *peer.not_ports) if port.is_named)
    expected = {"nets", "not_nets", "selector", "not_selector", "namespace_selector", "ports", "not_ports", "named"}
    expected |= {"service_accounts", "services", "rule.ip_version", "rule.protocol", "rule.not_protocol", "rule.icmp"}
    assert seen.keys() >= expected | {"rule.not_icmp", "rule.http"}


def test_every_kind_and_use_occurs():
    kinds, uses, interfaces, settings_seen = Counter(), Counter(), Counter(), Counter()
    for seed in range(200):
        for resource in random_cluster(Random(seed)).resources:
            kind = kind_of(resource).name
            kinds[kind] += 1
            if kind == "GlobalNetworkPolicy":
                flags = ("do_not_track", "pre_dnat", "apply_on_forward", "performance_hints", "namespace_selector")
                uses.update(flag for flag in flags if getattr(resource.spec, flag))
                uses[f"tier {resource.spec.tier}"] += 1
            elif kind == "HostEndpoint":
                interfaces[resource.spec.interface_name or "by addresses"] += 1
            elif kind == "FelixConfiguration":
                settings_seen.update(
                    n for n in resource.spec.__struct_fields__ if getattr(resource.spec, n) is not None
                )
    wanted = {
        "HostEndpoint",
        "NetworkSet",
        "GlobalNetworkSet",
        "EndpointSlice",
        "ClusterNetworkPolicy",
        "NetworkPolicy",
    }
    wanted |= {"StagedNetworkPolicy", "StagedGlobalNetworkPolicy", "StagedKubernetesNetworkPolicy"}
    assert kinds.keys() >= wanted | {
        "FelixConfiguration",
        "IPPool",
        "Node",
        "ServiceAccount",
        "Namespace",
        "Profile",
        "Tier",
    }
    assert uses.keys() >= {"do_not_track", "pre_dnat", "apply_on_forward", "performance_hints", "tier nowhere"}
    assert interfaces.keys() >= {"eth0", "eth1", "*", "by addresses"}
    assert {"failsafe_inbound_host_ports", "workload_source_spoofing", "interface_prefix"} <= settings_seen.keys()


def test_rules_really_hit():
    tally = Tally()
    for seed in range(40):
        assert list(run_series(seed, tally)) == []
    through, total = tally["flows"]["all through"], tally.total
    assert 0.25 * total < through < 0.75 * total
    decided = " ".join(tally["causes"])
    assert [cause for cause in Cause if cause not in decided] == []
    assert {name.rpartition(" ")[2] for name in tally["rules"]} == set(Action)
