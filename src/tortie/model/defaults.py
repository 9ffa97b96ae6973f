"""What is added to a document when it is stored; what is taken away when it is read back is in ``stored``.

``with_defaults`` is what Calico's client writes into every object of its kinds (libcalico-go's clientv3 and CRD defaults),
so that both see the same value; Kubernetes objects get nothing. uid and creationTimestamp come in as arguments: nothing
here is random or knows the time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from tortie.model import kinds
from tortie.model.checks.policy import BUILT_IN_TIERS
from tortie.model.codec import Document, encode_document, to_document
from tortie.model.felix import STORED_DEFAULTS
from tortie.model.kinds import Kind
from tortie.model.meta import NAMESPACE_LABEL, ORCHESTRATOR_LABEL, Resource
from tortie.model.stored import NAME_ANNOTATION
from tortie.net import Family, Network

TIER_LABEL = "projectcalico.org/tier"

_NEVER_STORED = ("resourceVersion", "selfLink", "generateName")


def with_defaults(document: Document) -> Document:
    """*document* with everything that Calico adds when it stores such an object; the argument is not changed."""
    kind = kinds.kind_with_header(document["apiVersion"], document["kind"])
    add = _DEFAULTS.get(kind) if kind else None
    if add is None:
        return document
    copy = {**document, "metadata": dict(document["metadata"]), "spec": dict(document.get("spec") or {})}
    add(copy)
    return copy


def for_storage(item: Resource | Document, *, uid: str, creation_timestamp: str) -> bytes:
    """The bytes to store for *item*, defaults filled in; *creation_timestamp* is RFC 3339 in whole seconds, UTC.

    Both arguments replace what *item* carries. The revision is the store's and is never part of the value.
    """
    document = with_defaults(to_document(item) if isinstance(item, Resource) else item)
    metadata = {name: value for name, value in document["metadata"].items() if name not in _NEVER_STORED}
    metadata |= {"uid": uid, "creationTimestamp": creation_timestamp}
    return encode_document({**document, "metadata": metadata})


# --- per kind: each fills in its argument, whose metadata and spec are copies --------------------------------------------------


def _policy(document: Document) -> None:
    spec = document["spec"]
    _whole_order(spec)
    _in_tier(document)
    if not spec.get("types"):
        ingress = ["Ingress"] if spec.get("ingress") or not spec.get("egress") else []
        spec["types"] = ingress + (["Egress"] if spec.get("egress") else [])


def _in_tier(document: Document) -> None:
    """The tier, as a field and a label, and the policy's own name."""
    metadata, spec = document["metadata"], document["spec"]
    spec.setdefault("tier", "default")
    metadata["labels"] = {**(metadata.get("labels") or {}), TIER_LABEL: spec["tier"]}
    name = msgspec.json.encode({"name": metadata["name"]}).decode()
    metadata["annotations"] = {**(metadata.get("annotations") or {}), NAME_ANNOTATION: name}


def _staged_policy(document: Document) -> None:
    document["spec"].setdefault("stagedAction", "Set")
    if document["spec"]["stagedAction"] == "Delete":
        _in_tier(document)  # a deletion governs no direction
    else:
        _policy(document)


def _staged_kubernetes_policy(document: Document) -> None:
    document["spec"].setdefault("stagedAction", "Set")
    document["spec"].setdefault("podSelector", {})


def _whole_order(spec: Document) -> None:
    """1000, as Calico writes it, where a typed resource has 1000.0."""
    order = spec.get("order")
    if isinstance(order, float) and order.is_integer():
        spec["order"] = int(order)


def _tier(document: Document) -> None:
    _whole_order(document["spec"])
    order, _ = BUILT_IN_TIERS.get(document["metadata"]["name"], BUILT_IN_TIERS["default"])
    document["spec"].setdefault("order", order)
    document["spec"].setdefault("defaultAction", "Deny")
    document.setdefault("status", {})


def _node(document: Document) -> None:
    document.setdefault("status", {})


def _pool(document: Document) -> None:
    spec = document["spec"]
    family = Network.parse(spec["cidr"]).family
    filled = {
        "vxlanMode": "Never", "ipipMode": "Never", "blockSize": 26 if family is Family.V4 else 122, "nodeSelector": "all()",
        "allowedUses": ["Workload", "Tunnel"], "assignmentMode": "Automatic",
    }  # fmt: skip
    for field, value in filled.items():
        spec.setdefault(field, value)


def _bgp_configuration(document: Document) -> None:
    document["spec"].setdefault("logSeverityScreen", "Info")
    document["spec"].setdefault("serviceLoadBalancerAggregation", "Enabled")


def _felix_configuration(document: Document) -> None:
    document["spec"] = {**STORED_DEFAULTS, **document["spec"]}


def _ipam_configuration(document: Document) -> None:
    document["spec"].setdefault("strictAffinity", False)
    document["spec"].setdefault("autoAllocateBlocks", True)


def _kube_controllers_configuration(document: Document) -> None:
    spec = document["spec"]
    spec.setdefault("healthChecks", "Enabled")
    spec.setdefault("prometheusMetricsPort", 9094)
    controllers = dict(spec.get("controllers") or {})
    if "node" in controllers:
        controllers["node"] = {"leakGracePeriod": "15m0s", **controllers["node"]}
    spec["controllers"] = controllers
    document.setdefault("status", {})


def _calico_node_status(document: Document) -> None:
    """An empty status is written out, as Go does with structs that are no pointers."""
    status = dict(document.get("status") or {})
    status.setdefault("lastUpdated", None)
    status["agent"] = {"birdV4": {}, "birdV6": {}, **status.get("agent", {})}
    counters = ("numberEstablishedV4", "numberNotEstablishedV4", "numberEstablishedV6", "numberNotEstablishedV6")
    status["bgp"] = {**dict.fromkeys(counters, 0), **status.get("bgp", {})}
    status.setdefault("routes", {})
    document["status"] = status


def _endpoint(document: Document) -> None:
    """Labels that nobody may choose: policy selects by them."""
    metadata = document["metadata"]
    forced = {
        NAMESPACE_LABEL: metadata.get("namespace", ""),
        ORCHESTRATOR_LABEL: document["spec"].get("orchestrator", ""),
    }
    metadata["labels"] = {**(metadata.get("labels") or {}), **forced}


_DEFAULTS: Mapping[Kind, Callable[[Document], None]] = {
    kinds.NETWORK_POLICY: _policy,
    kinds.GLOBAL_NETWORK_POLICY: _policy,
    kinds.STAGED_NETWORK_POLICY: _staged_policy,
    kinds.STAGED_GLOBAL_NETWORK_POLICY: _staged_policy,
    kinds.STAGED_KUBERNETES_NETWORK_POLICY: _staged_kubernetes_policy,
    kinds.TIER: _tier,
    kinds.NODE: _node,
    kinds.IP_POOL: _pool,
    kinds.IPAM_CONFIGURATION: _ipam_configuration,
    kinds.BGP_CONFIGURATION: _bgp_configuration,
    kinds.FELIX_CONFIGURATION: _felix_configuration,
    kinds.CALICO_NODE_STATUS: _calico_node_status,
    kinds.KUBE_CONTROLLERS_CONFIGURATION: _kube_controllers_configuration,
    kinds.WORKLOAD_ENDPOINT: _endpoint,
}
