"""What the graph keeps of a Node: the addresses by which others reach it, and those of its tunnels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from tortie.calc.hoststate import HostUpdate, InterfaceAddress, TunnelType
from tortie.model.topology import Node
from tortie.net import MAC, Address, Family


class NodeView(msgspec.Struct, frozen=True, kw_only=True):
    """A node, read: texts that are no addresses count as absent."""

    addresses: Mapping[Family, InterfaceAddress] = {}
    tunnels: frozenset[tuple[TunnelType, Address]] = frozenset()
    vxlan_macs: Mapping[Family, MAC] = {}
    """Those that the node states; others are derived from its name."""
    as_number: int | None = None
    labels: Mapping[str, str] = {}

    def vxlan_address(self, family: Family) -> Address | None:
        """The address of the node's VXLAN device."""
        return next((a for kind, a in self.tunnels if kind is TunnelType.VXLAN and a.family is family), None)


def view(node: Node) -> NodeView:
    """*node* as the graph sees it. Its address is that of BGP; without BGP, the first internal one."""
    spec = node.spec
    bgp = spec.bgp
    if bgp is not None:
        addresses = [interface_address(bgp.ipv4_address), interface_address(bgp.ipv6_address)]
    else:
        addresses = [interface_address(a.address) for a in spec.addresses if a.type == "InternalIP"]
    first: dict[Family, InterfaceAddress] = {}
    for found in addresses:
        if found is not None:
            first.setdefault(found.address.family, found)
    macs = ((Family.V4, spec.vxlan_tunnel_mac_addr), (Family.V6, spec.vxlan_tunnel_mac_addr_v6))
    return NodeView(
        addresses=first,
        tunnels=frozenset(_tunnels(node)),
        vxlan_macs={family: MAC.parse(text) for family, text in macs if text},
        as_number=bgp.as_number if bgp is not None else None,
        labels=node.metadata.labels,
    )


def interface_address(text: str) -> InterfaceAddress | None:
    """``10.0.0.1/24``, or ``10.0.0.1`` for a subnet of one; None for anything else."""
    address, slash, length = text.partition("/")
    try:
        parsed = Address.parse(address)
        prefix_len = int(length) if slash else parsed.family.bits
    except ValueError:
        return None
    return InterfaceAddress(parsed, prefix_len) if 0 <= prefix_len <= parsed.family.bits else None


def _tunnels(node: Node) -> Iterator[tuple[TunnelType, Address]]:
    spec = node.spec
    texts = [(TunnelType.VXLAN, spec.ipv4_vxlan_tunnel_addr), (TunnelType.VXLAN, spec.ipv6_vxlan_tunnel_addr)]
    if spec.bgp is not None:
        texts.append((TunnelType.IPIP, spec.bgp.ipv4_ipip_tunnel_addr))
    if spec.wireguard is not None:
        texts.append((TunnelType.WIREGUARD, spec.wireguard.interface_ipv4_address))
        texts.append((TunnelType.WIREGUARD, spec.wireguard.interface_ipv6_address))
    for kind, text in texts:
        found = interface_address(text)
        if found is not None:
            yield kind, found.address


def host_update(name: str, node: NodeView) -> HostUpdate:
    """What is passed on of every node, this one too."""
    return HostUpdate(
        node=name,
        ipv4=node.addresses.get(Family.V4),
        ipv6=node.addresses.get(Family.V6),
        as_number=node.as_number,
        labels=node.labels,
    )
