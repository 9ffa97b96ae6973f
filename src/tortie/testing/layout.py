"""The parts of a bed (``tortie.testing.bed``): their addresses, and how their namespaces and links are made.

The host's end of a workload's link is set up as the agent does it. Who is whose neighbour is stated for good: a packet is
never held back for an answer, and no answer can be missing.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from tortie.dataplane.links import Links
from tortie.dataplane.routes import RouteDriver, RouteSet
from tortie.dataplane.sysctl import SettingsWanted, SysctlDriver, workload_link_settings
from tortie.lab.namespaces import CLONE_NEWNET, inside_network, setns, unshare
from tortie.lab.wiring import set_sysctls
from tortie.model.meta import HostName
from tortie.net import MAC, Address, Family, Network
from tortie.testing.ports import Listener, Port

UPLINK = "eth0"
"""A host's interface to all others."""

_FENCE = "fence"
_OWN_NUMBER = 254
_ANYWHERE = (Network.parse("0.0.0.0/0"), Network.parse("::/0"))
_ROUTER = (Address.parse("169.254.99.1"), Address.parse("fe80::99"))
"""The outside, as each host's gateway."""
_HOST = (Address.parse("169.254.99.2"), Address.parse("fe80::98"))
"""Each host, as the outside's gateway to its block."""
_ENDS = ("workload", "cali", "fence", "host's fence", "outside", "host's uplink")


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
    addresses: tuple[Address, ...]
    """Its own, one of each family."""
    slots: tuple[Slot, ...]
    uplink: Port
    """The outside's end of its link to it."""
    fence: Port
    fence_address: Address
    listener: Listener

    def close(self) -> None:
        for port in (*(slot.port for slot in self.slots), self.uplink, self.fence):
            port.close()
        self.listener.close()
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


# --- the outside -----------------------------------------------------------------------------------------------------------


def new_outside() -> int:
    """The namespace that routes between hosts; what it has no route for it swallows without an answer."""
    network = new_network()
    with inside_network(network), Links() as links:
        set_sysctls(forwards=True)
        links.set_up("lo")  # makes the local table, without which the kernel takes no address for a gateway's
    return network


def finish_outside(network: int) -> None:
    """Swallow what has no route. After all hosts are built: what such a route leads to is no gateway."""
    with inside_network(network):
        routes = RouteDriver()
    for everything in _ANYWHERE:
        routes.stage(RouteSet(destination=everything))
    for batch in routes.plan():
        routes.apply(batch)
    routes.close()


def _route_from_outside(index: int, fence_address: Address) -> None:
    """Run outside: the way to all that is at a host."""
    with Links() as links:
        for gateway in _HOST:
            links.add_neighbour(_outside_link(index), gateway, _mac(index, "host's uplink"))
        for destination in (*_blocks(index), fence_address.network()):
            gateway = _HOST[destination.family is Family.V6]
            links.add_route(_outside_link(index), destination, gateway, onlink=True)


# --- a host ----------------------------------------------------------------------------------------------------------------


def build_host(index: int, host: HostName, slots: int, *, outside: int, fences: int) -> HostPart:
    """Make host number *index* and its links to the workloads, to *outside*, and to the namespace of the fences."""
    network, own, fence_address = new_network(), _addresses(index, _OWN_NUMBER), Address.parse(f"10.99.{index}.1")
    with inside_network(network), Links() as links:
        set_sysctls(forwards=True)
        links.set_up("lo")
        part = HostPart(
            network=network,
            addresses=own,
            slots=tuple(_build_slot(links, index, number, host) for number in range(slots)),
            uplink=_build_uplink(links, index, own, outside),
            fence=_build_fence(links, index, fence_address, fences),
            fence_address=fence_address,
            listener=Listener(),
        )
    with inside_network(outside):
        _route_from_outside(index, fence_address)
    return part


def _addresses(index: int, number: int) -> tuple[Address, ...]:
    return Address.parse(f"10.65.{index}.{number}"), Address.parse(f"fd00:65:0:{index}::{number}")


def _blocks(index: int) -> tuple[Network, ...]:
    return Network.parse(f"10.65.{index}.0/24"), Network.parse(f"fd00:65:0:{index}::/64")


def _mac(index: int, end: str, number: int = 0) -> MAC:
    return MAC(bytes((2, 0, 0, _ENDS.index(end), index, number)))


def _outside_link(index: int) -> str:
    return f"host{index}"


def _build_slot(links: Links, index: int, number: int, host: HostName) -> Slot:
    ifname, mac, addresses = f"cali{index}-{number}", _mac(index, "workload", number), _addresses(index, number + 1)
    workload = new_network()
    port = _link(links, ifname, _mac(index, "cali", number), "eth0", mac, workload, is_silent=True)
    os.close(workload)  # the port keeps it
    _apply_link_settings(links, ifname)
    for address in addresses:
        links.add_neighbour(ifname, address, mac)
        links.add_route(ifname, address.network())
    return Slot(host, ifname, mac, addresses, port)


def _apply_link_settings(links: Links, ifname: str) -> None:
    sysctls = SysctlDriver()
    sysctls.stage(SettingsWanted(link=ifname, settings=workload_link_settings(ifname)))
    sysctls.link_changed(links.get(ifname))
    for batch in sysctls.plan():
        sysctls.apply(batch)


def _build_uplink(links: Links, index: int, own: tuple[Address, ...], outside: int) -> Port:
    mac = _mac(index, "outside")
    port = _link(links, UPLINK, _mac(index, "host's uplink"), _outside_link(index), mac, outside, is_silent=False)
    for address in own:
        links.add_address(UPLINK, address)
    for gateway, everything in zip(_ROUTER, _ANYWHERE, strict=True):
        links.add_neighbour(UPLINK, gateway, mac)
        links.add_route(UPLINK, everything, gateway, onlink=True)
    return port


def _build_fence(links: Links, index: int, address: Address, fences: int) -> Port:
    """A link that is no workload's by its name, so no policy concerns it."""
    mac = _mac(index, "fence")
    port = _link(links, _FENCE, _mac(index, "host's fence"), f"{_FENCE}{index}", mac, fences, is_silent=True)
    links.add_neighbour(_FENCE, address, mac)
    links.add_route(_FENCE, address.network())
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
