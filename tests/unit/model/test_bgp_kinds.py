"""BGPConfiguration, BGPPeer and BGPFilter: what is refused, and with it what is not; what is stored and shown."""

from __future__ import annotations

from typing import Any

import pytest
from kinddocuments import refused_in_spec as refused
from kinddocuments import stored_spec as stored

from tortie.model import kinds
from tortie.model.columns import columns

SECRET = {"secretKeyRef": {"name": "bgp", "key": "rr"}}
NAMED = {"name": "blue", "value": "65001:100"}


def announced(*communities: str) -> list[dict[str, Any]]:
    return [{"cidr": "10.0.0.0/8", "communities": list(communities)}]


@pytest.mark.parametrize(
    ("spec", "fields"),
    [
        pytest.param({}, [], id="nothing"),
        pytest.param({"logSeverityScreen": "Loud"}, ["logSeverityScreen"], id="severity"),
        pytest.param({"listenPort": 70000}, ["listenPort"], id="port"),
        pytest.param({"nodeMeshPassword": SECRET, "nodeMeshMaxRestartTime": "120s"}, [], id="mesh settings"),
        pytest.param({"nodeToNodeMeshEnabled": False, "nodeMeshPassword": SECRET}, ["nodeMeshPassword"], id="password without mesh"),
        pytest.param({"nodeToNodeMeshEnabled": False, "nodeMeshMaxRestartTime": "5s"}, ["nodeMeshMaxRestartTime"], id="time without mesh"),
        pytest.param({"nodeMeshPassword": {"secretKeyRef": {"name": "bgp"}}}, ["nodeMeshPassword.secretKeyRef.key"], id="secret without key"),
        pytest.param({"serviceClusterIPs": [{"cidr": "10.96.0.0/12"}, {"cidr": "fd00::/112"}]}, [], id="services of both families"),
        pytest.param({"serviceExternalIPs": [{"cidr": "10.0.0.1"}]}, ["serviceExternalIPs[0].cidr"], id="a service's bare address"),
        pytest.param({"communities": [NAMED]}, ["communities"], id="communities for nothing"),
        pytest.param({"communities": [NAMED], "prefixAdvertisements": announced("blue", "1:2:4294967295")}, [], id="communities"),
        pytest.param({"prefixAdvertisements": announced("blue")}, ["prefixAdvertisements[0].communities[0]"], id="an unknown name"),
        pytest.param({"prefixAdvertisements": announced("1:65536")}, ["prefixAdvertisements[0].communities[0]"], id="17 bits"),
        pytest.param({"communities": [{"name": "a b", "value": "1"}], "prefixAdvertisements": announced()}, ["communities[0].name", "communities[0].value"], id="a bad community"),
        pytest.param({"ignoredInterfaces": ["eth*", "*"]}, ["ignoredInterfaces[1]"], id="all interfaces"),
        pytest.param({"localWorkloadPeeringIPV4": "fd00::1"}, ["localWorkloadPeeringIPV4"], id="family"),
        pytest.param({"bindMode": "All"}, ["bindMode"], id="bind mode"),
        pytest.param({"ipv4NormalRoutePriority": 0}, ["ipv4NormalRoutePriority"], id="priority"),
    ],
)  # fmt: skip
def test_bgp_configurations(spec: dict[str, Any], fields: list[str]) -> None:
    assert refused(kinds.BGP_CONFIGURATION, spec, "default") == fields


def test_a_nodes_configuration_cannot_say_what_is_the_clusters() -> None:
    spec = {
        "listenPort": 1790,
        "asNumber": 65000,
        "nodeToNodeMeshEnabled": True,
        "serviceClusterIPs": [{"cidr": "10.0.0.0/8"}],
    }
    assert refused(kinds.BGP_CONFIGURATION, spec, "node.a") == [
        "nodeToNodeMeshEnabled",
        "asNumber",
        "serviceClusterIPs",
    ]
    assert refused(kinds.BGP_CONFIGURATION, spec, "default") == []


