"""Flows that have begun are judged as their first packet would be now, and where it cannot be told, they stay."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

import msgspec
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
from tortie.net import ICMP, TCP, Address, Network, Protocol
from tortie.ruleset import EndpointToHostAction, Options, Outcome, Packet, Ruleset, walk
from tortie.ruleset.flowjudge import FlowJudge
from tortie.ruleset.interpreter import Translation

CLIENT, SERVER, HOST, HOST_V6, OUTSIDE, GROUP, EVERYBODY = map(
    Address.parse,
    ("10.65.0.1", "10.65.0.2", "192.0.2.1", "2001:db8::1", "198.51.100.7", "224.0.0.251", "255.255.255.255"),
)
LINKS = {CLIENT: "cali1", SERVER: "cali2"}
P = PolicyId("NetworkPolicy", "ns", "server")


def workloads(tiers: Mapping[Address, tuple[TierPolicies, ...]] = {}) -> Iterator[HostStateDelta]:
    """They may do anything but for what their tiers say."""
    allow = (HostRule(action=Action.ALLOW),)
    yield ProfileUpdate(name="open", profile=HostProfile(ingress=allow, egress=allow))
    for address, ifname in LINKS.items():
        endpoint = HostWorkloadEndpoint(
            ifname=ifname, addresses=(address,), tiers=tiers.get(address, ()), profiles=("open",)
        )
        yield WorkloadEndpointUpdate(id=EndpointId("ns", ifname), endpoint=endpoint)


def ruleset(*rules: HostRule, options: Options | None = None) -> Ruleset:
    """The server is under a policy of these rules, for ingress; the client is under none."""
    model = RulesetModel()
    model.begin(options or Options())
    tiers = {SERVER: (TierPolicies(name="default", default_action="Deny", ingress=(P,)),)}
    model.take([PolicyUpdate(id=P, policy=HostPolicy(tier="default", ingress=rules)), *workloads(tiers)])
    return model.ruleset


def packet(source: Address, destination: Address, port: int | None = 80, protocol: Protocol = TCP) -> Packet:
    has_ports = port is not None
    return Packet(
        source=source,
        destination=destination,
        protocol=protocol,
        source_port=40_000 if has_ports else None,
        destination_port=port,
        icmp_type=None if has_ports else 8,
        icmp_code=None if has_ports else 0,
    )


def refuses(rules: Ruleset, first: Packet, interfaces: Iterable[str] = ()) -> bool:
    return FlowJudge(rules, LINKS, {HOST, HOST_V6}, interfaces).refuses(first)


PORT_80 = HostRule(action=Action.ALLOW, protocol=TCP, destination=PeerMatch(ports=(PortRange(80, 80),)))
FROM_CLIENT = HostRule(action=Action.ALLOW, source=PeerMatch(nets=(CLIENT.network(),)))
FLOWS = [
    pytest.param(PORT_80, packet(CLIENT, SERVER), False, id="allowed"),
    pytest.param(PORT_80, packet(CLIENT, SERVER, 81), True, id="another port"),
    pytest.param(PORT_80, packet(OUTSIDE, SERVER, 81), True, id="from outside"),
    pytest.param(FROM_CLIENT, packet(CLIENT, SERVER, None, ICMP), False, id="ICMP, allowed"),
    pytest.param(FROM_CLIENT, packet(OUTSIDE, SERVER, None, ICMP), True, id="ICMP, refused"),
    pytest.param(PORT_80, packet(SERVER, CLIENT, 81), False, id="the other way round: that was another flow"),
    pytest.param(PORT_80, packet(SERVER, OUTSIDE, 81), False, id="to outside"),
    pytest.param(PORT_80, packet(HOST, SERVER, 81), False, id="a host reaches its workloads"),
    pytest.param(PORT_80, packet(OUTSIDE, HOST, 81), False, id="no workload's"),
    pytest.param(PORT_80, packet(CLIENT, HOST, 81), True, id="to the host"),
    pytest.param(PORT_80, packet(CLIENT, GROUP, 81), False, id="to a group"),
    pytest.param(PORT_80, packet(CLIENT, EVERYBODY, 67), False, id="to everybody"),
]


@pytest.mark.parametrize(("rule", "first", "expected"), FLOWS)
def test_which_flows_are_refused(rule: HostRule, first: Packet, expected: bool) -> None:
    assert refuses(ruleset(rule), first) is expected


def test_what_a_workload_may_send_its_host_is_the_settings_affair() -> None:
    accepting = ruleset(PORT_80, options=Options(endpoint_to_host_action=EndpointToHostAction.ACCEPT))
    assert not refuses(accepting, packet(CLIENT, HOST, 81))


def test_a_flow_is_judged_as_the_walk_of_its_first_packet() -> None:
    rules = ruleset(PORT_80, HostRule(action=Action.ALLOW, source=PeerMatch(nets=(Network.parse("10.65.0.0/31"),))))
    counts = {True: 0, False: 0}
    for source in (CLIENT, SERVER, OUTSIDE):
        for destination in (CLIENT, SERVER, OUTSIDE):
            for port in (80, 81):
                first = packet(source, destination, port)
                if source == destination:
                    continue
                whole = msgspec.structs.replace(
                    first, in_interface=LINKS.get(source, "eth0"), out_interface=LINKS.get(destination, "eth0")
                )
                expected = not walk(rules, whole).is_accepted
                assert refuses(rules, first) is expected, whole
                counts[expected] += 1
    assert all(counts.values()), counts


# --- host endpoints -----------------------------------------------------------------------------------------------------------


def uplinks(closed: Iterable[str], **policies: HostRule) -> Ruleset:
    """Host endpoints on these interfaces; by use of policy its rules. The workloads may do anything."""
    model = RulesetModel()
    model.know("eth0", frozenset({HOST}))
    model.know("eth1", frozenset())
    deltas, tiers = [*workloads()], {}
    for use, rule in policies.items():
        policy_id = PolicyId("GlobalNetworkPolicy", "", use)
        deltas.append(PolicyUpdate(id=policy_id, policy=HostPolicy(tier="t", ingress=(rule,), egress=(rule,))))
        end: Literal["Deny", "Pass"] = "Pass" if use == "pre_dnat_tiers" else "Deny"
        tiers[use] = (TierPolicies(name="t", default_action=end, ingress=(policy_id,), egress=(policy_id,)),)
    for ifname in closed:
        endpoint_id = EndpointId("", f"h-{ifname}")
        deltas.append(HostEndpointUpdate(id=endpoint_id, endpoint=HostHostEndpoint(ifname=ifname, **tiers)))
    model.take(deltas)
    return model.ruleset


OTHER = Address.parse("203.0.113.5")
SERVICE = msgspec.structs.replace(packet(OUTSIDE, HOST, 30080), translation=Translation(SERVER, 80))
TO_NODE_PORT = HostRule(action=Action.DENY, protocol=TCP, destination=PeerMatch(ports=(PortRange(30080, 30080),)))
ALL, BOTH, ONE = ("*",), ("eth0", "eth1"), ("eth0",)
HOST_FLOWS = [
    pytest.param(ALL, {}, packet(OUTSIDE, HOST, 81), True, id="to the host"),
    pytest.param(ALL, {}, packet(OUTSIDE, HOST, 22), False, id="to the host, failsafe"),
    pytest.param(ALL, {"tiers": PORT_80}, packet(OUTSIDE, HOST, 80), False, id="to the host, allowed"),
    pytest.param(ALL, {"tiers": PORT_80}, packet(HOST, OUTSIDE, 81), True, id="from the host"),
    pytest.param(ALL, {"tiers": PORT_80}, packet(HOST, OUTSIDE, 80), False, id="from the host, allowed"),
    pytest.param(ALL, {}, packet(HOST, OUTSIDE, None, ICMP), True, id="from the host, ICMP"),
    pytest.param(ALL, {}, packet(HOST, SERVER, 81), False, id="from the host to its workload"),
    pytest.param(ALL, {}, packet(HOST, HOST, 81), False, id="from the host to itself: not asked"),
    pytest.param(ALL, {}, packet(OUTSIDE, SERVER, 81), False, id="forwarded, no policy for it"),
    pytest.param(ALL, {"forward_tiers": PORT_80}, packet(OUTSIDE, SERVER, 81), True, id="forwarded to a workload"),
    pytest.param(ALL, {"forward_tiers": PORT_80}, packet(SERVER, OUTSIDE, 81), True, id="forwarded from a workload"),
    pytest.param(ALL, {"forward_tiers": PORT_80}, packet(OUTSIDE, OTHER, 81), True, id="forwarded between others"),
    pytest.param(ALL, {"forward_tiers": PORT_80}, packet(OUTSIDE, OTHER, 80), False, id="forwarded, allowed"),
    pytest.param(ALL, {"pre_dnat_tiers": TO_NODE_PORT}, SERVICE, True, id="before DNAT, by the port that it came to"),
    pytest.param(BOTH, {}, packet(OUTSIDE, HOST, 81), True, id="closed on every interface"),
    pytest.param(ONE, {}, packet(OUTSIDE, HOST, 81), False, id="it may have come over another"),
    pytest.param(ONE, {"forward_tiers": PORT_80}, packet(OUTSIDE, OTHER, 81), False, id="forwarded over others"),
]


@pytest.mark.parametrize(("closed", "policies", "first", "expected"), HOST_FLOWS)
def test_a_flow_is_refused_if_it_is_whatever_way_it_came(
    closed: Iterable[str], policies: dict[str, HostRule], first: Packet, expected: bool
) -> None:
    assert refuses(uplinks(closed, **policies), first, ("eth0", "eth1")) is expected


def test_interfaces_that_are_judged_alike_are_asked_about_once(monkeypatch: pytest.MonkeyPatch) -> None:
    walks = []

    def counted(*args: Any, **kwargs: Any) -> Outcome:
        walks.append(args)
        return walk(*args, **kwargs)

    monkeypatch.setattr("tortie.ruleset.flowjudge.walk", counted)
    assert refuses(uplinks(ALL, forward_tiers=PORT_80), packet(OUTSIDE, OTHER, 81), [f"eth{n}" for n in range(50)])
    assert len(walks) == 1
