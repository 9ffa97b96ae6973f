"""Which host endpoint stands on which interface."""

import pytest

from tortie.calc.hoststate import EndpointId, HostHostEndpoint
from tortie.net import Address
from tortie.ruleset.hostinterfaces import standing

ETH0, ETH1 = Address.parse("192.0.2.1"), Address.parse("2001:db8::1")
INTERFACES = {"eth0": frozenset({ETH0}), "eth1": frozenset({ETH1}), "lo": frozenset(), "cali1": frozenset({ETH0})}


def endpoint(ifname: str = "", *expected: Address) -> HostHostEndpoint:
    return HostHostEndpoint(ifname=ifname, expected_ips=expected)


CASES = {
    "by its interface": ({"a": endpoint("eth0")}, {"eth0": "a"}),
    "by an address": ({"a": endpoint("", ETH1)}, {"eth1": "a"}),
    "by one of its addresses": ({"a": endpoint("", Address.parse("192.0.2.9"), ETH0)}, {"eth0": "a"}),
    "on every interface that has one": ({"a": endpoint("", ETH0, ETH1)}, {"eth0": "a", "eth1": "a"}),
    "the interface beats addresses that do not fit": ({"a": endpoint("eth0", ETH1)}, {"eth0": "a"}),
    "of two the first name wins": ({"b": endpoint("eth0"), "a": endpoint("", ETH0)}, {"eth0": "a"}),
    "the first name, not the first that came": ({"a": endpoint("eth0"), "b": endpoint("eth0")}, {"eth0": "a"}),
    "for all interfaces": ({"a": endpoint("*"), "b": endpoint("eth0")}, {"*": "a", "eth0": "b"}),
    "of two for all the first name wins": ({"b": endpoint("*"), "a": endpoint("*")}, {"*": "a"}),
    "waits for an interface that is not there yet": ({"a": endpoint("eth7")}, {"eth7": "a"}),
    "not on a workload's link, by name or address": ({"a": endpoint("cali1"), "b": endpoint("", ETH0)}, {"eth0": "b"}),
    "without a fitting address nowhere": ({"a": endpoint("", Address.parse("192.0.2.7"))}, {}),
}


@pytest.mark.parametrize(("endpoints", "expected"), CASES.values(), ids=CASES)
def test_a_host_endpoint_stands(endpoints, expected):
    by_id = {EndpointId("", name): given for name, given in endpoints.items()}
    found = standing(by_id, INTERFACES, lambda ifname: not ifname.startswith("cali"))
    assert {ifname: endpoint_id.name for ifname, endpoint_id in found.items()} == expected
