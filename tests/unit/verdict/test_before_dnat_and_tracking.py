"""The oracle at a host, before its own policy: pre-DNAT policy, untracked policy, and the failsafe ports."""

import pytest
from verdict_hosts import (
    ALL,
    ALLOW,
    DEFAULT_ALLOW,
    DENY,
    EVERYTHING,
    NEVER,
    OPEN,
    OPEN_EVERYTHING,
    PASS,
    felix,
    host,
    host_endpoint,
    host_policy,
    packet,
    passing,
    stopped,
)

from tortie.model.felix_values import ProtoPort
from tortie.net import ICMP, TCP, UDP
from tortie.testing.resources import network_policy, tier
from tortie.verdict import Cause, Stage

# --- pre-DNAT policy -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("endpoint", "rules", "closed"),
    [
        (OPEN, [DENY], {"to host", "through", "to pod"}),
        (OPEN, [NEVER], set()),
        (OPEN, [PASS], set()),
        (host_endpoint(), [ALLOW], {"from host"}),
        (OPEN_EVERYTHING, [DENY], ALL - {"from host", "from host over eth1", "host to pod"}),
        (EVERYTHING, [ALLOW], {"from host", "from host over eth1", "to itself"}),
    ],
    ids=["deny", "no end of tier", "pass", "allow skips normal policy", "wildcard", "wildcard allow"],
)
def test_pre_dnat_policy_is_for_all_that_arrives(endpoint, rules, closed):
    assert stopped(endpoint, host_policy("p", ingress=rules, use="pre-dnat")) == closed


def test_pass_in_pre_dnat_policy_goes_to_the_next_tier():
    early, late = tier("early", 1), tier("late", 2)
    policies = [
        host_policy("a", ingress=[PASS], use="pre-dnat", in_tier="early"),
        host_policy("b", ingress=[DENY], use="pre-dnat", in_tier="late"),
    ]
    assert stopped(OPEN, early, late, *policies) == {"to host", "through", "to pod"}


def test_an_allow_before_dnat_skips_normal_policy_but_no_forward_policy_and_never_a_workloads():
    before = host_policy("before", ingress=[ALLOW], use="pre-dnat")
    closed = network_policy("ns/closed", selector="app == 'a'", ingress=[DENY])
    assert stopped(host_endpoint(), before, closed) == {"from host", "to pod"}
    forward = host_policy("forward", ingress=[DENY], use="forward")
    assert stopped(host_endpoint(), before, forward) == {"from host", "through", "to pod"}
    spared = host(host_endpoint(), before).judge(packet("to host")).decisions[-1]
    assert (spared.stage, spared.cause) == (Stage.NORMAL, Cause.ALLOWED_BEFORE)


def test_the_wildcards_normal_policy_does_not_judge_workload_to_host_and_its_pre_dnat_does():
    assert "pod to host" not in stopped(EVERYTHING)
    assert "pod to host" in stopped(EVERYTHING, host_policy("p", ingress=[DENY], use="pre-dnat"))


def test_the_wildcards_pre_dnat_policy_is_for_interfaces_whose_own_endpoint_has_none():
    only_wildcard = host_policy("p", ingress=[DENY], use="pre-dnat", selector="is == 'all'")
    own_too = host_policy("q", ingress=[ALLOW], use="pre-dnat", selector="is == 'own'")
    own = host_endpoint("own", labels={"is": "own"}, profiles=DEFAULT_ALLOW)
    wildcard = host_endpoint("all", "*", labels={"is": "all"}, profiles=DEFAULT_ALLOW)
    assert "to host" in stopped(own, wildcard, only_wildcard)
    assert "to host" not in stopped(own, wildcard, only_wildcard, own_too)


# --- untracked policy ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("endpoint", "policy", "closed"),
    [
        (OPEN, {"ingress": [DENY]}, {"to host", "through", "to pod"}),
        (OPEN, {"egress": [DENY]}, {"from host"}),
        (OPEN, {"ingress": [NEVER]}, set()),
        (OPEN, {"ingress": [PASS]}, set()),
        (host_endpoint(), {"ingress": [ALLOW]}, {"from host"}),
        (host_endpoint(), {"egress": [ALLOW]}, {"to host"}),
        (OPEN_EVERYTHING, {"ingress": [DENY], "egress": [DENY]}, set()),
    ],
    ids=["in", "out", "no end of tier", "pass", "allow in", "allow out", "ignored on the wildcard"],
)
def test_untracked_policy_is_for_all_that_arrives_and_for_what_the_host_sends(endpoint, policy, closed):
    assert stopped(endpoint, host_policy("p", use="untracked", **policy)) == closed


