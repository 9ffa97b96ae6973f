"""Documents of small clusters, written short."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Document = dict[str, Any]


def pod(
    name: str, ip: str | Sequence[str] = (), *, node: str = "", labels: Mapping[str, str] | None = None, **spec: Any
) -> Document:
    """``namespace/name``, with its addresses if it has some."""
    namespace, _, own = name.partition("/")
    addresses = [ip] if isinstance(ip, str) else list(ip)
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": own, "namespace": namespace, "labels": dict(labels or {"app": own})},
        "spec": {"containers": [{"name": "main"}], **({"nodeName": node} if node else {}), **spec},
        "status": {"podIPs": [{"ip": address} for address in addresses]},
    }


def kubernetes_policy(name: str, **spec: Any) -> Document:
    namespace, _, own = name.partition("/")
    metadata = {"name": own, "namespace": namespace}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata,
        "spec": {"podSelector": {}, **spec},
    }


def calico(kind: str, name: str, *, labels: Mapping[str, str] | None = None, **spec: Any) -> Document:
    """Of a kind of Calico's; ``namespace/name`` for those that are namespaced."""
    namespace, slash, own = name.rpartition("/")
    metadata = {
        "name": own,
        **({"namespace": namespace} if slash else {}),
        **({"labels": dict(labels)} if labels else {}),
    }
    return {"apiVersion": "projectcalico.org/v3", "kind": kind, "metadata": metadata, "spec": spec}


def node(name: str, address: str) -> Document:
    return calico("Node", name, bgp={"ipv4Address": address})
