"""Reading, writing and reading again changes nothing, for every kind that policy is made of."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tortie.model import kinds
from tortie.model.codec import decode, from_document, to_document
from tortie.model.defaults import for_storage, with_defaults
from tortie.model.document import read
from tortie.model.kinds import Kind
from tortie.model.stored import from_storage

RULE = {
    "action": "Allow", "ipVersion": 4, "protocol": "TCP",
    "source": {"selector": "has(a)", "namespaceSelector": "global()", "notNets": ["10.0.0.0/8"], "serviceAccounts": {"names": ["s"]}},
    "destination": {"ports": [80, "90:95", "web"], "notPorts": [1]},
    "http": {"methods": ["GET"], "paths": [{"prefix": "/a"}]}, "metadata": {"annotations": {"note": "x"}},
}  # fmt: skip
ICMP = {"action": "Deny", "protocol": "ICMP", "icmp": {"type": 0, "code": 0}, "notICMP": {"type": 8}}
POLICY = {
    "tier": "sec", "order": 0, "selector": "all()", "ingress": [RULE, ICMP], "egress": [ICMP], "types": ["Ingress", "Egress"],
    "serviceAccountSelector": "has(b)", "performanceHints": ["AssumeNeededOnEveryNode"],
}  # fmt: skip
GLOBAL = {**POLICY, "namespaceSelector": "has(c)", "doNotTrack": True, "applyOnForward": True}
KUBERNETES = {
    "podSelector": {"matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}]},
    "ingress": [{"from": [{"podSelector": {}}, {"namespaceSelector": {}}], "ports": [{"port": "web"}]}, {}],
    "policyTypes": ["Ingress"],
}  # fmt: skip
ENDPOINT = {
    "orchestrator": "k8s", "node": "x", "pod": "x", "endpoint": "x", "interfaceName": "cali1", "ipNetworks": ["10.0.0.1/32"],
    "ipNATs": [{"internalIP": "10.0.0.1", "externalIP": "1.1.1.1"}], "mac": "ca:fe:1d:52:bb:e9",
    "ports": [{"name": "a", "protocol": "UDP", "port": 1, "hostPort": 0, "hostIP": ""}], "qosControls": {"dscp": "EF"},
}  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "spec"),
    [
        (kinds.NETWORK_POLICY, POLICY),
        (kinds.GLOBAL_NETWORK_POLICY, GLOBAL),
        (kinds.STAGED_NETWORK_POLICY, {**POLICY, "stagedAction": "Learn"}),
        (kinds.STAGED_GLOBAL_NETWORK_POLICY, {**GLOBAL, "stagedAction": "Ignore"}),
        (kinds.STAGED_KUBERNETES_NETWORK_POLICY, {**KUBERNETES, "stagedAction": "Set"}),
        (kinds.TIER, {"order": 0, "defaultAction": "Pass"}),
        (kinds.PROFILE, {"ingress": [RULE], "egress": [ICMP], "labelsToApply": {"a": ""}}),
        (kinds.NETWORK_SET, {"nets": ["10.0.0.1", "fd00::1/8"]}),
        (kinds.GLOBAL_NETWORK_SET, {"nets": []}),
        (kinds.HOST_ENDPOINT, {"node": "a", "expectedIPs": ["fd00::1"], "ports": [{"name": "a", "protocol": "SCTP", "port": 1}]}),
        (kinds.WORKLOAD_ENDPOINT, ENDPOINT),
    ],
    ids=lambda value: value.name if isinstance(value, Kind) else "",
)  # fmt: skip
def test_a_document_survives(kind: Kind, spec: dict[str, Any]) -> None:
    name = "x-k8s-x-x" if kind is kinds.WORKLOAD_ENDPOINT else "x"
    metadata = {"name": name, "labels": {"l": "v"}, "annotations": {"note": "n"}, "finalizers": ["f"]}
    document = {"apiVersion": kind.api_version, "kind": kind.name, "metadata": metadata, "spec": spec}
    result = read(json.dumps(document))
    assert result.errors == ()
    (item,) = result.resources
    written = {name: value for name, value in spec.items() if value != []}
    assert item.document["spec"] == written
    assert from_document(to_document(item.resource), kind.struct) == item.resource

    stored = for_storage(item.document, uid="u", creation_timestamp="t")
    shown = from_storage(stored, 1)
    assert shown["spec"] == {**shown["spec"], **written}
    assert with_defaults(with_defaults(shown)) == with_defaults(shown)
    assert decode(stored, kind.struct) == from_document(json.loads(stored), kind.struct)
    (again,) = read(json.dumps(shown)).resources
    assert json.loads(for_storage(again.document, uid="u", creation_timestamp="t")) == json.loads(stored)
