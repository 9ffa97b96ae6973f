"""The settings that count on a host, and the limits of its workloads' interfaces."""

import msgspec
import pytest
from calc_resources import HOST, Host, endpoint, resource

from tortie.calc.hoststate import ConfigUpdate, InterfaceLimits, PacketRate
from tortie.model import kinds
from tortie.model.qos import QoSControls
from tortie.net import Network


def configuration(name: str, created: str = "", **spec):
    return resource(kinds.FELIX_CONFIGURATION, name, created=created, spec=spec)


def node(**labels):
    return resource(kinds.NODE, HOST, labels=labels, spec={})


OLD, NEW = "2026-01-01T00:00:00Z", "2026-06-01T00:00:00Z"
PREFIXES = {
    "the global ones": ([configuration("default", interfacePrefix="a")], "a"),
    "the node's before the global ones": (
        [configuration("default", interfacePrefix="a"), configuration(f"node.{HOST}", interfacePrefix="b")],
        "b",
    ),
    "another node's never": (
        [configuration("default", interfacePrefix="a"), configuration("node.there", interfacePrefix="b")],
        "a",
    ),
    "those that select the node before the global ones": (
        [
            configuration("default", interfacePrefix="a"),
            configuration("x", nodeSelector="role == 'gpu'", interfacePrefix="c"),
        ],
        "c",
    ),
    "the node's before those that select it": (
        [
            configuration(f"node.{HOST}", interfacePrefix="b"),
            configuration("x", nodeSelector="has(role)", interfacePrefix="c"),
        ],
        "b",
    ),
    "those that select others never": ([configuration("x", nodeSelector="!has(role)", interfacePrefix="c")], None),
    "those that select nothing never": ([configuration("x", interfacePrefix="c")], None),
    "those that cannot be read never": ([configuration("x", nodeSelector="role ==", interfacePrefix="c")], None),
    "of several the oldest": (
        [
            configuration("a", NEW, nodeSelector="has(role)", interfacePrefix="new"),
            configuration("b", OLD, nodeSelector="has(role)", interfacePrefix="old"),
        ],
        "old",
    ),
    "of equally old ones the first name": (
        [
            configuration("b", OLD, nodeSelector="has(role)", interfacePrefix="b"),
            configuration("a", OLD, nodeSelector="has(role)", interfacePrefix="a"),
        ],
        "a",
    ),
}


@pytest.mark.parametrize(("configurations", "expected"), PREFIXES.values(), ids=PREFIXES)
def test_settings_count_in_order(configurations, expected):
    assert Host(node(role="gpu"), *configurations).state.config.get("interfacePrefix") == expected


def test_settings_are_merged_field_by_field_and_named_and_written_as_in_the_api():
    host = Host(
        configuration(
            "default", defaultEndpointToHostAction="Accept", failsafeInboundHostPorts=[{"protocol": "TCP", "port": 22}]
        ),
        configuration(f"node.{HOST}", ipForwarding="Disabled", nodeSelector="has(x)", iptablesMarkMask=0xFF0000),
    )
    assert host.state.config == {
        "defaultEndpointToHostAction": "Accept",
        "failsafeInboundHostPorts": ({"protocol": "TCP", "port": 22, "net": ""},),
        "iptablesMarkMask": 0xFF0000,
        "ipForwarding": "Disabled",
    }


def test_settings_follow_the_nodes_labels():
    host = Host(configuration("x", nodeSelector="role == 'gpu'", interfacePrefix="c"))
    assert host.state.config == {}
    assert ConfigUpdate(values={"interfacePrefix": "c"}) in host.put(node(role="gpu"))
    assert ConfigUpdate(values={}) in host.put(node(role="web"))
    assert not [delta for delta in host.put(node(role="db")) if isinstance(delta, ConfigUpdate)]


def test_settings_come_before_everything_else():
    deltas = Host().put(endpoint("w", "10.0.0.1"), configuration("default", interfacePrefix="a"))
    assert isinstance(deltas[0], ConfigUpdate)


LIMITS = {
    "none": ({}, InterfaceLimits()),
    "rates with their default burst": (
        {"ingress_packet_rate": 100, "egress_packet_rate": 200, "egress_packet_burst": 20},
        InterfaceLimits(ingress_rate=PacketRate(100, 5), egress_rate=PacketRate(200, 20)),
    ),
    "connections": (
        {"ingress_max_connections": 7, "egress_max_connections": 8},
        InterfaceLimits(ingress_connections=7, egress_connections=8),
    ),
    "a burst without a rate": ({"ingress_packet_burst": 9}, InterfaceLimits()),
    "out of range": (
        {
            "ingress_packet_rate": 10**9,
            "ingress_packet_burst": 10**9,
            "egress_packet_rate": -1,
            "egress_max_connections": 2**40,
        },
        InterfaceLimits(ingress_rate=PacketRate(10_000, 10_000), egress_connections=4_294_967_295),
    ),
}


@pytest.mark.parametrize(("controls", "expected"), LIMITS.values(), ids=LIMITS)
def test_limits_come_from_qos_controls(controls, expected):
    plain = endpoint("w", "10.0.0.1")
    spec = msgspec.structs.replace(plain.spec, qos_controls=QoSControls(**controls))
    (found,) = Host(msgspec.structs.replace(plain, spec=spec)).state.workload_endpoints.values()
    assert found.limits == expected


def test_sources_that_may_be_spoofed_are_passed_on_sorted_and_without_host_bits():
    plain = endpoint("w", "10.0.0.1")
    prefixes = ("192.0.2.7/24", "10.9.0.0/16", "192.0.2.0/24")
    spec = msgspec.structs.replace(plain.spec, allow_spoofed_source_prefixes=prefixes)
    (found,) = Host(msgspec.structs.replace(plain, spec=spec)).state.workload_endpoints.values()
    assert found.spoofable == (Network.parse("10.9.0.0/16"), Network.parse("192.0.2.0/24"))
