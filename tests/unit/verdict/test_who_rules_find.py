"""The oracle: who selectors, named ports and services find. Workloads, host endpoints and network sets, in each kind of policy."""

import pytest
from verdict_hosts import ALLOW, DENY, HOST, PODS, endpoint_slice, host, host_endpoint, network_set, packet_of

from tortie.model.policy import Action, EntityRule, Rule, ServiceAccountMatch, ServiceMatch
from tortie.net import SCTP, TCP, UDP, Address, Family, Network, Port, Protocol
from tortie.testing.resources import global_network_policy, namespace_profile, network_policy, pod_endpoint, profile
from tortie.verdict import Cluster, Flow

WORLD = (
    *PODS,
    namespace_profile("blue", team="blue"),
    profile("ksa.ns.reader", labels={"pcsa.role": "reads"}),
    profile("hosts", labels={"is": "overridden", "from-profile": "yes"}),
    pod_endpoint("blue/pod", "10.0.1.1", "fd00:1::1", labels={"app": "a"}, ports={"web": (80, "TCP")}),
    pod_endpoint("ns/reader", "10.0.0.3", "fd00::3", account="reader"),
    network_set("ns/inside", "10.9.0.0/16", "10.8.0.1", "fd09::/16", kind="set"),
    network_set("blue/other", "10.7.0.0/16", "fd07::/16", kind="set"),
    network_set("anywhere", "10.6.0.9/16", "fd06::9/16", kind="set"),
    host_endpoint("hep", "eth0", expected=["10.5.0.1", "fd05::1"], profiles=("hosts",), ports={"web": (80, "TCP")}),
    host_endpoint("learnt", "eth1"),
)
SOURCES = {
    "ns/b": ("10.0.0.2", "fd00::2"),
    "ns/reader": ("10.0.0.3", "fd00::3"),
    "blue/pod": ("10.0.1.1", "fd00:1::1"),
    "set ns/inside": ("10.9.1.1", "fd09::1"),
    "set blue/other": ("10.7.1.1", "fd07::1"),
    "global set": ("10.6.1.1", "fd06::1"),
    "host endpoint": ("10.5.0.1", "fd05::1"),
    "outside": ("192.0.2.9", "2001:db8::9"),
}
"""By what they are, an address of each family that belongs to nothing else."""
IN_NS = {"ns/b", "ns/reader", "set ns/inside"}
IN_BLUE = {"blue/pod", "set blue/other"}
NAMESPACED = IN_NS | IN_BLUE
OF_NO_NAMESPACE = {"global set", "host endpoint"}
KNOWN = NAMESPACED | OF_NO_NAMESPACE
ALL = KNOWN | {"outside"}
SETS = {"set ns/inside", "set blue/other", "global set"}


def let_in(policy, *resources):
    cluster = Cluster.of([*WORLD, policy, *resources])

    def reaches(name, family):
        address = Address.parse(SOURCES[name][0 if family is Family.V4 else 1])
        target = cluster.endpoint("ns/a").at(family)
        return cluster.judge(Flow(source=address, destination=target, protocol=TCP, destination_port=80)).allowed

    found = {family: {name for name in SOURCES if reaches(name, family)} for family in Family}
    assert found[Family.V4] == found[Family.V6]
    return found[Family.V4]


