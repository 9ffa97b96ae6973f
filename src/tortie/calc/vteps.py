"""The VXLAN tunnel endpoints of the other nodes: where their devices are, and what stands behind them."""

from __future__ import annotations

import hashlib

from tortie.calc.hoststate import Vtep, VtepUpdate
from tortie.calc.nodes import NodeView
from tortie.net import MAC, Family

_LOCALLY_ADMINISTERED = b"f"
"""The first byte of a derived MAC, 0x66: unicast, locally administered (IEEE 802, clause 8.2.2)."""


def vtep_update(name: str, node: NodeView) -> VtepUpdate | None:
    """The tunnel endpoint of a node; None if it has no tunnel device, or no address to send packets to."""
    ipv4, ipv6 = _vtep(name, node, Family.V4), _vtep(name, node, Family.V6)
    return VtepUpdate(node=name, ipv4=ipv4, ipv6=ipv6) if ipv4 is not None or ipv6 is not None else None


def _vtep(name: str, node: NodeView, family: Family) -> Vtep | None:
    address, parent = node.vxlan_address(family), node.addresses.get(family)
    if address is None or parent is None:
        return None
    return Vtep(node.vxlan_macs.get(family) or derived_mac(name, family), address, parent.address)


def derived_mac(name: str, family: Family) -> MAC:
    """The MAC of a node's VXLAN device that states none: the same on every host that computes it."""
    text = name if family is Family.V4 else f"{name}-v6"
    return MAC(_LOCALLY_ADMINISTERED + hashlib.sha1(text.encode(), usedforsecurity=False).digest()[:5])
