"""The base chains: what they do before, instead of and after policy."""

from random import Random

import pytest

from tortie.analysis.hostmodel import RulesetModel
from tortie.calc.hoststate import (
    EndpointId,
    HostProfile,
    HostRule,
    HostWorkloadEndpoint,
    InterfaceLimits,
    PacketRate,
    ProfileUpdate,
    WorkloadEndpointUpdate,
)
from tortie.model.policy import Action
from tortie.net import ICMPV6, TCP, Address, Network
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
from tortie.ruleset.values import CtState, Drop, Flush, RateElement, SetDelta
from tortie.testing.hoststates import random_packets

V4 = {
    "source": Address.parse("10.0.0.1"),
    "destination": Address.parse("10.0.0.2"),
    "protocol": TCP,
    "destination_port": 80,
}
V6 = {"source": Address.parse("fe80::1"), "destination": Address.parse("fe80::2"), "protocol": ICMPV6, "icmp_code": 0}

ESTABLISHED, NEW = CtState.ESTABLISHED, CtState.NEW
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
@pytest.mark.parametrize("icmp_type", [128, 130, 131, 132, 133, 134, 135, 136, 137, 143])
def test_neighbour_discovery_always_reaches_the_host(action, icmp_type):
    ruleset = host(Options(endpoint_to_host_action=action), egress=DENY)
    passes = to_host(ruleset, "cali1", **V6, icmp_type=icmp_type, ct_state=CtState.UNTRACKED, destination_port=None)
    assert passes is (icmp_type in (130, 131, 132, 133, 135, 136))


def test_our_mark_bits_are_cleared_when_a_packet_arrives_and_no_others():
    packet = Packet(**V4, in_interface="eth0", out_interface="eth1", mark=0xFFFF1234)
    assert walk(DEFAULT, packet, Path.FORWARD).packet.mark == 0x1234


def test_no_verdict_depends_on_a_mark_from_outside():
    for packet in random_packets(Random(1), 200):
        plain = Packet(**{field: getattr(packet, field) for field in Packet.__struct_fields__} | {"mark": 0})
        assert walk(DEFAULT, packet, Path.FORWARD).verdict == walk(DEFAULT, plain, Path.FORWARD).verdict


def test_the_maps_come_before_the_chains_that_look_into_them():
    flush = initial(Options())
    after_create = apply(Ruleset(), flush.create)
    assert set(after_create.maps) == {"wl-from", "wl-to"}
    assert set(after_create.sets) == {"wl"}
    assert not after_create.chains
    assert apply(after_create, flush.switch).chains


def test_what_drops_a_packet_is_told():
    packet = Packet(**V4, in_interface="cali9", out_interface="eth0")
    outcome = walk(DEFAULT, packet, Path.FORWARD)
    assert outcome.verdict == Drop()
    assert outcome.rule is not None
    assert outcome.rule.comment == "unknown workload interface"


# --- limits ---------------------------------------------------------------------------------------------------------------------

RATES = InterfaceLimits(ingress_rate=PacketRate(10, 5), egress_rate=PacketRate(20, 5))
COUNTS = InterfaceLimits(ingress_connections=3, egress_connections=4)


class Limited(RulesetModel):
    """Two workloads, one of them with limits."""

    def __init__(self, limits: InterfaceLimits) -> None:
        super().__init__()
        self.begin(Options(endpoint_to_host_action=EndpointToHostAction.ACCEPT))
        self.take([ProfileUpdate(name="p", profile=HostProfile(ingress=ALLOW, egress=ALLOW))])
        self.set_limits("cali2", InterfaceLimits())
        self.set_limits("cali1", limits)

    def set_limits(self, ifname: str, limits: InterfaceLimits) -> Flush:
        endpoint = HostWorkloadEndpoint(ifname=ifname, profiles=("p",), limits=limits)
        return self.take([WorkloadEndpointUpdate(id=EndpointId("ns", ifname), endpoint=endpoint)])


OVER = {
    "too many packets from the workload, even of a known connection": (RATES, "pps-from", "cali1", "eth0", ESTABLISHED),
    "too many packets to the workload, even of a known connection": (RATES, "pps-to", "eth0", "cali1", ESTABLISHED),
    "too many packets to the host": (RATES, "pps-from", "cali1", "", ESTABLISHED),
    "too many connections from the workload": (COUNTS, "conn-from", "cali1", "eth0", NEW),
    "too many connections to the workload": (COUNTS, "conn-to", "eth0", "cali1", NEW),
    "too many connections to the host": (COUNTS, "conn-from", "cali1", "", NEW),
}


