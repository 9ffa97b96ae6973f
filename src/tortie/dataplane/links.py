"""Links and what hangs on them: making them, and watching them.

``Links`` does at once what it is told, in the network namespace in which it was opened; the lab and CNI build workloads with
it. ``LinkWatch`` tells an event loop what becomes of a host's links and addresses, so that routes and sysctls follow them.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from tortie.dataplane.driver import KernelRefusedError
from tortie.dataplane.link_state import AddressesChanged, EventsLost, LinkChanged, LinkEvent, LinkGone, LinkTable
from tortie.dataplane.netlink import rtnetlink
from tortie.dataplane.netlink.message import Message
from tortie.dataplane.netlink.route import Hop, Route, RouteType, normal_metric, replace_route
from tortie.dataplane.netlink.rtnetlink import (
    RTNLGRP_IPV4_IFADDR,
    RTNLGRP_IPV6_IFADDR,
    RTNLGRP_LINK,
    InterfaceAddress,
    Link,
)
from tortie.dataplane.netlink.socket import NETLINK_ROUTE, NetlinkError, NetlinkSocket
from tortie.net import MAC, Address, Network

__all__ = [
    "AddressesChanged",
    "EventsLost",
    "InterfaceAddress",
    "Link",
    "LinkChanged",
    "LinkEvent",
    "LinkGone",
    "LinkWatch",
    "Links",
]

RTPROT_STATIC = 4
"""Whose routes these are: an administrator's, so that no agent takes them for its own."""


class Links:
    """Makes and changes links in the network namespace of the thread that opens it.

    Every refusal is a KernelRefusedError with the kernel's errno, and says what was to be done to which link.
    """

    def __init__(self) -> None:
        self._netlink = NetlinkSocket(NETLINK_ROUTE)

    def close(self) -> None:
        self._netlink.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def list(self) -> tuple[Link, ...]:
        """Every link, by number."""
        frames = self._netlink.dump(rtnetlink.list_links())
        return tuple(sorted(filter(None, map(rtnetlink.read_link, frames)), key=lambda link: link.ifindex))

    def get(self, name: str) -> Link:
        """One link; KernelRefusedError (ENODEV) if there is none of that name."""
        try:
            frames = self._netlink.query(rtnetlink.get_link(name))
        except NetlinkError as error:
            raise _refused(f"look up link {name}", error) from error
        links = [link for frame in frames if (link := rtnetlink.read_link(frame))]
        return links[0]

    def create_veth(
        self,
        name: str,
        *,
        peer_name: str,
        mac: MAC | None = None,
        peer_mac: MAC | None = None,
        peer_namespace_fd: int | None = None,
        mtu: int | None = None,
    ) -> Link:
        """Make a veth pair, both ends down, and tell this end.

        A MAC of None is chosen by the kernel. The peer is born in the network namespace behind *peer_namespace_fd*, here if None.
        """
        self._do(
            f"create veth {name} with peer {peer_name}",
            rtnetlink.create_veth(
                name, mac=mac, peer_name=peer_name, peer_mac=peer_mac, peer_namespace=peer_namespace_fd, mtu=mtu
            ),
        )
        return self.get(name)

    def delete(self, name: str) -> None:
        """Delete a link, with a veth its peer too; ENODEV if there is none of that name."""
        self._do(f"delete link {name}", rtnetlink.delete_link(name))

    def set_up(self, name: str) -> None:
        self._do(f"set link {name} up", rtnetlink.set_link_up(name))

    def move(self, name: str, namespace_fd: int) -> None:
        """Move a link to the network namespace behind *namespace_fd*; it arrives down and without addresses."""
        self._do(f"move link {name} to another namespace", rtnetlink.move_link(name, namespace_fd))

    def add_address(self, name: str, address: Address, prefix_len: int | None = None, *, nodad: bool = True) -> None:
        """Give a link an address, by default a /32 or /128; with *nodad* an IPv6 address is usable at once."""
        length = address.family.bits if prefix_len is None else prefix_len
        message = rtnetlink.add_address(self.get(name).ifindex, address, length, nodad=nodad)
        self._do(f"give link {name} the address {address}/{length}", message)

    def add_neighbour(self, name: str, address: Address, mac: MAC) -> None:
        """State for good which MAC an address on the link has."""
        message = rtnetlink.set_neighbour(self.get(name).ifindex, address, mac)
        self._do(f"make {address} a neighbour at {mac} on link {name}", message)

    def add_route(
        self,
        name: str,
        destination: Network,
        gateway: Address | None = None,
        *,
        onlink: bool = False,
        metric: int = 0,
        protocol: int = RTPROT_STATIC,
    ) -> None:
        """Send *destination* out by a link, to *gateway* if given, in place of a route of the same destination and metric.

        With *onlink* the gateway need not be in a network of the link's.
        """
        hop = Hop(RouteType.UNICAST, self.get(name).ifindex, gateway.packed if gateway else b"", onlink)
        route = Route(destination, normal_metric(destination.family, metric), hop)
        via = f" via {gateway}" if gateway else ""
        self._do(f"route {destination}{via} by link {name}", replace_route(route, protocol=protocol))

    def add_local_route(self, destination: Network, *, protocol: int = RTPROT_STATIC) -> None:
        """Take packets to *destination* for this host's own, though no link has the address.

        At once, unlike an IPv6 address, to which packets come only after the kernel has seen to it.
        """
        hop = Hop(RouteType.LOCAL, self.get("lo").ifindex)
        route = Route(destination, normal_metric(destination.family, 0), hop)
        self._do(f"make {destination} the host's own", replace_route(route, protocol=protocol))

    def _do(self, what: str, message: Message) -> None:
        try:
            self._netlink.execute([message])
        except NetlinkError as error:
            raise _refused(what, error) from error


def _refused(what: str, error: NetlinkError) -> KernelRefusedError:
    return KernelRefusedError(error.errno, f"the kernel would not {what}: {error.strerror}")


class LinkWatch:
    """Tells what becomes of the links and addresses in the network namespace of the thread that opens it.

    ``list`` once; then, whenever ``fileno`` can be read, ``receive``. Two sockets, because the notifications of one that also
    asks could be taken for its answers: they carry the sequence number of whoever made the change.
    """

    def __init__(self) -> None:
        self._table = LinkTable()
        self._notifications = NetlinkSocket(NETLINK_ROUTE, (RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR))
        try:
            self._requests = NetlinkSocket(NETLINK_ROUTE)
        except BaseException:
            self._notifications.close()
            raise

    @property
    def links(self) -> Mapping[int, Link]:
        """The links as far as told, by number; a live view."""
        return self._table.links

    def fileno(self) -> int:
        return self._notifications.fileno()

    def list(self) -> tuple[LinkEvent, ...]:
        """List everything; the events are the differences to what was told before.

        What was notified before is discarded first, or a link that is gone could come back from an old notification. What
        happens during the listing is notified again afterwards, and told twice at worst.
        """
        self._notifications.discard_notifications()
        links = self._requests.dump(rtnetlink.list_links())
        addresses = self._requests.dump(rtnetlink.list_addresses())
        return tuple(self._table.replace(links, addresses))

    def receive(self) -> tuple[LinkEvent, ...]:
        """What has changed, perhaps nothing that matters; blocks if ``fileno`` cannot be read."""
        try:
            frames = self._notifications.receive_notifications()
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                raise
            return EventsLost(), *self.list()
        return tuple(event for frame in frames for event in self._table.note(frame))

    def close(self) -> None:
        self._notifications.close()
        self._requests.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
