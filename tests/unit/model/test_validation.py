"""The semantic rules: what must be refused, and with it what must not."""

from __future__ import annotations

import json
from typing import Any

import kinddocuments
import msgspec
import pytest

from tortie.model import kinds
from tortie.model.codec import InvalidResourceError
from tortie.model.document import read
from tortie.model.kinds import Kind, ResourceKey
from tortie.model.validation import CHECKS, stored_resource


def refused(kind: Kind, spec: dict[str, Any], name: str = "x", **metadata: Any) -> list[str]:
    return kinddocuments.refused(kind, spec, name, metadata=metadata)


def refused_rule(**rule: Any) -> list[str]:
    paths = refused(kinds.GLOBAL_NETWORK_POLICY, {"ingress": [{"action": "Allow", **rule}]})
    return [path.removeprefix("spec.ingress[0].").removeprefix("spec.") for path in paths]


TCP = {"protocol": "TCP"}
V4, V6 = {"nets": ["10.0.0.0/8"]}, {"nets": ["fd00::/8"]}
SERVICE = {"name": "s", "namespace": "n"}


@pytest.mark.parametrize(
    ("rule", "fields"),
    [
        pytest.param({}, [], id="nothing but an action"),
        pytest.param({"protocol": 0}, ["protocol"], id="protocol 0"),
        pytest.param({"protocol": "TCP", "notProtocol": "UDP"}, ["notProtocol"], id="protocol and notProtocol"),
        pytest.param({"source": V4, "destination": V6}, ["destination.nets[0]"], id="two families"),
        pytest.param({"source": V4, "destination": {"notNets": ["1.0.0.0/8"]}}, [], id="one family"),
        pytest.param({"ipVersion": 6, "source": V4}, ["source.nets[0]"], id="ipVersion against a net"),
        pytest.param({"source": {"notNets": ["0.0.0.0/0"]}}, ["source.notNets[0]"], id="not everything"),
        pytest.param({"protocol": "ICMP", "icmp": {"type": 8, "code": 0}}, [], id="ICMP"),
        pytest.param({"protocol": "ICMP", "icmp": {"code": 0}}, ["icmp.code"], id="code without type"),
        pytest.param({"protocol": "ICMP", "icmp": {"type": 255}}, ["icmp.type"], id="type 255"),
        pytest.param({"icmp": {"type": 8}}, ["icmp"], id="icmp without protocol"),
        pytest.param({**TCP, "icmp": {"type": 8}}, ["icmp"], id="icmp with TCP"),
        pytest.param({"notICMP": {"type": 8}}, [], id="notICMP without protocol"),
        pytest.param({"protocol": 1, "ipVersion": 4, "icmp": {"type": 8}}, [], id="ICMP by number"),
        pytest.param({"protocol": 1, "icmp": {"type": 8}}, ["ingress[0]"], id="ICMP by number without ipVersion"),
        pytest.param({"protocol": "1", "icmp": {"type": 8}}, ["ingress[0]"], id="ICMP by number as text without ipVersion"),
        pytest.param({"protocol": "ICMP", "ipVersion": 6}, ["protocol"], id="ICMP in IPv6"),
        pytest.param({"notProtocol": "ICMPv6", "ipVersion": 4}, ["notProtocol"], id="ICMPv6 in IPv4"),
        pytest.param({"destination": {"ports": [80]}}, ["destination.ports"], id="ports without protocol"),
        pytest.param({"destination": {"ports": ["http"]}}, [], id="named ports without protocol"),
        pytest.param({"protocol": 7, "source": {"notPorts": ["http"]}}, ["source.notPorts"], id="ports of protocol 7"),
        pytest.param({"protocol": "UDPLite", "source": {"ports": [80]}}, ["source.ports"], id="ports of UDPLite"),
        pytest.param({**TCP, "source": {"ports": ["0:10"]}}, ["source.ports[0]"], id="port 0"),
        pytest.param({**TCP, "source": {"ports": ["HTTP"]}}, ["source.ports[0]"], id="a port's name in capitals"),
        pytest.param({**TCP, "source": {"ports": [80] * 51}}, ["source.ports"], id="51 ports"),
        pytest.param({"source": {"selector": "a =="}}, ["source.selector"], id="selector"),
        pytest.param({"source": {"selector": "global()"}}, ["source.selector"], id="global() as selector"),
        pytest.param({"source": {"namespaceSelector": "global()"}}, [], id="global() as namespaceSelector"),
        pytest.param({"source": {"namespaceSelector": "global() || has(a)"}}, ["source.namespaceSelector"], id="global() with more"),
        pytest.param({"source": {"serviceAccounts": {"selector": "!"}}}, ["source.serviceAccounts.selector"], id="accounts"),
        pytest.param({"source": {"services": SERVICE}}, [], id="services in the source"),
        pytest.param({"destination": {"services": SERVICE}}, ["destination.services"], id="services in an ingress destination"),
        pytest.param({"source": {"services": {"name": "s"}}}, ["source.services.namespace"], id="services without namespace"),
        pytest.param({"source": {"services": SERVICE, **V4}}, ["source.nets"], id="services and nets"),
        pytest.param({**TCP, "http": {"methods": ["GET"], "paths": [{"exact": "/a"}, {"prefix": "/b"}]}}, [], id="HTTP"),
        pytest.param({"protocol": "UDP", "http": {"methods": ["GET"]}}, ["http"], id="HTTP over UDP"),
        pytest.param({"action": "Deny", "http": {}}, ["http"], id="HTTP in a Deny"),
        pytest.param({"http": {"methods": ["GET", "GET"]}}, ["http.methods[1]"], id="a method twice"),
        pytest.param({"http": {"paths": [{"exact": "/a", "prefix": "/b"}]}}, ["http.paths[0]"], id="exact and prefix"),
        pytest.param({"http": {"paths": [{"exact": "/a?b"}]}}, ["http.paths[0].exact"], id="a query"),
    ],
)  # fmt: skip
def test_rules(rule: dict[str, Any], fields: list[str]) -> None:
    assert refused_rule(**rule) == fields


