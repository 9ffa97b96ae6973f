"""A host to send packets through: a network namespace with the links that the packets need, and the rules of a model.

    far end ── veth ── cali… ┐                       ┌ raw sockets: what the host itself sends and receives
    far end ── veth ── eth0  ┴ network namespace ────┤
                                                     └ table tortie
    fence in ── another namespace, without rules ── fence out

The far ends are packet sockets in a namespace where nothing has an address or answers. Who is whose neighbour and where every
destination leads is stated, so a packet that does not come out was dropped by a rule.

Whether one still comes is decided by a *fence*, not by a wait: the caller is kept on one CPU, whose backlog is a queue that every
hop of every packet goes through. A packet that makes as many hops as any other, and that no policy concerns, arrives after all
that were sent before it.
"""

from __future__ import annotations

import contextlib
import os
import select
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from tortie.analysis.hostmodel import HostModel
from tortie.dataplane.conntrack import ConntrackTable
from tortie.dataplane.links import Links
from tortie.dataplane.nft import NftDriver
from tortie.lab.errors import LabError
from tortie.lab.namespaces import CLONE_NEWNET, inside_network, setns, unshare
from tortie.lab.packets import content, first_packet
from tortie.lab.ports import Listener, Port, Sender
from tortie.model.meta import HostName
from tortie.net import MAC, Address, Protocol
from tortie.ruleset.options import Compilation, Options
from tortie.ruleset.values import Flush
from tortie.verdict.packet import Packet

LOOPBACK = "lo"
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


class RuledHost(HostModel):
    """A model of a host that also keeps what its kernel is to be told."""

    def __init__(self, node: HostName, compilation: Compilation) -> None:
        self.untold: list[Flush] = []
        super().__init__(node, compilation)

    def begin(self, options: Options) -> None:
        self.untold.clear()
        super().begin(options)

    def flushed(self, flush: Flush) -> None:
        self.untold.append(flush)
        super().flushed(flush)


class PacketHost:
    """One host. It is built for the links and destinations of certain packets, and let go of afterwards."""

    def __init__(self, rules: Iterable[Flush]) -> None:
        self._network, self._far = new_network(_ROUTER), new_network(_SILENT)
        self._ports: dict[str, Port] = {}
        self._numbers: dict[str, int] = {}
        self._fence = _Fence(self._far)
        with inside_network(self._network):
            self._links, self._driver, self._conntrack = Links(), NftDriver(), ConntrackTable()
            self._sender = Sender()
        self._links.set_up(LOOPBACK)
        for flush in rules:
            self._driver.stage(flush)
            for batch in self._driver.plan():
                self._driver.apply(batch)

    def close(self) -> None:
        """Let go of the namespaces: the kernel removes them, and what is in them."""
        self._links.close()
        self._driver.close()
        self._conntrack.close()
        self._sender.close()
        self._fence.close()
        for port in self._ports.values():
            port.close()
        os.close(self._network)
        os.close(self._far)

    # --- what is where ------------------------------------------------------------------------------------------------------

    def lead(self, destination: Address, ifname: str) -> None:
        """Route *destination* over a link, which is made if need be; over none: it is the host's own."""
        if not ifname:
            self._links.add_local_route(destination.network())
            return
        self.link(ifname)
        self._links.add_neighbour(ifname, destination, _mac(self._numbers[ifname], far=True))
        self._links.add_route(ifname, destination.network())

    def link(self, ifname: str) -> None:
        """Make the link *ifname*, if it is not there yet."""
        if ifname and ifname not in self._ports:
            self._numbers[ifname] = len(self._numbers)
            self._ports[ifname] = _new_link(self._links, ifname, self._numbers[ifname], self._far)

    # --- packets ------------------------------------------------------------------------------------------------------------

    def passed(self, packets: Iterable[tuple[Packet, str, str]], numbers: Iterable[int]) -> list[bool]:
        """Send packets, each with its way in and out (empty: the host itself); of each, whether it came out.

        Every packet is of a new connection. LostFenceError if that cannot be told.
        """
        sent = [(*packet, first_packet(packet[0], number)) for packet, number in zip(packets, numbers, strict=False)]
        self._conntrack.delete(*self._conntrack.flows())
        heard = {(packet.family, packet.protocol) for packet, _, out, _ in sent if not out}
        with inside_network(self._network):
            listener = Listener(heard)
        for packet, came, _, data in sent:
            if came:
                self._ports[came].send(data)
            else:
                with contextlib.suppress(PermissionError):  # dropped on its way out
                    self._sender.send(data, packet.destination)
        self._fence.wait()
        caught = {ifname: set(port.caught()) for ifname, port in self._ports.items()} | {"": set(listener.caught())}
        listener.close()
        return [content(data) in caught[out] for _, _, out, data in sent]


# --- parts -----------------------------------------------------------------------------------------------------------------


class _Fence:
    """A way of as many hops as any other, through a namespace without rules."""

    def __init__(self, far: int) -> None:
        self._network = new_network(_ROUTER)
        with inside_network(self._network), Links() as links:
            links.set_up(LOOPBACK)
            self._in = _new_link(links, "in", _FENCE_NUMBER, far)
            self._out = _new_link(links, "out", _FENCE_NUMBER + 1, far)
            links.add_neighbour("out", _FENCE.destination, _mac(_FENCE_NUMBER + 1, far=True))
            links.add_route("out", _FENCE.destination.network())
        self._count = 0

    def wait(self) -> None:
        """Wait until all that was sent before has come as far as it will; LostFenceError."""
        self._count += 1
        packet = first_packet(_FENCE, self._count)
        self._in.send(packet)
        deadline = time.monotonic() + FENCE_WITHIN_S
        while content(packet) not in set(self._out.caught()):
            if not select.select([self._out], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise LostFenceError("a packet that no policy concerns was lost")

    def close(self) -> None:
        self._in.close()
        self._out.close()
        os.close(self._network)


_FENCE_NUMBER = 60_000


def new_network(settings: Mapping[str, int]) -> int:
    """A descriptor of a new network namespace with *settings* below ``/proc/sys/net``; the caller stays in its own."""
    home = _own_network()
    try:
        unshare(CLONE_NEWNET)
        for name, value in settings.items():
            Path("/proc/sys/net", name).write_text(str(value))
        return _own_network()
    finally:
        setns(home, CLONE_NEWNET)
        os.close(home)


def _own_network() -> int:
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def _new_link(links: Links, ifname: str, number: int, far: int) -> Port:
    """A veth from the namespace of *links* to *far*, up at both ends; its far end."""
    near_mac, far_mac, far_name = _mac(number, far=False), _mac(number, far=True), f"far{number}"
    links.create_veth(ifname, mac=near_mac, peer_name=far_name, peer_mac=far_mac, peer_namespace_fd=far)
    links.set_up(ifname)
    with inside_network(far), Links() as far_links:
        far_links.set_up(far_name)
        _await_carrier(links, ifname)
        _await_carrier(far_links, far_name)
        return Port(far_name, own=far_mac, peer=near_mac)


def _await_carrier(links: Links, ifname: str) -> None:
    """Wait until the kernel has noted that the peer is up: until then it drops what is sent (Linux, linkwatch_do_dev)."""
    deadline = time.monotonic() + FENCE_WITHIN_S
    while not links.get(ifname).running:
        if time.monotonic() > deadline:
            raise LostFenceError(f"link {ifname} has no carrier")
        time.sleep(0.001)


def _mac(number: int, *, far: bool) -> MAC:
    return MAC(bytes((2, 0, 0, far, number >> 8, number & 0xFF)))
