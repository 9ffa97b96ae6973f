"""A host to send packets through: a network namespace with the links that the packets need, and the rules of a model.

    far end ── veth ── cali… ┐                       ┌ raw sockets: what the host itself sends and receives
    far end ── veth ── eth0  ┴ network namespace ────┤
                                                     └ table tortie
    fence in ── another namespace, without rules ── fence out

The far ends are packet sockets in a namespace where nothing has an address or answers. Who is whose neighbour and where every
destination leads is stated, so a packet that does not come out was dropped by a rule. Whether one still comes is decided by a
fence (``tortie.lab.packetnetwork``).
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable

from tortie.analysis.hostmodel import HostModel
from tortie.dataplane.conntrack import ConntrackTable
from tortie.dataplane.links import Links
from tortie.dataplane.nft import NftDriver
from tortie.lab.namespaces import inside_network
from tortie.lab.packetnetwork import Fence, new_link, new_router, new_silent
from tortie.lab.packets import content, first_packet
from tortie.lab.ports import Listener, Port, Sender
from tortie.model.meta import HostName
from tortie.net import MAC, Address
from tortie.ruleset.options import Compilation, Options
from tortie.ruleset.values import Flush
from tortie.verdict.packet import Packet


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
        self._network, self._far = new_router(), new_silent()
        self._ports: dict[str, Port] = {}
        self._numbers: dict[str, int] = {}
        self._fence = Fence(self._far)
        with inside_network(self._network):
            self._links, self._driver, self._conntrack = Links(), NftDriver(), ConntrackTable()
            self._sender = Sender()
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
            number = self._numbers[ifname] = len(self._numbers)
            near_mac, far_mac = _mac(number, far=False), _mac(number, far=True)
            self._ports[ifname] = new_link(self._links, ifname, near_mac, self._far, f"far{number}", far_mac)

    # --- packets ------------------------------------------------------------------------------------------------------------

    def passed(self, packets: Iterable[tuple[Packet, str, str]], numbers: Iterable[int]) -> list[bool]:
        """Send packets, each with its way in and out (empty: the host itself); of each, whether it came out.

        Every packet is of a new connection, if none of them could be the answer to another. LostFenceError if that cannot be told.
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


def _mac(number: int, *, far: bool) -> MAC:
    return MAC(bytes((2, 0, 0, far, number >> 8, number & 0xFF)))
