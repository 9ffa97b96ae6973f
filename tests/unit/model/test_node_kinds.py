"""Node and CalicoNodeStatus: what is refused, what is stored."""

from __future__ import annotations

import json
from typing import Any

import pytest
from kinddocuments import document
from kinddocuments import refused_in_spec as refused

from tortie.model import kinds
from tortie.model.codec import from_document, to_document
from tortie.model.defaults import with_defaults
from tortie.model.document import read

FULL = {
    "bgp": {
        "asNumber": 65000, "ipv4Address": "10.0.0.1/24", "ipv6Address": "fd00::1/64", "ipv4IPIPTunnelAddr": "10.65.0.1",
        "routeReflectorClusterID": "244.0.0.1",
    },
    "ipv4VXLANTunnelAddr": "10.65.0.2", "vxlanTunnelMACAddr": "66:aa:bb:cc:dd:ee",
    "ipv6VXLANTunnelAddr": "fd00:65::2", "vxlanTunnelMACAddrV6": "66:aa:bb:cc:dd:ef",
    "orchRefs": [{"nodeName": "a", "orchestrator": "k8s"}],
    "wireguard": {"interfaceIPv4Address": "10.65.0.3", "interfaceIPv6Address": "fd00:65::3"},
    "addresses": [{"address": "10.0.0.1", "type": "InternalIP"}, {"address": "10.0.0.1/24", "type": "CalicoNodeIP"}],
    "interfaces": [{"name": "eth0", "addresses": ["10.0.0.1"]}],
}  # fmt: skip
STATUS = {"wireguardPublicKey": "k4", "wireguardPublicKeyV6": "k6", "podCIDRs": ["10.244.0.0/24"]}


def test_a_full_node_is_read_stored_and_written_as_it_is() -> None:
    [resource] = read(json.dumps(document(kinds.NODE, FULL, status=STATUS))).resources
    assert with_defaults(resource.document) == document(kinds.NODE, FULL, status=STATUS)
    typed = resource.resource
    assert from_document(to_document(typed), kinds.NODE.struct) == typed


@pytest.mark.parametrize(
    ("spec", "fields"),
    [
        ({}, []),
        ({"bgp": {}}, ["bgp"]),
        ({"bgp": {"ipv4Address": "fd00::1"}}, ["bgp.ipv4Address"]),
        ({"bgp": {"ipv4IPIPTunnelAddr": "10.0.0.1/24"}}, ["bgp.ipv4IPIPTunnelAddr"]),
        ({"bgp": {"asNumber": 1, "routeReflectorClusterID": "one"}}, ["bgp.routeReflectorClusterID"]),
        ({"ipv4VXLANTunnelAddr": "fd00::1"}, ["ipv4VXLANTunnelAddr"]),
        ({"vxlanTunnelMACAddr": "66:aa"}, ["vxlanTunnelMACAddr"]),
        ({"wireguard": {"interfaceIPv6Address": "10.0.0.1"}}, ["wireguard.interfaceIPv6Address"]),
        ({"addresses": [{"address": "a.example"}]}, ["addresses[0].address"]),
        ({"addresses": [{"address": "10.0.0.1", "type": "Hostname"}]}, ["addresses[0].type"]),
        ({"interfaces": [{"name": "eth0", "addresses": ["x"]}]}, ["interfaces[0].addresses[0]"]),
        ({"orchRefs": [{"nodeName": "a"}]}, ["orchRefs[0].orchestrator"]),
    ],
)
def test_nodes(spec: dict[str, Any], fields: list[str]) -> None:
    assert refused(kinds.NODE, spec) == fields


def test_a_nodes_status_is_checked() -> None:
    assert refused(kinds.NODE, {}, status={"podCIDRs": ["10.0.0.1"]}) == ["status.podCIDRs[0]"]
    assert refused(kinds.NODE, {}, status={"podCidr": []}) == ["status.podCidr"]


QUESTION = {"node": "a", "classes": ["Agent", "BGP", "Routes"], "updatePeriodSeconds": 0}


@pytest.mark.parametrize(
    ("spec", "fields"),
    [
        (QUESTION, []),
        ({}, ["node", "classes", "updatePeriodSeconds"]),
        ({**QUESTION, "classes": ["Bird"]}, ["classes[0]"]),
        ({**QUESTION, "updatePeriodSeconds": 86401}, ["updatePeriodSeconds"]),
    ],
)
def test_node_status_questions(spec: dict[str, Any], fields: list[str]) -> None:
    assert refused(kinds.CALICO_NODE_STATUS, spec) == fields


def test_an_unanswered_question_is_stored_with_an_empty_answer() -> None:
    [resource] = read(json.dumps(document(kinds.CALICO_NODE_STATUS, QUESTION))).resources
    complete = with_defaults(resource.document)
    assert complete["spec"] == QUESTION
    assert complete["status"] == {
        "lastUpdated": None,
        "agent": {"birdV4": {}, "birdV6": {}},
        "bgp": dict.fromkeys(
            ("numberEstablishedV4", "numberNotEstablishedV4", "numberEstablishedV6", "numberNotEstablishedV6"), 0
        ),
        "routes": {},
    }
    from_document(complete, kinds.CALICO_NODE_STATUS.struct)


def test_an_answer_is_kept() -> None:
    answer = {
        "lastUpdated": "2026-01-02T03:04:05Z",
        "agent": {"birdV4": {"state": "Ready", "version": "2.17"}, "birdV6": {"state": "NotReady"}},
        "bgp": {
            "numberEstablishedV4": 1, "numberNotEstablishedV4": 0, "numberEstablishedV6": 0, "numberNotEstablishedV6": 0,
            "peersV4": [{"peerIP": "10.0.0.2", "type": "NodeMesh", "state": "Established", "since": "03:04:00"}],
        },
        "routes": {"routesV4": [{"type": "FIB", "destination": "10.0.0.0/8", "learnedFrom": {"sourceType": "Kernel"}}]},
    }  # fmt: skip
    [resource] = read(json.dumps(document(kinds.CALICO_NODE_STATUS, QUESTION, status=answer))).resources
    assert with_defaults(resource.document)["status"] == answer