@pytest.mark.parametrize(
    ("peer", "namespaced", "cluster_wide"),
    [
        (EntityRule(), ALL, ALL),
        (EntityRule(selector="all()"), IN_NS, KNOWN),
        (EntityRule(selector="kind == 'set'"), {"set ns/inside"}, SETS),
        (EntityRule(selector="!has(app)"), {"ns/reader", "set ns/inside"}, KNOWN - {"ns/b", "blue/pod"}),
        (EntityRule(selector="from-profile == 'yes'"), set(), {"host endpoint"}),
        (EntityRule(selector="is == 'host'"), set(), {"host endpoint"}),
        (EntityRule(selector="is == 'overridden'"), set(), set()),
        (EntityRule(selector="has(nobody)"), set(), set()),
        (EntityRule(not_selector="has(nobody)"), IN_NS, ALL),
        (EntityRule(not_selector="kind == 'set'"), {"ns/b", "ns/reader"}, ALL - SETS),
        (EntityRule(not_selector="!has(kind)"), {"set ns/inside"}, SETS | {"outside"}),
        (EntityRule(namespace_selector="all()"), NAMESPACED, NAMESPACED),
        (EntityRule(namespace_selector="global()"), OF_NO_NAMESPACE, OF_NO_NAMESPACE),
        (EntityRule(namespace_selector="team == 'blue'"), IN_BLUE, IN_BLUE),
        (EntityRule(namespace_selector="team != 'blue'"), IN_NS | OF_NO_NAMESPACE, IN_NS | OF_NO_NAMESPACE),
        (EntityRule(namespace_selector="!has(team)"), OF_NO_NAMESPACE, OF_NO_NAMESPACE),
        (EntityRule(namespace_selector="projectcalico.org/name == 'ns'"), IN_NS, IN_NS),
        (EntityRule(namespace_selector="global()", selector="kind == 'set'"), {"global set"}, {"global set"}),
        (EntityRule(namespace_selector="all()", not_selector="has(kind)"), NAMESPACED - SETS, NAMESPACED - SETS),
        (EntityRule(service_accounts=ServiceAccountMatch(names=("reader",))), {"ns/reader"}, {"ns/reader"}),
        (EntityRule(service_accounts=ServiceAccountMatch(selector="role == 'reads'")), {"ns/reader"}, {"ns/reader"}),
        (
            EntityRule(service_accounts=ServiceAccountMatch(selector="!has(role)")),
            {"ns/b", "set ns/inside"},
            KNOWN - {"ns/reader"},
        ),
    ],
    ids=lambda value: None if isinstance(value, set | frozenset) else str(value),
)
def test_whom_a_rules_peer_means(peer, namespaced, cluster_wide):
    rule = Rule(action=Action.ALLOW, source=peer)
    assert let_in(network_policy("ns/p", ingress=[rule])) == namespaced
    assert let_in(global_network_policy("p", ingress=[rule])) == cluster_wide


def test_everything_in_a_set_is_everybody():
    everybody = network_set("everybody", "0.0.0.0/0", "::/0", is_all="yes")
    rule = Rule(action=Action.ALLOW, source=EntityRule(selector="is_all == 'yes'"))
    assert let_in(global_network_policy("p", ingress=[rule]), everybody) == ALL


def test_a_host_endpoint_is_no_peer_by_the_addresses_that_its_interface_has():
    rule = Rule(action=Action.ALLOW, source=EntityRule(selector="is == 'host'"))
    policy = global_network_policy("p", selector="app == 'a'", ingress=[rule])
    arriving = packet_of("eth0", PODS[2].spec.interface_name, HOST, "10.0.0.1")
    assert not host(policy, host_endpoint()).passes(arriving)
    assert host(policy, host_endpoint(expected=[HOST])).passes(arriving)


def test_an_empty_item_of_a_set_is_nobody():
    assert let_in(
        global_network_policy("p", ingress=[Rule(action=Action.ALLOW, source=EntityRule(selector="odd == 'yes'"))]),
        network_set("odd", "", odd="yes"),
    ) == set()  # fmt: skip


def test_an_address_that_several_have_is_all_of_them():
    also = network_set("also", "10.0.0.2", "fd00::2", kind="set")
    rule = Rule(action=Action.ALLOW, source=EntityRule(selector="kind == 'set'"))
    assert let_in(global_network_policy("p", ingress=[rule]), also) == SETS | {"ns/b"}


