"""The oracle at a host: which host endpoint stands on which interface, and its normal and forward policy on every way through."""

import pytest
from verdict_hosts import (
    ALLOW,
    BOTH,
    DEFAULT_ALLOW,
    DENY,
    EVERYTHING,
    FORWARDED,
    HOST,
    LOCAL,
    NEVER,
    OPEN,
    OPEN_EVERYTHING,
    PASS,
    PODS,
    UPLINK,
    felix,
    host,
    host_endpoint,
    host_policy,
    node,
    packet,
    stopped,
)

from tortie.model.policy import Action, EntityRule, Rule
from tortie.net import TCP, Network, Port
from tortie.testing.resources import network_policy, profile
from tortie.verdict import Stage

TO_80 = Rule(action=Action.DENY, protocol=TCP, destination=EntityRule(ports=(Port(80),)))


# --- no policy -----------------------------------------------------------------------------------------------------------


def test_without_host_endpoints_only_workloads_have_policy():
    assert stopped() == set()
    assert host().judge(packet("through")).decisions == ()


@pytest.mark.parametrize(
    ("endpoint", "closed"),
    [
        (host_endpoint(), UPLINK),
        (host_endpoint("all", "*"), LOCAL),
        (host_endpoint("lo", "lo"), {"to itself"}),
        (OPEN, set()),
        (OPEN_EVERYTHING, set()),
        (host_endpoint(profiles=("missing",)), UPLINK),
        (host_endpoint(node="host-2"), set()),
    ],
    ids=["named", "wildcard", "loopback", "open profile", "open wildcard", "missing profile", "another host's"],
)
def test_without_policy_what_is_the_hosts_own_is_denied_and_what_it_forwards_is_allowed(endpoint, closed):
    assert stopped(endpoint) == closed


def test_the_built_in_profile_can_be_written_too():
    own = profile("projectcalico-default-allow", ingress=[DENY], egress=[ALLOW])
    assert stopped(OPEN, own) == {"to host"}


# --- where one stands ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("endpoints", "closed"),
    [
        ([host_endpoint(interface="", expected=[HOST])], UPLINK),
        ([host_endpoint(interface="", expected=["203.0.113.1"])], set()),
        ([host_endpoint(interface="eth0", expected=["203.0.113.1"])], UPLINK),
        ([host_endpoint(interface="eth9", expected=[HOST])], set()),
        ([host_endpoint("a"), host_endpoint("b", profiles=DEFAULT_ALLOW)], UPLINK),
        ([host_endpoint("b"), host_endpoint("a", profiles=DEFAULT_ALLOW)], set()),
        ([host_endpoint("a", "", expected=[HOST]), host_endpoint("b", profiles=DEFAULT_ALLOW)], UPLINK),
        ([host_endpoint("b", "", expected=[HOST]), host_endpoint("a", profiles=DEFAULT_ALLOW)], set()),
        ([host_endpoint("b", "*"), host_endpoint("a", "*", profiles=DEFAULT_ALLOW)], set()),
        ([EVERYTHING, OPEN], LOCAL - UPLINK),
        ([OPEN_EVERYTHING, host_endpoint()], UPLINK),
    ],
    ids=[
        "by address",
        "no interface has the address",
        "a name beats addresses that do not fit",
        "a name beats addresses that fit",
        "first name",
        "first name the other way round",
        "first name by address",
        "first name by interface",
        "first wildcard",
        "own before wildcard",
        "own closed before open wildcard",
    ],
)
def test_which_host_endpoint_stands_on_an_interface(endpoints, closed):
    assert stopped(*endpoints) == closed


def test_no_host_endpoint_stands_on_a_workloads_link_or_an_excluded_one():
    pod = PODS[2].spec.interface_name
    assert stopped(host_endpoint(interface=pod), host_endpoint("b", "caliunknown")) == set()
    assert host(host_endpoint("b", "caliunknown")).interfaces.own_endpoint("caliunknown") is None
    assert stopped(host_endpoint(), felix(interface_exclude="/^eth0/,kube-ipvs0"), accept=False) == {"pod to host"}


def test_an_excluded_interface_is_still_the_wildcards():
    assert stopped(EVERYTHING, OPEN, felix(interface_exclude="eth0"), accept=False) >= UPLINK


# --- normal policy -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("endpoint", "policy", "closed"),
    [
        (OPEN, host_policy("p", ingress=[DENY]), {"to host"}),
        (OPEN, host_policy("p", egress=[DENY]), {"from host"}),
        (OPEN, host_policy("p", ingress=[TO_80, ALLOW]), {"to host"}),
        (OPEN, host_policy("p", types=BOTH), UPLINK),
        (OPEN, host_policy("p", ingress=[PASS]), set()),
        (host_endpoint(), host_policy("p", ingress=[ALLOW], egress=[ALLOW]), set()),
        (EVERYTHING, host_policy("p", ingress=[ALLOW]), {"from host", "from host over eth1", "to itself"}),
    ],
    ids=["ingress", "egress", "a port", "no rules", "pass to profiles", "allowed", "wildcard allowed in"],
)
def test_normal_policy_is_for_what_the_host_itself_sends_and_receives(endpoint, policy, closed):
    assert stopped(endpoint, policy) == closed


