"""Addresses for workloads: pools, reservations, IPAM's settings, and hosts' claims on blocks."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal, TypeAlias

import msgspec

from tortie.model.meta import Resource, Value
from tortie.model.scalars import Switch
from tortie.net import Network

Encapsulation: TypeAlias = Literal["Never", "Always", "CrossSubnet"]
PoolUse: TypeAlias = Literal["Workload", "Tunnel", "LoadBalancer"]
BlockCount: TypeAlias = Annotated[
    int, msgspec.Meta(ge=0, le=2147483647, extra={"written": "a number of blocks, 0 or more"})
]
CooldownSeconds: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=1200, extra={"written": "0-1200 seconds"})]


class IPPoolSpec(Value, frozen=True, kw_only=True):
    """A range of addresses, and how the cluster uses them."""

    cidr: Network
    """The pool's addresses; cannot be changed."""
    vxlan_mode: Encapsulation = "Never"
    """Whether traffic between nodes is carried in VXLAN: Never, Always or CrossSubnet; not together with IPIP."""
    ipip_mode: Encapsulation = "Never"
    """Whether traffic between nodes is carried in IPIP: Never, Always or CrossSubnet; IPv4 only."""
    nat_outgoing: bool = False
    """Whether traffic that leaves the pools is masqueraded as the node."""
    disabled: bool = False
    """Whether new addresses come from elsewhere; those in use stay."""
    disable_bgp_export: bool = msgspec.field(default=False, name="disableBGPExport")
    """Whether BGP keeps silent about the pool; not for LoadBalancer pools."""
    block_size: int = 0
    """Prefix length of its blocks, 20-32 (IPv4) or 116-128 (IPv6); 0 means 26 or 122. Cannot be changed."""
    node_selector: str = "all()"
    """The nodes whose workloads get addresses from this pool."""
    namespace_selector: str = ""
    """The namespaces whose workloads get addresses from this pool; empty: all. Not for Tunnel use."""
    allowed_uses: tuple[PoolUse, ...] = ("Workload", "Tunnel")
    """What its addresses are for: Workload and Tunnel, or LoadBalancer alone."""
    assignment_mode: Literal["Automatic", "Manual"] = "Automatic"
    """Whether addresses are taken on their own (Automatic) or only on request (Manual)."""


class PoolCondition(Value, frozen=True, kw_only=True):
    """One thing that is known about a pool (Kubernetes' Condition)."""

    type: str
    """``Allocatable``: whether new addresses can come from the pool."""
    status: Literal["True", "False", "Unknown"]
    """Whether it is so."""
    observed_generation: int = 0
    """The generation of the pool that this was said of."""
    last_transition_time: str | None = None
    """When the status last changed, RFC 3339."""
    reason: str = ""
    """One word: OK, CIDROverlap, Terminating or PoolDisabled."""
    message: str = ""
    """The same, for people."""


class IPPoolStatus(Value, frozen=True, kw_only=True):
    """What the controllers found out about a pool."""

    conditions: tuple[PoolCondition, ...] = ()
    """At most one of each type."""


class IPPool(Resource, frozen=True, kw_only=True, tag="IPPool"):
    """A range of addresses for workloads, tunnels or load balancers."""

    api_version: Literal["projectcalico.org/v3"] = "projectcalico.org/v3"
    spec: IPPoolSpec
    status: IPPoolStatus | msgspec.UnsetType = msgspec.UNSET
    """Written by the controllers; absent until then."""


class IPReservationSpec(Value, frozen=True, kw_only=True):
    """Addresses that are never given out."""

    reserved_cidrs: tuple[str, ...] = msgspec.field(default=(), name="reservedCIDRs")
    """Ranges and single addresses, of both families; those already in use stay."""


class IPReservation(Resource, frozen=True, kw_only=True, tag="IPReservation"):
    """Addresses that are never given out, though a pool holds them."""

    api_version: Literal["projectcalico.org/v3"] = "projectcalico.org/v3"
    spec: IPReservationSpec


class IPAMConfigurationSpec(Value, frozen=True, kw_only=True):
    """How addresses are given out, in the whole cluster."""

    strict_affinity: bool = False
    """Whether hosts take addresses only from their own blocks, and never borrow from others'."""
    max_blocks_per_host: BlockCount = 0
    """How many blocks a host may claim; 0: the built-in limit of 20."""
    auto_allocate_blocks: bool = True
    """Whether hosts claim new blocks when theirs are full."""
    kube_virt_vm_address_persistence: Switch | None = msgspec.field(default=None, name="kubeVirtVMAddressPersistence")
    """Whether a KubeVirt machine keeps its address when it moves or restarts; absent: Enabled."""
    ip_cooldown_seconds: CooldownSeconds | None = msgspec.field(default=None, name="ipCooldownSeconds")
    """How long a released address is not given out again, in seconds; absent: at once."""


class IPAMConfiguration(Resource, frozen=True, kw_only=True, tag="IPAMConfiguration"):
    """How addresses are given out; the only one is named ``default``.

    Stored like every resource, as Calico's command does; the older key ``/calico/ipam/v2/config`` is IPAM's own.
    """

    api_version: Literal["projectcalico.org/v3"] = "projectcalico.org/v3"
    spec: IPAMConfigurationSpec


class AffinityState(StrEnum):
    """Of a block affinity. Only a confirmed one is advertised and allocated from; an absent state means confirmed."""

    CONFIRMED = "confirmed"
    PENDING = "pending"
    PENDING_DELETION = "pendingDeletion"


class BlockAffinity(Value, frozen=True, kw_only=True, omit_defaults=False):
    """A host's claim on one IPAM block; the value at ``/calico/ipam/v2/host/<host>/ipv4/block/<cidr>``."""

    state: AffinityState = AffinityState.CONFIRMED
    deleted: bool = False


class BlockAffinitySpec(Value, frozen=True, kw_only=True):
    """Who has claimed which block."""

    state: AffinityState
    """Whether the claim holds (confirmed), is being made (pending) or given up (pendingDeletion)."""
    node: str
    """The host, or what a virtual claim is named."""
    type: Literal["host", "virtual"] = "host"
    """A host's claim, or one of something else, such as a load balancer."""
    cidr: Network
    """The block."""
    deleted: bool | Literal["true", "false"] = False
    """Set while the claim is removed; never by people. Calico stores text here, and reads both."""


class BlockAffinityResource(Resource, frozen=True, kw_only=True, tag="BlockAffinity"):
    """A claim on a block, as a resource. In etcd, IPAM itself uses the older keys of ``BlockAffinity``, not these."""

    api_version: Literal["projectcalico.org/v3"] = "projectcalico.org/v3"
    spec: BlockAffinitySpec
