"""What a host's settings in the datastore make of its ruleset's options."""

import pytest

from tortie.net import SCTP, TCP, UDP, Network
from tortie.ruleset import EndpointToHostAction, Options
from tortie.ruleset.marks import allocate
from tortie.ruleset.options import FAILSAFES_IN, FAILSAFES_OUT, Failsafe, LogRate

SETTINGS = {
    "interfacePrefix": ("cali, tap", {"interface_prefixes": ("cali", "tap")}),
    "interfaceExclude": ("kube-ipvs0,/^veth/", {"interface_exclude": ("kube-ipvs0", "/^veth/")}),
    "defaultEndpointToHostAction": ("Return", {"endpoint_to_host_action": EndpointToHostAction.RETURN}),
    "failsafeInboundHostPorts": (
        [{"protocol": "udp", "port": 53, "net": "10.0.0.0/8"}, {"port": 22}],
        {"failsafes_in": (Failsafe(UDP, 53, Network.parse("10.0.0.0/8")), Failsafe(TCP, 22))},
    ),
    "failsafeOutboundHostPorts": ([], {"failsafes_out": ()}),
    "vxlanPort": (8472, {"vxlan_port": 8472}),
    "externalNodesList": (
        ["198.51.100.7", "198.51.100.0/24"],
        {"external_nodes": (Network.parse("198.51.100.0/24"),)},
    ),
    "allowVXLANPacketsFromWorkloads": (True, {"allow_vxlan_from_workloads": True}),
    "allowIPIPPacketsFromWorkloads": (True, {"allow_ipip_from_workloads": True}),
    "disableConntrackInvalidCheck": (True, {"drop_invalid": False}),
    "workloadSourceSpoofing": ("Any", {"may_spoof": True}),
    "nftablesFilterDenyAction": ("REJECT", {"rejects": True}),
    "logPrefix": ("seen", {"log_prefix": "seen"}),
    "logActionRateLimit": ("10/minute", {"log_rate": LogRate(10, 60)}),
    "logActionRateLimitBurst": (100, {"log_burst": 100}),
    "nftablesMarkMask": (0xFF00, {"mark_mask": 0xFF00}),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_is_an_option(name):
    value, fields = SETTINGS[name]
    assert Options.of({name: value}) == Options(**fields)


def test_a_burst_of_0_is_the_kernels_default():
    assert Options.of({"logActionRateLimitBurst": 0}) == Options()


@pytest.mark.parametrize("value", ["Drop", "drop"])
def test_by_default_nobody_is_told_of_a_denial(value):
    assert Options.of({"nftablesFilterDenyAction": value}) == Options()


@pytest.mark.parametrize("value", [None, ""])
@pytest.mark.parametrize("name", SETTINGS)
def test_what_is_not_set_is_as_by_default(name, value):
    assert Options.of({name: value}) == Options()


def test_settings_that_are_not_about_rules_do_not_matter():
    assert Options.of({"bpfEnabled": True, "prometheusMetricsPort": 9091}) == Options()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("defaultEndpointToHostAction", "Perhaps"),
        ("failsafeInboundHostPorts", [{"protocol": "tcp"}]),
        ("failsafeInboundHostPorts", [{"protocol": "nope", "port": 1}]),
        ("nftablesMarkMask", 0x3),
        ("logActionRateLimit", "10/week"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(name, value):
    with pytest.raises(ValueError, match=name):
        Options.of({name: value})


def test_the_failsafes_are_calicos():
    both = [(TCP, port) for port in (179, 2379, 2380, 5473, 6443, 6666, 6667)]
    assert {(f.protocol, f.port) for f in FAILSAFES_IN} == {*both, (TCP, 22), (UDP, 68)}
    assert {(f.protocol, f.port) for f in FAILSAFES_OUT} == {*both, (UDP, 53), (UDP, 67)}
    assert SCTP not in {f.protocol for f in (*FAILSAFES_IN, *FAILSAFES_OUT)}


@pytest.mark.parametrize("mask", [0xFFFF0000, 0xFF, 0x80408421])
def test_marks_are_bits_of_the_mask_each_its_own(mask):
    marks = allocate(mask)
    bits = marks[1:]
    assert all(bit.bit_count() == 1 and bit & mask for bit in bits)
    assert len(set(bits)) == len(bits)


def test_excluded_interfaces_are_told_by_name_or_expression():
    options = Options(interface_exclude=("kube-ipvs0", "/^docker[0-9]/"))
    names = ("kube-ipvs0", "kube-ipvs01", "docker0", "mydocker0", "docker")
    assert [options.excludes(name) for name in names] == [True, False, True, False, False]
