"""Who reaches whom, measured: a program that tries from every workload every port that another listens at.

Runs in the fabric (``python -m tortie.lab.meter``), where the network namespace of every workload has a name. It reads one JSON line
for each round,

    {"workloads": [{"name": "shop/web", "ipv4": "10.65.0.1", "ipv6": "fd00:65::1"}, ...], "timeout_s": 1.0}

makes one attempt for each source, destination, port and family, those at TCP ports all at once (``handshakes``), and at the same time
those at UDP ports (``datagrams``), and answers with one line: the ports that each workload listens at, and what came of each attempt,
those of one source in the order of the workloads, their ports and families.

    {"ports": {"shop/web": [["TCP", 80]]}, "outcomes": {"shop/friend": ["reachable", "dropped"]}}
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import resource
import signal
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from tortie.lab import datagrams, handshakes
from tortie.lab.attempt import Attempt, Outcome, attempts
from tortie.lab.listening import Port, listening_ports
from tortie.lab.mounts import NETNS
from tortie.lab.namespaces import inside_network

_AT_ONCE = 4000
"""Attempts at ports of one protocol, and as many descriptors; those of one round more are made in turns."""

_MEASURES: Mapping[str, Callable[[Sequence[Attempt], Mapping[str, int], float], list[Outcome]]] = {
    "TCP": handshakes.connect,
    "UDP": datagrams.send,
}


class Round(NamedTuple):
    """What came of one."""

    ports: Mapping[str, tuple[Port, ...]]
    """Of every workload that was there."""
    outcomes: Mapping[Attempt, Outcome]
    """Sorted as ``attempts``."""


def measure(
    workloads: Sequence[Mapping[str, str]], timeout_s: float, pairs: Collection[tuple[str, str]] | None = None
) -> Round:
    """One round: all attempts, or those of *pairs* (source, target)."""
    with contextlib.ExitStack() as stack:
        opened: dict[str, int] = {}
        for workload in workloads:
            with contextlib.suppress(FileNotFoundError):  # it is gone meanwhile
                opened[workload["name"]] = os.open(NETNS / workload["name"].replace("/", ".", 1), os.O_RDONLY)
                stack.callback(os.close, opened[workload["name"]])
        ports = {name: _ports(network) for name, network in opened.items()}
        wanted = list(attempts([each for each in workloads if each["name"] in opened], ports, pairs))
        found = dict(_measured(wanted, opened, timeout_s))
    return Round(ports, {attempt: found[attempt] for attempt in wanted})


def answer(request: Mapping[str, Any]) -> dict[str, Any]:
    """What a line asks for."""
    found = measure(request["workloads"], request["timeout_s"])
    outcomes: dict[str, list[Outcome]] = {name: [] for name in found.ports}
    for attempt, outcome in found.outcomes.items():
        outcomes[attempt.source].append(outcome)
    return {"ports": found.ports, "outcomes": outcomes}


def _measured(
    wanted: Sequence[Attempt], networks: Mapping[str, int], timeout_s: float
) -> Iterator[tuple[Attempt, Outcome]]:
    def measured(protocol: str) -> list[tuple[Attempt, Outcome]]:
        """Those of one protocol, which do not wait for the others': in a thread of its own, as what enters namespaces is one."""
        own = [attempt for attempt in wanted if attempt.port.protocol == protocol]
        batches = (own[start : start + _AT_ONCE] for start in range(0, len(own), _AT_ONCE))
        return [
            pair
            for batch in batches
            for pair in zip(batch, _MEASURES[protocol](batch, networks, timeout_s), strict=True)
        ]

    with ThreadPoolExecutor() as threads:
        yield from itertools.chain.from_iterable(threads.map(measured, _MEASURES))


def _ports(network: int) -> tuple[Port, ...]:
    with inside_network(network):
        low, high = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
        return listening_ports(ephemeral=range(low, high + 1))


def raise_descriptor_limit() -> None:
    """A round needs more descriptors than a process usually may have."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def main() -> None:
    """Measure until standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C is for whoever asks, and needs no traceback of ours
    raise_descriptor_limit()
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
