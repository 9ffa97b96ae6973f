"""The base chains: what they do before, instead of and after policy."""

from random import Random

import pytest
from host_states import random_packets

from tortie.calc.hoststate import (
    EndpointId,
    HostProfile,
    HostRule,
    HostWorkloadEndpoint,
    ProfileUpdate,
    WorkloadEndpointUpdate,
)
from tortie.model.policy import Action
from tortie.net import ICMPV6, TCP, Address
from tortie.ruleset import (
    Compiler,
    EndpointToHostAction,
    Options,
    Packet,
    Path,
    Ruleset,
    apply,
    apply_flush,
    initial,
    walk,
)
from tortie.ruleset.stages import NEIGHBOUR_DISCOVERY
from tortie.ruleset.values import BaseChain, CtState, Drop, Hook

V4 = {
    "source": Address.parse("10.0.0.1"),
    "destination": Address.parse("10.0.0.2"),
    "protocol": TCP,
    "destination_port": 80,
}
V6 = {"source": Address.parse("fe80::1"), "destination": Address.parse("fe80::2"), "protocol": ICMPV6, "icmp_code": 0}

ALLOW, DENY = (HostRule(action=Action.ALLOW),), (HostRule(action=Action.DENY),)


def host(options: Options, *, egress=ALLOW, ingress=ALLOW) -> Ruleset:
    """Two workloads under one profile."""
    compiler = Compiler(options)
    compiler.update(ProfileUpdate(name="p", profile=HostProfile(ingress=ingress, egress=egress)))
    for name in ("cali1", "cali2"):
        endpoint = HostWorkloadEndpoint(ifname=name, profiles=("p",))
        compiler.update(WorkloadEndpointUpdate(id=EndpointId("ns", name), endpoint=endpoint))
    return apply_flush(apply_flush(Ruleset(), initial(options)), compiler.flush())


DEFAULT = host(Options())


def forwarded(ruleset: Ruleset, in_interface: str, out_interface: str, **packet) -> bool:
    sent = Packet(**{**V4, **packet}, in_interface=in_interface, out_interface=out_interface)
    return walk(ruleset, sent, Path.FORWARD).is_accepted


def to_host(ruleset: Ruleset, in_interface: str, **packet) -> bool:
    return walk(ruleset, Packet(**{**V4, **packet}, in_interface=in_interface), Path.TO_HOST).is_accepted


PATHS = {
    "between two workloads of the host": ("cali1", "cali2", True),
    "to another host": ("cali1", "eth0", True),
    "from another host": ("eth0", "cali1", True),
    "through the host": ("eth0", "eth1", True),
    "from an unknown workload interface": ("cali9", "eth0", False),
    "to an unknown workload interface": ("eth0", "cali9", False),
    "between known and unknown": ("cali1", "cali9", False),
}


@pytest.mark.parametrize(("in_interface", "out_interface", "expected"), PATHS.values(), ids=PATHS)
def test_paths_where_policy_allows_all(in_interface, out_interface, expected):
    assert forwarded(DEFAULT, in_interface, out_interface) is expected


@pytest.mark.parametrize(
    ("denied", "in_interface", "out_interface", "expected"),
    [
        ("egress", "cali1", "cali2", False),
        ("egress", "cali1", "eth0", False),
        ("egress", "eth0", "cali2", True),
        ("ingress", "cali1", "cali2", False),
        ("ingress", "cali1", "eth0", True),
        ("ingress", "eth0", "cali2", False),
    ],
)
def test_each_direction_is_asked_at_its_own_stage(denied, in_interface, out_interface, expected):
    assert forwarded(host(Options(), **{denied: DENY}), in_interface, out_interface) is expected


def test_before_the_first_endpoint_workloads_are_closed_and_the_rest_is_open():
    ruleset = apply_flush(Ruleset(), initial(Options()))
    assert not forwarded(ruleset, "cali1", "eth0")
    assert not forwarded(ruleset, "eth0", "cali1")
    assert not to_host(ruleset, "cali1")
    assert forwarded(ruleset, "eth0", "eth1")
    assert to_host(ruleset, "eth0")


def test_a_known_connection_passes_and_an_invalid_packet_does_not():
    closed = host(Options(), egress=DENY, ingress=DENY)
    assert forwarded(closed, "cali1", "cali2", ct_state=CtState.ESTABLISHED)
    assert forwarded(closed, "cali1", "cali2", ct_state=CtState.RELATED)
    assert not forwarded(DEFAULT, "cali1", "cali2", ct_state=CtState.INVALID)


TO_HOST = {
    EndpointToHostAction.DROP: (False, False),
    EndpointToHostAction.ACCEPT: (True, False),
    EndpointToHostAction.RETURN: (True, False),
}


@pytest.mark.parametrize(("action", "expected"), TO_HOST.items(), ids=[action.value for action in TO_HOST])
def test_what_a_workload_sends_its_host_is_subject_to_policy_and_the_host_action(action, expected):
    options = Options(endpoint_to_host_action=action)
    assert (to_host(host(options), "cali1"), to_host(host(options, egress=DENY), "cali1")) == expected
    assert not to_host(host(options), "cali9")
    assert to_host(host(options, egress=DENY), "eth0")
    assert to_host(host(options, egress=DENY), "cali1", ct_state=CtState.ESTABLISHED)


@pytest.mark.parametrize("action", EndpointToHostAction)
@pytest.mark.parametrize("icmp_type", [*NEIGHBOUR_DISCOVERY, 128, 143])
def test_neighbour_discovery_always_reaches_the_host(action, icmp_type):
    ruleset = host(Options(endpoint_to_host_action=action), egress=DENY)
    passes = to_host(ruleset, "cali1", **V6, icmp_type=icmp_type, ct_state=CtState.UNTRACKED, destination_port=None)
    assert passes is (icmp_type in NEIGHBOUR_DISCOVERY)


def test_our_mark_bits_are_cleared_when_a_packet_arrives_and_no_others():
    packet = Packet(**V4, in_interface="eth0", out_interface="eth1", mark=0xFFFF1234)
    assert walk(DEFAULT, packet, Path.FORWARD).packet.mark == 0x1234


def test_no_verdict_depends_on_a_mark_from_outside():
    for packet in random_packets(Random(1), 200):
        plain = Packet(**{field: getattr(packet, field) for field in Packet.__struct_fields__} | {"mark": 0})
        assert walk(DEFAULT, packet, Path.FORWARD).verdict == walk(DEFAULT, plain, Path.FORWARD).verdict


def test_every_stage_has_a_priority_of_its_own():
    places = [chain.base for chain in DEFAULT.chains.values() if chain.base is not None]
    assert len(set(places)) == len(places) == 4
    assert BaseChain(Hook.FORWARD, -3) in places


def test_the_maps_come_before_the_chains_that_look_into_them():
    flush = initial(Options())
    after_create = apply(Ruleset(), flush.create)
    assert set(after_create.maps) == {"wl-from", "wl-to"}
    assert not after_create.chains
    assert apply(after_create, flush.switch).chains


def test_what_drops_a_packet_is_told():
    packet = Packet(**V4, in_interface="cali9", out_interface="eth0")
    outcome = walk(DEFAULT, packet, Path.FORWARD)
    assert outcome.verdict == Drop()
    assert outcome.rule is not None
    assert outcome.rule.comment == "unknown workload interface"
