"""With the deny action Reject, whom policy denies is told so: by both compilations, and nobody else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tortie.analysis.hostmodel import RulesetModel
from tortie.calc.hoststate import (
    EndpointId,
    HostEndpointUpdate,
    HostHostEndpoint,
    HostPolicy,
    HostProfile,
    HostRule,
    HostStateDelta,
    HostWorkloadEndpoint,
    PeerMatch,
    PolicyId,
    PolicyUpdate,
    PortRange,
    ProfileUpdate,
    TierPolicies,
    WorkloadEndpointUpdate,
)
from tortie.model.policy import Action
from tortie.net import IPIP, TCP, Address
from tortie.ruleset import EndpointToHostAction, Options, Packet, walk
from tortie.ruleset.interpreter import Translation
from tortie.ruleset.options import Compilation
from tortie.ruleset.values import CtState, Drop, Reject, Statement

OWN, POD, OUTSIDE, SERVICE = map(Address.parse, ("192.0.2.1", "10.0.0.1", "203.0.113.9", "10.96.0.10"))
ALLOW, DENY = (HostRule(action=action) for action in (Action.ALLOW, Action.DENY))
DENY_PORT = HostRule(action=Action.DENY, protocol=TCP, destination=PeerMatch(ports=(PortRange(80, 80),)))
P = PolicyId("GlobalNetworkPolicy", "", "p")


def policy(*rules: HostRule) -> tuple[HostStateDelta, tuple[TierPolicies, ...]]:
    tiers = (TierPolicies(name="t", default_action="Deny", ingress=(P,), egress=(P,)),)
    return PolicyUpdate(id=P, policy=HostPolicy(tier="t", ingress=rules, egress=rules)), tiers


def profile(*rules: HostRule) -> HostStateDelta:
    return ProfileUpdate(name="profile", profile=HostProfile(ingress=rules, egress=rules))


def workload(*rules: HostRule, of_profile: tuple[HostRule, ...] = ()) -> list[HostStateDelta]:
    """Under a policy of these rules; without any, under its profile alone."""
    update, tiers = policy(*rules)
    endpoint = HostWorkloadEndpoint(ifname="cali1", tiers=tiers if rules else (), profiles=("profile",))
    return [update, profile(*of_profile), WorkloadEndpointUpdate(id=EndpointId("ns", "w"), endpoint=endpoint)]


def host(field: str, *rules: HostRule) -> list[HostStateDelta]:
    """An interface of the host with this use of a policy, beside a workload that may do anything."""
    update, tiers = policy(*rules)
    endpoint = HostHostEndpoint(ifname="eth0", **{field: tiers})
    return [*workload(of_profile=(ALLOW,)), update, HostEndpointUpdate(id=EndpointId("", "h"), endpoint=endpoint)]


FROM_POD, TO_POD = (
    {"in_interface": "cali1", "out_interface": "eth0"},
    {"in_interface": "eth0", "out_interface": "cali1"},
)
TO_HOST, FROM_HOST, POD_TO_HOST = {"in_interface": "eth0"}, {"out_interface": "eth0"}, {"in_interface": "cali1"}
TO_A_SERVICE = FROM_HOST | {"destination": SERVICE, "translation": Translation(OUTSIDE)}

CASES: dict[str, tuple[Callable[[], list[HostStateDelta]], dict[str, Any], Statement]] = {
    "a rule denies, to a workload": (lambda: workload(DENY_PORT, ALLOW), TO_POD, Reject()),
    "a rule denies, from a workload": (lambda: workload(DENY_PORT, ALLOW), FROM_POD, Reject()),
    "a rule denies, from a workload to its host": (lambda: workload(DENY_PORT, ALLOW), POD_TO_HOST, Reject()),
    "the end of a tier": (lambda: workload(HostRule(action=Action.ALLOW, protocol=IPIP)), TO_POD, Reject()),
    "a profile denies": (lambda: workload(of_profile=(DENY,)), TO_POD, Reject()),
    "no profile allows": (workload, TO_POD, Reject()),
    "to the host": (lambda: host("tiers", DENY), TO_HOST, Reject()),
    "from the host": (lambda: host("tiers", DENY), FROM_HOST, Reject()),
    "forwarded": (lambda: host("forward_tiers", DENY), TO_POD, Reject()),
    "from the host to a service: the kernel takes no reject there": (
        lambda: host("tiers", DENY),
        TO_A_SERVICE,
        Drop(),
    ),
    "before DNAT": (lambda: host("pre_dnat_tiers", DENY), TO_HOST, Drop()),
    "untracked": (lambda: host("untracked_tiers", DENY), TO_HOST, Drop()),
    "invalid": (lambda: workload(ALLOW), TO_POD | {"ct_state": CtState.INVALID}, Drop()),
    "a workload's tunnel": (lambda: workload(ALLOW), FROM_POD | {"protocol": IPIP}, Drop()),
    "a source that is not its own": (lambda: workload(ALLOW), FROM_POD | {"is_spoofed": True}, Drop()),
    "a link that nobody knows": (lambda: workload(ALLOW), {"in_interface": "cali9", "out_interface": "eth0"}, Drop()),
}


def verdict(deltas: list[HostStateDelta], packet: dict[str, Any], options: Options) -> Statement:
    model = RulesetModel()
    model.begin(options)
    model.know("eth0", frozenset({OWN}))
    model.take(deltas)
    fields = {"source": OUTSIDE, "destination": POD, "protocol": TCP, "source_port": 4000, "destination_port": 80}
    return walk(model.ruleset, Packet(**(fields | packet))).verdict


@pytest.mark.parametrize("compilation", [Compilation.LINEAR, Compilation.RUNS])
@pytest.mark.parametrize("case", CASES)
def test_who_is_told(case: str, compilation: Compilation) -> None:
    deltas, packet, expected = CASES[case]
    options = Options(rejects=True, compilation=compilation, endpoint_to_host_action=EndpointToHostAction.ACCEPT)
    assert verdict(deltas(), packet, options) == expected


@pytest.mark.parametrize("case", CASES)
def test_by_default_nobody_is(case: str) -> None:
    deltas, packet, _ = CASES[case]
    assert verdict(deltas(), packet, Options(endpoint_to_host_action=EndpointToHostAction.ACCEPT)) == Drop()


def test_what_the_settings_drop_of_a_workload_to_its_host_is_told_nobody() -> None:
    assert verdict(workload(DENY), POD_TO_HOST, Options(rejects=True)) == Drop()
