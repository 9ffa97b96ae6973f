"""Attempts at UDP ports: a datagram for each, and a look at what arrives in the workloads that they are for.

    source: a UDP socket, one octet ──► hosts, their policies ──► packet socket in the target's network namespace ──► its program

Nobody has to answer a datagram, so its arrival is what counts; it is known by its addresses and ports, which no other socket has at
that time. The program that listens gets it too: one octet, as an empty datagram is the end of its input to some. An error that comes
back (ICMP) tells more than the arrival: the kernel of a workload whose program listens in one family only refuses the other.
"""

from __future__ import annotations

import contextlib
import select
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from tortie.lab.attempt import Attempt, Outcome, outcome_of, sockets
from tortie.lab.namespaces import inside_network

_ETHER_TYPES = (0x0800, 0x86DD)
_HEADERS_BYTES = 128
"""As much of a packet as is looked at: its IP header, with options, and the ports."""

_AT_ONCE = 256
"""Datagrams between two looks: more of them could fill the buffer of a packet socket."""

_ROUNDS = 2
"""How often a datagram is sent that neither arrived nor failed: a busy machine may lose one."""

_SETTLE_S = 0.05
"""How much longer errors are waited for when all has arrived: a kernel that refuses a datagram does so while it delivers it."""


class Seen(NamedTuple):
    """What a datagram is known by."""

    source: bytes
    source_port: int
    port: int


def send(batch: Sequence[Attempt], networks: Mapping[str, int], timeout_s: float) -> list[Outcome]:
    """Send all datagrams of *batch*, which is sorted by source, and wait for their arrival, or for errors."""
    with contextlib.ExitStack() as stack:
        sniffers = [
            stack.enter_context(sniffer)
            for target in sorted({attempt.target for attempt in batch})
            for sniffer in _sniffers(networks[target])
        ]
        senders = [stack.enter_context(sender) for sender in sockets(batch, networks, socket.SOCK_DGRAM)]
        datagrams = _Datagrams(senders, sniffers, stack.enter_context(select.epoll()))
        datagrams.connect(batch)
        for _ in range(_ROUNDS):
            datagrams.send()
            datagrams.wait(timeout_s / _ROUNDS)
        return [datagrams.outcome(number) for number in range(len(batch))]


class _Datagrams:
    """A batch of them; each is called by its number in it."""

    def __init__(self, senders: Sequence[socket.socket], sniffers: Sequence[socket.socket], poll: select.epoll) -> None:
        self._senders = senders
        self._sniffers = {sniffer.fileno(): sniffer for sniffer in sniffers}
        self._numbers = {sender.fileno(): number for number, sender in enumerate(senders)}
        self._expected: dict[Seen, int] = {}
        self._arrived: set[int] = set()
        self._errors: dict[int, int] = {}
        self._poll = poll
        for sniffer in sniffers:
            poll.register(sniffer, select.EPOLLIN)
        for sender in senders:
            poll.register(sender, select.EPOLLERR | select.EPOLLET)

    def connect(self, batch: Sequence[Attempt]) -> None:
        """A socket with a peer is told of the errors that come back (udp(7)), and has its own address."""
        for number, (attempt, sender) in enumerate(zip(batch, self._senders, strict=True)):
            if error := sender.connect_ex((attempt.address, attempt.port.number)):
                self._errors[number] = error
            else:
                address, source_port, *_ = sender.getsockname()
                source = socket.inet_pton(sender.family, address)
                self._expected[Seen(source, source_port, attempt.port.number)] = number

    def send(self) -> None:
        """Send those of which nothing is known yet."""
        for count, number in enumerate(sorted(self._unknown()), start=1):
            try:
                self._senders[number].send(b"\0")
            except OSError as error:
                self._errors[number] = error.errno or 0
            if count % _AT_ONCE == 0:
                self._look(0.0)

    def wait(self, within_s: float) -> None:
        """Until something is known of each, and a moment longer."""
        deadline = time.monotonic() + within_s
        while self._unknown() and self._look(max(0.0, deadline - time.monotonic())):
            pass
        if not self._unknown():
            self._look(_SETTLE_S)

    def outcome(self, number: int) -> Outcome:
        if number in self._errors:
            return outcome_of(self._errors[number])
        return Outcome.REACHABLE if number in self._arrived else Outcome.DROPPED

    def _unknown(self) -> set[int]:
        return set(range(len(self._senders))) - self._arrived - self._errors.keys()

    def _look(self, within_s: float) -> bool:
        """Note what has come by now, or comes within some time; whether anything has."""
        events = self._poll.poll(within_s)
        for descriptor, _ in events:
            if sniffer := self._sniffers.get(descriptor):
                self._arrived.update(self._expected[seen] for seen in _waiting(sniffer) if seen in self._expected)
            elif error := self._senders[self._numbers[descriptor]].getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                self._errors[self._numbers[descriptor]] = error
        return bool(events)


# --- what arrives --------------------------------------------------------------------------------------------------------------


def _sniffers(network: int) -> list[socket.socket]:
    """Packet sockets of both families in a network namespace; bound to one, they get what comes in alone (packet(7))."""
    kind = socket.SOCK_DGRAM | socket.SOCK_NONBLOCK
    with inside_network(network):
        return [socket.socket(socket.AF_PACKET, kind, socket.htons(ether_type)) for ether_type in _ETHER_TYPES]


def _waiting(sniffer: socket.socket) -> Iterator[Seen]:
    """The datagrams that have come by now."""
    with contextlib.suppress(OSError):  # none waits, or an interface went down: told once, and it may come up again
        while True:
            if (seen := parse(sniffer.recv(_HEADERS_BYTES))) is not None:
                yield seen


def parse(packet: bytes) -> Seen | None:
    """What a datagram is known by, from its IP header on; None for another packet."""
    if len(packet) >= 28 and packet[0] >> 4 == 4 and packet[9] == socket.IPPROTO_UDP:
        source, start = packet[12:16], (packet[0] & 0x0F) * 4
    elif len(packet) >= 48 and packet[0] >> 4 == 6 and packet[6] == socket.IPPROTO_UDP:
        source, start = packet[8:24], 40
    else:
        return None
    return Seen(source, int.from_bytes(packet[start : start + 2]), int.from_bytes(packet[start + 2 : start + 4]))
