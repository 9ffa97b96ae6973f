"""What one host has to enforce, and the deltas that change it: the contract between ``calc`` and ``ruleset``.

A delta stream is in dependency order: sets, then policies, profiles, endpoints; removals the other way round. Applying a
stream to a ``HostState`` gives the state; two ways to the same datastore state end in equal ``HostState`` values.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Literal, NamedTuple, NewType, TypeAlias

import msgspec

from tortie.model.endpoint import name_segments
from tortie.model.policy import Action
from tortie.net import MAC, Address, Family, Network, Protocol

IPSetId = NewType("IPSetId", str)
"""``s:…`` for a selector's members, ``n:…`` for a named port's, ``svc:…`` for a service's addresses with their ports,
``svcnoport:…`` for its addresses alone (Calico's ids, bit for bit)."""


class PolicyId(NamedTuple):
    """A policy's identity; its text ``name/namespace/kind`` breaks ties of order."""

    kind: str
    namespace: str
    name: str

    @property
    def tie_break(self) -> str:
        return f"{self.name}/{self.namespace}/{self.kind}"


class AddressPort(NamedTuple):
    """A member of a named-port set."""

    address: Address
    protocol: Protocol
    port: int


Member: TypeAlias = Network | AddressPort
"""Of an IP set: a network (an address is its /32 or /128), or an address with a port."""


class HostValue(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all parts of a host's state: immutable and compared by value."""


# --- rules ---------------------------------------------------------------------------------------------------------------


class PortRange(NamedTuple):
    first: int
    last: int


class ICMPMatch(NamedTuple):
    type: int
    code: int | None


class PeerMatch(HostValue, frozen=True, kw_only=True):
    """One end of a packet: source or destination. Everything given must match; within a list, any item (``not_…``: none)."""

    nets: tuple[Network, ...] = ()
    not_nets: tuple[Network, ...] = ()
    ports: tuple[PortRange, ...] = ()
    """Numbered ports. Together with ``port_sets`` they are alternatives: a packet matches either."""
    not_ports: tuple[PortRange, ...] = ()
    sets: tuple[IPSetId, ...] = ()
    """Address sets; the address must be in all of them."""
    not_sets: tuple[IPSetId, ...] = ()
    port_sets: tuple[IPSetId, ...] = ()
    """Named-port sets; address, protocol and port must be in one of them (or the port in ``ports``)."""
    not_port_sets: tuple[IPSetId, ...] = ()


class HostRule(HostValue, frozen=True, kw_only=True):
    """One rule, with selectors and names resolved to sets."""

    action: Action
    family: Family | None = None
    """None: both, unless another field says otherwise."""
    protocol: Protocol | None = None
    not_protocol: Protocol | None = None
    icmp: ICMPMatch | None = None
    not_icmp: ICMPMatch | None = None
    source: PeerMatch = PeerMatch()
    destination: PeerMatch = PeerMatch()

    @property
    def set_ids(self) -> frozenset[IPSetId]:
        """The IP sets that the rule refers to."""
        peers = self.source, self.destination
        return frozenset(i for p in peers for i in (*p.sets, *p.not_sets, *p.port_sets, *p.not_port_sets))


class HostPolicy(HostValue, frozen=True, kw_only=True):
    """A policy that governs at least one endpoint of this host, or asks to be ready everywhere (``performanceHints``)."""

    tier: str
    ingress: tuple[HostRule, ...] = ()
    egress: tuple[HostRule, ...] = ()
    staged: bool = False
    untracked: bool = False
    pre_dnat: bool = False
    apply_on_forward: bool = False


class HostProfile(HostValue, frozen=True, kw_only=True):
    """A profile that an endpoint of this host lists. One that does not exist in the datastore has a Deny rule each way."""

    ingress: tuple[HostRule, ...] = ()
    egress: tuple[HostRule, ...] = ()


# --- endpoints -----------------------------------------------------------------------------------------------------------


class TierPolicies(HostValue, frozen=True, kw_only=True):
    """A tier as one endpoint sees it: the policies that govern it, in order; a direction without any skips the tier."""

    name: str
    default_action: Literal["Deny", "Pass"]
    ingress: tuple[PolicyId, ...] = ()
    egress: tuple[PolicyId, ...] = ()


class EndpointId(NamedTuple):
    """A workload endpoint's (namespace, name), or a host endpoint's ("", name)."""

    namespace: str
    name: str

    @property
    def rank(self) -> tuple[str, str, str]:
        """Of workload endpoints that claim one interface the lowest rank has it: orchestrator, workload, endpoint, by its name."""
        segments = name_segments(self.name)
        if len(segments) != 4:
            return "", f"{self.namespace}/{self.name}", ""
        _, orchestrator, workload, endpoint = segments
        return orchestrator, f"{self.namespace}/{workload}", endpoint


class PacketRate(NamedTuple):
    """A limit on packets; more are dropped."""

    per_second: int
    burst: int


class InterfaceLimits(NamedTuple):
    """What a workload's interface may carry, whatever policy allows (``qosControls``). ``ingress`` is towards the workload."""

    ingress_rate: PacketRate | None = None
    egress_rate: PacketRate | None = None
    ingress_connections: int | None = None
    egress_connections: int | None = None


class HostWorkloadEndpoint(HostValue, frozen=True, kw_only=True):
    """A workload's interface on this host."""

    ifname: str
    mac: MAC | None = None
    addresses: tuple[Address, ...] = ()
    """Both families, sorted."""
    tiers: tuple[TierPolicies, ...] = ()
    """Endpoints that the same policies govern share one value."""
    profiles: tuple[str, ...] = ()
    limits: InterfaceLimits = InterfaceLimits()
    spoofable: tuple[Network, ...] = ()
    """Sources that the workload may use although they are not its own (``allowSpoofedSourcePrefixes``), sorted."""


class HostHostEndpoint(HostValue, frozen=True, kw_only=True):
    """An interface of the host itself; each use of policy has its own tiers."""

    ifname: str
    """Empty: found by ``expected_ips``; ``*``: all interfaces without a host endpoint of their own."""
    expected_ips: tuple[Address, ...] = ()
    tiers: tuple[TierPolicies, ...] = ()
    forward_tiers: tuple[TierPolicies, ...] = ()
    untracked_tiers: tuple[TierPolicies, ...] = ()
    pre_dnat_tiers: tuple[TierPolicies, ...] = ()
    profiles: tuple[str, ...] = ()


# --- deltas --------------------------------------------------------------------------------------------------------------


class IPSetUpdate(HostValue, frozen=True, kw_only=True):
    """A set comes into use, with all its members."""

    id: IPSetId
    members: frozenset[Member]


class IPSetDelta(HostValue, frozen=True, kw_only=True):
    """Members of a known set come and go."""

    id: IPSetId
    added: frozenset[Member] = frozenset()
    removed: frozenset[Member] = frozenset()


class IPSetRemove(HostValue, frozen=True, kw_only=True):
    id: IPSetId


class PolicyUpdate(HostValue, frozen=True, kw_only=True):
    id: PolicyId
    policy: HostPolicy


class PolicyRemove(HostValue, frozen=True, kw_only=True):
    id: PolicyId


class ProfileUpdate(HostValue, frozen=True, kw_only=True):
    name: str
    profile: HostProfile


class ProfileRemove(HostValue, frozen=True, kw_only=True):
    name: str


class WorkloadEndpointUpdate(HostValue, frozen=True, kw_only=True):
    id: EndpointId
    endpoint: HostWorkloadEndpoint


class WorkloadEndpointRemove(HostValue, frozen=True, kw_only=True):
    id: EndpointId


class HostEndpointUpdate(HostValue, frozen=True, kw_only=True):
    id: EndpointId
    endpoint: HostHostEndpoint


class HostEndpointRemove(HostValue, frozen=True, kw_only=True):
    id: EndpointId


class TiersUpdate(HostValue, frozen=True, kw_only=True):
    """Other policies govern these workload endpoints; nothing else about them changes. One for all that share a value."""

    endpoints: tuple[EndpointId, ...]
    tiers: tuple[TierPolicies, ...]


class RouteType(StrEnum):
    """What stands behind a destination."""

    POOL = "CIDR_INFO"
    LOCAL_WORKLOAD = "LOCAL_WORKLOAD"
    REMOTE_WORKLOAD = "REMOTE_WORKLOAD"
    LOCAL_HOST = "LOCAL_HOST"
    REMOTE_HOST = "REMOTE_HOST"
    LOCAL_TUNNEL = "LOCAL_TUNNEL"
    REMOTE_TUNNEL = "REMOTE_TUNNEL"


class TunnelType(StrEnum):
    IPIP = "ipip"
    VXLAN = "vxlan"
    WIREGUARD = "wireguard"


class PoolType(StrEnum):
    """How packets to a pool's addresses travel between hosts."""

    NONE = "NONE"
    """In no pool."""
    NO_ENCAP = "NO_ENCAP"
    VXLAN = "VXLAN"
    IPIP = "IPIP"


class RouteUpdate(HostValue, frozen=True, kw_only=True):
    """What is known of a destination: where it is, and how packets get there. Who programs the route is the driver's matter."""

    destination: Network
    types: frozenset[RouteType]
    pool: PoolType = PoolType.NONE
    node: str = ""
    """Empty: of a pool as a whole."""
    node_address: Address | None = None
    same_subnet: bool = False
    """The pool crosses subnets only (``CrossSubnet``), and the node is in this host's: no encapsulation."""
    nat_outgoing: bool = False
    borrowed: bool = False
    """The address is of another node's block."""
    local_workload: bool = False
    """The address is that of a workload of this host, which has a route of its own."""
    tunnels: frozenset[TunnelType] = frozenset()
    """Whose device the address is, if it is that of a tunnel."""


class RouteRemove(HostValue, frozen=True, kw_only=True):
    destination: Network


class PoolUpdate(HostValue, frozen=True, kw_only=True):
    cidr: Network
    nat_outgoing: bool = False
    ipip_mode: str = "Never"
    vxlan_mode: str = "Never"


class PoolRemove(HostValue, frozen=True, kw_only=True):
    cidr: Network


class InterfaceAddress(NamedTuple):
    """An address with the length of its subnet's prefix."""

    address: Address
    prefix_len: int

    @property
    def subnet(self) -> Network:
        return Network.parse(f"{self.address}/{self.prefix_len}", strict=False)

    def __str__(self) -> str:
        return f"{self.address}/{self.prefix_len}"


class HostUpdate(HostValue, frozen=True, kw_only=True):
    """A node's addresses."""

    node: str
    ipv4: InterfaceAddress | None = None
    ipv6: InterfaceAddress | None = None
    as_number: int | None = None
    labels: Mapping[str, str] = {}


class HostRemove(HostValue, frozen=True, kw_only=True):
    node: str


class Encapsulation(HostValue, frozen=True, kw_only=True):
    """Which encapsulations some pool needs. Sent when it changes, and by itself the default: none."""

    ipip: bool = False
    vxlan: bool = False
    vxlan_v6: bool = False


class VtepUpdate(HostValue, frozen=True, kw_only=True):
    """A node's VXLAN tunnel endpoint, of either family or both."""

    node: str
    ipv4: Vtep | None = None
    ipv6: Vtep | None = None


class Vtep(NamedTuple):
    mac: MAC
    address: Address
    """Of the tunnel device."""
    parent: Address
    """Of the node, where tunnelled packets are sent."""


class VtepRemove(HostValue, frozen=True, kw_only=True):
    node: str


class WireguardPeerUpdate(HostValue, frozen=True, kw_only=True):
    node: str
    public_key: str
    endpoint: Address
    allowed: tuple[Network, ...] = ()


class WireguardPeerRemove(HostValue, frozen=True, kw_only=True):
    node: str


class ConfigUpdate(HostValue, frozen=True, kw_only=True):
    """The host's settings from the datastore, whole: FelixConfiguration ``default``, over it those that select this node by
    label, over it ``node.NAME``. By the field's name in the API (``defaultEndpointToHostAction``), as the API writes the value.
    """

    values: Mapping[str, object]


HostStateDelta: TypeAlias = (
    IPSetUpdate | IPSetDelta | IPSetRemove | PolicyUpdate | PolicyRemove | ProfileUpdate | ProfileRemove
    | WorkloadEndpointUpdate | WorkloadEndpointRemove | TiersUpdate | HostEndpointUpdate | HostEndpointRemove | RouteUpdate
    | RouteRemove | PoolUpdate | PoolRemove | HostUpdate | HostRemove | Encapsulation | VtepUpdate | VtepRemove
    | WireguardPeerUpdate | WireguardPeerRemove | ConfigUpdate
)  # fmt: skip