@pytest.mark.parametrize(
    ("spec", "fields"),
    [
        pytest.param({"peerIP": "10.0.0.1", "asNumber": "1.10"}, [], id="address"),
        pytest.param({"peerIP": "[fd00::1]:1179"}, [], id="address and port"),
        pytest.param({"peerIP": "10.0.0.1:"}, ["peerIP"], id="no port"),
        pytest.param({"peerIP": "10.0.0.1:0"}, ["peerIP"], id="port 0"),
        pytest.param({"nodeSelector": "has(rack)", "peerSelector": "has(rr)"}, [], id="selectors"),
        pytest.param({"nodeSelector": "has(", "peerIP": "10.0.0.1"}, ["nodeSelector"], id="a bad selector"),
        pytest.param({"node": "a", "nodeSelector": "all()", "peerIP": "10.0.0.1"}, ["nodeSelector"], id="node and selector"),
        pytest.param({"peerIP": "10.0.0.1", "peerSelector": "all()"}, ["peerSelector"], id="address and selector"),
        pytest.param({"peerSelector": "all()", "asNumber": 65000}, ["asNumber"], id="selector and AS number"),
        pytest.param({"localWorkloadSelector": "all()", "asNumber": 65000}, [], id="workloads"),
        pytest.param({"localWorkloadSelector": "all()"}, ["asNumber"], id="workloads without AS number"),
        pytest.param({"localWorkloadSelector": "all()", "asNumber": 1, "peerIP": "10.0.0.1"}, ["localWorkloadSelector"], id="workloads and address"),
        pytest.param({"peerIP": "10.0.0.1", "keepOriginalNextHop": True, "nextHopMode": "Self"}, ["nextHopMode"], id="two next hops"),
        pytest.param({"peerIP": "10.0.0.1", "reachableBy": "10.0.0.254"}, [], id="gateway"),
        pytest.param({"peerIP": "[fd00::1]:179", "reachableBy": "10.0.0.254"}, ["reachableBy"], id="gateway of the other family"),
        pytest.param({"peerSelector": "all()", "reachableBy": "10.0.0.254"}, ["reachableBy"], id="gateway to nowhere"),
        pytest.param({"peerIP": "10.0.0.1", "ttlSecurity": 256}, ["ttlSecurity"], id="hops"),
        pytest.param({"peerIP": "10.0.0.1", "numAllowedLocalASNumbers": -1}, ["numAllowedLocalASNumbers"], id="minus one"),
        pytest.param({"peerIP": "10.0.0.1", "sourceAddress": "eth0"}, ["sourceAddress"], id="source address"),
        pytest.param({"peerIP": "10.0.0.1", "password": SECRET, "filters": ["a"], "reversePeering": "Manual", "keepaliveTime": "30s"}, [], id="the rest"),
    ],
)  # fmt: skip
def test_bgp_peers(spec: dict[str, Any], fields: list[str]) -> None:
    assert refused(kinds.BGP_PEER, spec) == fields


ACCEPT = {"action": "Accept"}
RANGE = {"cidr": "10.0.0.0/8", "matchOperator": "In"}


