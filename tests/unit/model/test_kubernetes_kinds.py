"""ClusterNetworkPolicy, ServiceAccount and EndpointSlice: what is read, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tortie.model import kinds
from tortie.model.document import ReadResource, ReadResult, read
from tortie.model.fieldpath import path_text
from tortie.model.kinds import Kind, find_kind

PODS = {"namespaces": {"matchLabels": {"a": "b"}}}
HTTP = [{"tcp": {"destinationPort": {"number": 80}}}]


def reading(kind: Kind, **fields: Any) -> ReadResult:
    document = {"apiVersion": kind.api_version, "kind": kind.name, "metadata": {"name": "x"}, **fields}
    return read(json.dumps(document))


def accepted(kind: Kind, **fields: Any) -> ReadResource:
    result = reading(kind, **fields)
    assert [str(error) for error in result.errors] == []
    return result.resources[0]


def refused(kind: Kind, **fields: Any) -> list[str]:
    return [path_text(error.path) for error in reading(kind, **fields).errors]


def cluster_policy(**spec: Any) -> list[str]:
    spec = {"tier": "Admin", "priority": 10, "subject": {"namespaces": {}}, **spec}
    paths = refused(
        kinds.CLUSTER_NETWORK_POLICY, spec={name: value for name, value in spec.items() if value is not None}
    )
    return [path.removeprefix("spec.") for path in paths]


@pytest.mark.parametrize(
    ("spec", "fields"),
    [
        pytest.param({}, [], id="no rules"),
        pytest.param({"tier": "admin"}, ["tier"], id="tier"),
        pytest.param({"tier": None}, ["tier"], id="no tier"),
        pytest.param({"priority": 1001}, ["priority"], id="priority too great"),
        pytest.param({"priority": -1}, ["priority"], id="priority too small"),
        pytest.param({"priority": None}, ["priority"], id="no priority"),
        pytest.param({"subject": {}}, ["subject"], id="no subject"),
        pytest.param({"subject": {"namespaces": {}, "pods": {}}}, ["subject.pods"], id="two subjects"),
        pytest.param({"subject": {"pods": {"podSelector": {"matchLabels": {"a b": "c"}}}}}, ["subject.pods.podSelector.matchLabels[a b]"], id="label"),
        pytest.param({"subjects": {}}, ["subjects"], id="unknown field"),
    ],
)  # fmt: skip
def test_a_cluster_policy_says_where_it_stands_and_whom_it_governs(spec: dict[str, Any], fields: list[str]) -> None:
    assert cluster_policy(**spec) == fields


@pytest.mark.parametrize(
    ("rule", "fields"),
    [
        pytest.param({"to": [PODS], "protocols": HTTP}, [], id="pods and a port"),
        pytest.param({"to": [{"networks": ["10.0.0.1/8", "fd00::/8"]}]}, [], id="networks, host bits and all"),
        pytest.param({"action": "Allow", "to": [PODS]}, ["action"], id="Calico's action"),
        pytest.param({"to": []}, ["to"], id="no peer"),
        pytest.param({"to": [{}]}, ["to[0]"], id="an empty peer"),
        pytest.param({"to": [{**PODS, "networks": ["10.0.0.0/8"]}]}, ["to[0].networks"], id="two kinds of peer"),
        pytest.param({"to": [{"networks": ["10.0.0.1"]}]}, ["to[0].networks[0]"], id="an address"),
        pytest.param({"to": [{"networks": ["10.0.0.0/8"] * 2}]}, ["to[0].networks[1]"], id="a network twice"),
        pytest.param({"to": [{"domainNames": ["*.example.com"]}]}, [], id="names"),
        pytest.param({"to": [{"domainNames": ["*"]}]}, ["to[0].domainNames[0]"], id="no name"),
        pytest.param({"action": "Deny", "to": [{"domainNames": ["example.com"]}]}, ["to[0].domainNames"], id="denied names"),
        pytest.param({"to": [PODS], "protocols": [{"destinationNamedPort": "http"}]}, [], id="a port's name"),
        pytest.param({"to": [PODS], "protocols": [{"destinationNamedPort": "80"}]}, ["protocols[0].destinationNamedPort"], id="a number as name"),
        pytest.param({"to": [{"nodes": {}}], "protocols": [{"destinationNamedPort": "http"}]}, ["protocols[0].destinationNamedPort"], id="a port's name of nodes"),
        pytest.param({"to": [PODS], "protocols": [{}]}, ["protocols[0]"], id="no protocol"),
        pytest.param({"to": [PODS], "protocols": [{**HTTP[0], "destinationNamedPort": "http"}]}, ["protocols[0].destinationNamedPort"], id="two protocols"),
        pytest.param({"to": [PODS], "protocols": [{"udp": {}}]}, ["protocols[0].udp"], id="no port"),
        pytest.param({"to": [PODS], "protocols": [{"udp": {"destinationPort": {"number": 65536}}}]}, ["protocols[0].udp.destinationPort.number"], id="port"),
        pytest.param({"to": [PODS], "protocols": [{"sctp": {"destinationPort": {"range": {"start": 9, "end": 9}}}}]}, ["protocols[0].sctp.destinationPort.range.end"], id="range"),
        pytest.param({"to": [PODS], "protocols": [{"tcp": {"destinationPort": {"number": 1, "range": {"start": 1, "end": 2}}}}]}, ["protocols[0].tcp.destinationPort.range"], id="port and range"),
        pytest.param({"to": [PODS], "name": "x" * 101}, ["name"], id="long name"),
        pytest.param({"to": [PODS] * 26}, ["to"], id="26 peers"),
    ],
)  # fmt: skip
def test_rules_of_a_cluster_policy(rule: dict[str, Any], fields: list[str]) -> None:
    paths = cluster_policy(egress=[{"action": "Accept", **rule}])
    assert [path.removeprefix("egress[0].") for path in paths] == fields


def test_ingress_has_no_networks() -> None:
    assert cluster_policy(ingress=[{"action": "Deny", "from": [{"networks": ["10.0.0.0/8"]}]}]) == [
        "ingress[0].from[0].networks"
    ]


def test_at_most_25_rules_a_direction() -> None:
    assert cluster_policy(ingress=[{"action": "Deny", "from": [PODS]}] * 26)[0] == "ingress"


def test_the_status_that_an_implementation_wrote_is_kept() -> None:
    spec = {"tier": "Baseline", "priority": 0, "subject": {"pods": {}}}
    item = accepted(kinds.CLUSTER_NETWORK_POLICY, spec=spec, status={"conditions": []})
    assert item.document["status"] == {"conditions": []}
    assert item.document["spec"] == {**spec, "subject": {"pods": {}}}


def test_calicos_short_name_stays_calicos() -> None:
    assert find_kind("cnp") is kinds.NETWORK_POLICY
    assert find_kind("cnp", "policy.networking.k8s.io/v1alpha2") is kinds.CLUSTER_NETWORK_POLICY


def test_a_service_account_keeps_what_we_do_not_read() -> None:
    fields = {"secrets": [{"name": "s"}], "automountServiceAccountToken": False, "later": {"a": 1}}
    item = accepted(kinds.SERVICE_ACCOUNT, **fields)
    assert {name: item.document[name] for name in fields} == fields
    assert item.key.path == "/tortie/kubernetes/serviceaccounts/default/x"


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        pytest.param({}, [], id="addresses"),
        pytest.param({"endpoints": [{"addresses": ["fd00::1"]}]}, ["endpoints[0].addresses[0]"], id="another family"),
        pytest.param({"endpoints": [{"addresses": ["x"]}]}, ["endpoints[0].addresses[0]"], id="no address"),
        pytest.param({"endpoints": [{"addresses": []}]}, ["endpoints[0].addresses"], id="none"),
        pytest.param({"endpoints": [{}]}, ["endpoints[0].addresses"], id="left out"),
        pytest.param({"addressType": "FQDN", "endpoints": [{"addresses": ["example.com"]}]}, [], id="a name"),
        pytest.param({"addressType": "FQDN", "endpoints": [{"addresses": ["-"]}]}, ["endpoints[0].addresses[0]"], id="no name"),
        pytest.param({"addressType": "ipv4"}, ["addressType"], id="address type"),
        pytest.param({"ports": [{"port": 0}]}, ["ports[0].port"], id="port"),
        pytest.param({"ports": [{"protocol": "ICMP"}]}, ["ports[0].protocol"], id="protocol"),
        pytest.param({"ports": [{"port": 1}, {"port": 2}]}, ["ports[1].name"], id="two ports without a name"),
        pytest.param({"endpoints": [{"addresses": ["10.0.0.1"], "hints": {"forZones": []}}], "later": 1}, [], id="fields that we do not read"),
    ],
)  # fmt: skip
def test_endpoint_slices(fields: dict[str, Any], wrong: list[str]) -> None:
    fields = {"addressType": "IPv4", "endpoints": [{"addresses": ["10.0.0.1"]}], **fields}
    assert refused(kinds.ENDPOINT_SLICE, **fields) == wrong


def test_a_container_needs_a_name() -> None:
    spec = {"containers": [{"name": "a"}, {"image": "x"}], "initContainers": [{}]}
    assert refused(kinds.POD, spec=spec) == ["spec.containers[1].name", "spec.initContainers[0].name"]
