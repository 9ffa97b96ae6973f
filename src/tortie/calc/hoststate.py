"""What one host has to enforce, and the deltas that change it: the contract between ``calc`` and ``ruleset``.

A delta stream is in dependency order: sets, then policies, profiles, endpoints; removals the other way round. Applying a
stream to a ``HostState`` gives the state; two ways to the same datastore state end in equal ``HostState`` values.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple, NewType, TypeAlias

import msgspec

from tortie.model.policy import Action
from tortie.net import MAC, Address, Family, Network, Protocol

IPSetId = NewType("IPSetId", str)
"""``s:…`` for a selector's members, ``n:…`` for a named port's (Calico's ids, bit for bit)."""


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


class HostPolicy(HostValue, frozen=True, kw_only=True):
    """A policy that governs at least one endpoint of this host."""

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


class HostWorkloadEndpoint(HostValue, frozen=True, kw_only=True):
    """A workload's interface on this host."""

    ifname: str
    mac: MAC | None = None
    addresses: tuple[Address, ...] = ()
    """Both families, sorted."""
    tiers: tuple[TierPolicies, ...] = ()
    profiles: tuple[str, ...] = ()


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


class RouteUpdate(HostValue, frozen=True, kw_only=True):
    """A destination that this host reaches through another, where the agent and not BIRD programs the route."""

    destination: Network
    node: str
    next_hop: Address | None = None
    same_subnet: bool = False


class RouteRemove(HostValue, frozen=True, kw_only=True):
    destination: Network


class PoolUpdate(HostValue, frozen=True, kw_only=True):
    cidr: Network
    nat_outgoing: bool = False
    ipip_mode: str = "Never"
    vxlan_mode: str = "Never"


class PoolRemove(HostValue, frozen=True, kw_only=True):
    cidr: Network


class VtepUpdate(HostValue, frozen=True, kw_only=True):
    """A VXLAN tunnel endpoint on another node."""

    node: str
    mac: MAC
    address: Address
    parent_address: Address


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
    """The host's effective settings, whole."""

    values: Mapping[str, str]


HostStateDelta: TypeAlias = (
    IPSetUpdate | IPSetDelta | IPSetRemove | PolicyUpdate | PolicyRemove | ProfileUpdate | ProfileRemove
    | WorkloadEndpointUpdate | WorkloadEndpointRemove | HostEndpointUpdate | HostEndpointRemove | RouteUpdate | RouteRemove
    | PoolUpdate | PoolRemove | VtepUpdate | VtepRemove | WireguardPeerUpdate | WireguardPeerRemove | ConfigUpdate
)  # fmt: skip
