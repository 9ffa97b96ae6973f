"""Nodes. Pools, blocks and BGP, the rest of what routing is made of, can be imported from here too."""

from __future__ import annotations

from typing import Literal

import msgspec

from tortie.model.bgp import BGPConfiguration, BGPConfigurationSpec, BGPPeer, BGPPeerSpec
from tortie.model.configuration import ClusterInformation, ClusterInformationSpec
from tortie.model.ipam import AffinityState, BlockAffinity, IPPool, IPPoolSpec
from tortie.model.meta import Resource, Value
from tortie.model.scalars import AS_NUMBER_TEXT, ASNumber

__all__ = [
    "AS_NUMBER_TEXT",
    "ASNumber",
    "AffinityState",
    "BGPConfiguration",
    "BGPConfigurationSpec",
    "BGPPeer",
    "BGPPeerSpec",
    "BlockAffinity",
    "ClusterInformation",
    "ClusterInformationSpec",
    "IPPool",
    "IPPoolSpec",
    "Node",
    "NodeAddress",
    "NodeBGPSpec",
    "NodeInterface",
    "NodeSpec",
    "NodeStatus",
    "NodeWireguardSpec",
    "OrchRef",
]


class NodeBGPSpec(Value, frozen=True, kw_only=True):
    """A node's part in BGP; says something, if it is there."""

    as_number: ASNumber | None = None
    """The node's AS number; absent: the cluster's default, from BGPConfiguration."""
    ipv4_address: str = ""
    """The node's address, with or without the length of its subnet: ``172.30.0.1/24``."""
    ipv6_address: str = ""
    """The node's IPv6 address, with or without the length of its subnet: ``fd00::1/64``."""
    ipv4_ipip_tunnel_addr: str = msgspec.field(default="", name="ipv4IPIPTunnelAddr")
    """The address of the node's IPIP tunnel, from a pool."""
    route_reflector_cluster_id: str = msgspec.field(default="", name="routeReflectorClusterID")
    """Set on a route reflector, which takes no part in the mesh; has the form of an IPv4 address."""


class OrchRef(Value, frozen=True, kw_only=True):
    """What an orchestrator calls the node."""

    node_name: str = ""
    """The orchestrator's name of the node; empty: ours."""
    orchestrator: str
    """Which orchestrator, such as ``k8s``."""


class NodeWireguardSpec(Value, frozen=True, kw_only=True):
    """The node's WireGuard interfaces."""

    interface_ipv4_address: str = msgspec.field(default="", name="interfaceIPv4Address")
    """The address of the interface for IPv4, from a pool."""
    interface_ipv6_address: str = msgspec.field(default="", name="interfaceIPv6Address")
    """The address of the interface for IPv6, from a pool."""


class NodeAddress(Value, frozen=True, kw_only=True):
    """An address by which the node is known."""

    address: str
    """The address, with or without the length of its subnet."""
    type: Literal["CalicoNodeIP", "InternalIP", "ExternalIP"] | None = None
    """Whether it is of BGP, or of the cluster, or how others reach the node."""


class NodeInterface(Value, frozen=True, kw_only=True):
    """A network interface of the node."""

    name: str = ""
    """The interface's name."""
    addresses: tuple[str, ...] = ()
    """Its addresses."""


class NodeSpec(Value, frozen=True, kw_only=True):
    """What is known about a node."""

    bgp: NodeBGPSpec | None = None
    """The node's part in BGP; absent: it has none."""
    ipv4_vxlan_tunnel_addr: str = msgspec.field(default="", name="ipv4VXLANTunnelAddr")
    """The address of the node's VXLAN tunnel for IPv4, from a pool."""
    vxlan_tunnel_mac_addr: str = msgspec.field(default="", name="vxlanTunnelMACAddr")
    """The MAC of the VXLAN tunnel for IPv4; empty: derived from the node's name."""
    ipv6_vxlan_tunnel_addr: str = msgspec.field(default="", name="ipv6VXLANTunnelAddr")
    """The address of the node's VXLAN tunnel for IPv6, from a pool."""
    vxlan_tunnel_mac_addr_v6: str = msgspec.field(default="", name="vxlanTunnelMACAddrV6")
    """The MAC of the VXLAN tunnel for IPv6; empty: derived from the node's name."""
    orch_refs: tuple[OrchRef, ...] = ()
    """What orchestrators call the node."""
    wireguard: NodeWireguardSpec | None = None
    """The node's WireGuard interfaces; absent: none."""
    addresses: tuple[NodeAddress, ...] = ()
    """Addresses by which the node is known."""
    interfaces: tuple[NodeInterface, ...] = ()
    """Network interfaces of the node."""


class NodeStatus(Value, frozen=True, kw_only=True):
    """What a node says about itself."""

    wireguard_public_key: str = ""
    """The public key of WireGuard over IPv4, base64."""
    wireguard_public_key_v6: str = msgspec.field(default="", name="wireguardPublicKeyV6")
    """The public key of WireGuard over IPv6, base64."""
    pod_cidrs: tuple[str, ...] = msgspec.field(default=(), name="podCIDRs")
    """The ranges that Kubernetes has given to the node, where the host's own IPAM uses them."""


class Node(Resource, frozen=True, kw_only=True, tag="Node"):
    """A host of the cluster."""

    api_version: Literal["projectcalico.org/v3"] = "projectcalico.org/v3"
    spec: NodeSpec
    status: NodeStatus = NodeStatus()
    """Written by the node itself."""
