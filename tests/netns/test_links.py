"""Links made and watched in a kernel; ``ip -j`` reads what is there.

namespace of the test           another namespace
  caliabc ─────────── veth ─────────── eth0
"""

from __future__ import annotations

import errno
import json
import os
import socket
from collections.abc import Callable
from typing import Any

import pytest
from isolation import isolated, pending, run

from tortie.dataplane.driver import KernelRefusedError
from tortie.dataplane.links import AddressesChanged, EventsLost, LinkChanged, LinkGone, Links, LinkWatch
from tortie.lab.namespaces import inside_network
from tortie.lab.packetnetwork import new_network
from tortie.net import MAC, Address, Network

HOST_MAC = MAC.parse("ee:ee:ee:ee:ee:ee")
PEER_MAC = MAC.parse("02:00:00:00:00:01")
GATEWAY = Address.parse("169.254.1.1")


def ip(*words: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run("ip", "-j", "-d", *words) or "[]")
    return found


@isolated
def test_a_veth_has_the_names_macs_and_mtu_asked_for_and_its_peer_is_born_elsewhere() -> None:
    other = new_network()
    with Links() as links:
        made = links.create_veth(
            "caliabc", mac=HOST_MAC, peer_name="eth0", peer_mac=PEER_MAC, peer_namespace_fd=other, mtu=1400
        )
        assert links.get("caliabc") == made
    (seen,) = ip("link", "show", "caliabc")
    assert (seen["address"], seen["mtu"], seen["ifindex"], seen["operstate"]) == (
        str(HOST_MAC),
        1400,
        made.ifindex,
        "DOWN",
    )
    assert seen["linkinfo"]["info_kind"] == made.kind == "veth"
    with inside_network(other):
        (peer,) = ip("link", "show", "eth0")
    assert (peer["address"], peer["mtu"], peer["ifindex"]) == (str(PEER_MAC), 1400, made.peer_ifindex)


@isolated
def test_a_workload_reaches_the_host_through_its_routes_as_soon_as_the_link_is_up() -> None:
    other = new_network()
    pod, pod6, gateway6 = Address.parse("10.0.0.1"), Address.parse("fd00::1"), Address.parse("fe80::1")
    with Links() as links:
        links.create_veth("caliabc", mac=HOST_MAC, peer_name="eth0", peer_mac=PEER_MAC, peer_namespace_fd=other)
        links.set_up("caliabc")
        links.add_address("caliabc", gateway6, 64)
        links.add_route("caliabc", pod.network())
        links.add_route("caliabc", pod6.network(), metric=7)
    with inside_network(other), Links() as links:
        links.set_up("eth0")
        links.add_address("eth0", pod)
        links.add_address("eth0", pod6)
        links.add_neighbour("eth0", GATEWAY, HOST_MAC)
        links.add_route("eth0", Network.parse("0.0.0.0/0"), GATEWAY, onlink=True)
        links.add_route("eth0", Network.parse("::/0"), gateway6)
        v4 = {route["dst"]: route for route in ip("-4", "route")}
        v6 = {route["dst"]: route for route in ip("-6", "route")}
        (neighbour,) = ip("neigh")
        addresses = {info["local"]: info for link in ip("addr", "show", "eth0") for info in link["addr_info"]}
    assert v4["default"]["gateway"] == "169.254.1.1"
    assert v4["default"]["flags"] == ["onlink"]
    assert v6["default"]["gateway"] == "fe80::1"
    assert (neighbour["dst"], neighbour["lladdr"], neighbour["state"]) == ("169.254.1.1", str(HOST_MAC), ["PERMANENT"])
    assert not addresses["fd00::1"].get("tentative")
    (there,) = ip("-4", "route", "show", "10.0.0.1")
    assert (there["dev"], there["scope"]) == ("caliabc", "link")
    (there6,) = ip("-6", "route", "show", "fd00::1")
    assert there6["metric"] == 7