def test_what_the_host_sends_to_itself_leaves_and_arrives_over_loopback():
    allowed_in = host_policy("p", ingress=[ALLOW], egress=[DENY])
    allowed_out = host_policy("p", ingress=[DENY], egress=[ALLOW])
    assert "to itself" in stopped(EVERYTHING, allowed_in) & stopped(EVERYTHING, allowed_out)
    decisions = host(EVERYTHING, allowed_in).judge(packet("to itself")).decisions
    assert [(d.direction, d.allowed) for d in decisions] == [("Egress", False), ("Ingress", True)]


# --- forward policy ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("endpoint", "policy", "closed"),
    [
        (OPEN, host_policy("p", ingress=[DENY], use="forward"), {"to host", "through", "to pod"}),
        (OPEN, host_policy("p", egress=[DENY], use="forward"), {"from host", "back through", "from pod"}),
        (OPEN, host_policy("p", ingress=[NEVER], use="forward"), {"to host", "through", "to pod"}),
        (OPEN, host_policy("p", ingress=[PASS], use="forward"), set()),
        (host_endpoint(profiles=()), host_policy("p", ingress=[PASS], use="forward"), UPLINK),
        (
            OPEN_EVERYTHING,
            host_policy("p", ingress=[DENY], use="forward"),
            FORWARDED | {"to host", "to host over eth1", "to itself"},
        ),
        (
            OPEN_EVERYTHING,
            host_policy("p", egress=[DENY], use="forward"),
            FORWARDED | {"from host", "from host over eth1", "to itself"},
        ),
    ],
    ids=["in", "out", "end of tier", "pass", "never profiles", "wildcard in", "wildcard out"],
)
def test_forward_policy_is_for_what_is_forwarded_too(endpoint, policy, closed):
    assert stopped(endpoint, policy) == closed


def test_only_policy_for_forwarded_traffic_counts_for_it():
    ordered = [
        host_policy("a", ingress=[DENY], order=1),
        host_policy("b", ingress=[ALLOW], order=2, use="forward"),
    ]
    assert stopped(OPEN, *ordered) == {"to host"}


def test_a_forwarded_packet_is_judged_where_it_arrives_then_by_workloads_then_where_it_leaves():
    forward = host_policy("p", ingress=[ALLOW], egress=[ALLOW], use="forward")
    view = host(OPEN_EVERYTHING, forward)
    directions = [(d.stage, d.direction) for d in view.judge(packet("pod to pod")).decisions]
    assert directions == [
        (Stage.FORWARD, "Ingress"),
        (Stage.NORMAL, "Egress"),
        (Stage.NORMAL, "Ingress"),
        (Stage.FORWARD, "Egress"),
    ]


def test_a_workloads_own_policy_is_asked_whatever_forward_policy_allows():
    closed = network_policy("ns/closed", ingress=[DENY])
    assert stopped(OPEN_EVERYTHING, host_policy("p", ingress=[ALLOW], use="forward"), closed) == {
        "to pod",
        "pod to pod",
    }


# --- telling -------------------------------------------------------------------------------------------------------------


def test_the_reasoning_tells_every_stage_and_whose_policy_it_is():
    policy = host_policy(
        "closed", ingress=[Rule(action=Action.DENY, source=EntityRule(nets=(Network.parse("192.0.2.0/24"),)))]
    )
    view = host(OPEN, host_policy("early", ingress=[NEVER], use="pre-dnat"), policy, node())
    assert list(view.judge(packet("to host")).lines()) == [
        "pre-DNAT policy of host endpoint hep at eth0 of host-1",
        "  tier default",
        "    GlobalNetworkPolicy early",
        "      rule 0 Allow: the protocol is TCP, not UDP",
        "    Pass by default",
        "  Ingress allowed: no policy of this stage decides",
        "policy of host endpoint hep at eth0 of host-1",
        "  tier default",
        "    GlobalNetworkPolicy closed",
        "      rule 0 Deny: matches",
        "    Deny",
        "  Ingress denied: tier default, GlobalNetworkPolicy closed, ingress rule 0",
    ]


def test_a_packet_is_printed_with_its_way():
    assert str(packet("to host")) == "192.0.2.9 → 192.0.2.254 TCP port 80, eth0 → the host"
    assert str(packet("to itself")).endswith("the host → the host")
