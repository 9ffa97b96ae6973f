"""What the graph reads of nodes and pools, and the tunnel endpoints that follow from it."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from calc_resources import resource

from tortie.calc.hoststate import Encapsulation, InterfaceAddress, PoolType, TunnelType, Vtep, VtepUpdate
from tortie.calc.nodes import host_update, interface_address, view
from tortie.calc.pools import encapsulation_of, pool_update, routing_of
from tortie.calc.vteps import vtep_update
from tortie.model import kinds
from tortie.model.ipam import IPPool
from tortie.model.topology import Node
from tortie.net import MAC, Address, Family


def a_node(**spec: Any) -> Node:
    found: Node = resource(kinds.NODE, "n1", spec=spec)
    return found


def a_pool(cidr: str = "10.0.0.0/16", **spec: Any) -> IPPool:
    found: IPPool = resource(kinds.IP_POOL, "p", spec={"cidr": cidr, **spec})
    return found


def test_a_node_is_reached_at_its_address_in_bgp() -> None:
    node = view(a_node(bgp={"ipv4Address": "172.30.0.1/24", "asNumber": 64512}))
    update = host_update("n1", node)
    assert update.ipv4 == InterfaceAddress(Address.parse("172.30.0.1"), 24)
    assert (update.ipv6, update.as_number) == (None, 64512)


def test_a_node_without_bgp_is_reached_at_its_first_internal_address() -> None:
    addresses = [
        {"address": "1.2.3.4", "type": "ExternalIP"},
        {"address": "10.0.0.9", "type": "InternalIP"},
        {"address": "10.0.0.8", "type": "InternalIP"},
    ]
    assert view(a_node(addresses=addresses)).addresses == {Family.V4: InterfaceAddress(Address.parse("10.0.0.9"), 32)}


@pytest.mark.parametrize("text", ["", "x", "10.0.0.1/", "10.0.0.1/33", "10.0.0.1/-1", "10.0.0.1/24/7"])
def test_what_is_no_address_counts_as_absent(text: str) -> None:
    assert interface_address(text) is None


def test_all_tunnels_of_a_node_are_known() -> None:
    node = view(
        a_node(
            bgp={"ipv4Address": "172.30.0.1", "ipv4IPIPTunnelAddr": "10.0.0.1"},
            ipv4VXLANTunnelAddr="10.0.0.2",
            wireguard={"interfaceIPv4Address": "10.0.0.3", "interfaceIPv6Address": "fd00::3"},
        )
    )
    assert {(kind, str(address)) for kind, address in node.tunnels} == {
        (TunnelType.IPIP, "10.0.0.1"),
        (TunnelType.VXLAN, "10.0.0.2"),
        (TunnelType.WIREGUARD, "10.0.0.3"),
        (TunnelType.WIREGUARD, "fd00::3"),
    }


def test_a_vtep_has_the_mac_of_its_node_or_one_that_everybody_derives_alike() -> None:
    tunnels = {
        "ipv4VXLANTunnelAddr": "10.0.0.2",
        "vxlanTunnelMACAddr": "66:00:00:00:00:01",
        "ipv6VXLANTunnelAddr": "fd00::2",
    }
    node = view(a_node(bgp={"ipv4Address": "172.30.0.1/24", "ipv6Address": "fe00::1/64"}, **tunnels))
    derived = MAC(b"\x66" + hashlib.sha1(b"n1-v6", usedforsecurity=False).digest()[:5])
    assert vtep_update("n1", node) == VtepUpdate(
        node="n1",
        ipv4=Vtep(MAC.parse("66:00:00:00:00:01"), Address.parse("10.0.0.2"), Address.parse("172.30.0.1")),
        ipv6=Vtep(derived, Address.parse("fd00::2"), Address.parse("fe00::1")),
    )


@pytest.mark.parametrize(
    "spec",
    [{"ipv4VXLANTunnelAddr": "10.0.0.2"}, {"bgp": {"ipv4Address": "172.30.0.1"}}, {"bgp": {"ipv6Address": "fe00::1"}, "ipv4VXLANTunnelAddr": "10.0.0.2"}],
    ids=["no address", "no tunnel", "address of the other family"],
)  # fmt: skip
def test_there_is_no_vtep_without_a_tunnel_and_an_address_of_one_family(spec: dict[str, Any]) -> None:
    assert vtep_update("n1", view(a_node(**spec))) is None


@pytest.mark.parametrize(
    ("spec", "kind", "crosses"),
    [
        ({}, PoolType.NO_ENCAP, False),
        ({"vxlanMode": "Always"}, PoolType.VXLAN, False),
        ({"ipipMode": "CrossSubnet"}, PoolType.IPIP, True),
    ],
)
def test_a_pools_mode_says_how_its_packets_travel(spec: dict[str, str], kind: PoolType, crosses: bool) -> None:
    routing = routing_of(a_pool(**spec))
    assert routing is not None
    assert (routing.type, routing.crosses_subnets_only) == (kind, crosses)


def test_a_pool_for_load_balancers_is_no_destination() -> None:
    assert routing_of(a_pool(allowedUses=["LoadBalancer"])) is None


def test_encapsulation_is_what_any_pool_needs_each_family_of_vxlan_by_itself() -> None:
    pools = [a_pool(ipipMode="Always"), a_pool("fd00::/64", vxlanMode="CrossSubnet"), a_pool("10.1.0.0/16")]
    assert encapsulation_of(map(pool_update, pools)) == Encapsulation(ipip=True, vxlan=False, vxlan_v6=True)
    assert encapsulation_of(()) == Encapsulation()
