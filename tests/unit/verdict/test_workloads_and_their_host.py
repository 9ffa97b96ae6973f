"""The oracle where workloads meet their host: host to workload, workload to host, and what no workload may send."""

import pytest
from verdict_hosts import (
    ALLOW,
    DENY,
    EVERYTHING,
    HOST,
    INTERFACES,
    OPEN,
    OUTSIDE,
    PODS,
    UPLINK,
    felix,
    host,
    host_policy,
    packet,
    packet_of,
    stopped,
    with_spec,
)

from tortie.net import ICMP, ICMPV6, UDP, Protocol
from tortie.testing.resources import global_network_policy, network_policy
from tortie.verdict import Cause, Cluster

# --- workloads and the host ----------------------------------------------------------------------------------------------


def test_a_host_always_reaches_its_workloads():
    closed = network_policy("ns/closed", ingress=[DENY], egress=[DENY])
    assert "host to pod" not in stopped(EVERYTHING, closed, host_policy("p", egress=[DENY]))
    without_profile = [PODS[0], *PODS[2:]]
    assert Cluster.of(without_profile).host_view("host-1", INTERFACES).passes(packet("host to pod"))


@pytest.mark.parametrize(
    ("action", "policy", "allowed"),
    [
        (None, [ALLOW], False),
        ("Drop", [ALLOW], False),
        ("Accept", [ALLOW], True),
        ("Accept", [DENY], False),
        ("RETURN", [ALLOW], True),
        ("Return", [DENY], False),
    ],
)
def test_a_workload_reaches_its_host_if_its_egress_policy_and_then_the_settings_let_it(action, policy, allowed):
    settings = [felix(default_endpoint_to_host_action=action)] if action is not None else []
    egress = network_policy("ns/p", egress=policy)
    assert ("pod to host" not in stopped(egress, *settings, accept=False)) is allowed


@pytest.mark.parametrize(
    ("icmp_type", "allowed"),
    [
        (130, True),
        (131, True),
        (132, True),
        (133, True),
        (135, True),
        (136, True),
        (128, False),
        (143, False),
        (134, False),
    ],
)
def test_neighbour_discovery_of_a_workload_always_reaches_its_host(icmp_type, allowed):
    view = host(network_policy("ns/p", egress=[DENY]), accept=False)
    asked = packet_of(PODS[2].spec.interface_name, None, "fe80::1", "ff02::1:ff00:1", ICMPV6, icmp_type=icmp_type)
    assert view.passes(asked) is allowed


def test_a_link_that_looks_like_a_workloads_and_has_no_endpoint_is_closed_but_for_the_host():
    view = host()
    assert not view.passes(packet_of("cali0123", None, "10.0.0.9", HOST))
    assert not view.passes(packet_of("cali0123", "eth0", "10.0.0.9", OUTSIDE["eth0"]))
    assert not view.passes(packet_of("eth0", "cali0123", OUTSIDE["eth0"], "10.0.0.9"))
    assert view.passes(packet_of(None, "cali0123", HOST, "10.0.0.9"))
    assert view.passes(packet_of("tap0", "eth0", "10.0.0.9", OUTSIDE["eth0"]))
    assert not host(felix(interface_prefix="cali,tap"), accept=False).passes(
        packet_of("tap0", "eth0", "10.0.0.9", OUTSIDE["eth0"])
    )


@pytest.mark.parametrize(
    ("source", "settings", "allowed"),
    [
        ("10.0.0.1", {}, True),
        ("10.0.0.2", {}, False),
        (OUTSIDE["eth1"], {}, False),
        ("203.0.113.7", {}, False),
        ("203.0.113.7", {"workload_source_spoofing": "Any"}, True),
        ("203.0.114.7", {"workload_source_spoofing": "Any"}, False),
        ("203.0.113.7", {"workload_source_spoofing": "Disabled"}, False),
    ],
)
def test_a_workload_may_only_send_from_its_own_addresses_or_those_it_asked_for_if_the_settings_let_it(
    source, settings, allowed
):
    spoofing = with_spec(PODS[2], allow_spoofed_source_prefixes=("203.0.113.0/24",))
    view = Cluster.of([*PODS[:2], spoofing, felix(**settings)]).host_view("host-1", INTERFACES)
    assert view.passes(packet_of(spoofing.spec.interface_name, "eth0", source, OUTSIDE["eth0"])) is allowed


def test_a_packet_without_a_source_may_only_stay_on_its_link():
    link = PODS[2].spec.interface_name
    view = host()
    assert view.passes(packet_of(link, None, "0.0.0.0", "255.255.255.255", UDP, 67, 68))
    assert not view.passes(packet_of(link, None, "0.0.0.0", HOST, UDP, 67, 68))


@pytest.mark.parametrize(
    ("settings", "vxlan", "ipip"),
    [
        ({}, False, False),
        ({"allow_vxlan_packets_from_workloads": True}, True, False),
        ({"allow_ipip_packets_from_workloads": True}, False, True),
        ({"vxlan_port": 8472}, True, False),
    ],
)
def test_a_workload_may_not_send_what_looks_like_a_tunnel_unless_the_settings_let_it(settings, vxlan, ipip):
    view = host(felix(**settings), accept=False)
    for way in ("from pod", "pod to pod"):
        assert view.passes(packet(way, UDP, port=4789)) is vxlan
        assert view.passes(packet(way, Protocol(4))) is ipip
    assert view.passes(packet("to pod", UDP, port=4789))


def test_invalid_packets_are_dropped_at_workloads_and_host_endpoints_unless_the_settings_let_them_be():
    unreachable = {"protocol": ICMP, "icmp_type": 3}
    of_pods = {"to pod", "from pod", "pod to pod", "pod to host"}
    assert stopped(**unreachable) == of_pods
    assert stopped(OPEN, **unreachable) == of_pods | UPLINK | {"through", "back through"}
    lenient = felix(disable_conntrack_invalid_check=True, default_endpoint_to_host_action="Accept")
    assert stopped(OPEN, lenient, accept=False, **unreachable) == set()


def test_of_two_workloads_that_claim_a_link_the_lower_rank_has_it():
    a, b = PODS[2:]
    both = [a, with_spec(b, interface_name=a.spec.interface_name)]
    closed = global_network_policy("p", selector="app == 'b'", ingress=[DENY])
    view = Cluster.of([*PODS[:2], *both, closed]).host_view("host-1", INTERFACES)
    assert view.passes(packet("to pod"))
    assert view.judge(packet("to pod")).decisions[-1].endpoint.name == a.metadata.name
    other = with_spec(a, orchestrator="openstack")
    assert not Cluster.of([*PODS[:2], other, both[1], closed]).host_view("host-1", INTERFACES).passes(packet("to pod"))


def test_a_workload_without_an_address_is_not_enforced_so_its_link_is_closed():
    late = with_spec(PODS[2], ip_networks=())
    (decision,) = Cluster.of([*PODS[:2], late]).host_view("host-1", INTERFACES).judge(packet("to pod")).decisions
    assert (decision.allowed, decision.cause, decision.endpoint) == (False, Cause.UNKNOWN_INTERFACE, None)