@pytest.mark.parametrize(
    ("kind", "spec", "fields"),
    [
        pytest.param(kinds.GLOBAL_NETWORK_POLICY, {"preDNAT": True, "applyOnForward": True}, [], id="preDNAT"),
        pytest.param(kinds.GLOBAL_NETWORK_POLICY, {"preDNAT": True}, ["spec.preDNAT"], id="preDNAT without applyOnForward"),
        pytest.param(kinds.GLOBAL_NETWORK_POLICY, {"doNotTrack": True}, ["spec.doNotTrack"], id="doNotTrack without applyOnForward"),
        pytest.param(
            kinds.GLOBAL_NETWORK_POLICY, {"preDNAT": True, "doNotTrack": True, "applyOnForward": True}, ["spec.preDNAT"], id="both"
        ),
        pytest.param(
            kinds.GLOBAL_NETWORK_POLICY, {"preDNAT": True, "applyOnForward": True, "types": ["Egress"]}, ["spec.types"], id="preDNAT egress"
        ),
        pytest.param(kinds.GLOBAL_NETWORK_POLICY, {"types": ["Egress", "Egress"]}, ["spec.types[1]"], id="a type twice"),
        pytest.param(kinds.GLOBAL_NETWORK_POLICY, {"selector": "global()"}, ["spec.selector"], id="global() governs nothing"),
        pytest.param(kinds.GLOBAL_NETWORK_POLICY, {"selector": " || ".join(["has(a)"] * 110)}, ["spec.selector"], id="a long selector"),
        pytest.param(kinds.NETWORK_POLICY, {"performanceHints": ["junk"]}, ["spec.performanceHints[0]"], id="hint"),
        pytest.param(
            kinds.NETWORK_POLICY, {"egress": [{"action": "Allow", "http": {"methods": ["GET"]}}]}, ["spec.egress[0].http"], id="egress HTTP"
        ),
        pytest.param(
            kinds.NETWORK_POLICY, {"egress": [{"action": "Allow", **TCP, "destination": {"services": {"name": "s"}, "ports": [80]}}]},
            ["spec.egress[0].destination.ports"], id="services and ports",
        ),
        pytest.param(kinds.PROFILE, {"ingress": [{"action": "Allow", "icmp": {"type": 8}}]}, ["spec.ingress[0].icmp"], id="profile"),
        pytest.param(kinds.NODE, {"bgp": {}}, ["spec.bgp"], id="empty bgp"),
        pytest.param(kinds.NODE, {"bgp": {"ipv4Address": "10.0.0.1/24", "ipv6Address": "fd00::1"}}, [], id="node"),
        pytest.param(kinds.NODE, {"bgp": {"ipv4Address": "fd00::1/64"}}, ["spec.bgp.ipv4Address"], id="IPv6 for IPv4"),
        pytest.param(kinds.IP_POOL, {"cidr": "10.0.0.0/16"}, [], id="pool"),
        pytest.param(kinds.IP_POOL, {"cidr": "fd00::/48", "ipipMode": "Always"}, ["spec.ipipMode"], id="IPIP in IPv6"),
        pytest.param(kinds.IP_POOL, {"cidr": "10.0.0.0/16", "ipipMode": "never"}, ["spec.ipipMode"], id="mode"),
        pytest.param(
            kinds.IP_POOL, {"cidr": "10.0.0.0/16", "ipipMode": "Always", "vxlanMode": "Always"}, ["spec.vxlanMode"], id="two encapsulations"
        ),
        pytest.param(kinds.IP_POOL, {"cidr": "10.0.0.0/16", "blockSize": 19}, ["spec.blockSize"], id="large blocks"),
        pytest.param(kinds.IP_POOL, {"cidr": "10.0.0.0/28"}, ["spec.cidr"], id="smaller than a block"),
        pytest.param(kinds.IP_POOL, {"cidr": "10.0.0.0/28", "disabled": True}, [], id="smaller, but disabled"),
        pytest.param(kinds.IP_POOL, {"cidr": "169.254.0.0/15"}, ["spec.cidr"], id="link-local"),
        pytest.param(kinds.IP_POOL, {"cidr": "10.0.0.0/16", "allowedUses": ["LoadBalancer", "Tunnel"]}, ["spec.allowedUses"], id="uses"),
        pytest.param(kinds.IP_POOL, {"cidr": "10.0.0.0/16", "nodeSelector": "global()"}, ["spec.nodeSelector"], id="nodes"),
        pytest.param(kinds.BGP_CONFIGURATION, {"nodeMeshMaxRestartTime": "5s"}, [], id="restart time"),
        pytest.param(kinds.BGP_CONFIGURATION, {"nodeMeshMaxRestartTime": "5 s"}, ["spec.nodeMeshMaxRestartTime"], id="no duration"),
        pytest.param(
            kinds.BGP_CONFIGURATION, {"nodeMeshMaxRestartTime": "5s", "nodeToNodeMeshEnabled": False},
            ["spec.nodeMeshMaxRestartTime"], id="restart time without mesh",
        ),
        pytest.param(kinds.BGP_CONFIGURATION, {"logSeverityScreen": "Loud"}, ["spec.logSeverityScreen"], id="severity"),
        pytest.param(kinds.BGP_PEER, {"peerIP": "10.0.0.1:1179"}, [], id="peer with port"),
        pytest.param(kinds.BGP_PEER, {"peerIP": "[fd00::1]:1179"}, [], id="IPv6 peer with port"),
        pytest.param(kinds.BGP_PEER, {"peerIP": "fd00::1"}, [], id="IPv6 peer"),
        pytest.param(kinds.BGP_PEER, {"peerIP": "10.0.0.1:"}, ["spec.peerIP"], id="no port"),
        pytest.param(kinds.BGP_PEER, {"peerIP": "[9000::FFFFF]:170"}, ["spec.peerIP"], id="no address"),
    ],
)  # fmt: skip
def test_specs(kind: Kind, spec: dict[str, Any], fields: list[str]) -> None:
    assert refused(kind, spec) == fields


