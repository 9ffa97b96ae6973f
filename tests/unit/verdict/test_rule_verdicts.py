"""The oracle, rule by rule: one Allow rule in an otherwise closed policy, and who gets through it."""

import pytest

from tortie.model.policy import Action, EntityRule, HTTPMatch, ICMPFields, Rule, ServiceAccountMatch, ServiceMatch
from tortie.net import ICMP, ICMPV6, SCTP, TCP, UDP, UDPLITE, Address, Family, Network, Port, Protocol
from tortie.testing.resources import (
    global_network_policy,
    namespace_profile,
    network_policy,
    pod_endpoint,
    profile,
    tier,
)
from tortie.verdict import Cluster, Flow

RESOURCES = (
    tier("default", 1_000_000),
    namespace_profile("red", team="red"),
    namespace_profile("blue", team="blue"),
    profile("ksa.red.reader", labels={"pcsa.role": "reads"}),
    pod_endpoint("red/server", "10.0.0.1", "fd00::1", ports={"http": (80, "TCP"), "dns": (53, "UDP")}),
    pod_endpoint("red/friend", "10.0.0.2", "fd00::2", labels={"app": "friend"}, account="reader"),
    pod_endpoint("red/other", "10.0.0.3", "fd00::3", labels={"app": "other"}),
    pod_endpoint("blue/friend", "10.0.0.4", "fd00::4", labels={"app": "friend"}, ports={"web": (81, "TCP")}),
)
OUTSIDE = {Family.V4: Address.parse("192.0.2.9"), Family.V6: Address.parse("2001:db8::9")}


def end(cluster, name, family):
    return OUTSIDE[family] if name == "outside" else cluster.endpoint(name).at(family)


def ask(cluster, source="red/friend", *, destination="red/server", family=Family.V4, protocol=TCP, port=80, **more):
    return cluster.judge(
        Flow(
            source=end(cluster, source, family),
            destination=end(cluster, destination, family),
            protocol=protocol,
            source_port=40000 if protocol.has_ports else None,
            destination_port=port if protocol.has_ports else None,
            **more,
        )
    )


def in_namespace(**rule):
    """The server's ingress policy: one rule in its own namespace."""
    policy = network_policy("red/p", ingress=[Rule(action=Action.ALLOW, **rule)])
    return Cluster.of([*RESOURCES, policy])


def in_cluster(**rule):
    return Cluster.of([*RESOURCES, global_network_policy("p", ingress=[Rule(action=Action.ALLOW, **rule)])])


SOURCES = ("red/friend", "red/other", "blue/friend", "outside")


def let_in(cluster, family=Family.V4):
    return {source for source in SOURCES if ask(cluster, source, family=family).allowed}


FRIENDS = {"red/friend", "blue/friend"}
INSIDE = {"red/friend", "red/other", "blue/friend"}
RED = {"red/friend", "red/other"}


@pytest.mark.parametrize(
    ("source", "in_a_namespace", "cluster_wide"),
    [
        (EntityRule(), {*INSIDE, "outside"}, {*INSIDE, "outside"}),
        (EntityRule(selector="app == 'friend'"), {"red/friend"}, FRIENDS),
        (EntityRule(selector="all()"), RED, INSIDE),
        (EntityRule(selector="!has(app)"), set(), set()),
        (EntityRule(not_selector="app == 'friend'"), {"red/other"}, {"red/other", "outside"}),
        (EntityRule(selector="has(app)", not_selector="app == 'friend'"), {"red/other"}, {"red/other"}),
        (EntityRule(namespace_selector="team == 'blue'"), {"blue/friend"}, {"blue/friend"}),
        (EntityRule(namespace_selector="team != 'blue'"), RED, RED),
        (EntityRule(namespace_selector="all()"), INSIDE, INSIDE),
        (EntityRule(namespace_selector="global()"), set(), set()),
        (EntityRule(namespace_selector="all()", selector="app == 'friend'"), FRIENDS, FRIENDS),
        (EntityRule(namespace_selector="all()", not_selector="app == 'friend'"), {"red/other"}, {"red/other"}),
        (EntityRule(service_accounts=ServiceAccountMatch(names=("reader", "x"))), {"red/friend"}, {"red/friend"}),
        (EntityRule(service_accounts=ServiceAccountMatch(selector="role == 'reads'")), {"red/friend"}, {"red/friend"}),
        (EntityRule(service_accounts=ServiceAccountMatch(selector="!has(role)")), {"red/other"}, {"red/other", "blue/friend"}),
        (EntityRule(service_accounts=ServiceAccountMatch()), {*INSIDE, "outside"}, {*INSIDE, "outside"}),
        (EntityRule(nets=(Network.parse("10.0.0.2/31"),)), RED, RED),
        (EntityRule(nets=(Network.parse("10.0.0.4/32"), Network.parse("192.0.2.0/24"))), {"blue/friend", "outside"}, {"blue/friend", "outside"}),
        (EntityRule(not_nets=(Network.parse("10.0.0.2/31"),)), {"blue/friend", "outside"}, {"blue/friend", "outside"}),
        (EntityRule(nets=(Network.parse("10.0.0.4/32"),), selector="all()"), set(), {"blue/friend"}),
        (EntityRule(ports=(Port(40000),)), {*INSIDE, "outside"}, {*INSIDE, "outside"}),
        (EntityRule(services=ServiceMatch(name="s", namespace="red")), set(), set()),
    ],
    ids=lambda value: None if isinstance(value, set) else str(value),
)  # fmt: skip
def test_which_sources_a_rule_lets_in(source, in_a_namespace, cluster_wide):
    protocol = TCP if source.ports else None
    assert let_in(in_namespace(source=source, protocol=protocol)) == in_a_namespace
    assert let_in(in_cluster(source=source, protocol=protocol)) == cluster_wide


