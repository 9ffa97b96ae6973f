"""The oracle: staged policies decide nothing, and the trace tells what they would do."""

import pytest
from verdict_hosts import ALLOW, DENY, LOG, NEVER, PASS, PODS

from tortie.model.meta import ObjectMeta
from tortie.model.policy import Direction
from tortie.model.staged import (
    StagedAction,
    StagedGlobalNetworkPolicy,
    StagedGlobalNetworkPolicySpec,
    StagedNetworkPolicy,
    StagedNetworkPolicySpec,
)
from tortie.net import TCP, Address, Family
from tortie.testing.resources import network_policy, tier
from tortie.verdict import Cause, Cluster, Flow


def staged(name="p", *rules, action=StagedAction.SET, **more):
    spec = StagedNetworkPolicySpec(ingress=rules, staged_action=action, **more)
    return StagedNetworkPolicy(metadata=ObjectMeta(name=name, namespace="ns"), spec=spec)


def staged_global(name, *rules, **more):
    return StagedGlobalNetworkPolicy(
        metadata=ObjectMeta(name=name), spec=StagedGlobalNetworkPolicySpec(ingress=rules, **more)
    )


def ingress(*resources):
    cluster = Cluster.of([*PODS, *resources])
    target = cluster.endpoint("ns/a").at(Family.V4)
    flow = Flow(source=Address.parse("192.0.2.9"), destination=target, protocol=TCP, destination_port=80)
    return cluster.judge(flow).ingress


@pytest.mark.parametrize(
    ("made", "pending"),
    [
        (staged("p", DENY), False),
        (staged("p"), False),
        (staged("p", NEVER), False),
        (staged("p", ALLOW), True),
        (staged("p", PASS), True),
        (staged("p", LOG), False),
        (staged_global("p", DENY), False),
        (staged("p", DENY, tier="nowhere"), False),
        (staged("p", DENY, selector="app == 'b'"), True),
        (staged("p", DENY, types=(Direction.EGRESS,)), True),
        (staged("p", DENY, action=StagedAction.IGNORE), True),
        (staged("p", DENY, action=StagedAction.LEARN), True),
        (staged("p", action=StagedAction.DELETE), True),
    ],
    ids=lambda value: None if isinstance(value, bool) else f"{type(value).__name__} {value.spec}",
)
def test_a_staged_policy_is_never_enforced_and_what_it_would_change_is_told(made, pending):
    decision = ingress(made)
    assert (decision.allowed, decision.cause) == (True, Cause.PROFILE_RULE)
    assert (decision.pending or decision).allowed is pending


def test_a_tier_of_staged_policies_alone_has_no_default():
    decision = ingress(tier("early", 1), staged("p", NEVER, tier="early"), network_policy("ns/q", ingress=[ALLOW]))
    assert (decision.allowed, decision.policy.name) == (True, "q")
    assert (decision.pending.cause, decision.pending.tier) == (Cause.TIER_DEFAULT, "early")


@pytest.mark.parametrize(
    ("made", "cause"),
    [
        (staged("p", ALLOW), Cause.POLICY_RULE),
        (staged("p", action=StagedAction.DELETE), Cause.PROFILE_RULE),
        (staged("other", action=StagedAction.DELETE), None),
        (staged("p", DENY, action=StagedAction.IGNORE), None),
        (staged_global("p", ALLOW, order=1000.0), Cause.POLICY_RULE),
    ],
    ids=["replaces", "deletes", "deletes another", "ignored", "comes first"],
)
def test_what_is_staged_for_a_policy_takes_its_place(made, cause):
    decision = ingress(network_policy("ns/p", ingress=[DENY]), made)
    assert not decision.allowed
    assert (decision.pending.cause if decision.pending else None) == cause
    assert decision.pending is None or decision.pending.allowed


def test_the_trace_lists_staged_policies_in_their_place():
    enforced = network_policy("ns/b", ingress=[DENY])
    assert list(ingress(enforced, staged("a", NEVER, ALLOW), staged("c", ALLOW)).lines()) == [
        "tier default",
        "  StagedNetworkPolicy ns/a (staged: would Allow)",
        "    rule 0 Allow: the protocol is TCP, not UDP",
        "    rule 1 Allow: matches",
        "  NetworkPolicy ns/b",
        "    rule 0 Deny: matches",
        "  Deny",
        "Ingress denied: tier default, NetworkPolicy ns/b, ingress rule 0",
        "with staged policies enforced allowed: tier default, StagedNetworkPolicy ns/a, ingress rule 1",
    ]


def test_what_would_decide_the_same_is_not_told_twice():
    assert ingress(network_policy("ns/a", ingress=[DENY]), staged("b", ALLOW)).pending is None