@pytest.mark.parametrize(
    ("kind", "name", "valid"),
    [
        (kinds.TIER, "fo-o", True), (kinds.TIER, "fo.o", False), (kinds.TIER, "x" * 64, False),
        (kinds.NETWORK_POLICY, "a", True), (kinds.NETWORK_POLICY, "tier.a", True), (kinds.NETWORK_POLICY, "a.b.c", False),
        (kinds.NETWORK_POLICY, "knp.default.a.b.c", True), (kinds.NETWORK_POLICY, "A", False),
        (kinds.NODE, "rack1.example", True), (kinds.NODE, "x" * 254, False),
        (kinds.CLUSTER_INFORMATION, "default", True), (kinds.CLUSTER_INFORMATION, "other", False),
        (kinds.NAMESPACE, "a.b", False), (kinds.POD, "a.b", True),
    ],
)  # fmt: skip
def test_names(kind: Kind, name: str, valid: bool) -> None:
    assert refused(kind, {}, name=name) == ([] if valid else ["metadata.name"])


@pytest.mark.parametrize(
    ("name", "spec", "fields"),
    [
        ("default", {"order": 1_000_000}, []),
        ("default", {"order": 1}, ["spec.order"]),
        ("kube-admin", {"order": 1000, "defaultAction": "Pass"}, []),
        ("kube-admin", {"order": 1000, "defaultAction": "Deny"}, ["spec.defaultAction"]),
        ("kube-baseline", {"order": 1, "defaultAction": "Pass"}, ["spec.order"]),
        ("mine", {"order": 1, "defaultAction": "Pass"}, []),
    ],
)
def test_built_in_tiers_keep_their_place(name: str, spec: dict[str, Any], fields: list[str]) -> None:
    assert refused(kinds.TIER, spec, name=name) == fields


