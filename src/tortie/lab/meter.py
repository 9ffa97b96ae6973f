"""Who reaches whom, measured: a program that connects from every workload to every port that another listens at.

Runs in the fabric (``python -m tortie.lab.meter``), where the network namespace of every workload has a name. It reads one JSON line
for each round,

    {"workloads": [{"name": "shop/web", "ipv4": "10.65.0.1", "ipv6": "fd00:65::1"}, ...], "timeout_s": 1.0}

makes one TCP connection for each source, destination, port and family, all at once, and answers with one line: the ports that each
workload listens at, and what came of each connection, those of one source in the order of the workloads, their ports and families.

    {"ports": {"shop/web": [80]}, "outcomes": {"shop/friend": ["reachable", "dropped"]}}

The kernel makes a handshake without the program that listens, so an answer tells of the network and of policy alone.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import json
import os
import resource
import select
import signal
import socket
import struct
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

from tortie.lab.families import FAMILIES, FamilyName
from tortie.lab.listening import listening_ports
from tortie.lab.mounts import NETNS
from tortie.lab.namespaces import inside_network

_AT_ONCE = 4000
"""Connections, and as many descriptors; those of one round more are made in turns."""

_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER: end with a reset, for thousands of connections must not stay as TIME_WAIT."""


class Outcome(StrEnum):
    """Of one attempt to connect."""

    REACHABLE = "reachable"
    """The handshake was finished."""
    REFUSED = "refused"
    """The destination, or a rule that rejects, said no."""
    DROPPED = "dropped"
    """No answer in time."""
    NO_ROUTE = "no route"
    """A router, or the source itself, knows no way."""


_OUTCOMES = {
    0: Outcome.REACHABLE,
    errno.ECONNREFUSED: Outcome.REFUSED,
    errno.ECONNRESET: Outcome.REFUSED,
    errno.EACCES: Outcome.REFUSED,
    errno.EPERM: Outcome.REFUSED,
    errno.EHOSTUNREACH: Outcome.NO_ROUTE,
    errno.ENETUNREACH: Outcome.NO_ROUTE,
}


class Attempt(NamedTuple):
    source: str
    address: str
    port: int
    family: FamilyName


def attempts(workloads: Sequence[Mapping[str, str]], ports: Mapping[str, Sequence[int]]) -> Iterator[Attempt]:
    """Every source to every port of every other workload, in both families."""
    for source in workloads:
        for target in workloads:
            if target is not source:
                for port in ports[target["name"]]:
                    for family in FAMILIES:
                        yield Attempt(source["name"], target[family], port, family)


def measure(request: Mapping[str, Any]) -> dict[str, Any]:
    """One round."""
    with contextlib.ExitStack() as stack:
        opened: dict[str, int] = {}
        for workload in request["workloads"]:
            with contextlib.suppress(FileNotFoundError):  # it is gone meanwhile
                opened[workload["name"]] = os.open(NETNS / workload["name"].replace("/", ".", 1), os.O_RDONLY)
                stack.callback(os.close, opened[workload["name"]])
        workloads = [workload for workload in request["workloads"] if workload["name"] in opened]
        ports = {name: _ports(network) for name, network in opened.items()}
        outcomes: dict[str, list[Outcome]] = {workload["name"]: [] for workload in workloads}
        wanted = list(attempts(workloads, ports))
        for start in range(0, len(wanted), _AT_ONCE):
            batch = wanted[start : start + _AT_ONCE]
            for attempt, outcome in zip(batch, _connect(batch, opened, request["timeout_s"]), strict=True):
                outcomes[attempt.source].append(outcome)
    return {"ports": ports, "outcomes": outcomes}


def _ports(network: int) -> tuple[int, ...]:
    with inside_network(network):
        return listening_ports(*(Path("/proc/thread-self/net", name).read_text() for name in ("tcp", "tcp6")))


def _connect(batch: Sequence[Attempt], networks: Mapping[str, int], timeout_s: float) -> list[Outcome]:
    """Make all connections of *batch*, which is sorted by source, at the same time, and close them."""
    outcomes = [Outcome.DROPPED] * len(batch)
    waiting: dict[int, tuple[int, socket.socket]] = {}
    with select.epoll() as poll:
        for number, (attempt, connection) in enumerate(zip(batch, _sockets(batch, networks), strict=True)):
            result = connection.connect_ex((attempt.address, attempt.port))
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


def _sockets(batch: Sequence[Attempt], networks: Mapping[str, int]) -> Iterator[socket.socket]:
    """One for each, in the network namespace of its source."""
    for source, own in itertools.groupby(batch, key=lambda attempt: attempt.source):
        with inside_network(networks[source]):
            made = [socket.socket(FAMILIES[a.family], socket.SOCK_STREAM | socket.SOCK_NONBLOCK) for a in own]
        for connection in made:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        yield from made


def _outcome(result: int, connection: socket.socket) -> Outcome:
    """What the error number, or 0, of an attempt that has ended means; closes it."""
    connection.close()
    return _OUTCOMES.get(result, Outcome.NO_ROUTE)


def main() -> None:
    """Measure until standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C is for whoever asks, and needs no traceback of ours
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    for line in sys.stdin:
        print(json.dumps(measure(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