@pytest.mark.parametrize(("limits", "over", "came", "goes", "state"), OVER.values(), ids=OVER)
def test_what_is_over_a_limit_is_dropped(limits, over, came, goes, state):
    ruleset = Limited(limits).ruleset
    fields = {"in_interface": came, "out_interface": goes, "ct_state": state}
    assert walk(ruleset, Packet(**V4, **fields)).is_accepted
    assert not walk(ruleset, Packet(**V4, **fields, over_limit=frozenset({over}))).is_accepted
    other = {"cali1": "cali2", "eth0": "eth0", "": ""}
    fields |= {"in_interface": other[came], "out_interface": other[goes]}
    assert walk(ruleset, Packet(**V4, **fields, over_limit=frozenset({over}))).is_accepted, (
        "the other workload has none"
    )


def test_known_connections_are_not_counted_again():
    packet = Packet(**V4, in_interface="cali1", ct_state=ESTABLISHED, over_limit=frozenset({"conn-from"}))
    assert walk(Limited(COUNTS).ruleset, packet).is_accepted


def test_a_set_of_limits_stands_while_an_interface_has_one():
    host = Limited(RATES)
    assert {"pps-from", "pps-to"} <= set(host.ruleset.sets)
    assert {"conn-from", "conn-to"}.isdisjoint(host.ruleset.sets)
    host.set_limits("cali1", InterfaceLimits())
    assert set(host.ruleset.sets) == {"wl"}


def test_a_changed_limit_is_taken_out_and_put_back():
    flush = Limited(RATES).set_limits("cali1", InterfaceLimits(PacketRate(11, 5), RATES.egress_rate))
    assert flush.switch == (
        SetDelta("pps-to", frozenset({RateElement("cali1", 11, 5)}), frozenset({RateElement("cali1", 10, 5)})),
    )
    assert flush.create == flush.delete == ()


# --- sources --------------------------------------------------------------------------------------------------------------------


def sends(prefixes: tuple[Network, ...], ifname: str = "cali1", *, may_spoof: bool = True, **packet) -> bool:
    options = Options(may_spoof=may_spoof)
    compiler = Compiler(options)
    compiler.update(ProfileUpdate(name="p", profile=HostProfile(ingress=ALLOW, egress=ALLOW)))
    endpoint = HostWorkloadEndpoint(ifname="cali1", profiles=("p",), spoofable=prefixes)
    compiler.update(WorkloadEndpointUpdate(id=EndpointId("ns", "w"), endpoint=endpoint))
    ruleset = apply_flush(apply_flush(Ruleset(), initial(options)), compiler.flush())
    return walk(ruleset, Packet(**V4 | packet, in_interface=ifname, out_interface="eth0")).is_accepted


PREFIXES = (Network.parse("10.0.0.0/24"), Network.parse("fd00::/64"))


def test_a_workload_sends_from_no_source_but_its_own():
    assert sends(())
    assert not sends((), is_spoofed=True)
    assert sends((), "eth0", is_spoofed=True), "which sources come from outside is the network's affair"


def test_a_link_that_nobody_knows_has_no_address_to_send_from():
    packet = Packet(**V6, in_interface="cali9", icmp_type=135, ct_state=CtState.UNTRACKED, is_spoofed=True)
    assert not walk(DEFAULT, packet, Path.TO_HOST).is_accepted


def test_but_from_those_that_it_may_spoof():
    assert sends(PREFIXES, is_spoofed=True)
    assert not sends(PREFIXES[1:], is_spoofed=True)
    assert not sends(PREFIXES, is_spoofed=True, source=Address.parse("10.0.1.1"))


def test_only_where_the_settings_let_workloads_ask_for_it():
    assert not sends(PREFIXES, is_spoofed=True, may_spoof=False)


def test_several_prefixes_of_links_are_workloads():
    ruleset = apply_flush(Ruleset(), initial(Options(interface_prefixes=("cali", "tap"))))
    assert [forwarded(ruleset, name, "eth0") for name in ("cali1", "tap1", "veth1")] == [False, False, True]


def test_a_workload_whose_link_has_another_prefix_is_one_all_the_same():
    compiler = Compiler()
    compiler.update(WorkloadEndpointUpdate(id=EndpointId("ns", "w"), endpoint=HostWorkloadEndpoint(ifname="veth1")))
    ruleset = apply_flush(apply_flush(Ruleset(), initial(Options())), compiler.flush())
    assert not forwarded(ruleset, "veth1", "eth0")
    assert not forwarded(ruleset, "eth0", "veth1")
    assert not to_host(ruleset, "veth1")
