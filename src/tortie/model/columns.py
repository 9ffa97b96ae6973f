"""What a table of resources shows: columns per kind, as Calico's command has them.

A column reads the plain document, so that a stored object that breaks its declaration can still be listed. The columns
NAMESPACE and NAME are the printer's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
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


def _at(document: Document, path: tuple[str, ...]) -> Any:
    """What stands at *path*; None where nothing does."""
    value: Any = document
    for part in path:
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _mappings(document: Document, *path: str) -> Iterator[dict[str, Any]]:
    """The mappings in the list at *path*; what else a damaged value has there is passed over."""
    value = _at(document, path)
    return (entry for entry in value if isinstance(entry, dict)) if isinstance(value, list) else iter(())


def _field(*path: str, unset: str = "") -> Callable[[Document], str]:
    """The text of one field; *unset* where it is absent."""

    def text(document: Document) -> str:
        value = _at(document, path)
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
        return ",".join(_text(entry[item]) for entry in _mappings(document, *path) if item in entry)

    return text


def _first(*choices: Callable[[Document], str]) -> Callable[[Document], str]:
    """The first text that is not empty."""
    return lambda document: next((text for choice in choices if (text := choice(document))), "")


def _count(*path: str) -> Callable[[Document], str]:
    """How many items a list has."""

    def text(document: Document) -> str:
        value = _at(document, path)
        return str(len(value)) if isinstance(value, list) else "0"

    return text


def _keys(*path: str) -> Callable[[Document], str]:
    """The names of the fields that a mapping has."""

    def text(document: Document) -> str:
        value = _at(document, path)
        return ",".join(sorted(value)) if isinstance(value, dict) else ""

    return text


def _shortened(whole: Callable[[Document], str], length: int) -> Callable[[Document], str]:
    """The first *length* characters, the last three of them dots if there is more."""

    def text(document: Document) -> str:
        full = whole(document)
        return full if len(full) <= length else f"{full[: length - 3]}..."

    return text


def _pod_selector(document: Document) -> str:
    selector = ("spec", "podSelector")
    labels = _at(document, (*selector, "matchLabels"))
    parts = [_text(labels)] if labels else []
    for requirement in _mappings(document, *selector, "matchExpressions"):
        values = f" ({_text(requirement['values'])})" if requirement.get("values") else ""
        parts.append(f"{requirement.get('key', '')} {requirement.get('operator', '')}{values}")
    return ",".join(parts) or "<all>"


def _peering_nodes(document: Document) -> str:
    """The node, or the selector of nodes, of a BGPPeer; neither means all of them."""
    return _field("spec", "node")(document) or _field("spec", "nodeSelector", unset="(global)")(document)


def _service_ports(document: Document) -> str:
    ports = _mappings(document, "spec", "ports")
    return ",".join(f"{port.get('port', '')}/{port.get('protocol', 'TCP')}" for port in ports)


_POLICY = (
    Column("TIER", _field("spec", "tier", unset="default")),
    Column("ORDER", _field("spec", "order", unset="*"), wide=True),
    Column("SELECTOR", _field("spec", "selector"), wide=True),
)
_NETS = Column("NETS", _shortened(_field("spec", "nets"), 80), wide=True)
_LABELS = Column("LABELS", _field("metadata", "labels"))

COLUMNS: Mapping[Kind, tuple[Column, ...]] = {
    kinds.TIER: (
        Column("ORDER", _field("spec", "order", unset="*")),
        Column("DEFAULTACTION", _field("spec", "defaultAction", unset="Deny"), wide=True),
    ),
    kinds.PROFILE: (Column("LABELS", _field("spec", "labelsToApply"), wide=True),),
    kinds.NETWORK_POLICY: _POLICY,
    kinds.GLOBAL_NETWORK_POLICY: _POLICY,
    kinds.STAGED_NETWORK_POLICY: _POLICY,
    kinds.STAGED_GLOBAL_NETWORK_POLICY: _POLICY,
    kinds.STAGED_KUBERNETES_NETWORK_POLICY: (Column("PODSELECTOR", _pod_selector, wide=True),),
    kinds.NETWORK_SET: (_NETS,),
    kinds.GLOBAL_NETWORK_SET: (_NETS,),
    kinds.HOST_ENDPOINT: (
        Column("NODE", _field("spec", "node")),
        Column("INTERFACE", _field("spec", "interfaceName"), wide=True),
        Column("IPS", _field("spec", "expectedIPs"), wide=True),
        Column("PROFILES", _field("spec", "profiles"), wide=True),
    ),
    kinds.WORKLOAD_ENDPOINT: (
        Column("WORKLOAD", _first(_field("spec", "workload"), _field("spec", "pod"))),
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
        Column("NODE", _peering_nodes),
        Column("ASN", _field("spec", "asNumber", unset="0")),
        Column("PEERSELECTOR", _field("spec", "peerSelector"), wide=True),
    ),
    kinds.BGP_FILTER: tuple(
        Column(field.upper(), _count("spec", field), wide=True)
        for field in ("exportV4", "importV4", "exportV6", "importV6")
    ),
    kinds.IP_RESERVATION: (Column("CIDRS", _shortened(_field("spec", "reservedCIDRs"), 80)),),
    kinds.IPAM_CONFIGURATION: (
        Column("STRICTAFFINITY", _field("spec", "strictAffinity", unset="false")),
        Column("AUTOALLOCATEBLOCKS", _field("spec", "autoAllocateBlocks", unset="true")),
        Column("MAXBLOCKSPERHOST", _field("spec", "maxBlocksPerHost", unset="0")),
    ),
    kinds.BLOCK_AFFINITY: (
        Column("CIDR", _field("spec", "cidr")),
        Column("NODE", _field("spec", "node")),
        Column("STATE", _field("spec", "state")),
        Column("TYPE", _field("spec", "type", unset="host"), wide=True),
    ),
    kinds.CALICO_NODE_STATUS: (
        Column("NODE", _field("spec", "node")),
        Column("CLASSES", _field("spec", "classes")),
        Column("UPDATED", _field("status", "lastUpdated", unset="never")),
        Column("PERIOD", _field("spec", "updatePeriodSeconds"), wide=True),
    ),
    kinds.FELIX_CONFIGURATION: (
        Column("LOGSEVERITY", _field("spec", "logSeverityScreen", unset="Info")),
        Column("NODESELECTOR", _field("spec", "nodeSelector"), wide=True),
        Column("SETTINGS", _keys("spec"), wide=True),
    ),
    kinds.KUBE_CONTROLLERS_CONFIGURATION: (
        Column("LOGSEVERITY", _field("spec", "logSeverityScreen", unset="Info")),
        Column("CONTROLLERS", _keys("spec", "controllers"), wide=True),
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
        _LABELS._replace(wide=True),
    ),
    kinds.SERVICE: (
        Column("TYPE", _field("spec", "type", unset="ClusterIP")),
        Column("PORTS", _service_ports),
        Column("SELECTOR", _field("spec", "selector"), wide=True),
    ),
    kinds.SERVICE_ACCOUNT: (_LABELS._replace(wide=True),),
    kinds.ENDPOINT_SLICE: (
        Column("ADDRESSTYPE", _field("addressType")),
        Column("PORTS", _items("ports", item="port")),
        Column("ENDPOINTS", _items("endpoints", item="addresses")),
    ),
    kinds.CLUSTER_NETWORK_POLICY: (
        Column("TIER", _field("spec", "tier")),
        Column("PRIORITY", _field("spec", "priority")),
    ),
    kinds.POLICY_TEST: (
        Column("TESTS", _count("spec", "tests")),
        Column("NAMES", _shortened(_items("spec", "tests", item="name"), 80), wide=True),
    ),
}
