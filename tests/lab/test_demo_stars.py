"""``tortie demo stars`` from the outside: what it prints, how it exits, what it leaves behind.

Everything real: three hosts in namespaces, an agent and a BIRD on each, HTTP through the kernel.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from leftovers import assert_gone, tree

from tortie.lab import client
from tortie.lab.client import Lab

PAIRS = {(a, b) for a in ("F", "B", "C") for b in ("F", "B", "C") if a != b} | {("UI", t) for t in "FBC"}
UI = {("UI", "F"), ("UI", "B"), ("UI", "C")}
EXPECTED = [PAIRS, set(), UI, UI | {("F", "B")}, UI | {("F", "B"), ("C", "F")}]
"""Who reaches whom after each step, written down here again on purpose."""

CHANGING_HOSTS = [set(), {"host1", "host2", "host3"}, {"host1", "host2", "host3"}, {"host2"}, {"host1"}]


def reachable(matrix: dict[str, dict[str, bool | None]]) -> set[tuple[str, str]]:
    return {(row, column) for row, columns in matrix.items() for column, value in columns.items() if value}


@pytest.mark.timeout(90)
def test_every_measured_matrix_is_the_demo_s_own_in_both_families(start, name: str) -> None:
    process = start("demo", "stars", "--no-pause", "-o", "json", "--name", name)
    output, errors = process.communicate()
    assert process.returncode == 0, errors
    result = json.loads(output)
    assert [step["step"] for step in result["steps"]] == [1, 2, 3, 4, 5]
    for step, expected, hosts in zip(result["steps"], EXPECTED, CHANGING_HOSTS, strict=True):
        for family in ("ipv4", "ipv6"):
            assert reachable(step["matrix"][family]) == expected, (step["title"], family)
            assert all(None not in row.values() for row in step["matrix"][family].values())
        assert set(step["enforcementMs"]) == hosts
        assert all(took is not None for took in step["enforcementMs"].values())
    assert name not in client.names()


@pytest.mark.timeout(90)
def test_a_host_that_no_longer_enforces_makes_the_demo_fail(start, name: str) -> None:
    """Stop an agent and delete its table after step 1: isolation then cannot be measured on that host."""
    process = start("demo", "stars", "--no-pause", "--name", name)
    for line in process.stdout:
        if line.startswith("Step 2"):
            break
    lab = Lab.find(name)
    lab.signal("host2", "agent", signal.SIGSTOP)
    assert lab.exec("host2", ["nft", "delete", "table", "inet", "tortie"]) == 0
    output, errors = process.communicate()
    assert process.returncode == 1
    assert "WRONG: F to B, IPv4: reachable, expected not reachable" in output
    folder = Path(errors.strip().splitlines()[-1].rpartition(" ")[2])
    assert (folder / "host2" / "nft.txt").exists()
    assert "default-deny" in (folder / "host1" / "nft.txt").read_text()
    assert name not in client.names()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["Ctrl-C", "kill -9"])
@pytest.mark.parametrize("moment", ["[1/5]", "[3/5]", "Step 1"])
def test_ending_it_at_any_moment_leaves_nothing_behind(
    start, name: str, number: int, moment: str, machine_unchanged: None
) -> None:
    process = start("demo", "stars", "--no-pause", "--name", name, merged=True)
    assert any(moment in line for line in process.stdout)
    members = tree(name)
    assert members
    process.send_signal(number)
    process.wait()
    assert_gone(name, members)


@pytest.mark.timeout(90)
def test_a_kept_lab_stays_up_until_it_is_taken_down(start, name: str) -> None:
    process = start("demo", "stars", "--no-pause", "--step", "3", "--keep", "--name", name)
    output, errors = process.communicate()
    assert process.returncode == 0, errors
    assert "Step 3" in output
    assert "Step 1" not in output
    got = start("get", "--lab", name, "networkpolicies.networking.k8s.io", "-A", "-o", "name")
    names_of_policies, errors = got.communicate()
    assert got.returncode == 0, errors
    assert sorted(names_of_policies.split()) == [
        "networkpolicy.networking.k8s.io/allow-ui",
        "networkpolicy.networking.k8s.io/allow-ui",
        "networkpolicy.networking.k8s.io/default-deny",
        "networkpolicy.networking.k8s.io/default-deny",
    ]
    down = start("lab", "down", "--name", name)
    down.communicate()
    assert down.returncode == 0
    assert name not in client.names()


def test_the_steps_can_be_listed_without_a_lab(start) -> None:
    process = start("demo", "stars", "--list")
    output, _ = process.communicate()
    assert process.returncode == 0
    assert "2  isolation on" in output


def test_on_a_terminal_it_waits_for_enter_and_ctrl_c_there_leaves_nothing(name: str) -> None:
    ours, theirs = pty.openpty()
    command = ["setsid", "--ctty", "--wait", sys.executable, "-m", "tortie", "demo", "stars", "--name", name]
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    with open(ours, "r+b", buffering=0) as terminal:
        assert wait_for(terminal, "Press Enter for step 2")
        assert not wait_for(terminal, "Step 2", within_s=1)
        terminal.write(b"\n")
        assert wait_for(terminal, "Press Enter for step 3")
        members = tree(name)
        terminal.write(b"\x03")
        assert process.wait(timeout=20) == 130
        assert "Traceback" not in rest(terminal)
    assert_gone(name, members)


def rest(terminal: io.FileIO) -> str:
    """What a terminal that nobody holds any more was still shown."""
    shown = b""
    with contextlib.suppress(OSError):  # EIO: the end
        while part := terminal.read(65536):
            shown += part
    return shown.decode(errors="replace")


def wait_for(terminal: io.FileIO, text: str, within_s: float = 30) -> bool:
    """Whether a terminal shows *text* in time."""
    shown = b""
    deadline = time.monotonic() + within_s
    while text.encode() not in shown:
        readable, _, _ = select.select([terminal], [], [], max(0.0, deadline - time.monotonic()))
        if not readable:
            return False
        shown += terminal.read(65536) or b""
    return True
