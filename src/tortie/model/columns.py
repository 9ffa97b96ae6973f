"""What a table of resources shows: columns per kind, as Calico's command has them.

A column reads the plain document, so that a stored object that breaks its declaration can still be listed. The columns
NAMESPACE and NAME are the printer's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from tortie.model import kinds
from tortie.model.codec import Document
from tortie.model.kinds import Kind


class Column(NamedTuple):
    """One column of a kind's table."""

    header: str
    text: Callable[[Document], str]
    wide: bool = False
    """Shown only in a wide table."""


def columns(kind: Kind, *, wide: bool) -> tuple[Column, ...]:
    """The columns of *kind*, after its name."""
    return tuple(column for column in COLUMNS.get(kind, ()) if wide or not column.wide)


def _field(*path: str, unset: str = "") -> Callable[[Document], str]:
    """The text of one field; *unset* where it is absent."""

    def text(document: Document) -> str:
        value: Any = document
        for part in path:
            value = value.get(part) if isinstance(value, dict) else None
        return unset if value in (None, "", [], {}) else _text(value)

    return text


def _text(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case float():
            return f"{value:.15g}"
        case dict():
            return ",".join(f"{name}={_text(item)}" for name, item in sorted(value.items()))
        case list():
            return ",".join(_text(item) for item in value)
        case _:
            return str(value)


def _items(*path: str, item: str) -> Callable[[Document], str]:
    """One field of every item of a list."""

    def text(document: Document) -> str:
        value: Any = document
        for part in path:
            value = value.get(part) if isinstance(value, dict) else None
        entries = value if isinstance(value, list) else []
        return ",".join(_text(entry[item]) for entry in entries if isinstance(entry, dict) and item in entry)

    return text


def _pod_selector(document: Document) -> str:
    selector = document.get("spec", {}).get("podSelector") or {}
    parts = [_text(selector["matchLabels"])] if selector.get("matchLabels") else []
    for requirement in selector.get("matchExpressions", ()):
        values = f" ({','.join(requirement['values'])})" if requirement.get("values") else ""
        parts.append(f"{requirement.get('key', '')} {requirement.get('operator', '')}{values}")
    return ",".join(parts) or "<all>"


def _service_ports(document: Document) -> str:
    ports = document.get("spec", {}).get("ports", ())
    return ",".join(f"{port.get('port', '')}/{port.get('protocol', 'TCP')}" for port in ports)


_POLICY = (
    Column("TIER", _field("spec", "tier", unset="default")),
    Column("ORDER", _field("spec", "order", unset="*"), wide=True),
    Column("SELECTOR", _field("spec", "selector"), wide=True),
)
_LABELS = Column("LABELS", _field("metadata", "labels"))

COLUMNS: Mapping[Kind, tuple[Column, ...]] = {
    kinds.TIER: (
        Column("ORDER", _field("spec", "order", unset="*")),
        Column("DEFAULTACTION", _field("spec", "defaultAction", unset="Deny"), wide=True),
    ),
    kinds.PROFILE: (Column("LABELS", _field("spec", "labelsToApply"), wide=True),),
    kinds.NETWORK_POLICY: _POLICY,
    kinds.GLOBAL_NETWORK_POLICY: _POLICY,
    kinds.WORKLOAD_ENDPOINT: (
        Column("NODE", _field("spec", "node")),
        Column("NETWORKS", _field("spec", "ipNetworks")),
        Column("INTERFACE", _field("spec", "interfaceName")),
        Column("PROFILES", _field("spec", "profiles"), wide=True),
        Column("NATS", _items("spec", "ipNATs", item="externalIP"), wide=True),
    ),
    kinds.NODE: (
        Column("ASN", _field("spec", "bgp", "asNumber", unset="(default)"), wide=True),
        Column("IPV4", _field("spec", "bgp", "ipv4Address"), wide=True),
        Column("IPV6", _field("spec", "bgp", "ipv6Address"), wide=True),
    ),
    kinds.IP_POOL: (
        Column("CIDR", _field("spec", "cidr")),
        Column("SELECTOR", _field("spec", "nodeSelector", unset="all()")),
        Column("NAT", _field("spec", "natOutgoing", unset="false"), wide=True),
        Column("IPIPMODE", _field("spec", "ipipMode", unset="Never"), wide=True),
        Column("VXLANMODE", _field("spec", "vxlanMode", unset="Never"), wide=True),
        Column("DISABLED", _field("spec", "disabled", unset="false"), wide=True),
        Column("DISABLEBGPEXPORT", _field("spec", "disableBGPExport", unset="false"), wide=True),
        Column("ASSIGNMENTMODE", _field("spec", "assignmentMode", unset="Automatic"), wide=True),
    ),
    kinds.BGP_CONFIGURATION: (
        Column("LOGSEVERITY", _field("spec", "logSeverityScreen", unset="Info")),
        Column("MESHENABLED", _field("spec", "nodeToNodeMeshEnabled", unset="(default)")),
        Column("ASNUMBER", _field("spec", "asNumber", unset="(default)")),
    ),
    kinds.BGP_PEER: (
        Column("PEERIP", _field("spec", "peerIP")),
        Column("NODE", _field("spec", "node", unset="(global)")),
        Column("ASN", _field("spec", "asNumber", unset="0")),
    ),
    kinds.CLUSTER_INFORMATION: (
        Column("CLUSTERGUID", _field("spec", "clusterGUID")),
        Column("CLUSTERTYPE", _field("spec", "clusterType")),
        Column("DATASTOREREADY", _field("spec", "datastoreReady", unset="(default)")),
    ),
    kinds.K8S_NETWORK_POLICY: (Column("POD-SELECTOR", _pod_selector),),
    kinds.NAMESPACE: (_LABELS,),
    kinds.POD: (
        Column("STATUS", _field("status", "phase", unset="Pending")),
        Column("NODE", _field("spec", "nodeName", unset="<none>")),
        Column("IPS", _items("status", "podIPs", item="ip")),
        Column("LABELS", _field("metadata", "labels"), wide=True),
    ),
    kinds.SERVICE: (
        Column("TYPE", _field("spec", "type", unset="ClusterIP")),
        Column("PORTS", _service_ports),
        Column("SELECTOR", _field("spec", "selector"), wide=True),
    ),
}