@pytest.mark.parametrize(
    ("rule", "fields"),
    [
        pytest.param({}, [], id="everything"),
        pytest.param({"action": "Allow"}, ["action"], id="action"),
        pytest.param(RANGE, [], id="range"),
        pytest.param({"cidr": "10.0.0.0/8"}, ["cidr"], id="range without operator"),
        pytest.param({"matchOperator": "In"}, ["matchOperator"], id="operator without range"),
        pytest.param({**RANGE, "cidr": "fd00::/8"}, ["cidr"], id="family"),
        pytest.param({**RANGE, "matchOperator": "Within"}, ["matchOperator"], id="operator"),
        pytest.param({**RANGE, "prefixLength": {"min": 0, "max": 32}}, [], id="lengths"),
        pytest.param({**RANGE, "prefixLength": {"min": -1, "max": 33}}, ["prefixLength.min", "prefixLength.max"], id="lengths of IPv6"),
        pytest.param({"prefixLength": {"min": 8}}, ["prefixLength"], id="lengths of no range"),
        pytest.param({"interface": "eth*"}, [], id="interface"),
        pytest.param({"interface": "eth0!"}, ["interface"], id="interface name"),
        pytest.param({"source": "RemotePeers", "peerType": "eBGP", "asPathPrefix": [65000], "priority": 100}, [], id="the rest"),
        pytest.param({"communities": {"values": ["1:2"]}}, [], id="community"),
        pytest.param({"communities": {"values": ["1:2", "1:3"]}}, ["communities.values"], id="two communities"),
        pytest.param({"communities": {"values": ["blue"]}}, ["communities.values[0]"], id="a community's name"),
        pytest.param({"operations": [{"addCommunity": {"value": "1:2:3"}}, {"setPriority": {"value": 9}}]}, [], id="operations"),
        pytest.param({"operations": [{"prependASPath": {"prefix": [65000, 65000]}}]}, [], id="longer path"),
        pytest.param({"operations": [{}]}, ["operations[0]"], id="no operation"),
        pytest.param({"operations": [{"addCommunity": {"value": "1:2"}, "setPriority": {"value": 9}}]}, ["operations[0]"], id="two in one"),
        pytest.param({"operations": [{"setPriority": {"value": 0}}]}, ["operations[0].setPriority.value"], id="priority 0"),
        pytest.param({"action": "Reject", "operations": [{"setPriority": {"value": 9}}]}, ["operations"], id="changed and rejected"),
        pytest.param({"operations": [{"setPriority": {"value": 9}}] * 11}, ["operations"], id="11 operations"),
    ],
)  # fmt: skip
def test_bgp_filter_rules(rule: dict[str, Any], fields: list[str]) -> None:
    found = refused(kinds.BGP_FILTER, {"importV4": [{**ACCEPT, **rule}]})
    assert [field.removeprefix("importV4[0].") for field in found] == fields


def test_rules_of_ipv6_take_ranges_of_ipv6() -> None:
    rule = {**ACCEPT, "cidr": "fd00::/8", "matchOperator": "In", "prefixLength": {"max": 128}}
    assert refused(kinds.BGP_FILTER, {"exportV6": [rule]}) == []
    assert refused(kinds.BGP_FILTER, {"exportV6": [{**ACCEPT, **RANGE}]}) == ["exportV6[0].cidr"]


def test_what_is_stored() -> None:
    added = {"logSeverityScreen": "Info", "serviceLoadBalancerAggregation": "Enabled"}
    assert stored(kinds.BGP_CONFIGURATION, {"nodeMeshMaxRestartTime": "120s"}) == {
        **added,
        "nodeMeshMaxRestartTime": "2m0s",
    }
    assert stored(kinds.BGP_PEER, {"peerIP": "10.0.0.1", "asNumber": 0, "localASNumber": 0}) == {
        "peerIP": "10.0.0.1",
        "localASNumber": 0,
    }
    assert stored(kinds.BGP_FILTER, {"exportV4": [{**ACCEPT, "interface": ""}], "importV4": []}) == {
        "exportV4": [ACCEPT]
    }


@pytest.mark.parametrize(
    ("spec", "node"), [({}, "(global)"), ({"node": "a"}, "a"), ({"nodeSelector": "has(rack)"}, "has(rack)")]
)
def test_a_table_of_peers_says_whose_they_are(spec: dict[str, Any], node: str) -> None:
    [column] = [column for column in columns(kinds.BGP_PEER, wide=False) if column.header == "NODE"]
    assert column.text({"spec": spec}) == node
