"""Whatever is killed, at whatever moment, and whatever fails half-way: nothing is left of a lab.

Every lab here lives on a machine that has nobody else on it (``machine``), so that all of its tables can be compared: processes,
mounts, links, routes, rules, sockets, files, and the kernel's own count of namespaces.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from kills import FAULTS
from leftovers import assert_gone, eventually, first_process, tree
from machine import alone

from tortie.lab import client
from tortie.lab.client import Lab

pytestmark = pytest.mark.usefixtures("machine_unchanged")

SOAK = "TORTIE_SOAK" in os.environ
SHARES = {
    "command": {"start": 8, "run": 3, "stop": 4},
    "first-process": {"start": 8, "run": 3, "stop": 4},
    "down": {"stop": 4},
}
"""How many kills of whom, in which part of a lab's life."""

TIMES = 15 if SOAK else 1


def spread(shares: dict[str, int]) -> list[str]:
    """Moments evenly over each part, each somewhere in its own share of it; all of them are in the test's report if it fails."""
    chance = random.Random(7)
    return [
        f"{part}:{(number + chance.random()) / (count * TIMES):.4f}"
        for part, count in shares.items()
        for number in range(count * TIMES)
    ]


def results(*arguments: str, within_s: float) -> list[dict[str, Any]]:
    """What ``kills`` found."""
    command = alone(sys.executable, str(Path(__file__).with_name("kills.py")), *arguments)
    done = subprocess.run(command, capture_output=True, text=True, timeout=within_s, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.timeout(2400 if SOAK else 120)
@pytest.mark.parametrize("victim", SHARES)
def test_a_kill_at_any_moment_leaves_nothing(victim: str) -> None:
    moments = spread(SHARES[victim])
    found = results(victim, *moments, within_s=2400 if SOAK else 110)
    assert [result["case"] for result in found] == moments
    left = [result for result in found if result["left"]]
    assert not left
    print(f"killed the {victim} {len(found)} times, nothing left")


@pytest.mark.timeout(120)
def test_a_lab_that_fails_half_way_leaves_nothing_and_says_why_in_one_sentence() -> None:
    found = results("fault", *FAULTS, within_s=110)
    assert [result["case"] for result in found] == list(FAULTS)
    for result in found:
        assert not result["left"], result
        begun, *said = result["said"].splitlines()
        assert (begun, len(said), said[0][:7], result["status"]) == ("begun", 1, "Error: ", 1), result


def test_labs_of_different_names_are_strangers(name: str, launch) -> None:
    """They have the same addresses and names inside, and the end of one is nothing to the other."""
    first, second = launch(f"{name}-a", hosts=1), launch(f"{name}-b", hosts=1)
    assert {first.name, second.name} <= set(client.names())
    assert first.status()["hosts"] == second.status()["hosts"]
    for lab in (first, second):
        assert lab.exec("host1", ["sh", "-c", f"echo {lab.name} > /run/tortie/mine"]) == 0
    members, root = tree(first.name), first_process(first.name)
    assert root is not None
    os.kill(root, signal.SIGKILL)
    assert_gone(first.name, members)
    assert second.exec("host1", ["grep", "-qx", second.name, "/run/tortie/mine"]) == 0
    eventually(lambda: second.status()["workloads"][0]["phase"] == "Running", "the other lab goes on working")
    with Lab.launch(first.name, hosts=1) as again:
        assert again.exec("host1", ["test", "!", "-e", "/run/tortie/mine"]) == 0
