"""Where packets are sent and caught: the ends of links, and what a host's own rules let in."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator

from tortie.lab.packets import content, family_of
from tortie.net import ICMP, ICMPV6, MAC, SCTP, TCP, UDP, Address, Family, Protocol

_ETH_P_ALL = 3
_ETHER_TYPE = {Family.V4: b"\x08\x00", Family.V6: b"\x86\xdd"}
_ETHER_BYTES = 14
_SOCKET_FAMILY = {Family.V4: socket.AF_INET, Family.V6: socket.AF_INET6}
HEARD = (
    *((Family.V4, protocol) for protocol in (TCP, UDP, SCTP, ICMP)),
    *((Family.V6, protocol) for protocol in (TCP, UDP, SCTP, ICMPV6)),
)


class Port:
    """One end of a link, as a packet socket in the network namespace of the thread that opens it."""

    def __init__(self, ifname: str, *, own: MAC, peer: MAC) -> None:
        self._head = peer.packed + own.packed
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK)
        self._socket.bind((ifname, _ETH_P_ALL))

    def send(self, packet: bytes) -> None:
        """Send an IP packet out of the link."""
        self._socket.send(self._head + _ETHER_TYPE[family_of(packet)] + packet)

    def caught(self) -> Iterator[bytes]:
        """The contents of the IP packets that have arrived by now."""
        for frame, address in _waiting(self._socket):
            if address[2] == socket.PACKET_HOST and frame[12:14] in _ETHER_TYPE.values():
                yield content(frame[_ETHER_BYTES:])

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()


class Listener:
    """A host's raw sockets: they get what the host's own rules let in."""

    def __init__(self, heard: Iterable[tuple[Family, Protocol]] = HEARD) -> None:
        self._sockets = [
            socket.socket(_SOCKET_FAMILY[family], socket.SOCK_RAW | socket.SOCK_NONBLOCK, protocol.number)
            for family, protocol in heard
        ]

    def caught(self) -> Iterator[bytes]:
        """The contents of the IP packets that have arrived by now; raw(7) shows the IP header in IPv4 only."""
        for listening in self._sockets:
            has_header = listening.family == socket.AF_INET
            for packet, _ in _waiting(listening):
                yield content(packet) if has_header else packet

    def close(self) -> None:
        for listening in self._sockets:
            listening.close()


class Sender:
    """A host's own raw sockets: what they send is the host's own packets, whatever their source (raw(7))."""

    def __init__(self) -> None:
        self._sockets = {
            family: socket.socket(_SOCKET_FAMILY[family], socket.SOCK_RAW, socket.IPPROTO_RAW) for family in Family
        }

    def send(self, packet: bytes, destination: Address) -> None:
        """Send an IP packet to where the host routes *destination*; OSError if that is nowhere."""
        self._sockets[family_of(packet)].sendto(packet, (str(destination), 0))

    def close(self) -> None:
        for sending in self._sockets.values():
            sending.close()


def _waiting(from_socket: socket.socket) -> Iterator[tuple[bytes, tuple[object, ...]]]:
    while True:
        try:
            yield from_socket.recvfrom(65536)
        except BlockingIOError:
            return
