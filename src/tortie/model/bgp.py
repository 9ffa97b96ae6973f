"""BGP: the cluster's settings, the routers it peers with, and filters of what sessions carry."""

from __future__ import annotations

from typing import Literal

import msgspec

from tortie.model.meta import Resource, Value
from tortie.model.scalars import ASNumber, Duration, RoutePriority, Switch, UInt8


class SecretKeySelector(Value, frozen=True, kw_only=True):
    """One key of a Kubernetes Secret."""

    name: str = ""
    """The Secret's name, in the namespace that the nodes' agent runs in."""
    key: str
    """The key in the Secret whose value is meant."""
    optional: bool | None = None
    """Whether the Secret or its key may be missing."""


class BGPPassword(Value, frozen=True, kw_only=True):
    """Where the password of a session is kept (TCP MD5, RFC 2385)."""

    secret_key_ref: SecretKeySelector | None = None
    """The Secret and key that hold the password."""


class ServiceBlock(Value, frozen=True, kw_only=True, omit_defaults=False):
    """A range of service addresses to announce."""

    cidr: str
    """The range, such as ``10.96.0.0/12``; one address is a /32 or /128."""


class Community(Value, frozen=True, kw_only=True):
    """A BGP community with a name to use it by."""

    name: str = ""
    """What prefixAdvertisements call it: letters, digits, ``_``, ``.`` and ``-``."""
    value: str = ""
    """``aa:nn``, two 16-bit numbers (RFC 1997), or ``aa:nn:mm``, three 32-bit numbers (RFC 8092)."""


class PrefixAdvertisement(Value, frozen=True, kw_only=True):
    """Communities that are put on what is announced of one range."""

    cidr: str = ""
    """Routes inside of this range get the communities."""
    communities: tuple[str, ...] = ()
    """Names of communities, or their values; at most 50."""


class BGPConfigurationSpec(Value, frozen=True, kw_only=True):
    """The cluster's BGP settings. Those marked *cluster only* have no place in ``node.<name>``."""

    log_severity_screen: str = "Info"
    """How much the BGP daemon logs: Trace, Debug, Info, Warning, Error or Fatal."""
    node_to_node_mesh_enabled: bool = True
    """Whether every node peers with every other one; cluster only."""
    as_number: ASNumber = 64512
    """The AS number of nodes that have none of their own; cluster only."""
    service_load_balancer_ips: tuple[ServiceBlock, ...] = msgspec.field(default=(), name="serviceLoadBalancerIPs")
    """Load balancer addresses of services that are announced; cluster only."""
    service_external_ips: tuple[ServiceBlock, ...] = msgspec.field(default=(), name="serviceExternalIPs")
    """External addresses of services that are announced; cluster only."""
    service_cluster_ips: tuple[ServiceBlock, ...] = msgspec.field(default=(), name="serviceClusterIPs")
    """Ranges of cluster addresses of services that are announced; cluster only."""
    service_load_balancer_aggregation: Switch = "Enabled"
    """Whether load balancer ranges are announced whole (Enabled) or only the addresses in use (Disabled)."""
    communities: tuple[Community, ...] = ()
    """Named communities, at most 500; they need prefixAdvertisements, which use them."""
    prefix_advertisements: tuple[PrefixAdvertisement, ...] = ()
    """Which communities announced routes get, by range; at most 500."""
    listen_port: int = 179
    """The port that the BGP daemon listens on."""
    node_mesh_password: BGPPassword | None = None
    """The password of all sessions of the mesh; cluster only, and only with the mesh."""
    node_mesh_max_restart_time: Duration | None = None
    """How long a peer's routes are kept after its session broke; absent: BIRD's 120 s. Cluster only, and only with the mesh."""
    bind_mode: Literal["None", "NodeIP"] | None = None
    """Whether the daemon listens on all addresses (None) or on the node's own (NodeIP)."""
    ignored_interfaces: tuple[str, ...] = ()
    """Interfaces whose addresses the daemon does not look at: names, in which ``*`` stands for any text."""
    local_workload_peering_ipv4: str = msgspec.field(default="", name="localWorkloadPeeringIPV4")
    """The address that local workloads peer with over IPv4."""
    local_workload_peering_ipv6: str = msgspec.field(default="", name="localWorkloadPeeringIPV6")
    """The address that local workloads peer with over IPv6."""
    program_cluster_routes: Literal["Enabled", "Disabled", "EnabledIPIPOnly", "EnabledNoEncapOnly"] | None = None
    """Which routes to other nodes' blocks the BGP daemon programs; absent: EnabledNoEncapOnly."""
    ipv4_normal_route_priority: RoutePriority | None = None
    """The metric of IPv4 routes to workloads; absent: 1024."""
    ipv6_normal_route_priority: RoutePriority | None = None
    """The metric of IPv6 routes to workloads; absent: 1024."""