def test_an_untracked_allow_skips_pre_dnat_forward_and_normal_policy_but_never_a_workloads():
    allowed = host_policy("a", ingress=[ALLOW], use="untracked")
    others = [host_policy(f"not-{use}", ingress=[DENY], use=use) for use in ("pre-dnat", "forward", "")]
    closed = network_policy("ns/closed", selector="app == 'a'", ingress=[DENY])
    assert stopped(OPEN, allowed, *others, closed) == {"to pod"}


def test_an_untracked_allow_does_not_skip_forward_policy_where_the_packet_leaves():
    allowed = host_policy("a", ingress=[ALLOW], use="untracked")
    way_out = host_endpoint("out", "eth1", labels={"is": "out"}, profiles=DEFAULT_ALLOW)
    closed = host_policy("b", egress=[DENY], use="forward", selector="is == 'out'")
    assert "through" in stopped(OPEN, way_out, allowed, closed)


def test_an_untracked_packet_is_not_invalid():
    allowed = host_policy("a", ingress=[ALLOW], use="untracked")
    unreachable = {"protocol": ICMP, "icmp_type": 3}
    assert {"to host", "to pod", "through"} <= stopped(OPEN, **unreachable)
    assert "to host" not in stopped(OPEN, allowed, **unreachable)
    assert "to pod" not in stopped(OPEN, allowed, **unreachable)


@pytest.mark.parametrize("use", ["pre-dnat", "untracked"])
def test_pre_dnat_and_untracked_policy_never_apply_to_workloads(use):
    assert stopped(host_policy("p", ingress=[DENY], use=use, selector="")) == set()


# --- failsafes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("protocol", "port", "open_in", "open_out"),
    [
        (TCP, 22, True, False),
        (UDP, 68, True, False),
        (UDP, 53, False, True),
        (UDP, 67, False, True),
        *((TCP, port, True, True) for port in (179, 2379, 2380, 5473, 6443, 6666, 6667)),
        (UDP, 179, False, False),
        (TCP, 23, False, False),
    ],
)
def test_calicos_failsafe_ports_are_open_whatever_policy_says(protocol, port, open_in, open_out):
    through = passing(host(host_endpoint(), host_policy("p", ingress=[DENY], egress=[DENY])), protocol, port=port)
    assert ("to host" in through, "from host" in through) == (open_in, open_out)


@pytest.mark.parametrize(("use", "covered"), [("pre-dnat", True), ("untracked", True), ("forward", False)])
def test_failsafes_cover_forwarded_traffic_before_connection_tracking_and_dnat_but_not_in_forward_policy(use, covered):
    closed = stopped(OPEN, host_policy("p", ingress=[DENY], use=use), port=22)
    assert ("through" not in closed, "to pod" not in closed) == (covered, covered)
    assert "to host" not in closed


def test_before_connection_tracking_failsafes_cover_the_answers_too():
    policy = host_policy("p", ingress=[DENY], egress=[DENY], use="untracked")
    view = host(OPEN, policy)
    assert view.passes(packet("to host", source_port=179, port=40000))
    assert view.passes(packet("from host", source_port=22, port=40000))
    assert not view.passes(packet("to host", source_port=22, port=40000))


@pytest.mark.parametrize(
    ("settings", "to_22", "to_80"),
    [
        ({"failsafe_inbound_host_ports": ()}, False, False),
        ({"failsafe_inbound_host_ports": ("TCP 80",)}, False, True),
        ({"failsafe_inbound_host_ports": ("TCP 80 192.0.2.0/24",)}, False, True),
        ({"failsafe_inbound_host_ports": ("TCP 80 198.51.100.0/24",)}, False, False),
        ({"failsafe_inbound_host_ports": (" 80 2001:db8::/32",)}, False, False),
        ({"failsafe_inbound_host_ports": (" 80 192.0.2.9",)}, False, True),
        ({}, True, False),
    ],
    ids=["none", "another", "of its net", "of another net", "of another family", "of an address", "not said"],
)
def test_failsafes_are_those_of_the_settings(settings, to_22, to_80):
    fields = {
        name: tuple(
            ProtoPort(protocol=text.split(" ")[0], port=int(text.split(" ")[1]), net=" ".join(text.split(" ")[2:]))
            for text in texts
        )
        for name, texts in settings.items()
    }
    view = host(host_endpoint(), felix(**fields), accept=False)
    assert view.passes(packet("to host", port=22)) is to_22
    assert view.passes(packet("to host", port=80)) is to_80


def test_a_failsafe_is_told_as_the_cause():
    verdict = host(host_endpoint()).judge(packet("to host", port=22))
    assert verdict.reason == "ingress: a failsafe port: TCP port 22"
