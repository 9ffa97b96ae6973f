"""Network sets and host endpoints: what they may say, and that it is stored as it was written."""

from __future__ import annotations

import json
from typing import Any

import pytest
from kinddocuments import document, refused

from tortie.model import kinds
from tortie.model.codec import decode
from tortie.model.columns import columns
from tortie.model.defaults import for_storage
from tortie.model.document import read
from tortie.model.endpoint import HostEndpoint
from tortie.model.kinds import Kind
from tortie.model.sets import NetworkSetSpec, networks, parse_net

SETS = (kinds.NETWORK_SET, kinds.GLOBAL_NETWORK_SET)


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("10.1.2.3/8", "10.0.0.0/8"),
        ("10.0.0.1", "10.0.0.1/32"),
        ("fd00::1", "fd00::1/128"),
        ("fd00::1/64", "fd00::/64"),
        ("0.0.0.0/0", "0.0.0.0/0"),
    ],
)
@pytest.mark.parametrize("kind", SETS, ids=lambda kind: kind.name)
def test_a_set_holds_networks_and_addresses(kind: Kind, text: str, network: str) -> None:
    (item,) = read(json.dumps(document(kind, {"nets": [text]}))).resources
    assert item.document["spec"] == {"nets": [text]}
    assert str(parse_net(text)) == network


@pytest.mark.parametrize(
    "text", ["garbage", "/", "10.0.0.0/33", "10.0.0.0/255.0.0.0", "10.0.0.0/", "fe80::1%eth0", "10.0.0.0/-1"]
)
@pytest.mark.parametrize("kind", SETS, ids=lambda kind: kind.name)
def test_a_set_holds_nothing_else(kind: Kind, text: str) -> None:
    assert refused(kind, {"nets": ["10.0.0.1", text]}) == ["spec.nets[1]"]


@pytest.mark.parametrize("kind", SETS, ids=lambda kind: kind.name)
def test_an_empty_item_is_kept_and_is_no_network(kind: Kind) -> None:
    (item,) = read(json.dumps(document(kind, {"nets": ["", "10.0.0.1"]}))).resources
    assert item.document["spec"] == {"nets": ["", "10.0.0.1"]}
    assert [str(network) for network in networks(NetworkSetSpec(nets=("", "10.0.0.1")))] == ["10.0.0.1/32"]


@pytest.mark.parametrize("kind", SETS, ids=lambda kind: kind.name)
def test_a_set_cannot_choose_its_namespace_label(kind: Kind) -> None:
    assert refused(kind, {}, metadata={"labels": {"projectcalico.org/namespace": "n"}}) == [
        "metadata.labels[projectcalico.org/namespace]"
    ]
    assert refused(kind, {}, metadata={"labels": {"role": "db"}}) == []


def test_an_empty_set_is_stored_with_an_empty_spec() -> None:
    (item,) = read("apiVersion: projectcalico.org/v3\nkind: GlobalNetworkSet\nmetadata: {name: x}\n").resources
    assert item.document["spec"] == {}


@pytest.mark.parametrize(
    ("spec", "fields"),
    [
        pytest.param({"node": "a", "interfaceName": "eth0"}, [], id="an interface"),
        pytest.param({"node": "a", "interfaceName": "*"}, [], id="all interfaces"),
        pytest.param({"node": "a", "expectedIPs": ["10.0.0.1", "fd00::1"]}, [], id="addresses"),
        pytest.param({"interfaceName": "eth0"}, ["spec.node"], id="no node"),
        pytest.param({"node": "", "interfaceName": "eth0"}, ["spec.node"], id="an empty node"),
        pytest.param({"node": "A", "interfaceName": "eth0"}, ["spec.node"], id="a node in capitals"),
        pytest.param({"node": "a"}, ["spec"], id="neither interface nor addresses"),
        pytest.param({"node": "a", "expectedIPs": []}, ["spec"], id="an empty list of addresses"),
        pytest.param({"node": "a", "interfaceName": "eth0.100-long.name"}, ["spec.interfaceName"], id="a long interface"),
        pytest.param({"node": "a", "interfaceName": "eth*"}, ["spec.interfaceName"], id="a pattern"),
        pytest.param({"node": "a", "expectedIPs": ["10.0.0.0/24"]}, ["spec.expectedIPs[0]"], id="a network"),
        pytest.param({"node": "a", "expectedIPs": ["fd00::1", "fd00:0::1"]}, ["spec.expectedIPs[1]"], id="an address twice"),
        pytest.param({"node": "a", "interfaceName": "e", "profiles": ["knp.default.a", "p", "p"]}, ["spec.profiles[2]"], id="a profile twice"),
        pytest.param({"node": "a", "interfaceName": "e", "profiles": ["P"]}, ["spec.profiles[0]"], id="a profile in capitals"),
    ],
)  # fmt: skip
def test_host_endpoints(spec: dict[str, Any], fields: list[str]) -> None:
    assert refused(kinds.HOST_ENDPOINT, spec) == fields


@pytest.mark.parametrize(
    ("port", "fields"),
    [
        pytest.param({"name": "http", "protocol": "TCP", "port": 80}, [], id="fine"),
        pytest.param({"protocol": "TCP", "port": 80}, ["name"], id="no name"),
        pytest.param({"name": "HTTP", "protocol": "TCP", "port": 80}, ["name"], id="capitals"),
        pytest.param({"name": "http", "protocol": "ICMP", "port": 80}, ["protocol"], id="no ports"),
        pytest.param({"name": "http", "protocol": "TCP", "port": 0}, ["port"], id="port 0"),
        pytest.param({"name": "http", "protocol": "TCP", "port": 65536}, ["port"], id="port 65536"),
    ],
)
def test_ports_of_hosts(port: dict[str, Any], fields: list[str]) -> None:
    spec = {"node": "a", "interfaceName": "eth0", "ports": [port]}
    assert refused(kinds.HOST_ENDPOINT, spec) == [f"spec.ports[0].{field}" for field in fields]


def test_a_host_endpoint_is_stored_as_written() -> None:
    spec = {
        "node": "a", "interfaceName": "eth0", "expectedIPs": ["0:bb::aa"], "profiles": ["p"],
        "ports": [{"name": "http", "protocol": "TCP", "port": 80}],
    }  # fmt: skip
    (item,) = read(json.dumps(document(kinds.HOST_ENDPOINT, spec, metadata={"labels": {"role": "db"}}))).resources
    stored = for_storage(item.document, uid="u", creation_timestamp="t")
    assert json.loads(stored)["spec"] == spec
    assert decode(stored, HostEndpoint).spec == item.resource.spec  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("name", "kind"),
    [("hep", kinds.HOST_ENDPOINT), ("netset", SETS[0]), ("netsets", SETS[0]), ("gns", SETS[1]), ("gnetsets", SETS[1])],
)
def test_they_have_short_names(name: str, kind: Kind) -> None:
    assert kinds.find_kind(name) is kind


def test_a_long_set_is_cut_off_in_tables() -> None:
    (nets,) = columns(kinds.NETWORK_SET, wide=True)
    assert nets.text({"spec": {"nets": ["10.0.0.0/8", "fd00::/8"]}}) == "10.0.0.0/8,fd00::/8"
    cut = nets.text({"spec": {"nets": ["10.0.0.0/8"] * 20}})
    assert len(cut) == 80
    assert cut.endswith("...")