# --- whom a policy governs -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "governs_pod", "governs_host"),
    [
        ({}, True, True),
        ({"selector": "all()"}, True, True),
        ({"selector": "has(app)"}, True, False),
        ({"selector": "is == 'host'"}, False, True),
        ({"namespace_selector": "all()"}, True, False),
        ({"namespace_selector": "team == 'red'"}, True, False),
        ({"namespace_selector": "!has(x)"}, True, True),
        ({"namespace_selector": "team != 'red'"}, False, True),
        ({"selector": "all()", "namespace_selector": "!has(x)"}, True, False),
        ({"account_selector": "role == 'reads'"}, False, False),
        ({"account_selector": "!has(role)"}, True, True),
        ({"account_selector": "all()"}, False, False),
    ],
    ids=str,
)
def test_whom_a_global_policy_governs(more, governs_pod, governs_host):
    cluster = Cluster.of([*WORLD, global_network_policy("p", egress=[DENY], ingress=[DENY], **more)])
    source = Address.parse("192.0.2.9")
    verdict = cluster.judge(
        Flow(source=source, destination=cluster.endpoint("ns/a").at(Family.V4), protocol=TCP, destination_port=80)
    )
    assert (verdict.ingress.policy is not None) is governs_pod
    verdict = cluster.judge(
        Flow(source=source, destination=cluster.host("host-1", Family.V4), protocol=TCP, destination_port=80)
    )
    assert (verdict.ingress.policy is not None) is governs_host


def test_a_network_policy_governs_no_host_endpoint():
    cluster = Cluster.of([*WORLD, network_policy("ns/p", ingress=[ALLOW])])
    flow = Flow(
        source=Address.parse("192.0.2.9"),
        destination=cluster.host("host-1", Family.V4),
        protocol=TCP,
        destination_port=80,
    )
    assert cluster.judge(flow).ingress.policy is None


# --- named ports -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("destination", "reached"),
    [
        (EntityRule(ports=(Port(name="web"),)), {"blue/pod", "host endpoint"}),
        (EntityRule(ports=(Port(name="web"),), selector="all()"), set()),
        (EntityRule(ports=(Port(name="web"),), namespace_selector="all()"), {"blue/pod"}),
        (EntityRule(ports=(Port(name="web"),), namespace_selector="global()"), {"host endpoint"}),
        (EntityRule(not_ports=(Port(name="web"),)), set(SOURCES) - {"blue/pod", "host endpoint"}),
    ],
    ids=["any", "selected", "in namespaces", "global", "negated"],
)
def test_named_ports_are_those_of_workloads_and_host_endpoints_that_the_rule_selects(destination, reached):
    rule = Rule(action=Action.ALLOW, destination=destination)
    cluster = Cluster.of([*WORLD, network_policy("ns/p", selector="app == 'a'", egress=[rule])])
    source = cluster.endpoint("ns/a").at(Family.V4)
    flows = {
        name: Flow(source=source, destination=Address.parse(v4), protocol=TCP, destination_port=80)
        for name, (v4, _) in SOURCES.items()
    }
    assert {name for name, flow in flows.items() if cluster.judge(flow).egress.allowed} == reached


# --- services --------------------------------------------------------------------------------------------------------------

SERVICE = (
    endpoint_slice("ns/web", "10.0.0.2", "192.0.2.7", ports=[(80, "TCP"), (53, "UDP")]),
    endpoint_slice("ns/web", "fd00::2", ports=[(80, "TCP")], family="IPv6"),
    endpoint_slice("blue/web", "10.0.1.1", ports=[(80, "TCP"), (None, "TCP")]),
    endpoint_slice("ns/names", "example.org", ports=[(80, "TCP")], family="FQDN"),
)


def to_service(service, address, protocol=TCP, port=80):
    rule = Rule(action=Action.ALLOW, destination=EntityRule(services=service))
    cluster = Cluster.of([*WORLD, *SERVICE, network_policy("ns/p", selector="app == 'a'", egress=[rule])])
    destination = Address.parse(address)
    source = cluster.endpoint("ns/a").at(destination.family)
    flow = Flow(source=source, destination=destination, protocol=protocol, destination_port=port)
    return cluster.judge(flow).egress.allowed


