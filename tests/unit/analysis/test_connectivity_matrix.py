"""The connectivity matrix that policy means."""

import pytest

from tortie.analysis.connectivity import Cell, Probe, matrix, reachable
from tortie.model.policy import Action, EntityRule, Rule
from tortie.net import TCP, UDP, Family, Port
from tortie.testing.resources import namespace_profile, network_policy, pod_endpoint, tier
from tortie.verdict import Cluster

PROBES = (Probe("F", "ns/front", 80), Probe("B", "ns/back", 6379), Probe("L", "ns/old", 53, UDP))


def cluster(*policies):
    return Cluster.of(
        [
            tier("default", 1_000_000),
            namespace_profile("ns"),
            pod_endpoint("ns/front", "10.0.0.1", "fd00::1", labels={"role": "front"}),
            pod_endpoint("ns/back", "10.0.0.2", "fd00::2", labels={"role": "back"}),
            pod_endpoint("ns/old", "10.0.0.3"),
            *policies,
        ]
    )


def test_without_policy_everyone_reaches_everyone_else_in_each_family_both_have():
    answers = matrix(cluster(), PROBES)
    assert reachable(answers, Family.V4) == {(a, b) for a in "FBL" for b in "FBL" if a != b}
    assert reachable(answers, Family.V6) == {("F", "B"), ("B", "F")}
    assert len(answers) == 8


def test_each_destination_is_tried_on_its_own_port_and_protocol():
    rule = Rule(
        action=Action.ALLOW,
        protocol=TCP,
        source=EntityRule(selector="role == 'front'"),
        destination=EntityRule(ports=(Port(6379),)),
    )
    answers = matrix(cluster(network_policy("ns/p", ingress=[rule])), PROBES)
    assert reachable(answers, Family.V4) == reachable(answers, Family.V6) == {("F", "B")}
    assert answers[Cell("B", "F", Family.V4)].ingress.tier == "default"


def test_a_probe_of_a_workload_that_is_not_there_is_refused():
    with pytest.raises(LookupError, match="ns/nobody"):
        matrix(cluster(), [Probe("N", "ns/nobody", 1)])
