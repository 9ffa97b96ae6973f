"""Nodes, pools, BGP and the blocks of IPAM: what routing is made of."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal, TypeAlias

import msgspec

from tortie.model.meta import Resource, Value
from tortie.net import Network

AS_NUMBER_TEXT: dict[str, Any] = {"written": "number, decimal text or hi.lo"}
"""Marks a field where people may write text for a number; stored is always the number."""
ASNumber: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=4294967295, extra=AS_NUMBER_TEXT)]
"""A 32-bit autonomous system number."""


class NodeBGPSpec(Value, frozen=True, kw_only=True):
    as_number: ASNumber | None = None
    """Absent: the cluster's default, from BGPConfiguration."""
    ipv4_address: str = ""
    """The node's address, with or without the length of its subnet: ``172.30.0.1/24``."""
    ipv6_address: str = ""
    route_reflector_cluster_id: str = msgspec.field(default="", name="routeReflectorClusterID")
    """Set on a route reflector, which takes no part in the mesh."""


class NodeSpec(Value, frozen=True, kw_only=True):
    bgp: NodeBGPSpec | None = None


class Node(Resource, frozen=True, kw_only=True, tag="Node"):
    api_version: Literal["projectcalico.org/v3"] = "projectcalico.org/v3"
    spec: NodeSpec


class IPPoolSpec(Value, frozen=True, kw_only=True):
    cidr: Network
    vxlan_mode: str = "Never"
    ipip_mode: str = "Never"
    nat_outgoing: bool = False
    disabled: bool = False
    disable_bgp_export: bool = msgspec.field(default=False, name="disableBGPExport")
    block_size: int = 0
    """Prefix length of its blocks; 0 means 26 (IPv4) or 122 (IPv6)."""
    node_selector: str = "all()"
    allowed_uses: tuple[str, ...] = ("Workload", "Tunnel")
    assignment_mode: str = "Automatic"


class IPPool(Resource, frozen=True, kw_only=True, tag="IPPool"):
    api_version: Literal["projectcalico.org/v3"] = "projectcalico.org/v3"
    spec: IPPoolSpec


class BGPConfigurationSpec(Value, frozen=True, kw_only=True):
    log_severity_screen: str = "Info"
    node_to_node_mesh_enabled: bool = True
    as_number: ASNumber = 64512
    listen_port: int = 179
    node_mesh_max_restart_time: str = ""
    """How long a peer's routes are kept after its session broke, a Go duration such as ``5s``; empty means BIRD's 120 s."""


class BGPConfiguration(Resource, frozen=True, kw_only=True, tag="BGPConfiguration"):
    """Named ``default``, or ``node.<name>`` for one node."""

    api_version: Literal["projectcalico.org/v3"] = "projectcalico.org/v3"
    spec: BGPConfigurationSpec


class BGPPeerSpec(Value, frozen=True, kw_only=True):
    node: str = ""
    """The node that has this peer; empty: all of them."""
    peer_ip: str = msgspec.field(default="", name="peerIP")
    """An address, with a port where it is not 179: ``10.0.0.1:1179``, ``[fd00::1]:1179``."""
    as_number: ASNumber = 0
    max_restart_time: str = ""


class BGPPeer(Resource, frozen=True, kw_only=True, tag="BGPPeer"):
    api_version: Literal["projectcalico.org/v3"] = "projectcalico.org/v3"
    spec: BGPPeerSpec


class ClusterInformationSpec(Value, frozen=True, kw_only=True):
    cluster_guid: str = msgspec.field(default="", name="clusterGUID")
    cluster_type: str = ""
    datastore_ready: bool | None = None


class ClusterInformation(Resource, frozen=True, kw_only=True, tag="ClusterInformation"):
    api_version: Literal["projectcalico.org/v3"] = "projectcalico.org/v3"
    spec: ClusterInformationSpec


class AffinityState(StrEnum):
    """Of a block affinity. Only a confirmed one is advertised and allocated from; an absent state means confirmed."""

    CONFIRMED = "confirmed"
    PENDING = "pending"
    PENDING_DELETION = "pendingDeletion"


class BlockAffinity(Value, frozen=True, kw_only=True, omit_defaults=False):
    """A host's claim on one IPAM block; the value at ``/calico/ipam/v2/host/<host>/ipv4/block/<cidr>``."""

    state: AffinityState = AffinityState.CONFIRMED
    deleted: bool = False