@pytest.mark.parametrize(
    ("labels", "fields"),
    [
        ({"role": "a", "example.com/Role": ""}, []),
        ({"Example.com/role": "a"}, ["metadata.labels[Example.com/role]"]),
        ({"role": "-5"}, ["metadata.labels.role"]),
        ({"role": "x" * 64}, ["metadata.labels.role"]),
        ({"a/b/c": "x"}, ["metadata.labels[a/b/c]"]),
    ],
)
def test_labels(labels: dict[str, str], fields: list[str]) -> None:
    assert refused(kinds.NAMESPACE, {}, labels=labels) == fields


def test_annotations_are_bounded() -> None:
    assert refused(kinds.NAMESPACE, {}, annotations={"Example.com/Note": "x" * 1000}) == []
    assert refused(kinds.NAMESPACE, {}, annotations={"a$b": "x"}) == ["metadata.annotations[a$b]"]
    assert refused(kinds.NAMESPACE, {}, annotations={"a": "x" * 262_144}) == ["metadata.annotations"]


ENDPOINT = {"node": "n-1", "orchestrator": "k8s", "pod": "p", "endpoint": "eth0", "interfaceName": "cali1"}


@pytest.mark.parametrize(
    ("spec", "fields"),
    [
        pytest.param({}, [], id="fine"),
        pytest.param({"pod": "q"}, ["metadata.name"], id="another pod's name"),
        pytest.param({"pod": ""}, ["spec.pod"], id="no pod"),
        pytest.param({"interfaceName": "a/b"}, ["spec.interfaceName"], id="interface"),
        pytest.param({"ipNetworks": ["10.0.0.0/24"]}, ["spec.ipNetworks[0]"], id="many addresses"),
        pytest.param(
            {"ipNetworks": ["10.0.0.1/32"], "ipNATs": [{"internalIP": "10.0.0.1", "externalIP": "1.1.1.1"}]},
            [],
            id="NAT",
        ),
        pytest.param(
            {"ipNATs": [{"internalIP": "10.0.0.1", "externalIP": "1.1.1.1"}]},
            ["spec.ipNATs[0].internalIP"],
            id="NAT of another",
        ),
        pytest.param({"ports": [{"name": "a", "protocol": "TCP", "port": 1}]}, [], id="port"),
        pytest.param({"ports": [{"name": "a", "protocol": 123, "port": 1}]}, ["spec.ports[0].protocol"], id="protocol"),
        pytest.param({"ports": [{"name": "a", "protocol": "TCP", "port": 0}]}, ["spec.ports[0].port"], id="port 0"),
        pytest.param({"ports": [{"protocol": "TCP", "port": 1}]}, ["spec.ports[0].name"], id="no name"),
        pytest.param({"ports": [{"protocol": "TCP", "port": 1, "hostPort": 1}]}, [], id="no name, but a host port"),
        pytest.param({"allowSpoofedSourcePrefixes": ["x"]}, ["spec.allowSpoofedSourcePrefixes[0]"], id="spoofed"),
    ],
)
def test_endpoints(spec: dict[str, Any], fields: list[str]) -> None:
    assert refused(kinds.WORKLOAD_ENDPOINT, {**ENDPOINT, **spec}, name="n--1-k8s-p-eth0", namespace="n") == fields


