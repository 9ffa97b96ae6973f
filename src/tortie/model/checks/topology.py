"""Nodes, pools and the rest of IPAM."""

from __future__ import annotations

from collections.abc import Iterator

from tortie.model.checks.addresses import check_address, check_range, check_ranges, is_address
from tortie.model.checks.rule import check_selector
from tortie.model.checks.violation import Violation, distinct, under
from tortie.model.ipam import BlockAffinitySpec, IPPool, IPPoolSpec, IPReservationSpec
from tortie.model.topology import NodeBGPSpec, NodeSpec, NodeStatus
from tortie.net import MAC, Family, Network

_BLOCK_SIZES = {Family.V4: (20, 32, 26), Family.V6: (116, 128, 122)}
"""The smallest, largest and default prefix length of a block."""
_LINK_LOCAL = (Network.parse("169.254.0.0/16"), Network.parse("fe80::/10"))


# --- nodes -------------------------------------------------------------------------------------------------------------------


def check_node_spec(spec: NodeSpec) -> Iterator[Violation]:
    """A node's addresses are such, and its BGP part says something."""
    if spec.bgp is not None:
        yield from under(("bgp",), _check_node_bgp(spec.bgp))
    yield from check_address(("ipv4VXLANTunnelAddr",), spec.ipv4_vxlan_tunnel_addr, Family.V4)
    yield from check_address(("ipv6VXLANTunnelAddr",), spec.ipv6_vxlan_tunnel_addr, Family.V6)
    yield from _check_mac("vxlanTunnelMACAddr", spec.vxlan_tunnel_mac_addr)
    yield from _check_mac("vxlanTunnelMACAddrV6", spec.vxlan_tunnel_mac_addr_v6)
    if spec.wireguard is not None:
        ends = spec.wireguard
        yield from check_address(("wireguard", "interfaceIPv4Address"), ends.interface_ipv4_address, Family.V4)
        yield from check_address(("wireguard", "interfaceIPv6Address"), ends.interface_ipv6_address, Family.V6)
    for index, address in enumerate(spec.addresses):
        yield from check_range(("addresses", index, "address"), address.address, or_address=True)
    for index, interface in enumerate(spec.interfaces):
        yield from under(("interfaces", index), check_ranges("addresses", interface.addresses))


def _check_node_bgp(bgp: NodeBGPSpec) -> Iterator[Violation]:
    if bgp == NodeBGPSpec():
        yield Violation((), "bgp is empty; leave it out, or give addresses or an AS number")
    for field, text, family in (
        ("ipv4Address", bgp.ipv4_address, Family.V4),
        ("ipv6Address", bgp.ipv6_address, Family.V6),
    ):
        yield from _check_interface_address(field, text, family)
    yield from check_address(("ipv4IPIPTunnelAddr",), bgp.ipv4_ipip_tunnel_addr, Family.V4)
    cluster = bgp.route_reflector_cluster_id
    if cluster and not is_address(cluster, Family.V4):
        yield Violation(("routeReflectorClusterID",), f"{cluster!r} does not have the form of an IPv4 address")


def _check_interface_address(field: str, text: str, family: Family) -> Iterator[Violation]:
    address, slash, length = text.partition("/")
    if text and (
        not is_address(address, family) or (slash and not (length.isdecimal() and int(length) <= family.bits))
    ):
        yield Violation((field,), f"{text!r} is not an IPv{family} address, with or without its subnet's prefix length")


def _check_mac(field: str, text: str) -> Iterator[Violation]:
    try:
        if text:
            MAC.parse(text)
    except ValueError as error:
        yield Violation((field,), str(error))


def check_node_status(status: NodeStatus) -> Iterator[Violation]:
    """Kubernetes' ranges are such."""
    yield from check_ranges("podCIDRs", status.pod_cidrs, or_address=False)


# --- IPAM --------------------------------------------------------------------------------------------------------------------