@pytest.mark.parametrize(
    ("rule", "families"),
    [
        ({}, {4, 6}),
        ({"ip_version": 4}, {4}),
        ({"ip_version": 6}, {6}),
        ({"source": EntityRule(nets=(Network.parse("10.0.0.0/8"),))}, {4}),
        ({"source": EntityRule(not_nets=(Network.parse("11.0.0.0/8"),))}, {4}),
        ({"destination": EntityRule(nets=(Network.parse("fd00::/8"),))}, {6}),
        ({"destination": EntityRule(not_nets=(Network.parse("fd01::/16"),))}, {6}),
        ({"destination": EntityRule(nets=(Network.parse("fd00::/8"), Network.parse("10.0.0.0/8")))}, {4, 6}),
        ({"source": EntityRule(selector="app == 'friend'")}, {4, 6}),
    ],
    ids=lambda value: None if isinstance(value, set) else str(value),
)
def test_nets_and_version_tell_the_family(rule, families):
    cluster = in_namespace(**rule)
    assert {int(family) for family in Family if ask(cluster, family=family).allowed} == families


@pytest.mark.parametrize(
    ("rule", "let_through"),
    [
        ({}, {"TCP", "UDP", "SCTP", "UDPLite", "ICMP", "47"}),
        ({"protocol": TCP}, {"TCP"}),
        ({"not_protocol": TCP}, {"UDP", "SCTP", "UDPLite", "ICMP", "47"}),
        ({"protocol": Protocol(47)}, {"47"}),
        ({"protocol": ICMP}, {"ICMP"}),
        ({"protocol": ICMPV6}, set()),
        ({"protocol": UDPLITE}, {"UDPLite"}),
        ({"not_icmp": ICMPFields(type=13)}, {"ICMP"}),
        ({"protocol": ICMP, "icmp": ICMPFields(type=13)}, set()),
    ],
    ids=lambda value: None if isinstance(value, set) else str(value),
)
def test_which_protocols_a_rule_lets_through(rule, let_through):
    cluster = in_namespace(**rule)
    protocols = (TCP, UDP, SCTP, UDPLITE, ICMP, Protocol(47))
    assert {str(protocol) for protocol in protocols if ask(cluster, protocol=protocol).allowed} == let_through


@pytest.mark.parametrize(
    ("rule", "types_and_codes"),
    [
        ({"icmp": ICMPFields()}, {(8, 0), (8, 1), (13, 0)}),
        ({"icmp": ICMPFields(type=8)}, {(8, 0), (8, 1)}),
        ({"icmp": ICMPFields(type=8, code=1)}, {(8, 1)}),
        ({"not_icmp": ICMPFields(type=8)}, {(13, 0)}),
        ({"not_icmp": ICMPFields(type=8, code=1)}, {(8, 0), (13, 0)}),
    ],
    ids=lambda value: None if isinstance(value, set) else str(value),
)
def test_icmp_type_and_code(rule, types_and_codes):
    cluster = in_namespace(protocol=ICMP, **rule)
    tried = [(8, 0), (8, 1), (13, 0)]
    allowed = {pair for pair in tried if ask(cluster, protocol=ICMP, icmp_type=pair[0], icmp_code=pair[1]).allowed}
    assert allowed == types_and_codes


