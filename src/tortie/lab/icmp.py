"""One ICMP echo: whether a host answers at all, where no port of it is known.

Uses the kernel's ping sockets (icmp(7)), which need no right but a group in ``net.ipv4.ping_group_range``; the kernel fills in
the identifier and the checksum, and gives a socket only the answers to its own requests.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Any

_ECHO = {
    socket.AF_INET: (socket.IPPROTO_ICMP, 8, 0),
    socket.AF_INET6: (socket.IPPROTO_ICMPV6, 128, 129),
}
"""By family: the protocol, and the types of a request and its reply (RFC 792, RFC 4443 §4)."""

_HEADER = struct.Struct("!2B3H")


async def echo(address: tuple[Any, ...], family: socket.AddressFamily) -> None:
    """Send one request to the socket address *address* and wait for its reply; OSError. Whoever calls it bounds the time."""
    protocol, request, reply = _ECHO[family]
    loop = asyncio.get_running_loop()
    with socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK, protocol) as pinger:
        pinger.connect(
            address
        )  # at once; the loop's own would look the address up again, and no name is for this protocol
        await loop.sock_sendall(pinger, _HEADER.pack(request, 0, 0, 0, 1))
        while (await loop.sock_recv(pinger, 1500))[:1] != bytes([reply]):
            pass
