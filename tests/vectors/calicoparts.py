"""Parts of Calico's API inside the smallest object that can hold them, and the ways in which Go prints its own types.

The vectors name a part by its Go type. A part that is not in the table is one that the project does not have.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from tortie.model.codec import Document
from tortie.model.kinds import KINDS
from tortie.model.meta import CALICO
from tortie.model.scalars import format_duration

Holder: TypeAlias = Callable[[Any], Document]


def _object(kind: str, spec: object, name: str = "test") -> Document:
    return {"apiVersion": CALICO, "kind": kind, "metadata": {"name": name}, "spec": spec}


def _rule(rule: object) -> Document:
    return _object("NetworkPolicy", {"ingress": [rule]})


def _entity(entity: Document) -> Document:
    protocol = {"protocol": "TCP"} if entity.get("ports") or entity.get("notPorts") else {}
    return _rule({"action": "Allow", **protocol, "source": entity})


def _workload(spec: Document) -> Document:
    identifiers = {"node": "n", "orchestrator": "k8s", "pod": "p", "endpoint": "eth0", "interfaceName": "cali0"}
    return _object("WorkloadEndpoint", {**identifiers, **spec}, name="n-k8s-p-eth0")


def _nat(nat: Document) -> Document:
    internal = str(nat.get("internalIP"))
    return _workload({"ipNetworks": [f"{internal}/{128 if ':' in internal else 32}"], "ipNATs": [nat]})


def _controllers(controller: str) -> Holder:
    return lambda part: _object("KubeControllersConfiguration", {"controllers": {controller: part}}, name="default")


def _host(field: str, part: object) -> Document:
    return _object("HostEndpoint", {"node": "n", "interfaceName": "eth0", field: [part]})


HOLDERS: Mapping[str, Holder] = {
    "Rule": _rule,
    "EntityRule": _entity,
    "ICMPFields": lambda part: _rule({"action": "Allow", "protocol": "ICMP", "icmp": part}),
    "HTTPMatch": lambda part: _rule({"action": "Allow", "http": part}),
    "HTTPPath": lambda part: _rule({"action": "Allow", "http": {"paths": [part]}}),
    "ServiceMatch": lambda part: _object("NetworkPolicy", {"egress": [{"action": "Allow", "destination": {"services": part}}]}),
    "ServiceAccountMatch": lambda part: _entity({"serviceAccounts": part}),
    "RuleMetadata": lambda part: _rule({"action": "Allow", "metadata": part}),
    "Protocol": lambda part: _rule({"action": "Allow", "protocol": part}),
    "Uint8OrString": lambda part: _rule({"action": "Allow", "protocol": part}),
    "Port": lambda part: _rule({"action": "Allow", "protocol": "TCP", "destination": {"ports": [part]}}),
    "WorkloadEndpointPort": lambda part: _workload({"ports": [part]}),
    "EndpointPort": lambda part: _host("ports", part),
    "IPNAT": _nat,
    "QoSControls": lambda part: _workload({"qosControls": part}),
    "WorkloadEndpointSpec": _workload,
    "BGPFilterRuleV4": lambda part: _object("BGPFilter", {"importV4": [part]}),
    "BGPFilterRuleV6": lambda part: _object("BGPFilter", {"importV6": [part]}),
    "BGPFilterOperation": lambda part: _object("BGPFilter", {"importV4": [{"action": "Accept", "operations": [part]}]}),
    "BGPPassword": lambda part: _object("BGPPeer", {"peerIP": "192.0.2.1", "password": part}),
    "NodeControllerConfig": _controllers("node"),
    "PolicyControllerConfig": _controllers("policy"),
    "WorkloadEndpointControllerConfig": _controllers("workloadEndpoint"),
    "ServiceAccountControllerConfig": _controllers("serviceAccount"),
    "NamespaceControllerConfig": _controllers("namespace"),
    "LoadBalancerControllerConfig": _controllers("loadBalancer"),
}  # fmt: skip

_DEFAULT_NAMED = ("KubeControllersConfiguration", "IPAMConfiguration", "BGPConfiguration", "FelixConfiguration")


def holder(part_type: str) -> Holder | None:
    """What makes a document of a part, or of a whole kind; None for a type that the project does not have."""
    if part_type in HOLDERS:
        return HOLDERS[part_type]
    kinds = {kind.name for kind in KINDS if not kind.is_kubernetes}
    if part_type in kinds:
        return lambda whole: whole
    kind = part_type.removesuffix("Spec")
    if kind in kinds and kind != part_type:
        return lambda spec: _object(kind, spec, name="default" if kind in _DEFAULT_NAMED else "test")
    return None


def from_go(value: Any) -> Any:
    """*value* with Go's own structs as the API writes them: a duration, a number or string, an embedded struct."""
    match value:
        case {"duration": int(ns)} if len(value) == 1:
            return format_duration(ns)
        case {"type": 0 | 1 as which, **rest} if rest and rest.keys() <= {"strVal", "numVal", "intVal"}:
            return rest.get("strVal", "") if which else rest.get("numVal", rest.get("intVal", 0))
        case {"localObjectReference": dict(embedded), **rest}:
            return from_go({**embedded, **rest})
        case dict():
            return {name: from_go(item) for name, item in value.items()}
        case list():
            return [from_go(item) for item in value]
        case _:
            return value