@pytest.mark.parametrize(
    ("spec", "fields"),
    [
        pytest.param({"podSelector": {}, "ingress": [{}], "egress": [{"to": [{"podSelector": {}}]}]}, [], id="fine"),
        pytest.param({"ingress": [{"from": [{}]}]}, ["ingress[0].from[0]"], id="empty peer"),
        pytest.param({"ingress": [{"from": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}}]}]}, [], id="block"),
        pytest.param({"ingress": [{"from": [{"ipBlock": {"cidr": "10.0.0.1"}}]}]}, ["ingress[0].from[0].ipBlock.cidr"], id="no mask"),
        pytest.param(
            {"ingress": [{"from": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["11.0.0.0/16"]}}]}]},
            ["ingress[0].from[0].ipBlock.except[0]"], id="exception elsewhere",
        ),
        pytest.param(
            {"ingress": [{"from": [{"podSelector": {}, "ipBlock": {"cidr": "10.0.0.0/8"}}]}]}, ["ingress[0].from[0].ipBlock"], id="both"
        ),
        pytest.param({"egress": [{"ports": [{"port": 80, "endPort": 90}, {"port": "http"}, {"protocol": "SCTP"}]}]}, [], id="ports"),
        pytest.param({"egress": [{"ports": [{"port": 0}]}]}, ["egress[0].ports[0].port"], id="port 0"),
        pytest.param({"egress": [{"ports": [{"port": "http", "endPort": 90}]}]}, ["egress[0].ports[0].endPort"], id="end of a name"),
        pytest.param({"egress": [{"ports": [{"port": 80, "endPort": 79}]}]}, ["egress[0].ports[0].endPort"], id="backwards"),
        pytest.param({"egress": [{"ports": [{"protocol": "ICMP"}]}]}, ["egress[0].ports[0].protocol"], id="protocol"),
        pytest.param({"podSelector": {"matchExpressions": [{"key": "a", "operator": "In"}]}}, ["podSelector.matchExpressions[0].values"], id="In nothing"),
        pytest.param(
            {"podSelector": {"matchExpressions": [{"key": "a", "operator": "Exists", "values": ["b"]}]}},
            ["podSelector.matchExpressions[0].values"], id="Exists with values",
        ),
        pytest.param({"podSelector": {"matchLabels": {"a b": "c"}}}, ["podSelector.matchLabels[a b]"], id="label"),
    ],
)  # fmt: skip
def test_kubernetes_policies(spec: dict[str, Any], fields: list[str]) -> None:
    assert refused(kinds.K8S_NETWORK_POLICY, spec) == [f"spec.{field}" for field in fields]


