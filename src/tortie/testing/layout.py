"""The parts of a bed (``tortie.testing.bed``): how its namespaces and links are made.

The host's end of a workload's link is set up as the agent does it, but that the kernel's own reverse-path filter is off, so
that only rules drop packets. Who is whose neighbour is stated for good: a packet is never held back for an answer, and no
answer can be missing.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from tortie.dataplane.links import Links
from tortie.dataplane.routes import RouteDriver, RouteSet
from tortie.dataplane.sysctl import Setting, SettingsWanted, SysctlDriver, workload_link_settings
from tortie.lab.namespaces import CLONE_NEWNET, inside_network, setns, unshare
from tortie.lab.ports import HEARD, Listener, Port, Sender
from tortie.lab.wiring import set_sysctls
from tortie.model.meta import HostName
from tortie.net import MAC, Address, Family, Network, Protocol
from tortie.testing.rules import UNASSIGNED
from tortie.testing.topology import BACKYARD, UPLINKS, blocks, of_family, own_addresses, workload_addresses

_ANYWHERE = (Network.parse("0.0.0.0/0"), Network.parse("::/0"))
_ROUTER = (Address.parse("169.254.99.1"), Address.parse("fe80::99"))
"""The outside, as each host's gateway."""
_HOST = (Address.parse("169.254.99.2"), Address.parse("fe80::98"))
"""Each host, as the outside's gateway to it."""
_ENDS = ("workload", "cali", "outside", "uplink")
_IPIP = Protocol(4)
_ALL_HEARD = (*HEARD, *((family, protocol) for family in Family for protocol in (UNASSIGNED, _IPIP)))


class Slot(NamedTuple):
    """A place for a workload."""

    host: HostName
    ifname: str
    """Of its link, on the host."""
    mac: MAC
    addresses: tuple[Address, ...]
    port: Port


class HostPart(NamedTuple):
    """A host, with all that hangs on it."""

    network: int
    """A descriptor of its network namespace."""
    slots: tuple[Slot, ...]
    uplinks: Mapping[str, Port]
    """The outside's end of each uplink."""
    listener: Listener
    """What the host receives."""
    sender: Sender
    """What the host sends."""

    def close(self) -> None:
        for port in (*(slot.port for slot in self.slots), *self.uplinks.values()):
            port.close()
        self.listener.close()
        self.sender.close()
        os.close(self.network)


def new_network() -> int:
    """A descriptor of a new network namespace; the caller stays in its own."""
    home = _own_network()
    try:
        unshare(CLONE_NEWNET)
        return _own_network()
    finally:
        setns(home, CLONE_NEWNET)
        os.close(home)


def _own_network() -> int:
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def new_router() -> int:
    """A namespace that forwards whatever it has a route for."""
    network = new_network()
    with inside_network(network), Links() as links:
        set_sysctls(forwards=True)
        links.set_up("lo")  # makes the local table, without which the kernel takes no address for a gateway's
    return network


# --- the outside -----------------------------------------------------------------------------------------------------------


def finish_outside(network: int) -> None:
    """Swallow what has no route. After all hosts are built: what such a route leads to is no gateway."""
    with inside_network(network):
        routes = RouteDriver()
    for everything in _ANYWHERE:
        routes.stage(RouteSet(destination=everything))
    for batch in routes.plan():
        routes.apply(batch)
    routes.close()


def _route_from_outside(index: int) -> None:
    """Run outside: the way to all that is at a host."""
    with Links() as links:
        for uplink in UPLINKS:
            for gateway in _HOST:
                links.add_neighbour(_far_end(index, uplink), gateway, _mac(index, "uplink", UPLINKS.index(uplink)))
            behind = blocks(index) if uplink == UPLINKS[0] else ()
            for destination in (*behind, *(address.network() for address in own_addresses(index, uplink))):
                gateway, *_ = of_family(_HOST, destination.family)
                links.add_route(_far_end(index, uplink), destination, gateway, onlink=True)


def _far_end(index: int, uplink: str) -> str:
    return f"{uplink}-{index}"


# --- a host ----------------------------------------------------------------------------------------------------------------


def build_host(index: int, host: HostName, slots: int, *, outside: int) -> HostPart:
    """Make host number *index* and its links to the workloads and to *outside*."""
    network = new_router()
    with inside_network(network), Links() as links:
        part = HostPart(
            network=network,
            slots=tuple(_build_slot(links, index, number, host) for number in range(slots)),
            uplinks={uplink: _build_uplink(links, index, uplink, outside) for uplink in UPLINKS},
            listener=Listener(_ALL_HEARD),
            sender=Sender(),
        )
    with inside_network(outside):
        _route_from_outside(index)
    return part


