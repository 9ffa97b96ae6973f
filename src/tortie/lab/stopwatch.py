"""When a change of policy reached the packets: a program that knocks at ports until the answer is the new one.

Runs inside a workload (``python -m tortie.lab.stopwatch``). It reads one JSON line per measurement,

    {"flows": [{"id": "F>B/4", "address": "10.65.0.65", "port": 6379, "reachable": false}, ...], "timeout_s": 5}

and knocks at every flow each 5 ms, with a new TCP connection each time: reachable if the handshake ends, not if there is no
answer within 0.3 s. A flow is in its new state from the first of ``STREAK`` knocks in a row that got what was expected. It then
answers with one JSON line: when that first knock was sent, as CLOCK_MONOTONIC nanoseconds, which all processes of a
machine share; null for a flow that did not get there in time.

    {"first": {"F>B/4": 123456789, ...}}

It says ``{"ready": true}`` once it runs, and again when the first knock of a measurement is out.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import sys
import time
from dataclasses import dataclass, field
from typing import Any

PERIOD_S = 0.005
PATIENCE_S = 0.3
"""Without an answer for so long a knock has failed: a handshake between two namespaces takes well under a millisecond."""

STREAK = 10


@dataclass
class Flow:
    """One destination and what is known of it. Knocks end out of order, so their outcomes are kept by number."""

    id: str
    address: str
    port: int
    reachable: bool
    """What it is expected to become."""
    sent: list[int] = field(default_factory=list)
    """When each knock was sent, in nanoseconds."""
    outcomes: dict[int, bool] = field(default_factory=dict)
    streak_from: int = 0
    """The number of the knock with which the current streak began, if it is one."""
    judged: int = 0
    """How many knocks have been looked at, in order."""

    @property
    def first(self) -> int | None:
        """When the first knock of a whole streak was sent."""
        return self.sent[self.streak_from] if self.judged - self.streak_from >= STREAK else None

    def record(self, number: int, reachable: bool) -> None:
        self.outcomes[number] = reachable
        while self.first is None and self.judged in self.outcomes:
            if self.outcomes.pop(self.judged) != self.reachable:
                self.streak_from = self.judged + 1
            self.judged += 1


async def _knock(flow: Flow) -> None:
    """Open one connection and close it at once."""
    number = len(flow.sent)
    family = socket.AF_INET6 if ":" in flow.address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as knocker:
        # ends with a reset: hundreds of knocks a second must not pile up as TIME_WAIT
        knocker.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        flow.sent.append(time.monotonic_ns())
        try:
            async with asyncio.timeout(PATIENCE_S):
                await asyncio.get_running_loop().sock_connect(knocker, (flow.address, flow.port))
        except OSError:  # TimeoutError is one: no answer; a refusal is an answer of the wrong kind, and no connection
            flow.record(number, reachable=False)
        else:
            flow.record(number, reachable=True)


async def _measure(flows: list[Flow], timeout_s: float) -> None:
    """Knock until every flow is in its new state or time is up."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_s
    knocks: set[asyncio.Task[None]] = set()
    due = loop.time()
    announced = False
    while loop.time() < deadline and any(flow.first is None for flow in flows):
        for flow in flows:
            if flow.first is None:
                knocks.add(task := asyncio.create_task(_knock(flow)))
                task.add_done_callback(knocks.discard)
        due = max(due + PERIOD_S, loop.time())
        await asyncio.sleep(due - loop.time())
        if not announced:
            _say({"ready": True})
            announced = True
    for task in knocks:
        task.cancel()
    await asyncio.gather(*knocks, return_exceptions=True)


def _say(message: dict[str, Any]) -> None:
    print(json.dumps(message), flush=True)


async def _serve() -> None:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    _say({"ready": True})
    while line := await reader.readline():
        request = json.loads(line)
        flows = [Flow(**flow) for flow in request["flows"]]
        await _measure(flows, request["timeout_s"])
        _say({"first": {flow.id: flow.first for flow in flows}})


def main() -> None:
    """Measure until standard input ends."""
    asyncio.run(_serve())


if __name__ == "__main__":
    main()