@isolated
def test_what_the_kernel_refuses_is_told_with_the_link_and_the_reason() -> None:
    cases: list[tuple[Callable[[Links], object], int, str]] = [
        (lambda links: links.delete("nolink"), errno.ENODEV, "delete link nolink"),
        (lambda links: links.get("nolink"), errno.ENODEV, "look up link nolink"),
        (lambda links: links.add_address("nolink", GATEWAY), errno.ENODEV, "look up link nolink"),
        (lambda links: links.create_veth("lo", peer_name="x"), errno.EEXIST, "create veth lo with peer x"),
        (lambda links: links.create_veth("a" * 16, peer_name="x"), errno.ERANGE, "create veth aaaa"),
        (
            lambda links: links.add_route("lo", GATEWAY.network(), GATEWAY),
            errno.ENETUNREACH,
            "via 169.254.1.1 by link lo",
        ),
    ]
    with Links() as links:
        for act, code, text in cases:
            with pytest.raises(KernelRefusedError, match=text) as refusal:
                act(links)
            assert refusal.value.errno == code, text


@isolated
def test_deleting_one_end_deletes_both_and_a_moved_link_is_in_the_other_namespace() -> None:
    other = new_network()
    with Links() as links:
        links.create_veth("caliabc", peer_name="peer")
        links.move("peer", other)
        assert [link.name for link in links.list()] == ["lo", "caliabc"]
        with inside_network(other), Links() as there:
            assert [link.name for link in there.list()] == ["lo", "peer"]
            links.delete("caliabc")
            assert [link.name for link in there.list()] == ["lo"]


@isolated
def test_a_watch_lists_first_and_then_tells_each_change() -> None:
    with LinkWatch() as watch, Links() as links:
        first = watch.list()
        assert [event.link.name for event in first if isinstance(event, LinkChanged)] == ["lo"]
        index = links.create_veth("caliabc", mac=HOST_MAC, peer_name="peer").ifindex
        assert LinkChanged(link=links.get("caliabc")) in pending(watch)
        links.set_up("caliabc")
        assert [event.link.up for event in pending(watch) if isinstance(event, LinkChanged)][-1]
        links.add_address("caliabc", Address.parse("192.0.2.1"))
        (told,) = (event for event in pending(watch) if isinstance(event, AddressesChanged))
        assert [str(address.address) for address in told.addresses] == ["192.0.2.1"]
        links.delete("caliabc")
        assert LinkGone(name="caliabc", ifindex=index) in pending(watch)
        assert list(watch.links) == [1]


@isolated
def test_a_port_that_leaves_a_bridge_is_not_a_link_that_is_gone() -> None:
    with LinkWatch() as watch, Links() as links:
        watch.list()
        links.create_veth("caliabc", peer_name="peer")
        run("ip", "link", "add", "bridge0", "type", "bridge")
        run("ip", "link", "set", "caliabc", "master", "bridge0")
        run("ip", "link", "set", "caliabc", "nomaster")
        assert not [event for event in pending(watch) if isinstance(event, LinkGone)]
        assert {link.name for link in watch.links.values()} == {"lo", "caliabc", "peer", "bridge0"}


@isolated
def test_a_renamed_link_is_gone_under_its_old_name() -> None:
    with LinkWatch() as watch, Links() as links:
        watch.list()
        index = links.create_veth("before", peer_name="peer").ifindex
        pending(watch)
        run("ip", "link", "set", "before", "name", "after")
        events = [event for event in pending(watch) if isinstance(event, LinkGone | LinkChanged)]
        assert events[0] == LinkGone(name="before", ifindex=index)
        assert isinstance(events[1], LinkChanged)
        assert events[1].link.name == "after"


@isolated
def test_a_watch_that_was_flooded_says_so_and_knows_the_truth_again() -> None:
    with LinkWatch() as watch, Links() as links:
        watch.list()
        gone = links.create_veth("gone", peer_name="peer").ifindex
        pending(watch)
        _shrink_buffer(watch)
        for number in range(20):
            links.create_veth(f"more{number}", peer_name=f"peer{number}x")
        links.delete("gone")
        events = pending(watch)
        assert EventsLost() in events
        assert LinkGone(name="gone", ifindex=gone) in events
        assert sorted(watch.links) == [link.ifindex for link in links.list()]


def _shrink_buffer(watch: LinkWatch) -> None:
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, fileno=os.dup(watch.fileno())) as same:
        same.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)  # the kernel makes it its smallest, of 2 KiB