def test_icmpv6_is_for_ipv6_only():
    cluster = in_namespace(protocol=ICMPV6, icmp=ICMPFields(type=128))
    assert ask(cluster, protocol=ICMPV6, family=Family.V6).allowed
    assert not ask(cluster, protocol=ICMP).allowed


@pytest.mark.parametrize(
    ("rule", "tcp_ports", "udp_ports"),
    [
        ({"protocol": TCP, "destination": EntityRule(ports=(Port(80),))}, {80}, set()),
        ({"protocol": TCP, "destination": EntityRule(ports=(Port(53, 79), Port(81)))}, {53, 81}, set()),
        ({"protocol": UDP, "destination": EntityRule(not_ports=(Port(53),))}, set(), {80, 81}),
        ({"protocol": TCP, "destination": EntityRule(ports=(Port(name="http"),))}, {80}, set()),
        ({"destination": EntityRule(ports=(Port(name="http"), Port(name="dns")))}, {80}, {53}),
        ({"protocol": TCP, "destination": EntityRule(ports=(Port(name="dns"), Port(81)))}, {81}, set()),
        ({"protocol": UDP, "destination": EntityRule(ports=(Port(name="http"),))}, set(), set()),
        ({"destination": EntityRule(ports=(Port(name="web"),))}, set(), set()),
        ({"destination": EntityRule(not_ports=(Port(name="http"),))}, {53, 81}, {53, 80, 81}),
        ({"destination": EntityRule(not_ports=(Port(name="nobody"),))}, {53, 80, 81}, {53, 80, 81}),
        ({"destination": EntityRule(ports=(Port(80),))}, set(), set()),
    ],
    ids=lambda value: None if isinstance(value, set) else str(value),
)
def test_which_ports_of_the_server_a_rule_opens(rule, tcp_ports, udp_ports):
    cluster = in_namespace(**rule)

    def opened(protocol):
        return {port for port in (53, 80, 81) if ask(cluster, protocol=protocol, port=port).allowed}

    assert (opened(TCP), opened(UDP)) == (tcp_ports, udp_ports)


def test_a_name_is_looked_up_among_the_endpoints_that_the_rule_selects():
    def egress(**destination):
        rule = Rule(
            action=Action.ALLOW, destination=EntityRule(ports=(Port(name="web"), Port(name="http")), **destination)
        )
        return Cluster.of([*RESOURCES, network_policy("red/p", selector="app == 'friend'", egress=[rule])])  # fmt: skip

    def reached(cluster):
        tried = (("red/server", 80), ("blue/friend", 81))
        return {name for name, port in tried if ask(cluster, destination=name, port=port).allowed}

    assert reached(egress()) == {"red/server", "blue/friend"}
    assert reached(egress(selector="all()")) == {"red/server"}
    assert reached(egress(namespace_selector="team == 'blue'")) == {"blue/friend"}


def test_not_ports_of_a_name_that_nobody_has_match_packets_without_ports_too():
    assert ask(in_namespace(destination=EntityRule(not_ports=(Port(name="nobody"),))), protocol=ICMP).allowed


def test_a_rule_with_a_criterion_that_means_nothing_fails_closed():
    asking = {"protocol": ICMP, "destination": EntityRule(ports=(Port(first=80, last=80),))}
    allow, open_ = Rule(action=Action.ALLOW, **asking), Rule(action=Action.ALLOW)

    def allowed(*rules):
        return ask(Cluster.of([*RESOURCES, network_policy("red/p", ingress=rules)]), protocol=ICMP).allowed

    assert not allowed(allow)
    assert allowed(allow, open_)
    assert not allowed(Rule(action=Action.DENY, **asking), open_)
    assert not allowed(Rule(action=Action.PASS, **asking), open_)


@pytest.mark.parametrize("action", [Action.ALLOW, Action.DENY])
def test_a_rule_about_http_requests_is_its_other_criteria(action):
    rule = Rule(action=action, protocol=TCP, http=HTTPMatch(methods=("GET",)))
    cluster = Cluster.of([*RESOURCES, network_policy("red/p", ingress=[rule, Rule(action=Action.ALLOW)])])
    assert ask(cluster).allowed is (action is Action.ALLOW)
    assert ask(cluster, protocol=UDP).allowed
