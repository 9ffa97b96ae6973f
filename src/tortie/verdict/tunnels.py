"""The hosts' own tunnels: packets that hosts of the cluster send each other while a pool needs encapsulation.

What they carry is judged where it goes in and comes out, so no host endpoint is asked about them. And because what comes out is
believed, no host takes such a packet from anybody who is no host.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator

import msgspec

from tortie.model.ipam import IPPool
from tortie.model.topology import Node
from tortie.net import IPIP, UDP, Address, Family
from tortie.verdict.packet import Packet
from tortie.verdict.settings import Settings


class Tunnels(msgspec.Struct, frozen=True, kw_only=True):
    """Which there are, and between whom."""

    hosts: frozenset[Address] = frozenset()
    has_ipip: bool = False
    """IPIP carries IPv4 over IPv4 only."""
    vxlan: frozenset[Family] = frozenset()

    @classmethod
    def of(cls, pools: Iterable[IPPool], nodes: Iterable[Node]) -> Tunnels:
        """Those that *pools* need, between the addresses by which *nodes* are reached."""
        specs = [pool.spec for pool in pools]
        return cls(
            hosts=frozenset(address for node in nodes for address in _reached_at(node)),
            has_ipip=any(spec.ipip_mode != "Never" for spec in specs),
            vxlan=frozenset(spec.cidr.family for spec in specs if spec.vxlan_mode != "Never"),
        )

    def carry(self, packet: Packet, settings: Settings) -> bool:
        """Whether the packet is of a tunnel that is in use, whoever sends it."""
        if packet.protocol == IPIP:
            return self.has_ipip and packet.family is Family.V4
        is_vxlan = packet.protocol == UDP and packet.destination_port == settings.vxlan_port
        return is_vxlan and packet.family in self.vxlan

    def may_use(self, address: Address, settings: Settings) -> bool:
        """Whether a host of the cluster has the address, or who counts as one."""
        return address in self.hosts or any(net.contains(address) for net in settings.external_nodes)


def _reached_at(node: Node) -> Iterator[Address]:
    """The first address of each family: of BGP if the node has any, else internal ones."""
    bgp = node.spec.bgp
    if bgp is not None:
        texts = [bgp.ipv4_address, bgp.ipv6_address]
    else:
        texts = [listed.address for listed in node.spec.addresses if listed.type == "InternalIP"]
    found: dict[Family, Address] = {}
    for text in texts:
        with contextlib.suppress(ValueError):
            address = Address.parse(text.partition("/")[0])
            found.setdefault(address.family, address)
    yield from found.values()
