"""Which ports somebody listens at in a network namespace, as the kernel's socket monitoring tells (sock_diag(7)).

It looks only among the sockets in the state that it is asked for; ``/proc/net/tcp`` walks through every connection of the machine.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable
from typing import NamedTuple

from tortie.dataplane.netlink.message import Message
from tortie.dataplane.netlink.socket import NetlinkSocket
from tortie.net import Address, Network

# linux/sock_diag.h, linux/inet_diag.h
_NETLINK_SOCK_DIAG = 4
_SOCK_DIAG_BY_FAMILY = 20
_REQUEST = struct.Struct("=BBBxI48x")
"""Family, protocol, extensions, states as bits; of any addresses."""
_SOCKET = struct.Struct(">BxxxHxx16s")
"""How an answer begins: family, the socket's port and address."""

_LOOPBACK = tuple(Network.parse(cidr) for cidr in ("127.0.0.0/8", "::1/128", "::ffff:127.0.0.0/104"))


class Port(NamedTuple):
    protocol: str
    """``TCP`` or ``UDP``."""
    number: int

    def __str__(self) -> str:
        """``80``; ``53/UDP``."""
        return str(self.number) if self.protocol == "TCP" else f"{self.number}/{self.protocol}"


class _Kind(NamedTuple):
    protocol: int
    state: int
    """Of a socket that listens (``include/net/tcp_states.h``)."""


_KINDS = {
    "TCP": _Kind(socket.IPPROTO_TCP, state=10),  # TCP_LISTEN
    "UDP": _Kind(socket.IPPROTO_UDP, state=7),  # TCP_CLOSE, which a socket without a peer has
}


def listening_ports(ephemeral: range) -> tuple[Port, ...]:
    """The ports, sorted, at which one can be reached from another namespace than the one that the calling thread is in. OSError.

    A UDP socket at one of the *ephemeral* ports, which the kernel gives to those who ask for none, counts as a client's.
    """
    with NetlinkSocket(_NETLINK_SOCK_DIAG) as diag:
        return tuple(
            port
            for protocol, kind in _KINDS.items()
            for port in ports(
                protocol,
                [
                    frame.payload
                    for family in (socket.AF_INET, socket.AF_INET6)
                    for frame in diag.dump(_question(family, kind))
                ],
                ephemeral=range(0) if protocol == "TCP" else ephemeral,
            )
        )


def _question(family: socket.AddressFamily, kind: _Kind) -> Message:
    return Message(_SOCK_DIAG_BY_FAMILY, 0, _REQUEST.pack(family, kind.protocol, 0, 1 << kind.state))


def ports(protocol: str, answers: Iterable[bytes], *, ephemeral: range = range(0)) -> tuple[Port, ...]:
    """The ports in the kernel's *answers*, sorted, without those at loopback addresses and the *ephemeral* ones."""
    found = set()
    for answer in answers:
        family, number, words = _SOCKET.unpack_from(answer)
        address = Address(words[:4] if family == socket.AF_INET else words)
        if number not in ephemeral and not any(network.contains(address) for network in _LOOPBACK):
            found.add(number)
    return tuple(Port(protocol, number) for number in sorted(found))