class BGPConfiguration(Resource, frozen=True, kw_only=True, tag="BGPConfiguration"):
    """The cluster's BGP settings: named ``default``, or ``node.<name>`` for one node."""

    api_version: Literal["projectcalico.org/v3"] = "projectcalico.org/v3"
    spec: BGPConfigurationSpec


class BGPPeerSpec(Value, frozen=True, kw_only=True):
    """Which nodes peer with whom. Nodes by node or nodeSelector (neither: all of them); peers by one of three fields."""

    node: str = ""
    """The node that has this peer; empty, with nodeSelector empty too: all of them."""
    node_selector: str = ""
    """The nodes that have this peer, by their labels; excludes node."""
    peer_ip: str = msgspec.field(default="", name="peerIP")
    """An address, with a port where it is not 179: ``10.0.0.1:1179``, ``[fd00::1]:1179``."""
    peer_selector: str = ""
    """The nodes to peer with, by their labels; excludes peerIP and asNumber."""
    local_workload_selector: str = ""
    """The local workloads to peer with, by their labels; excludes peerIP and peerSelector, needs asNumber."""
    as_number: ASNumber = 0
    """The peer's AS number; 0: that of the node with the peer's address, or else our own."""
    local_as_number: ASNumber | None = msgspec.field(default=None, name="localASNumber")
    """The AS number that we show to this peer, where it is not the node's."""
    keep_original_next_hop: bool = False
    """Deprecated: nextHopMode Keep says the same."""
    next_hop_mode: Literal["Auto", "Self", "Keep"] | None = None
    """The next hop of routes sent to the peer: as BGP has it (Auto), this node (Self) or unchanged (Keep)."""
    password: BGPPassword | None = None
    """The session's password."""
    source_address: Literal["UseNodeIP", "None"] | None = None
    """What the session starts from: the node's address (UseNodeIP, where absent), or what the kernel chooses (None)."""
    max_restart_time: Duration | None = None
    """How long the peer is asked to keep our routes after the session broke; absent: BIRD's 120 s."""
    keepalive_time: Duration | None = None
    """How often the session is kept alive; absent: a third of the hold time."""
    num_allowed_local_as_numbers: int | None = msgspec.field(default=None, name="numAllowedLocalASNumbers")
    """How often our own AS number may be in the path of a route from this peer; absent: never."""
    ttl_security: UInt8 | None = msgspec.field(default=None, name="ttlSecurity")
    """How many hops away the peer is; packets from farther are dropped (RFC 5082). Absent: not checked."""
    reachable_by: str = ""
    """The gateway to the peer, of the family of peerIP, which it needs: a static route is added."""
    filters: tuple[str, ...] = ()
    """Names of BGPFilters, asked in this order."""
    reverse_peering: Literal["Auto", "Manual"] | None = None
    """Whether the other end of a session between nodes is configured as well (Auto, where absent) or by you (Manual)."""


class BGPPeer(Resource, frozen=True, kw_only=True, tag="BGPPeer"):
    """BGP sessions beside the mesh."""

    api_version: Literal["projectcalico.org/v3"] = "projectcalico.org/v3"
    spec: BGPPeerSpec


