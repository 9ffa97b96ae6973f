"""Connections to a workload's programs over its own loopback, which no policy governs."""

from __future__ import annotations

import asyncio
import socket

from tortie.lab.errors import LabError
from tortie.lab.namespaces import Space, inside_network

_TIMEOUT_S = 2.0


async def connect(space: Space, port: int) -> int:
    """A descriptor of a TCP connection over *space*'s own loopback, in whichever family answers; LabError."""
    reasons = []
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        with inside_network(space.net):
            connection = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                await asyncio.get_running_loop().sock_connect(connection, (address, port))
        except OSError as error:
            connection.close()
            reasons.append(f"{address}: {error.strerror or 'no answer'}")
        else:
            return connection.detach()
    raise LabError(f"nothing answers at port {port} of {space.name} ({', '.join(reasons)})")
