"""Attempts at TCP ports: many handshakes at the same time.

The kernel makes a handshake without the program that listens, so an answer tells of the network and of policy alone.
"""

from __future__ import annotations

import errno
import select
import socket
import struct
import time
from collections.abc import Mapping, Sequence

from tortie.lab.attempt import Attempt, Outcome, outcome_of, sockets

_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER: end with a reset, for thousands of connections must not stay as TIME_WAIT."""


def connect(batch: Sequence[Attempt], networks: Mapping[str, int], timeout_s: float) -> list[Outcome]:
    """Make all connections of *batch*, which is sorted by source, at the same time, and close them."""
    outcomes = [Outcome.DROPPED] * len(batch)
    waiting: dict[int, tuple[int, socket.socket]] = {}
    with select.epoll() as poll:
        made = sockets(batch, networks, socket.SOCK_STREAM)
        for number, (attempt, connection) in enumerate(zip(batch, made, strict=True)):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            result = connection.connect_ex((attempt.address, attempt.port.number))
            if result == errno.EINPROGRESS:
                waiting[connection.fileno()] = number, connection
                poll.register(connection, select.EPOLLOUT)
            else:
                outcomes[number] = _outcome(result, connection)
        deadline = time.monotonic() + timeout_s
        # asked once more when the time is up: a busy machine may have let us sleep longer than that
        while waiting and (events := poll.poll(max(0.0, deadline - time.monotonic()))):
            for descriptor, _ in events:
                number, connection = waiting.pop(descriptor)
                outcomes[number] = _outcome(connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), connection)
    for _, connection in waiting.values():
        connection.close()
    return outcomes


def _outcome(result: int, connection: socket.socket) -> Outcome:
    """What the error number, or 0, of an attempt that has ended means; closes it."""
    connection.close()
    return outcome_of(result)
