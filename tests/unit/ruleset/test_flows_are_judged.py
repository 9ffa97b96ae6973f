"""Flows that have begun are judged as their first packet would be now, and where it cannot be told, they stay."""

from __future__ import annotations

import msgspec
import pytest

from tortie.calc.hoststate import (
    EndpointId,
    HostPolicy,
    HostProfile,
    HostRule,
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
from tortie.ruleset import Compiler, EndpointToHostAction, Options, Packet, Ruleset, apply_flush, initial, walk
from tortie.ruleset.flowjudge import FlowJudge

CLIENT, SERVER, HOST, HOST_V6, OUTSIDE, GROUP, EVERYBODY = map(
    Address.parse,
    ("10.65.0.1", "10.65.0.2", "192.0.2.1", "2001:db8::1", "198.51.100.7", "224.0.0.251", "255.255.255.255"),
)
LINKS = {CLIENT: "cali1", SERVER: "cali2"}
P = PolicyId("NetworkPolicy", "ns", "server")


def ruleset(*rules: HostRule, options: Options | None = None) -> Ruleset:
    """The server is under a policy of these rules, for ingress; the client is under none."""
    options = options or Options()
    compiler = Compiler(options)
    compiler.update(PolicyUpdate(id=P, policy=HostPolicy(tier="default", ingress=rules)))
    allow = (HostRule(action=Action.ALLOW),)
    compiler.update(ProfileUpdate(name="open", profile=HostProfile(ingress=allow, egress=allow)))
    tiers = {SERVER: (TierPolicies(name="default", default_action="Deny", ingress=(P,)),)}
    for address, ifname in LINKS.items():
        endpoint = HostWorkloadEndpoint(
            ifname=ifname, addresses=(address,), tiers=tiers.get(address, ()), profiles=("open",)
        )
        compiler.update(WorkloadEndpointUpdate(id=EndpointId("ns", ifname), endpoint=endpoint))
    return apply_flush(apply_flush(Ruleset(), initial(options)), compiler.flush())


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


def refuses(rules: Ruleset, first: Packet) -> bool:
    return FlowJudge(rules, LINKS, {HOST, HOST_V6}).refuses(first)


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
