"""CalicoNodeStatus: what a node is asked to tell about its BGP daemon, its sessions and routes, and what it tells."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

import msgspec

from tortie.model.meta import Resource, Value

StatusClass: TypeAlias = Literal["Agent", "BGP", "Routes"]
UpdatePeriod: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=86400, extra={"written": "0-86400 seconds"})]


class CalicoNodeStatusSpec(Value, frozen=True, kw_only=True):
    """Which node tells what, and how often. All fields are required."""

    node: str
    """The node's name."""
    classes: tuple[StatusClass, ...]
    """What it tells: about its BGP daemon (Agent), its sessions (BGP), its routes (Routes)."""
    update_period_seconds: UpdatePeriod
    """How often it tells, in seconds; 0: only once."""


class BGPDaemonStatus(Value, frozen=True, kw_only=True):
    """The BGP daemon of one family."""

    state: Literal["Ready", "NotReady"] | None = None
    """Whether it works."""
    version: str = ""
    """Its version."""
    router_id: str = msgspec.field(default="", name="routerID")
    """The router id it uses."""
    last_boot_time: str = ""
    """When it started."""
    last_reconfiguration_time: str = ""
    """When it last read its configuration."""


class CalicoNodeAgentStatus(Value, frozen=True, kw_only=True):
    """The node's BGP daemons."""

    bird_v4: BGPDaemonStatus = msgspec.field(default=BGPDaemonStatus(), name="birdV4")
    """The daemon for IPv4."""
    bird_v6: BGPDaemonStatus = msgspec.field(default=BGPDaemonStatus(), name="birdV6")
    """The daemon for IPv6."""


class CalicoNodePeer(Value, frozen=True, kw_only=True):
    """One BGP session."""

    peer_ip: str = msgspec.field(default="", name="peerIP")
    """The other end."""
    type: Literal["NodeMesh", "NodePeer", "GlobalPeer"] | None = None
    """Where the session comes from: the mesh, a BGPPeer of this node, or one of all nodes."""
    state: Literal["Idle", "Connect", "Active", "OpenSent", "OpenConfirm", "Established", "Close"] | None = None
    """The session's state (RFC 4271 §8.2.2)."""
    since: str = ""
    """Since when it is in this state."""


class CalicoNodeBGPStatus(Value, frozen=True, kw_only=True, omit_defaults=False):
    """The node's BGP sessions."""

    number_established_v4: int = msgspec.field(default=0, name="numberEstablishedV4")
    """How many IPv4 sessions are established."""
    number_not_established_v4: int = msgspec.field(default=0, name="numberNotEstablishedV4")
    """How many IPv4 sessions are not."""
    number_established_v6: int = msgspec.field(default=0, name="numberEstablishedV6")
    """How many IPv6 sessions are established."""
    number_not_established_v6: int = msgspec.field(default=0, name="numberNotEstablishedV6")
    """How many IPv6 sessions are not."""
    peers_v4: tuple[CalicoNodePeer, ...] | msgspec.UnsetType = msgspec.field(default=msgspec.UNSET, name="peersV4")
    """The IPv4 sessions."""
    peers_v6: tuple[CalicoNodePeer, ...] | msgspec.UnsetType = msgspec.field(default=msgspec.UNSET, name="peersV6")
    """The IPv6 sessions."""


class CalicoNodeRouteLearnedFrom(Value, frozen=True, kw_only=True):
    """Where a route comes from."""

    source_type: Literal["Kernel", "Static", "Direct", "NodeMesh", "BGPPeer"] | None = None
    """From the kernel, the daemon's configuration, an interface, or a session of the mesh or of a BGPPeer."""
    peer_ip: str = msgspec.field(default="", name="peerIP")
    """The other end of the session."""


class CalicoNodeRoute(Value, frozen=True, kw_only=True):
    """One route of the BGP daemon."""

    type: Literal["FIB", "RIB"] | None = None
    """Whether it is in use (FIB) or only known (RIB)."""
    destination: str = ""
    """The range it leads to."""
    gateway: str = ""
    """The next hop; ``N/A`` where there is none."""
    interface: str = ""
    """The interface it leaves by."""
    learned_from: CalicoNodeRouteLearnedFrom = CalicoNodeRouteLearnedFrom()
    """Where it comes from."""


class CalicoNodeRoutesStatus(Value, frozen=True, kw_only=True):
    """The BGP daemon's routes."""

    routes_v4: tuple[CalicoNodeRoute, ...] = msgspec.field(default=(), name="routesV4")
    """IPv4 routes."""
    routes_v6: tuple[CalicoNodeRoute, ...] = msgspec.field(default=(), name="routesV6")
    """IPv6 routes."""


class CalicoNodeStatusStatus(Value, frozen=True, kw_only=True):
    """What the node told."""

    last_updated: str | None = None
    """When, RFC 3339; absent or null: never."""
    agent: CalicoNodeAgentStatus = CalicoNodeAgentStatus()
    """Of the class Agent."""
    bgp: CalicoNodeBGPStatus = CalicoNodeBGPStatus()
    """Of the class BGP."""
    routes: CalicoNodeRoutesStatus = CalicoNodeRoutesStatus()
    """Of the class Routes."""


class CalicoNodeStatus(Resource, frozen=True, kw_only=True, tag="CalicoNodeStatus"):
    """A question to a node about its BGP, and the answer."""

    api_version: Literal["projectcalico.org/v3"] = "projectcalico.org/v3"
    spec: CalicoNodeStatusSpec
    status: CalicoNodeStatusStatus = CalicoNodeStatusStatus()
    """Written by the node."""
