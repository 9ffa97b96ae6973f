"""rtnetlink messages as bytes: what is packed reads back, and what is not ours is left alone."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tortie.dataplane.netlink import rtnetlink
from tortie.dataplane.netlink.message import Frame, attribute, nest, text, u32
from tortie.dataplane.netlink.route import (
    Hop,
    Route,
    RouteType,
    delete_route,
    keyed_route,
    read_routes,
    replace_route,
    route_key,
)
from tortie.dataplane.netlink.rtnetlink import InterfaceAddress, Link, Neighbour
from tortie.net import MAC, Address, Family, Network

HOST_MAC = MAC.parse("ee:ee:ee:ee:ee:ee")


def frame(kind: int, payload: bytes) -> Frame:
    return Frame(kind, 0, 0, payload)


def link_frame(*attributes: bytes, family: int = 0, flags: int = 0) -> Frame:
    header = struct.pack("=BxHiII", family, 1, 7, flags, 0)
    return frame(rtnetlink.RTM_NEWLINK, header + text(rtnetlink.IFLA_IFNAME, "cali1") + b"".join(attributes))


VETH = nest(rtnetlink.IFLA_LINKINFO, text(rtnetlink.IFLA_INFO_KIND, "veth"))

LINKS = [
    pytest.param(link_frame(), Link(name="cali1", ifindex=7), id="down"),
    pytest.param(link_frame(flags=0x1), Link(name="cali1", ifindex=7, up=True), id="up-without-carrier"),
    pytest.param(link_frame(flags=0x41), Link(name="cali1", ifindex=7, up=True, running=True), id="running"),
    pytest.param(
        link_frame(attribute(1, HOST_MAC.packed), u32(4, 1400), u32(5, 3), VETH),
        Link(name="cali1", ifindex=7, mac=HOST_MAC, mtu=1400, kind="veth", peer_ifindex=3),
        id="veth",
    ),
    pytest.param(link_frame(attribute(1, b"\x0a\0\0\1")), Link(name="cali1", ifindex=7), id="tunnel-without-a-MAC"),
    pytest.param(link_frame(family=7), None, id="bridge-port"),
]


@pytest.mark.parametrize(("told", "link"), LINKS)
def test_a_link_is_read(told: Frame, link: Link | None) -> None:
    assert rtnetlink.read_link(told) == link


ADDRESSES = [
    pytest.param("10.0.0.1", "10.0.0.1", 0x80, False, id="plain"),
    pytest.param("10.0.0.1", "10.0.0.2", 0x80, False, id="point-to-point-is-known-by-its-own-end"),
    pytest.param(None, "fd00::1", 0xC0, True, id="tentative"),
    pytest.param(None, "fd00::1", 0x80, False, id="usable"),
]


@pytest.mark.parametrize(("local", "address", "flags", "tentative"), ADDRESSES)
def test_an_address_is_read(local: str | None, address: str, flags: int, tentative: bool) -> None:
    parts = [attribute(rtnetlink.IFA_ADDRESS, Address.parse(address).packed), u32(rtnetlink.IFA_FLAGS, flags)]
    if local:
        parts.append(attribute(rtnetlink.IFA_LOCAL, Address.parse(local).packed))
    told = frame(rtnetlink.RTM_NEWADDR, struct.pack("=BBBBi", 2 if local else 10, 24, 0, 0, 7) + b"".join(parts))
    expected = InterfaceAddress(ifindex=7, address=Address.parse(local or address), prefix_len=24, tentative=tentative)
    assert rtnetlink.read_address(told) == expected


@pytest.mark.parametrize("text_", ["169.254.1.1", "fe80::1"])
def test_a_neighbour_reads_back_as_it_was_set(text_: str) -> None:
    address = Address.parse(text_)
    told = frame(rtnetlink.RTM_NEWNEIGH, rtnetlink.set_neighbour(7, address, HOST_MAC).payload)
    assert rtnetlink.read_neighbour(told) == Neighbour(ifindex=7, address=address, mac=HOST_MAC, permanent=True)


def test_a_bridge_s_forwarding_entry_is_no_neighbour() -> None:
    told = frame(rtnetlink.RTM_NEWNEIGH, struct.pack("=BxxxiHBB", 7, 3, 0x80, 0, 0) + attribute(2, HOST_MAC.packed))
    assert rtnetlink.read_neighbour(told) is None


# --- routes ----------------------------------------------------------------------------------------------------------------


def network(family: Family, number: int, length: int) -> Network:
    bits = family.bits
    return Network((number % (1 << bits) >> (bits - length) << (bits - length)).to_bytes(bits // 8, "big"), length)


networks = st.sampled_from(Family).flatmap(
    lambda family: st.builds(network, st.just(family), st.integers(0, 2**128 - 1), st.integers(0, family.bits))
)


@st.composite
def routes(draw: st.DrawFn) -> Route:
    destination = draw(networks)
    metric = draw(st.integers(1, 2**32 - 1))
    if draw(st.booleans()):
        return Route(destination, metric, Hop(RouteType.BLACKHOLE))
    gateway = draw(st.binary(min_size=1, max_size=1)) * (destination.family.bits // 8) if draw(st.booleans()) else b""
    hop = Hop(RouteType.UNICAST, draw(st.integers(1, 2**31 - 1)), gateway, bool(gateway) and draw(st.booleans()))
    return Route(destination, metric, hop)


@given(routes())
def test_a_route_reads_back_as_it_was_packed(route: Route) -> None:
    for message in (replace_route(route, protocol=80), delete_route(route, protocol=80)):
        ((key, hop),) = read_routes([frame(24, message.payload)], route.destination.family, 80)
        assert key == route_key(route.destination, route.metric)
        assert keyed_route(key, hop) == route


def test_routes_of_another_protocol_or_family_are_passed_over() -> None:
    route = Route(Network.parse("10.0.0.1/32"), 0, Hop(RouteType.UNICAST, 3))
    told = [frame(24, replace_route(route, protocol=protocol).payload) for protocol in (4, 80)]
    assert len(list(read_routes(told, Family.V4, 80))) == 1
    assert list(read_routes(told, Family.V6, 80)) == []


def test_a_listing_shares_its_hops_and_takes_the_loopback_of_what_drops_for_none() -> None:
    told = [
        frame(
            24, struct.pack("=BBBBBBBBI", 10, 128, 0, 0, 254, 80, 0, 6, 0) + attribute(1, bytes(15) + last) + u32(4, 1)
        )
        for last in (b"\1", b"\2")
    ]
    (_, first), (_, second) = read_routes(told, Family.V6, 80)
    assert first == Hop(RouteType.BLACKHOLE)
    assert first is second


def test_without_a_metric_an_ipv6_route_has_the_kernel_s_own() -> None:
    assert route_key(Network.parse("fd00::/64"), 0) == route_key(Network.parse("fd00::/64"), 1024)
    assert route_key(Network.parse("10.0.0.0/8"), 0) != route_key(Network.parse("10.0.0.0/8"), 1024)


TEXTS = [
    (Hop(RouteType.UNICAST, 3), "10.0.0.0/8 dev #3 metric 5"),
    (Hop(RouteType.UNICAST, 3, bytes((192, 0, 2, 1))), "10.0.0.0/8 via 192.0.2.1 dev #3 metric 5"),
    (Hop(RouteType.BLACKHOLE), "blackhole 10.0.0.0/8 metric 5"),
    (Hop(9), "type 9 10.0.0.0/8 metric 5"),
]


@pytest.mark.parametrize(("hop", "expected"), TEXTS, ids=[text for _, text in TEXTS])
def test_a_route_is_written_as_people_know_it(hop: Hop, expected: str) -> None:
    assert str(Route(Network.parse("10.0.0.0/8"), 5, hop)) == expected
