"""A small network of namespaces to send packets through: hosts that route, workloads, and the world outside.

    workload ── eth0 ── cali0-0 ┐      ┌ eth0 ── eth0-0 ┐
    workload ── eth0 ── cali0-1 ┤ host │                │
                                       └ eth1 ── eth1-0 │
                                                        ├ outside: routes between the hosts, and is everybody else
    workload ── eth0 ── cali1-0 ┐      ┌ eth0 ── eth0-1 │
    workload ── eth0 ── cali1-1 ┤ host │                │
                                       └ eth1 ── eth1-1 ┘
    fence ── router ── router ── router ── fence

    bed = Bed(hosts=("host-1", "host-2"))
    cluster = bed.place(cluster)     # its endpoints' interfaces and MACs are those of the slots that have their addresses
    bed.delivered(shots)             # of each flow: did its first packet arrive?

Everything is built once, which takes some 100 ms; whoever puts rules into the hosts gets ``Bed.network_of``. Addresses and ways
are those of ``tortie.testing.topology``. The workloads are only packet sockets: nothing in their namespaces has an address or
answers, and who is whose neighbour is stated for good. So a packet that does not arrive was dropped by a rule.

Whether one still comes is decided by a fence (``tortie.lab.packetnetwork``), so the calling thread is kept on one CPU.

To be opened in namespaces of the caller's own (``lab.namespaces.unshare``): with its process the kernel removes everything.
"""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import NamedTuple, Self

import msgspec

from tortie.lab.packetnetwork import AT_ONCE, Fence, new_router, new_silent, stay_on_one_cpu
from tortie.lab.packets import content, first_packet
from tortie.lab.ports import Listener, Port
from tortie.model.endpoint import WorkloadEndpoint
from tortie.model.meta import HostName
from tortie.net import Address
from tortie.testing import layout
from tortie.testing.clusters import RandomCluster
from tortie.testing.layout import Slot
from tortie.testing.topology import Place, Topology
from tortie.verdict import Flow

_LONGEST_WAY = 3
"""Namespaces that a packet crosses at most: a host, the outside, another host."""


class Shot(NamedTuple):
    """A flow's first packet, and who sends it."""

    flow: Flow
    origin: Place | None = None
    """The workload's link that it is sent from, where its source is not true; None: it comes from where its source is."""


class Bed:
    """The network. Slot *n* of host *h* has the addresses of workload *n* there."""

    def __init__(self, hosts: Sequence[HostName], slots: int = 6) -> None:
        self._affinity = stay_on_one_cpu()
        self._numbers = itertools.count(1)
        outside = new_router()
        self._parts = {host: layout.build_host(index, host, slots, outside=outside) for index, host in enumerate(hosts)}
        layout.finish_outside(outside)
        os.close(outside)
        silent = new_silent()
        self._fence = Fence(silent, routers=_LONGEST_WAY)
        os.close(silent)  # the fence's sockets keep it
        self._slots = {a: slot for part in self._parts.values() for slot in part.slots for a in slot.addresses}
        places = {address: Place(slot.host, slot.ifname, is_own=False) for address, slot in self._slots.items()}
        self.topology = Topology(tuple(hosts), places)

    def close(self) -> None:
        """Close all sockets and let go of the namespaces."""
        for part in self._parts.values():
            part.close()
        self._fence.close()
        os.sched_setaffinity(0, self._affinity)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # --- who is where ------------------------------------------------------------------------------------------------------

    def network_of(self, host: HostName) -> int:
        """A descriptor of the host's network namespace."""
        return self._parts[host].network

    def slots(self, host: HostName) -> tuple[Slot, ...]:
        return self._parts[host].slots

    def place(self, cluster: RandomCluster) -> RandomCluster:
        """*cluster* with its endpoints on the links of the slots that have their addresses; KeyError if none does."""
        resources = (self.placed(r) if isinstance(r, WorkloadEndpoint) else r for r in cluster.resources)
        return msgspec.structs.replace(cluster, resources=tuple(resources))

    def placed(self, endpoint: WorkloadEndpoint) -> WorkloadEndpoint:
        """*endpoint* alone."""
        (slot,) = {
            self._slots[network.address].ifname: self._slots[network.address] for network in endpoint.spec.ip_networks
        }.values()
        spec = msgspec.structs.replace(endpoint.spec, node=slot.host, interface_name=slot.ifname, mac=slot.mac)
        return msgspec.structs.replace(endpoint, spec=spec)

    # --- packets -----------------------------------------------------------------------------------------------------------

    def delivered(self, shots: Sequence[Shot]) -> list[bool]:
        """Send the first packet of each flow, in order; of each, whether it arrived at its destination.

        Every one passes a host. Whether the flows are new to connection tracking is the caller's affair. LostFenceError if
        that cannot be told.
        """
        return [
            arrived for at in range(0, len(shots), AT_ONCE) for arrived in self._delivered(shots[at : at + AT_ONCE])
        ]

    def _delivered(self, shots: Sequence[Shot]) -> Iterator[bool]:
        packets = [first_packet(shot.flow.packet, next(self._numbers)) for shot in shots]
        for shot, packet in zip(shots, packets, strict=True):
            self._send(shot, packet)
        self._fence.wait()
        caught = {catcher: set(catcher.caught()) for catcher in self._catchers()}
        for shot, packet in zip(shots, packets, strict=True):
            yield any(content(packet) in caught[catcher] for catcher in self._receivers(shot.flow.destination_address))

    def _send(self, shot: Shot, packet: bytes) -> None:
        source, destination = shot.flow.source_address, shot.flow.destination_address
        place = shot.origin or self.topology.place(source)
        if place is None:
            first = self.topology.way(source, destination)[0]
            assert first.in_interface is not None
            self._parts[first.host].uplinks[first.in_interface].send(packet)
        elif place.is_own:
            with contextlib.suppress(PermissionError):  # dropped on its way out
                self._parts[place.host].sender.send(packet, destination)
        else:
            next(slot for slot in self._parts[place.host].slots if slot.ifname == place.interface).port.send(packet)

    def _receivers(self, address: Address) -> Sequence[Port | Listener]:
        if address in self._slots:
            return (self._slots[address].port,)
        place = self.topology.place(address)
        if place is not None:
            return (self._parts[place.host].listener,)
        return tuple(port for part in self._parts.values() for port in part.uplinks.values())

    def _catchers(self) -> Iterator[Port | Listener]:
        for part in self._parts.values():
            yield from (slot.port for slot in part.slots)
            yield from part.uplinks.values()
            yield part.listener
