"""Routes between the hosts of a lab live and die with BIRD, seen by packets.

   fabric
   │    │
host1  host2      BIRDs that nobody starts again (--no-supervise bird)
  a      b        a knocks at b every 5 ms (tortie.lab.stopwatch)
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from leftovers import eventually

from tortie.lab.client import Lab

RESTART_TIME_S = 5.0
SERVER = ["probe", "--http-port=80", "--urls=http://localhost:80/status"]
"""Its queue holds many knocks, so that a busy machine is not taken for an unreachable one."""


@pytest.fixture(scope="module")
def lab(shared_name: str) -> Iterator[Lab]:
    with Lab.launch(shared_name, hosts=2, supervise_bird=False) as running:
        for host, name in (("host1", "a"), ("host2", "b")):
            subprocess.run(
                [sys.executable, "-m", "tortie", "--lab", shared_name, "lab", "run", name, "--host", host, "--", *SERVER],
                check=True, capture_output=True, timeout=30,
            )  # fmt: skip
        eventually(lambda: all(answers(running, f"default/{name}") for name in "ab"), "the servers answer")
        yield running


def answers(lab: Lab, workload: str) -> bool:
    try:
        lab.connect(workload, 80).close()
    except OSError:
        return False
    return True


class Knocker:
    """Knocks from a at b, in both families, until they are as expected."""

    def __init__(self, lab: Lab) -> None:
        (b,) = [workload for workload in lab.status()["workloads"] if workload["name"] == "b"]
        self._addresses = [b["ipv4"], b["ipv6"]]
        command = lab.exec_command("default/a", [sys.executable, "-m", "tortie.lab.stopwatch"])
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        assert self._read() == {"ready": True}

    def expect(self, *, reachable: bool, within_s: float) -> None:
        """Begin; returns when the first knock is out."""
        flows = [{"id": a, "address": a, "port": 80, "reachable": reachable} for a in self._addresses]
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"flows": flows, "timeout_s": within_s}) + "\n")
        assert self._read() == {"ready": True}

    def first_after_s(self, moment: float) -> list[float]:
        """When each family changed for good, in seconds after *moment*; fails if one did not in time."""
        first = self._read()["first"]
        assert None not in first.values(), first
        return [when / 1e9 - moment for when in first.values()]

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line: dict[str, Any] = json.loads(self._process.stdout.readline())
        return line

    def close(self) -> None:
        self._process.communicate()


@pytest.fixture(scope="module")
def knocker(lab: Lab) -> Iterator[Knocker]:
    running = Knocker(lab)
    yield running
    running.close()


@pytest.fixture(scope="module")
def start_bird(lab: Lab) -> Iterator[Callable[[], None]]:
    """Start BIRD as an operator would on that host, with the configuration that the agent wrote."""
    started: list[subprocess.Popen[bytes]] = []

    def start() -> None:
        # in the foreground: the lab finds a BIRD by the process that listened on its control socket
        command = ["bird", "-f", "-c", "/var/lib/tortie/bird.conf", "-s", "/run/tortie/bird.ctl"]
        started.append(subprocess.Popen(lab.exec_command("host2", command)))

    yield start
    for process in started:
        process.terminate()
        process.wait()


def test_reachable_at_first(lab: Lab, knocker: Knocker) -> None:
    knocker.expect(reachable=True, within_s=10)
    knocker.first_after_s(0)


@pytest.mark.timeout(60)
def test_killed_it_keeps_its_routes_for_the_restart_time_and_started_again_it_heals(
    lab: Lab, knocker: Knocker, start_bird: Callable[[], None]
) -> None:
    knocker.expect(reachable=False, within_s=3 * RESTART_TIME_S)
    moment = time.monotonic()
    lab.signal("host2", "bird", signal.SIGKILL)
    took = knocker.first_after_s(moment)
    assert min(took) > RESTART_TIME_S / 2
    assert max(took) < 2 * RESTART_TIME_S
    knocker.expect(reachable=True, within_s=20)
    start_bird()
    knocker.first_after_s(0)


@pytest.mark.timeout(60)
def test_ended_in_good_order_it_takes_its_routes_away_at_once_and_started_again_it_heals(
    lab: Lab, knocker: Knocker, start_bird: Callable[[], None]
) -> None:
    knocker.expect(reachable=False, within_s=4)
    moment = time.monotonic()
    lab.signal("host2", "bird", signal.SIGTERM)
    assert max(knocker.first_after_s(moment)) < RESTART_TIME_S / 2
    assert lab.status()["hosts"][1]["bird"] == "not running", "nobody starts it again"
    knocker.expect(reachable=True, within_s=20)
    start_bird()
    knocker.first_after_s(0)
