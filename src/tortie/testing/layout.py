"""The parts of a bed (``tortie.testing.bed``): the outside and the hosts, with their links and routes.

The host's end of a workload's link is set up as the agent does it; the kernel's own reverse-path filter is off there, so only
rules drop packets. Who is whose neighbour is stated for good: a packet is never held back for an answer, and no answer can be
missing.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import NamedTuple

from tortie.dataplane.links import Links
from tortie.dataplane.routes import RouteDriver, RouteSet
from tortie.dataplane.sysctl import SettingsWanted, SysctlDriver, workload_link_settings
from tortie.lab.namespaces import inside_network
from tortie.lab.packetnetwork import new_link, new_router, new_silent
from tortie.lab.ports import HEARD, Listener, Port, Sender
from tortie.model.meta import HostName
from tortie.net import IPIP, MAC, Address, Family, Network
from tortie.testing.rules import UNASSIGNED
from tortie.testing.topology import BACKYARD, UPLINKS, blocks, of_family, own_addresses, workload_addresses

_ANYWHERE = (Network.parse("0.0.0.0/0"), Network.parse("::/0"))
_ROUTER = (Address.parse("169.254.99.1"), Address.parse("fe80::99"))
"""The outside, as each host's gateway."""
_HOST = (Address.parse("169.254.99.2"), Address.parse("fe80::98"))
"""Each host, as the outside's gateway to it."""
_ENDS = ("workload", "cali", "outside", "uplink")
_ALL_HEARD = (*HEARD, *((family, protocol) for family in Family for protocol in (UNASSIGNED, IPIP)))


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
    workload = new_silent()
    port = new_link(links, ifname, _mac(index, "cali", number), workload, "eth0", mac)
    os.close(workload)  # the port keeps it
    _apply_settings(links, ifname)
    for address in addresses:
        links.add_neighbour(ifname, address, mac)
        links.add_route(ifname, address.network())
    return Slot(host, ifname, mac, addresses, port)


def _apply_settings(links: Links, ifname: str) -> None:
    sysctls = SysctlDriver()
    sysctls.stage(SettingsWanted(link=ifname, settings=workload_link_settings(ifname)))
    sysctls.link_changed(links.get(ifname))
    for batch in sysctls.plan():
        sysctls.apply(batch)


def _build_uplink(links: Links, index: int, uplink: str, outside: int) -> Port:
    number = UPLINKS.index(uplink)
    mac = _mac(index, "outside", number)
    port = new_link(links, uplink, _mac(index, "uplink", number), outside, _far_end(index, uplink), mac)
    for address in own_addresses(index, uplink):
        links.add_address(uplink, address)
    behind = _ANYWHERE if uplink == UPLINKS[0] else BACKYARD
    for gateway in _ROUTER:
        links.add_neighbour(uplink, gateway, mac)
        (destination,) = (network for network in behind if network.family is gateway.family)
        links.add_route(uplink, destination, gateway, onlink=True)
    return port