@pytest.mark.parametrize(
    ("service", "address", "protocol", "port", "allowed"),
    [
        (ServiceMatch(name="web"), "10.0.0.2", TCP, 80, True),
        (ServiceMatch(name="web"), "192.0.2.7", UDP, 53, True),
        (ServiceMatch(name="web"), "fd00::2", TCP, 80, True),
        (ServiceMatch(name="web"), "10.0.0.2", TCP, 81, False),
        (ServiceMatch(name="web"), "10.0.0.2", UDP, 80, False),
        (ServiceMatch(name="web"), "10.0.0.2", SCTP, 80, False),
        (ServiceMatch(name="web"), "fd00::2", UDP, 53, False),
        (ServiceMatch(name="web"), "10.0.0.2", Protocol(47), None, False),
        (ServiceMatch(name="web"), "10.0.1.1", TCP, 80, False),
        (ServiceMatch(name="web", namespace="blue"), "10.0.1.1", TCP, 80, True),
        (ServiceMatch(name="web", namespace="blue"), "10.0.1.1", TCP, 81, False),
        (ServiceMatch(name="names"), "10.0.0.2", TCP, 80, False),
        (ServiceMatch(name="nobody"), "10.0.0.2", TCP, 80, False),
    ],
    ids=str,
)
def test_a_service_at_the_destination_is_its_addresses_with_its_ports(service, address, protocol, port, allowed):
    assert to_service(service, address, protocol, port) is allowed


@pytest.mark.parametrize(
    ("peer", "address", "allowed"),
    [
        (EntityRule(services=ServiceMatch(name="web")), "10.0.0.2", True),
        (EntityRule(services=ServiceMatch(name="web")), "192.0.2.7", True),
        (EntityRule(services=ServiceMatch(name="web")), "192.0.2.8", False),
        (EntityRule(services=ServiceMatch(name="web", namespace="blue")), "10.0.0.2", False),
        (EntityRule(services=ServiceMatch(name="web"), ports=(Port(40000),)), "10.0.0.2", True),
        (EntityRule(services=ServiceMatch(name="web"), ports=(Port(40001),)), "10.0.0.2", False),
    ],
    ids=str,
)
def test_a_service_at_the_source_is_its_addresses_whatever_the_port(peer, address, allowed):
    rule = Rule(action=Action.ALLOW, protocol=TCP, source=peer)
    cluster = Cluster.of([*WORLD, *SERVICE, network_policy("ns/p", selector="app == 'a'", ingress=[rule])])
    flow = Flow(
        source=Address.parse(address),
        destination=cluster.endpoint("ns/a").at(Family.V4),
        protocol=TCP,
        source_port=40000,
        destination_port=9,
    )
    assert cluster.judge(flow).allowed is allowed


def test_a_rule_that_misses_its_service_says_so():
    rule = Rule(action=Action.ALLOW, destination=EntityRule(services=ServiceMatch(name="web")))
    cluster = Cluster.of([*WORLD, *SERVICE, network_policy("ns/p", egress=[rule])])
    source = cluster.endpoint("ns/a").at(Family.V4)
    flow = Flow(source=source, destination=Address.parse("10.0.0.2"), protocol=UDP, destination_port=80)
    (policy,) = cluster.judge(flow).egress.tiers[0].policies
    assert policy.rules[0].mismatch == "destination 10.0.0.2 port 80 is not behind the service web"


# --- endpoints without an address --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("peer", "allowed", "depends"),
    [
        (EntityRule(), True, False),
        (EntityRule(selector="app == 'late'"), True, False),
        (EntityRule(nets=(Network.parse("0.0.0.0/0"),)), False, True),
        (EntityRule(nets=(Network.parse("10.0.0.0/8"),), selector="app == 'other'"), False, False),
        (EntityRule(not_nets=(Network.parse("10.0.0.0/8"),)), True, True),
        (EntityRule(services=ServiceMatch(name="web")), False, False),
    ],
    ids=str,
)
def test_who_has_no_address_yet_is_in_no_nets_and_in_all_not_nets_and_the_answer_says_so(peer, allowed, depends):
    late = pod_endpoint("ns/late", labels={"app": "late"})
    rule = Rule(action=Action.ALLOW, source=peer)
    cluster = Cluster.of([*WORLD, late, network_policy("ns/p", selector="app == 'a'", ingress=[rule])])
    flow = Flow(
        source=cluster.endpoint("ns/late").at(Family.V4),
        destination=cluster.endpoint("ns/a").at(Family.V4),
        protocol=TCP,
        destination_port=80,
    )
    verdict = cluster.judge(flow)
    assert (verdict.allowed, verdict.depends_on_address) == (allowed, depends)
    assert "no address" in str(flow)