def test_only_known_kinds_have_checks() -> None:
    assert set(CHECKS) <= set(kinds.KINDS)


@pytest.mark.parametrize("kind", kinds.KINDS, ids=lambda kind: kind.prefix)
def test_a_kind_says_where_its_struct_is_declared(kind: Kind) -> None:
    """Or ``kind_of`` would not find it again."""
    assert kind.declaration == f"{kind.struct.__module__.removeprefix('tortie.model.')}.{kind.struct.__name__}"


# --- stored data -----------------------------------------------------------------------------------------------------------


def stored(spec: dict[str, Any]) -> bytes:
    return msgspec.json.encode(
        {"kind": "GlobalNetworkPolicy", "apiVersion": "projectcalico.org/v3", "metadata": {"name": "x"}, "spec": spec}
    )


KEY = ResourceKey(kinds.GLOBAL_NETWORK_POLICY, "", "x")


def test_a_stored_value_is_read_and_checked() -> None:
    resource = stored_resource(KEY, stored({"order": 1, "later": "ignored"}))
    assert resource == read(json.dumps(json.loads(stored({"order": 1})))).resources[0].resource


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"selector": "a ==", "preDNAT": True}, "spec.selector: .*; spec.preDNAT: "),
        ({"ingress": [{"action": "Alow"}]}, r"Invalid enum value 'Alow' - at `\$.spec.ingress\[0\].action`"),
    ],
)
def test_an_invalid_stored_value_is_refused_with_all_reasons(spec: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidResourceError, match=message):
        stored_resource(KEY, stored(spec))


@pytest.mark.parametrize(
    ("key", "message"),
    [
        (ResourceKey(kinds.GLOBAL_NETWORK_POLICY, "", "y"), "metadata.name: 'x' is not that of its key, which is 'y'"),
        (
            ResourceKey(kinds.NETWORK_POLICY, "ns", "x"),
            "metadata.namespace: 'other' is not that of its key, which is 'ns'",
        ),
    ],
    ids=["name", "namespace"],
)
def test_a_value_under_the_key_of_another_is_refused(key: ResourceKey, message: str) -> None:
    value = {
        "kind": key.kind.name, "apiVersion": "projectcalico.org/v3", "metadata": {"name": "x", "namespace": "other"}, "spec": {},
    }  # fmt: skip
    with pytest.raises(InvalidResourceError, match=message):
        stored_resource(key, msgspec.json.encode(value))


def test_a_policy_of_an_old_calico_is_known_by_the_name_in_its_key() -> None:
    value = {
        "kind": "NetworkPolicy", "apiVersion": "projectcalico.org/v3", "spec": {"order": 1},
        "metadata": {"name": "default.web", "namespace": "ns", "annotations": {"projectcalico.org/metadata": '{"name":"web"}'}},
    }  # fmt: skip
    assert stored_resource(ResourceKey(kinds.NETWORK_POLICY, "ns", "default.web"), msgspec.json.encode(value))


def test_a_policy_that_is_only_too_large_stays_in_force() -> None:
    spec = {
        "selector": " || ".join(["has(a)"] * 110),
        "ingress": [{"action": "Allow", "source": {"nets": ["10.0.0.0/8"] * 300}}],
    }
    assert refused(kinds.GLOBAL_NETWORK_POLICY, spec) == ["spec.selector", "spec.ingress[0].source.nets"]
    assert stored_resource(KEY, stored(spec))
