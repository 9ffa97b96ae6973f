"""Datastore states written as v1 model keys and values, as the resources that stand for them.

Several keys may speak of one resource (a profile's rules and its labels, a node and its host's settings), so documents are
gathered by resource first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from tortie.model.blocks import BlockOwners, decode_owners
from tortie.model.codec import Document, encode_document, from_document
from tortie.model.kinds import ENDPOINT_SLICE, ResourceKey, key_of, kind_with_header
from tortie.model.meta import CALICO, Resource
from tortie.net import Network

State: TypeAlias = dict[ResourceKey | Network, Resource | BlockOwners]

NAMESPACE = "default"
"""Of workload endpoints, which have none in this form."""


def state(datastore: list[Document]) -> State:
    """The resources, and the IPAM blocks by network, that *datastore* says are there."""
    documents: dict[tuple[str, str], Document] = {}
    blocks: State = {}
    for entry in datastore:
        key, value = entry["key"], entry["value"]
        if key["type"] == "BlockKey":
            blocks[Network.parse(key["CIDR"])] = _block(value)
        elif key["type"] != "ReadyFlagKey":
            part = _PARTS[key["type"]](key, value)
            identity = part["kind"], part["metadata"]["name"]
            documents[identity] = _merged(documents.get(identity, {}), part)
    resources = [_resource(document) for document in documents.values()]
    return {key_of(resource): resource for resource in resources} | blocks


def endpoint_name(key: Document) -> str:
    """What expectations call an endpoint, as the name of its resource."""
    if key["type"] == "HostEndpointKey":
        return str(key["EndpointID"])
    return "-".join((key["Hostname"], key["OrchestratorID"], key["WorkloadID"], key["EndpointID"]))


def _resource(document: Document) -> Resource:
    kind = kind_with_header(document["apiVersion"], document["kind"])
    assert kind is not None
    return from_document(document, kind.struct)


def _merged(old: Document, new: Document) -> Document:
    both = {name: _merged(old[name], new[name]) for name in old.keys() & new.keys() if isinstance(new[name], dict)}
    return old | new | both


def _block(value: Document) -> BlockOwners:
    attributes = [{"secondary": a.get("ActiveOwnerAttrs", {})} for a in value.get("Attributes", ())]
    stored = {
        "cidr": value["CIDR"],
        "affinity": value["Affinity"],
        "allocations": value["Allocations"],
        "attributes": attributes,
    }
    return decode_owners(encode_document(stored))


# --- one kind of key each -----------------------------------------------------------------------------------------------------


def _calico(kind: str, name: str, spec: Document, **metadata: Any) -> Document:
    return {"apiVersion": CALICO, "kind": kind, "metadata": {"name": name, **metadata}, "spec": spec}


def _present(**fields: Any) -> Document:
    return {name: value for name, value in fields.items() if value is not None}


def _tier(key: Document, value: Document) -> Document:
    return _calico("Tier", key["Name"], _present(order=value.get("Order"), defaultAction=value.get("DefaultAction")))


def _policy(key: Document, value: Document) -> Document:
    types = [text.capitalize() for text in value.get("Types", ("ingress", "egress"))]
    untracked, pre_dnat = value.get("DoNotTrack", False), value.get("PreDNAT", False)
    spec = _present(
        tier=value.get("Tier"), order=value.get("Order"), selector=value.get("Selector"), types=types,
        ingress=_rules(value.get("InboundRules")), egress=_rules(value.get("OutboundRules")),
        doNotTrack=untracked, preDNAT=pre_dnat,
        applyOnForward=value.get("ApplyOnForward", untracked or pre_dnat),
    )  # fmt: skip
    return _calico(key["Kind"], key["Name"], spec)


def _rules(rules: list[Document] | None) -> list[Document]:
    return [_rule(rule) for rule in rules or ()]


def _rule(rule: Document) -> Document:
    ends = {end: _end(rule, prefix) for end, prefix in (("source", "Src"), ("destination", "Dst"))}
    return {"action": (rule.get("Action") or "allow").capitalize()} | {e: peer for e, peer in ends.items() if peer}


def _end(rule: Document, prefix: str) -> Document:
    service = rule.get(f"{prefix}Service")
    services = {"name": service, "namespace": rule.get(f"{prefix}ServiceNamespace")} if service else None
    return _present(selector=rule.get(f"{prefix}Selector"), services=services)


def _workload_endpoint(key: Document, value: Document) -> Document:
    spec = _present(
        node=key["Hostname"], orchestrator=key["OrchestratorID"], workload=key["WorkloadID"], endpoint=key["EndpointID"],
        interfaceName=value["Name"], mac=value.get("Mac"), profiles=value.get("ProfileIDs"),
        ipNetworks=[*value.get("IPv4Nets", ()), *value.get("IPv6Nets", ())],
        ports=[_port(port) for port in value.get("Ports", ())],
    )  # fmt: skip
    labels = value.get("Labels", {})
    return _calico("WorkloadEndpoint", endpoint_name(key), spec, namespace=NAMESPACE, labels=labels)


def _port(port: Document) -> Document:
    return {"name": port["Name"], "protocol": port["Protocol"].upper(), "port": port["Port"]}


def _host_endpoint(key: Document, value: Document) -> Document:
    spec = _present(
        node=key["Hostname"], interfaceName=value.get("Name"), profiles=value.get("ProfileIDs"),
        expectedIPs=[*value.get("ExpectedIPv4Addrs", ()), *value.get("ExpectedIPv6Addrs", ())],
    )  # fmt: skip
    return _calico("HostEndpoint", endpoint_name(key), spec, labels=value.get("Labels", {}))


def _profile_rules(key: Document, value: Document) -> Document:
    rules = {"ingress": _rules(value.get("InboundRules")), "egress": _rules(value.get("OutboundRules"))}
    return _calico("Profile", key["ProfileKey"]["Name"], rules)


def _network_set(key: Document, value: Document) -> Document:
    return _calico("GlobalNetworkSet", key["Name"], {"nets": value["Nets"]}, labels=value.get("Labels", {}))


def _pool(key: Document, value: Document) -> Document:
    spec = _present(
        cidr=value["CIDR"], natOutgoing=value.get("Masquerade"),
        vxlanMode=_mode(value.get("VXLANMode")), ipipMode=_mode(value.get("IPIPMode")),
    )  # fmt: skip
    return _calico("IPPool", key["CIDR"].replace("/", "-").replace(":", "-").replace(".", "-"), spec)


def _mode(text: str | None) -> str:
    return {"always": "Always", "cross-subnet": "CrossSubnet"}.get(text or "", "Never")


_TUNNELS = {"IPv4VXLANTunnelAddr": "ipv4VXLANTunnelAddr", "IPv6VXLANTunnelAddr": "ipv6VXLANTunnelAddr"}


def _host_setting(key: Document, value: str) -> Document:
    return _calico("Node", key["Hostname"], {_TUNNELS[key["Name"]]: value})


def _global_setting(key: Document, value: str) -> Document:
    name = key["Name"]
    return _calico("FelixConfiguration", "default", {name[0].lower() + name[1:]: value})


def _resource_document(key: Document, value: Document) -> Document:
    return _RESOURCES[key["Kind"]](key, value)


def _profile(key: Document, value: Document) -> Document:
    return _calico("Profile", key["Name"], {"labelsToApply": value["Spec"]["LabelsToApply"]})


def _node(key: Document, value: Document) -> Document:
    bgp = {name.replace("IPv", "ipv"): address for name, address in value["Spec"]["BGP"].items()}
    return _calico("Node", key["Name"], {"bgp": bgp})


def _endpoint_slice(key: Document, value: Document) -> Document:
    endpoints = [{"addresses": endpoint["Addresses"]} for endpoint in value["Endpoints"]]
    ports = [{"port": port["Port"], "protocol": port["Protocol"]} for port in value["Ports"]]
    labels = value["ObjectMeta"]["Labels"]
    metadata = {"name": key["Name"], "namespace": key["Namespace"], "labels": labels}
    return {
        "apiVersion": ENDPOINT_SLICE.api_version, "kind": ENDPOINT_SLICE.name, "metadata": metadata, "addressType": "IPv4",
        "endpoints": endpoints, "ports": ports,
    }  # fmt: skip


_RESOURCES: Mapping[str, Callable[[Document, Document], Document]] = {
    "Profile": _profile,
    "Node": _node,
    "KubernetesEndpointSlice": _endpoint_slice,
}
_PARTS: Mapping[str, Callable[[Document, Any], Document]] = {
    "TierKey": _tier,
    "PolicyKey": _policy,
    "WorkloadEndpointKey": _workload_endpoint,
    "HostEndpointKey": _host_endpoint,
    "ProfileRulesKey": _profile_rules,
    "NetworkSetKey": _network_set,
    "IPPoolKey": _pool,
    "HostConfigKey": _host_setting,
    "GlobalConfigKey": _global_setting,
    "ResourceKey": _resource_document,
}
