"""Identifiers and limits of workload endpoints: refused at the door, and no reason to leave a stored endpoint ungoverned."""

from __future__ import annotations

import json
from typing import Any

import kinddocuments
import pytest

from tortie.model import kinds
from tortie.model.document import read
from tortie.model.endpoint import WorkloadEndpoint
from tortie.model.kinds import ResourceKey
from tortie.model.qos import dscp_number
from tortie.model.validation import stored_resource

NAME = "n-k8s-p-eth0"
SPEC = {"node": "n", "orchestrator": "k8s", "pod": "p", "endpoint": "eth0", "interfaceName": "cali1"}


def document(spec: dict[str, Any]) -> str:
    return json.dumps(
        kinddocuments.document(kinds.WORKLOAD_ENDPOINT, {**SPEC, **spec}, NAME, metadata={"namespace": "ns"})
    )


def refused(spec: dict[str, Any]) -> list[str]:
    return kinddocuments.refused_in_spec(kinds.WORKLOAD_ENDPOINT, {**SPEC, **spec}, NAME, metadata={"namespace": "ns"})


@pytest.mark.parametrize(
    ("spec", "fields"),
    [
        pytest.param({"ipv4Gateway": "169.254.1.1", "ipv6Gateway": "fe80::1"}, [], id="gateways"),
        pytest.param({"ipv4Gateway": "fe80::1"}, ["ipv4Gateway"], id="IPv6 for IPv4"),
        pytest.param({"ipv6Gateway": "x"}, ["ipv6Gateway"], id="no address"),
        pytest.param({"serviceAccountName": "Default"}, ["serviceAccountName"], id="account in capitals"),
        pytest.param({"containerID": "1337495556942031415926535"}, [], id="container"),
        pytest.param({"containerID": "1.3e24"}, ["containerID"], id="a number that YAML has changed"),
        pytest.param({"profiles": ["kns.n", "ksa.n.default"]}, [], id="profiles"),
        pytest.param({"profiles": ["kns.n", ""]}, ["profiles[1]"], id="a profile without name"),
        pytest.param({"ports": [{"protocol": "TCP", "port": 1, "hostPort": 70000}]}, ["ports[0].hostPort"], id="host port"),
        pytest.param({"ports": [{"protocol": "TCP", "port": 1, "hostPort": 1, "hostIP": "x"}]}, ["ports[0].hostIP"], id="host address"),
    ],
)  # fmt: skip
def test_identifiers(spec: dict[str, Any], fields: list[str]) -> None:
    assert refused(spec) == fields


@pytest.mark.parametrize(
    ("controls", "fields"),
    [
        pytest.param({}, [], id="none"),
        pytest.param({"ingressBandwidth": 1000, "ingressBurst": 34_359_738_360, "ingressPeakrate": 1010, "ingressMinburst": 1500}, [], id="fine"),
        pytest.param({"egressBandwidth": 999}, ["egressBandwidth"], id="slow"),
        pytest.param({"egressBandwidth": 10**15 + 1}, ["egressBandwidth"], id="fast"),
        pytest.param({"ingressBandwidth": 10_000, "ingressPeakrate": 10_000}, ["ingressPeakrate"], id="no faster in a burst"),
        pytest.param({"ingressPacketRate": 10_001, "egressPacketBurst": -1}, ["ingressPacketRate", "egressPacketBurst"], id="packets"),
        pytest.param({"egressMaxConnections": 1 << 32}, ["egressMaxConnections"], id="connections"),
        pytest.param({"dscp": 63}, [], id="DSCP by number"),
        pytest.param({"dscp": "af41"}, [], id="DSCP by name"),
        pytest.param({"dscp": 64}, ["dscp"], id="DSCP 64"),
        pytest.param({"dscp": "CS9"}, ["dscp"], id="no DSCP"),
        pytest.param({"bandwidth": 1}, ["bandwidth"], id="an unknown field"),
    ],
)  # fmt: skip
def test_limits(controls: dict[str, Any], fields: list[str]) -> None:
    assert refused({"qosControls": controls}) == [f"qosControls.{field}" for field in fields]


def test_limits_are_stored_as_written() -> None:
    controls = {"ingressBandwidth": 5000, "egressMaxConnections": 5, "dscp": "EF"}
    (item,) = read(document({"qosControls": controls})).resources
    assert item.document["spec"]["qosControls"] == controls
    assert isinstance(item.resource, WorkloadEndpoint)
    assert item.resource.spec.qos_controls is not None
    assert item.resource.spec.qos_controls.egress_max_connections == 5


@pytest.mark.parametrize(
    ("value", "number"), [(0, 0), ("63", 63), ("EF", 46), ("af22", 20), ("CS6", 48), ("BE", 0), ("DF", 0)]
)
def test_dscps_have_names(value: int | str, number: int) -> None:
    assert dscp_number(value) == number


@pytest.mark.parametrize("value", [64, -1, "", " ", "-1", "xxx", "120"])
def test_nothing_else_is_a_dscp(value: int | str) -> None:
    with pytest.raises(ValueError, match="is not a DSCP"):
        dscp_number(value)


def test_a_stored_endpoint_with_a_bad_limit_or_gateway_is_governed_all_the_same() -> None:
    value = document({"ipv4Gateway": "x", "qosControls": {"ingressBandwidth": 1}}).encode()
    assert stored_resource(ResourceKey(kinds.WORKLOAD_ENDPOINT, "ns", NAME), value)