class BGPFilterPrefixLength(Value, frozen=True, kw_only=True):
    """Bounds on the prefix length of a route."""

    min: int | None = None
    """At least this long; absent: as the range of cidr."""
    max: int | None = None
    """At most this long; absent: a single address."""


class BGPFilterCommunities(Value, frozen=True, kw_only=True):
    """Communities that a route must have."""

    values: tuple[str, ...] = ()
    """Exactly one value: ``aa:nn`` or ``aa:nn:mm``."""


class BGPFilterAddCommunity(Value, frozen=True, kw_only=True):
    """Puts a community on a route."""

    value: str
    """``aa:nn`` or ``aa:nn:mm``."""


class BGPFilterPrependASPath(Value, frozen=True, kw_only=True):
    """Makes the path of a route longer."""

    prefix: tuple[ASNumber, ...] = ()
    """AS numbers that come before the path, in this order; 1 to 10."""


class BGPFilterSetPriority(Value, frozen=True, kw_only=True):
    """Sets the metric of a route."""

    value: RoutePriority
    """The kernel's metric of the route."""


class BGPFilterOperation(Value, frozen=True, kw_only=True):
    """A change to an accepted route: exactly one of these."""

    add_community: BGPFilterAddCommunity | None = None
    """Put a community on it."""
    prepend_as_path: BGPFilterPrependASPath | None = msgspec.field(default=None, name="prependASPath")
    """Put AS numbers before its path."""
    set_priority: BGPFilterSetPriority | None = None
    """Set its metric."""


class BGPFilterRule(Value, frozen=True, kw_only=True):
    """What happens to the routes that all the conditions given here match; without any, to all that come this far."""

    cidr: str = ""
    """The range that a route is compared with; needs matchOperator."""
    prefix_length: BGPFilterPrefixLength | None = None
    """Bounds on the route's prefix length; needs cidr."""
    source: Literal["RemotePeers"] | None = None
    """Only routes that were learnt from other routers."""
    interface: str = ""
    """Only routes over this interface: a name, in which ``*`` stands for any text."""
    match_operator: Literal["Equal", "NotEqual", "In", "NotIn"] | None = None
    """How a route is compared with cidr, which it needs."""
    peer_type: Literal["eBGP", "iBGP"] | None = None
    """Only sessions with routers of other AS numbers (eBGP), or of our own (iBGP)."""
    communities: BGPFilterCommunities | None = None
    """Only routes with this community."""
    as_path_prefix: tuple[ASNumber, ...] = msgspec.field(default=(), name="asPathPrefix")
    """Only routes whose path begins with these AS numbers."""
    priority: RoutePriority | None = None
    """Only routes of this metric."""
    action: Literal["Accept", "Reject"]
    """What happens to the routes that match."""
    operations: tuple[BGPFilterOperation, ...] = ()
    """Changes to accepted routes, in this order; 1 to 10, and only with Accept."""


class BGPFilterSpec(Value, frozen=True, kw_only=True):
    """Rules by direction and family; the first that matches decides, and without one the session's own filter does."""

    export_v4: tuple[BGPFilterRule, ...] = msgspec.field(default=(), name="exportV4")
    """For IPv4 routes to the peer."""
    import_v4: tuple[BGPFilterRule, ...] = msgspec.field(default=(), name="importV4")
    """For IPv4 routes from the peer."""
    export_v6: tuple[BGPFilterRule, ...] = msgspec.field(default=(), name="exportV6")
    """For IPv6 routes to the peer."""
    import_v6: tuple[BGPFilterRule, ...] = msgspec.field(default=(), name="importV6")
    """For IPv6 routes from the peer."""


class BGPFilter(Resource, frozen=True, kw_only=True, tag="BGPFilter"):
    """Which routes sessions carry; BGPPeers name the filters they use."""

    api_version: Literal["projectcalico.org/v3"] = "projectcalico.org/v3"
    spec: BGPFilterSpec
