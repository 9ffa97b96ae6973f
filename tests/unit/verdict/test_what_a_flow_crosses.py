"""The oracle end to end: a flow gets through if every host on its way lets it."""

import pytest
from verdict_hosts import ALLOW, BOTH, DEFAULT_ALLOW, DENY, felix, host_endpoint, host_policy, node

from tortie.net import TCP, Address, Family
from tortie.testing.resources import namespace_profile, network_policy, pod_endpoint, tier
from tortie.verdict import Cause, Cluster, Flow, HostRef, Stage

NODES = {"host-1": "192.0.2.1", "host-2": "192.0.2.2"}
WORLD = (
    tier("default", 1_000_000),
    namespace_profile("ns"),
    *(node(name, bgp=f"{address}/24", interfaces={"eth0": [f"{address}/24"]}) for name, address in NODES.items()),
    pod_endpoint("ns/a", "10.0.0.1", labels={"app": "a"}, node="host-1"),
    pod_endpoint("ns/b", "10.0.0.2", labels={"app": "b"}, node="host-1"),
    pod_endpoint("ns/c", "10.0.1.1", labels={"app": "c"}, node="host-2"),
    felix(default_endpoint_to_host_action="Accept"),
)
ENDS = {
    "a": lambda cluster: cluster.endpoint("ns/a").at(Family.V4),
    "b": lambda cluster: cluster.endpoint("ns/b").at(Family.V4),
    "c": lambda cluster: cluster.endpoint("ns/c").at(Family.V4),
    "host-1": lambda cluster: cluster.host("host-1", Family.V4),
    "host-2": lambda cluster: cluster.host("host-2", Family.V4),
    "outside": lambda _: Address.parse("198.51.100.9"),
}
FLOWS = {(source, destination) for source in ENDS for destination in ENDS}


def judge(source, destination, *resources):
    cluster = Cluster.of([*WORLD, *resources])
    return cluster.judge(
        Flow(
            source=ENDS[source](cluster),
            destination=ENDS[destination](cluster),
            protocol=TCP,
            source_port=40000,
            destination_port=80,
        )
    )


def stopped(*resources):
    return {flow for flow in FLOWS if not judge(*flow, *resources).allowed}


def between(sources, destinations):
    return {(source, destination) for source in sources.split() for destination in destinations.split()}


@pytest.mark.parametrize(
    ("flow", "hosts"),
    [
        (("a", "a"), []),
        (("a", "b"), ["host-1"]),
        (("a", "c"), ["host-1", "host-2"]),
        (("c", "a"), ["host-2", "host-1"]),
        (("a", "host-1"), ["host-1"]),
        (("a", "host-2"), ["host-1", "host-2"]),
        (("host-1", "a"), ["host-1"]),
        (("host-1", "host-1"), ["host-1"]),
        (("host-1", "host-2"), ["host-1", "host-2"]),
        (("outside", "c"), ["host-2"]),
        (("host-2", "outside"), ["host-2"]),
        (("outside", "outside"), []),
    ],
    ids="→".join,
)
def test_a_flow_crosses_the_hosts_of_its_ends(flow, hosts):
    assert [host.node for host in judge(*flow).hosts] == hosts


def test_without_policy_everything_is_delivered():
    assert stopped() == set()


@pytest.mark.parametrize(
    ("resources", "closed"),
    [
        ([network_policy("ns/p", selector="app == 'a'", ingress=[DENY])], between("b c host-2 outside", "a")),
        ([network_policy("ns/p", selector="app == 'a'", egress=[DENY])], between("a", "b c host-1 host-2 outside")),
        (
            [host_endpoint()],
            between("a b", "none") | between("c host-2 outside", "host-1") | between("host-1", "c host-2 outside"),
        ),
        (
            [host_endpoint("all", "*")],
            between("c host-1 host-2 outside", "host-1") | between("host-1", "c host-2 outside"),
        ),
        (
            [host_endpoint(profiles=DEFAULT_ALLOW), host_policy("p", ingress=[DENY], use="forward")],
            between("c host-2 outside", "a b host-1"),
        ),
        (
            [host_endpoint(profiles=DEFAULT_ALLOW), host_policy("p", egress=[DENY], use="forward")],
            between("a b host-1", "c host-2 outside"),
        ),
        ([felix("node.host-1", default_endpoint_to_host_action="Drop")], between("a b", "host-1")),
    ],
    ids=["into a", "out of a", "host endpoint", "wildcard", "forward in", "forward out", "own host"],
)
def test_every_host_on_the_way_must_let_it_through(resources, closed):
    assert stopped(*resources) == {flow for flow in closed if "none" not in flow}


def test_a_workloads_two_halves_are_told_even_if_the_first_denies():
    verdict = judge("a", "c", network_policy("ns/p", types=BOTH))
    assert (verdict.egress.allowed, verdict.ingress.allowed) == (False, False)
    assert verdict.reason == "egress: the default action of tier default"


def test_a_hosts_own_halves_are_those_of_its_host_endpoint():
    verdict = judge("host-1", "host-2", host_endpoint(), host_policy("p", egress=[ALLOW]))
    assert str(verdict.egress.endpoint) == "host endpoint hep at eth0 of host-1"
    assert verdict.egress.policy.name == "p"
    assert verdict.ingress is None


def test_host_to_workload_says_why_it_is_delivered():
    verdict = judge("host-1", "a", network_policy("ns/p", ingress=[DENY]))
    assert (verdict.allowed, verdict.ingress.cause) == (True, Cause.FROM_HOST)
    assert verdict.reason == "ingress: a host always reaches its workloads"


def test_workload_to_host_is_its_egress_policy_and_then_the_hosts_action():
    decisions = judge("a", "host-1", felix("node.host-1", default_endpoint_to_host_action="Drop")).decisions
    assert [(d.stage, d.allowed) for d in decisions] == [(Stage.NORMAL, True), (Stage.TO_HOST, False)]


def test_an_address_is_outside_whoever_may_have_it():
    cluster = Cluster.of([*WORLD, network_policy("ns/p", ingress=[DENY])])
    flow = Flow(
        source=cluster.endpoint("ns/c").at(Family.V4),
        destination=Address.parse("10.0.0.1"),
        protocol=TCP,
        destination_port=80,
    )
    verdict = cluster.judge(flow)
    assert (verdict.allowed, [host.node for host in verdict.hosts]) == (True, ["host-2"])


def test_a_host_may_be_asked_at_one_of_its_interfaces():
    closed = host_endpoint("b", "eth1")
    cluster = Cluster.of([*WORLD, closed])
    outside = Address.parse("198.51.100.9")

    def reaches(interface):
        end = HostRef("host-1", Address.parse("192.0.2.1"), interface)
        return cluster.judge(Flow(source=outside, destination=end, protocol=TCP, destination_port=80)).allowed

    assert reaches("eth0")
    assert not reaches("eth1")