def _mac(index: int, end: str, number: int = 0) -> MAC:
    return MAC(bytes((2, 0, 0, _ENDS.index(end), index, number)))


def _build_slot(links: Links, index: int, number: int, host: HostName) -> Slot:
    ifname, mac, addresses = f"cali{index}-{number}", _mac(index, "workload", number), workload_addresses(index, number)
    workload = new_network()
    port = _link(links, ifname, _mac(index, "cali", number), "eth0", mac, workload, is_silent=True)
    os.close(workload)  # the port keeps it
    _apply_link_settings(links, ifname)
    for address in addresses:
        links.add_neighbour(ifname, address, mac)
        links.add_route(ifname, address.network())
    return Slot(host, ifname, mac, addresses, port)


def _apply_link_settings(links: Links, ifname: str) -> None:
    settings = (*workload_link_settings(ifname), Setting(f"net/ipv4/conf/{ifname}/rp_filter", "0"))
    sysctls = SysctlDriver()
    sysctls.stage(SettingsWanted(link=ifname, settings=tuple({setting.path: setting for setting in settings}.values())))
    sysctls.link_changed(links.get(ifname))
    for batch in sysctls.plan():
        sysctls.apply(batch)


def _build_uplink(links: Links, index: int, uplink: str, outside: int) -> Port:
    number = UPLINKS.index(uplink)
    mac = _mac(index, "outside", number)
    far = _far_end(index, uplink)
    port = _link(links, uplink, _mac(index, "uplink", number), far, mac, outside, is_silent=False)
    for address in own_addresses(index, uplink):
        links.add_address(uplink, address)
    behind = _ANYWHERE if uplink == UPLINKS[0] else BACKYARD
    for gateway in _ROUTER:
        links.add_neighbour(uplink, gateway, mac)
        (destination,) = (network for network in behind if network.family is gateway.family)
        links.add_route(uplink, destination, gateway, onlink=True)
    return port


def _link(
    links: Links, ifname: str, mac: MAC, far_ifname: str, far_mac: MAC, far_network: int, *, is_silent: bool
) -> Port:
    """A veth from here to *far_network*, up at both ends; its far end."""
    links.create_veth(ifname, mac=mac, peer_name=far_ifname, peer_mac=far_mac, peer_namespace_fd=far_network)
    links.set_up(ifname)
    with inside_network(far_network), Links() as far_links:
        if is_silent:
            _silence()
        far_links.set_up(far_ifname)
        return Port(far_ifname, own=far_mac, peer=mac)


def _silence() -> None:
    """Let nothing in this network namespace speak by itself, or forward."""
    settings = {"ipv4/ip_forward": 0, "ipv6/conf/all/disable_ipv6": 1, "ipv6/conf/default/disable_ipv6": 1}
    for name, value in settings.items():
        Path("/proc/sys/net", name).write_text(str(value))


# --- the fence -------------------------------------------------------------------------------------------------------------

FENCE_FROM, FENCE_TO = Address.parse("10.99.0.1"), Address.parse("10.99.0.2")
_FENCE_ROUTERS = 3
"""As many as the longest way of a packet has: a host, the outside, another host."""


class Fence(NamedTuple):
    """The two ends of a way of as many hops as any other, through namespaces without rules."""

    near: Port
    far: Port
    routers: tuple[int, ...]

    def close(self) -> None:
        self.near.close()
        self.far.close()
        for network in self.routers:
            os.close(network)


def build_fence() -> Fence:
    """Make the way, from one silent end to the other."""
    ends = new_network(), new_network()
    routers = tuple(new_router() for _ in range(_FENCE_ROUTERS))
    with inside_network(routers[0]), Links() as links:
        near = _link(links, "back", _fence_mac(0), "end", _fence_mac(1), ends[0], is_silent=True)
    ports = [
        _extend_fence(number, here, there, is_last=there == ends[1])
        for number, (here, there) in enumerate(itertools.pairwise((*routers, ends[1])), start=1)
    ]
    for port in ports[:-1]:
        port.close()
    for network in ends:
        os.close(network)  # the ports keep them
    return Fence(near, ports[-1], routers)


def _extend_fence(number: int, here: int, there: int, *, is_last: bool) -> Port:
    """Link router *number* with what follows, and send the fence there; the far end of the link."""
    with inside_network(here), Links() as links:
        port = _link(
            links, "on", _fence_mac(2 * number), "before", _fence_mac(2 * number + 1), there, is_silent=is_last
        )
        links.add_neighbour("on", FENCE_TO, _fence_mac(2 * number + 1))
        links.add_route("on", FENCE_TO.network())
    return port


def _fence_mac(number: int) -> MAC:
    return MAC(bytes((2, 0, 1, 0, 0, number)))
