"""What networks for packets are made of: routers that drop nothing, links to ends that say nothing, and the fence.

Whether a packet still comes is decided by a *fence*, not by a wait: the caller stays on one CPU, whose backlog is a queue that
every hop of every packet goes through. A packet that makes as many hops as any other, through namespaces without rules, arrives
after all that were sent before it.
"""

from __future__ import annotations

import itertools
import os
import select
import time
from collections.abc import Mapping
from pathlib import Path

from tortie.dataplane.links import Links
from tortie.lab.errors import LabError
from tortie.lab.namespaces import CLONE_NEWNET, inside_network, setns, unshare
from tortie.lab.packets import content, first_packet
from tortie.lab.ports import Port
from tortie.net import MAC, Address, Protocol
from tortie.verdict.packet import Packet

AT_ONCE = 64
"""Packets sent between two fences: without root a socket's receive buffer holds some 250."""
FENCE_WITHIN_S = 10.0
_FENCE = Packet(source=Address.parse("10.99.0.1"), destination=Address.parse("10.99.0.2"), protocol=Protocol(253))
"""Of a protocol for experiments (RFC 3692): no ports, no checksum."""

_ROUTER = {
    "ipv4/ip_forward": 1,
    "ipv4/conf/all/rp_filter": 0,
    "ipv4/conf/default/rp_filter": 0,
    "ipv4/conf/all/accept_local": 1,
    "ipv4/conf/all/route_localnet": 1,
    "ipv4/conf/all/send_redirects": 0,
    "ipv4/conf/default/send_redirects": 0,
    "ipv6/conf/all/forwarding": 1,
    "ipv6/conf/default/accept_dad": 0,
    "ipv6/conf/default/accept_ra": 0,
}
"""Takes packets of any source: only rules may drop them."""
_SILENT = {"ipv4/ip_forward": 0, "ipv6/conf/all/disable_ipv6": 1, "ipv6/conf/default/disable_ipv6": 1}


class LostFenceError(LabError):
    """The network itself is broken, and says nothing about policy: a packet that no policy concerns did not arrive."""


def stay_on_one_cpu() -> set[int]:
    """Keep the calling thread on one of its CPUs, different processes on different ones; those that it had."""
    had = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {sorted(had)[os.getpid() % len(had)]})
    return had


# --- namespaces and links ----------------------------------------------------------------------------------------------------


def new_network(settings: Mapping[str, int] | None = None) -> int:
    """A descriptor of a new network namespace with *settings* below ``/proc/sys/net``; the caller stays in its own."""
    home = _own_network()
    try:
        unshare(CLONE_NEWNET)
        for name, value in (settings or {}).items():
            Path("/proc/sys/net", name).write_text(str(value))
        return _own_network()
    finally:
        setns(home, CLONE_NEWNET)
        os.close(home)


def _own_network() -> int:
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def new_router() -> int:
    """A namespace that forwards whatever it has a route for."""
    network = new_network(_ROUTER)
    with inside_network(network), Links() as links:
        links.set_up("lo")  # makes the local table, without which the kernel takes no address for a gateway's
    return network


def new_silent() -> int:
    """A namespace in which nothing speaks by itself, or forwards."""
    return new_network(_SILENT)


def new_link(links: Links, ifname: str, mac: MAC, far: int, far_ifname: str, far_mac: MAC) -> Port:
    """A veth from the namespace of *links* to *far*, up at both ends; its far end."""
    links.create_veth(ifname, mac=mac, peer_name=far_ifname, peer_mac=far_mac, peer_namespace_fd=far)
    links.set_up(ifname)
    with inside_network(far), Links() as far_links:
        far_links.set_up(far_ifname)
        _await_carrier(links, ifname)
        _await_carrier(far_links, far_ifname)
        return Port(far_ifname, own=far_mac, peer=mac)


def _await_carrier(links: Links, ifname: str) -> None:
    """Wait until the kernel has noted that the peer is up: until then it drops what is sent (Linux, linkwatch_do_dev)."""
    deadline = time.monotonic() + FENCE_WITHIN_S
    while not links.get(ifname).running:
        if time.monotonic() > deadline:
            raise LostFenceError(f"link {ifname} has no carrier")
        time.sleep(0.001)  # a poll with a bound: a link comes up within some of these


# --- the fence -----------------------------------------------------------------------------------------------------------------


class Fence:
    """A way through *routers* namespaces without rules, as many as any packet crosses; both its ends are in *silent*."""

    def __init__(self, silent: int, routers: int = 1) -> None:
        self._routers = [new_router() for _ in range(routers)]
        with inside_network(self._routers[0]), Links() as links:
            self._near = new_link(links, "back", _mac(0), silent, "fence-in", _mac(1))
        for number, (here, there) in enumerate(itertools.pairwise(self._routers), start=1):
            _lead_on(number, here, there, "back").close()
        self._far = _lead_on(routers, self._routers[-1], silent, "fence-out")
        self._numbers = itertools.count(1)

    def wait(self) -> None:
        """Wait until all that was sent before has come as far as it will; LostFenceError."""
        packet = first_packet(_FENCE, next(self._numbers))
        self._near.send(packet)
        deadline = time.monotonic() + FENCE_WITHIN_S
        while content(packet) not in set(self._far.caught()):
            if not select.select([self._far], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise LostFenceError("a packet that no policy concerns was lost")

    def close(self) -> None:
        self._near.close()
        self._far.close()
        for network in self._routers:
            os.close(network)


def _lead_on(number: int, here: int, there: int, far_ifname: str) -> Port:
    """Link router *number* with what follows, and send the fence there; the far end of the link."""
    far_mac = _mac(2 * number + 1)
    with inside_network(here), Links() as links:
        port = new_link(links, "on", _mac(2 * number), there, far_ifname, far_mac)
        links.add_neighbour("on", _FENCE.destination, far_mac)
        links.add_route("on", _FENCE.destination.network())
    return port


def _mac(number: int) -> MAC:
    return MAC(bytes((2, 0, 1, 0, 0, number)))