def check_pool_spec(spec: IPPoolSpec) -> Iterator[Violation]:
    """A pool's addresses, blocks, encapsulation and uses."""
    yield from check_selector("nodeSelector", spec.node_selector)
    yield from check_selector("namespaceSelector", spec.namespace_selector)
    yield from _check_pool_network(spec)
    yield from _check_pool_uses(spec)
    if "Never" not in (spec.ipip_mode, spec.vxlan_mode):
        yield Violation(("vxlanMode",), "ipipMode and vxlanMode exclude each other; one of them must be Never")
    if spec.ipip_mode != "Never" and spec.cidr.family is Family.V6:
        yield Violation(("ipipMode",), "IPIP carries IPv4 only; an IPv6 pool needs ipipMode Never")


def _check_pool_network(spec: IPPoolSpec) -> Iterator[Violation]:
    smallest, largest, _ = _BLOCK_SIZES[spec.cidr.family]
    size = _block_size(spec)
    if not smallest <= size <= largest:
        yield Violation(("blockSize",), f"{size} is not a block size for IPv{spec.cidr.family}: {smallest}-{largest}")
    elif spec.cidr.prefix_len > size and not spec.disabled:
        yield Violation(("cidr",), f"{spec.cidr} is smaller than one block (/{size})")
    for network in _LINK_LOCAL:
        if network.contains(spec.cidr) or spec.cidr.contains(network):
            yield Violation(("cidr",), f"{spec.cidr} overlaps the link-local range {network}")


def _check_pool_uses(spec: IPPoolSpec) -> Iterator[Violation]:
    yield from distinct(("allowedUses",), spec.allowed_uses)
    if spec.namespace_selector and spec.allowed_uses == ("Tunnel",):
        yield Violation(("namespaceSelector",), "tunnels are of no namespace; a pool for them has no namespaceSelector")
    if "LoadBalancer" not in spec.allowed_uses:
        return
    if len(spec.allowed_uses) > 1:
        yield Violation(("allowedUses",), "LoadBalancer excludes the other uses")
    if spec.disable_bgp_export:
        yield Violation(("disableBGPExport",), "a LoadBalancer pool cannot have disableBGPExport")
    if (spec.ipip_mode, spec.vxlan_mode) != ("Never", "Never"):
        yield Violation(("allowedUses",), "a LoadBalancer pool has neither IPIP nor VXLAN")
    if spec.node_selector != "all()":
        yield Violation(("nodeSelector",), "a LoadBalancer pool needs nodeSelector all()")


def check_pool_change(old: IPPool, new: IPPool) -> Iterator[Violation]:
    """What addresses in use depend on stays as it is."""
    if new.spec.cidr != old.spec.cidr:
        yield Violation(("spec", "cidr"), f"{new.spec.cidr} cannot replace {old.spec.cidr}: a pool keeps its addresses")
    before, after = _block_size(old.spec), _block_size(new.spec)
    if after != before and new.spec.cidr.family is old.spec.cidr.family:
        yield Violation(("spec", "blockSize"), f"{after} cannot replace {before}: a pool keeps its block size")
    if "LoadBalancer" in old.spec.allowed_uses and "LoadBalancer" not in new.spec.allowed_uses:
        yield Violation(("spec", "allowedUses"), "a LoadBalancer pool stays one")


def _block_size(spec: IPPoolSpec) -> int:
    return spec.block_size or _BLOCK_SIZES[spec.cidr.family][2]


def check_reservation_spec(spec: IPReservationSpec) -> Iterator[Violation]:
    """Ranges and addresses of both families."""
    yield from check_ranges("reservedCIDRs", spec.reserved_cidrs)


def check_affinity_spec(spec: BlockAffinitySpec) -> Iterator[Violation]:
    """Only IPAM removes claims."""
    if spec.deleted in (True, "true"):
        yield Violation(("deleted",), "deleted is for IPAM to set", at_door_only=True)
