"""A small network of namespaces to send packets through: hosts that route, workloads, and the world outside.

    workload ── eth0 ── cali0-0 ┐
    workload ── eth0 ── cali0-1 ┤ host ── eth0 ──── host0 ┐
                 fence0 ─ fence ┘                         │
                                                          ├ outside: routes between the hosts, and is everybody else
    workload ── eth0 ── cali1-0 ┐                         │
    workload ── eth0 ── cali1-1 ┤ host ── eth0 ──── host1 ┘
                 fence1 ─ fence ┘

    bed = Bed(hosts=("host-1", "host-2"))
    endpoint = bed.place(endpoint)   # its interface and MAC are those of the slot that has its addresses
    bed.delivered(flows)             # of each flow: did its first packet arrive?

Everything is built once, which takes some 100 ms; whoever puts rules into the hosts gets ``Bed.network_of``. The workloads are
only packet sockets: nothing in their namespaces has an address or answers, and who is whose neighbour is stated for good. So
a packet that does not arrive was dropped by a rule.

Whether one still comes is decided by a *fence*, not by a wait. The calling thread is kept on one CPU, whose backlog
is a queue that every hop of every packet goes through; so a packet that makes as many hops as any other, and that no policy
concerns, arrives after all that were sent before it.

To be opened in namespaces of the caller's own (``lab.namespaces.unshare``): with its process the kernel removes everything.
"""

from __future__ import annotations

import itertools
import os
import select
import time
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import NamedTuple, Self

import msgspec

from tortie.model.endpoint import WorkloadEndpoint
from tortie.model.meta import HostName
from tortie.net import Address, Protocol
from tortie.testing import layout
from tortie.testing.layout import UPLINK, Slot
from tortie.testing.packets import content, first_packet
from tortie.testing.ports import Listener, Port
from tortie.verdict import Flow

AT_ONCE = 64
"""Packets sent between two fences: without root a socket's receive buffer holds some 250."""
FENCE_WITHIN_S = 10.0
_FENCE_PROTOCOL = Protocol(253)  # for experiments (RFC 3692): no ports, no checksum


class LostFenceError(Exception):
    """A packet that no policy concerns did not arrive: the network itself is broken, and says nothing about policy."""


class Hop(NamedTuple):
    """A host on a packet's way."""

    host: HostName
    in_interface: str
    out_interface: str
    """Empty: the packet is for the host itself."""


class Bed:
    """The network. Slot *n* of host *h* has the addresses that ``random_cluster`` gives workload *n* there."""

    def __init__(self, hosts: Sequence[HostName], slots: int = 6) -> None:
        self._affinity = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {min(self._affinity)})
        self._numbers = itertools.count(1)
        outside, fences = layout.new_outside(), layout.new_network()
        self._parts = {
            host: layout.build_host(index, host, slots, outside=outside, fences=fences)
            for index, host in enumerate(hosts)
        }
        layout.finish_outside(outside)
        os.close(outside)
        os.close(fences)
        self._slots = {a: slot for part in self._parts.values() for slot in part.slots for a in slot.addresses}
        self._own = {address: host for host, part in self._parts.items() for address in part.addresses}

    def close(self) -> None:
        """Close all sockets and let go of the namespaces."""
        for part in self._parts.values():
            part.close()
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

    def own_addresses(self, host: HostName) -> tuple[Address, ...]:
        """The addresses of the host itself, one of each family."""
        return self._parts[host].addresses

    def slots(self, host: HostName) -> tuple[Slot, ...]:
        return self._parts[host].slots

    def place(self, endpoint: WorkloadEndpoint) -> WorkloadEndpoint:
        """*endpoint* on the link of the slot that has its addresses; KeyError if none does."""
        slots = {self._slots[network.address] for network in endpoint.spec.ip_networks}
        (slot,) = slots
        spec = msgspec.structs.replace(endpoint.spec, node=slot.host, interface_name=slot.ifname, mac=slot.mac)
        return msgspec.structs.replace(endpoint, spec=spec)

    def way(self, flow: Flow) -> tuple[Hop, ...]:
        """The hosts that *flow* passes."""
        source, destination = flow.source_address, flow.destination_address
        hosts = [host for end in (source, destination) if (host := self._host_of(end)) is not None]
        return tuple(
            Hop(host, self._interface(host, source), self._interface(host, destination))
            for host in dict.fromkeys(hosts)
        )

    def _host_of(self, address: Address) -> HostName | None:
        slot = self._slots.get(address)
        return slot.host if slot is not None else self._own.get(address)

    def _interface(self, host: HostName, address: Address) -> str:
        slot = self._slots.get(address)
        if slot is not None and slot.host == host:
            return slot.ifname
        return "" if self._own.get(address) == host else UPLINK

    # --- packets -----------------------------------------------------------------------------------------------------------

    def delivered(self, flows: Sequence[Flow]) -> list[bool]:
        """Send the first packet of each flow, in order; of each, whether it arrived at its destination.

        The flows have a workload at one end at least. Whether they are new to connection tracking is the caller's affair.
        LostFenceError if that cannot be told.
        """
        return [
            arrived for at in range(0, len(flows), AT_ONCE) for arrived in self._delivered(flows[at : at + AT_ONCE])
        ]

    def _delivered(self, flows: Sequence[Flow]) -> Iterator[bool]:
        packets = [first_packet(flow, next(self._numbers)) for flow in flows]
        for flow, packet in zip(flows, packets, strict=True):
            self._sender(flow).send(packet)
        self._await_fences()
        caught = {catcher: set(catcher.caught()) for catcher in self._catchers()}
        for flow, packet in zip(flows, packets, strict=True):
            yield any(content(packet) in caught[catcher] for catcher in self._receivers(flow.destination_address))

    def _sender(self, flow: Flow) -> Port:
        if flow.source_address in self._slots:
            return self._slots[flow.source_address].port
        return self._parts[self._slots[flow.destination_address].host].uplink

    def _receivers(self, address: Address) -> Sequence[Port | Listener]:
        if address in self._slots:
            return (self._slots[address].port,)
        if address in self._own:
            return (self._parts[self._own[address]].listener,)
        return tuple(part.uplink for part in self._parts.values())

    def _catchers(self) -> Iterator[Port | Listener]:
        for part in self._parts.values():
            yield from (slot.port for slot in part.slots)
            yield from (part.uplink, part.listener)

    def _await_fences(self) -> None:
        """From each host to the next: workload's link, host, outside, host, workload's link; no packet hops more."""
        parts = list(self._parts.values())
        awaited: dict[Port, bytes] = {}
        for part, following in zip(parts, [*parts[1:], parts[0]], strict=True):
            flow = Flow(source=part.fence_address, destination=following.fence_address, protocol=_FENCE_PROTOCOL)
            packet = first_packet(flow, next(self._numbers))
            awaited[following.fence] = content(packet)
            part.fence.send(packet)
        deadline = time.monotonic() + FENCE_WITHIN_S
        while awaited:
            ready, _, _ = select.select(list(awaited), [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise LostFenceError(f"{len(awaited)} of {len(parts)} fences were lost")
            for port in ready:
                if awaited[port] in set(port.caught()):
                    del awaited[port]
