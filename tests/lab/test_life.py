"""A lab is one process tree, and whatever ends it leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from leftovers import assert_gone, eventually, first_process, parents, tree

from tortie.lab import client
from tortie.lab.client import Lab
from tortie.lab.errors import LabError, NameInUseError, NoSuchLabError

pytestmark = pytest.mark.usefixtures("machine_unchanged")

_LAUNCH = """
import sys, time
from tortie.lab.client import Lab
print("begun", flush=True)
with Lab.launch(sys.argv[1], hosts=1, progress=lambda text: print(text, flush=True)):
    print("up", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def command(name: str) -> Iterator[subprocess.Popen[str]]:
    """A command that starts a lab of its own and prints its progress."""
    arguments = [sys.executable, "-c", _LAUNCH, name]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        yield process
        process.kill()


def read_until(command: subprocess.Popen[str], word: str) -> None:
    assert command.stdout is not None
    said = []
    for line in command.stdout:
        said.append(line)
        if word in line:
            return
    pytest.fail(f"the command never said {word!r}: {''.join(said)}")


def test_a_lab_of_two_hosts_is_one_tree_with_everything_in_it(name: str) -> None:
    said: list[str] = []
    with Lab.launch(name, hosts=2, progress=said.append) as lab:
        status = lab.status()
        assert [host["name"] for host in status["hosts"]] == ["host1", "host2"]
        for host in status["hosts"]:
            assert (host["agent"], host["bird"]) == ("running", "running")
            assert host["bgp"] == {"established": 4, "sessions": 4}
        members = tree(name)
        # process 1, the daemon, two agents, three BIRDs, the DNS server
        assert len(members) == 8
        assert said[-1].startswith("[5/5]")
    assert_gone(name, members)


@pytest.mark.parametrize("moment", ["begun", "[1/5]", "[2/5]", "[3/5]", "[4/5]", "[5/5]"])
def test_killing_the_command_while_it_starts_the_lab_leaves_nothing(
    name: str, command: subprocess.Popen[str], moment: str
) -> None:
    read_until(command, moment)
    members = tree(name)
    command.kill()
    assert_gone(name, members)


@pytest.mark.parametrize("victim", ["the command", "process 1", "the daemon"])
def test_killing_any_of_the_chain_ends_all(name: str, command: subprocess.Popen[str], victim: str) -> None:
    read_until(command, "up")
    members = tree(name)
    root = first_process(name)
    assert root is not None
    (daemon,) = [seen.pid for seen, parent in parents().items() if parent == root and "init" in command_line(seen.pid)]
    os.kill({"the command": command.pid, "process 1": root, "the daemon": daemon}[victim], signal.SIGKILL)
    assert_gone(name, members)


def command_line(pid: int) -> str:
    with open(f"/proc/{pid}/cmdline") as text:
        return text.read()


def test_interrupting_the_command_ends_the_lab(name: str, command: subprocess.Popen[str]) -> None:
    read_until(command, "up")
    members = tree(name)
    command.send_signal(signal.SIGINT)
    command.wait()
    assert not members & set(parents()), "the command returns when all has ended"
    assert_gone(name, members)


def test_a_name_is_taken_while_the_lab_runs_and_free_afterwards(name: str) -> None:
    with Lab.launch(name, hosts=1) as lab:
        with pytest.raises(NameInUseError, match="tortie lab down --name"):
            Lab.launch(name, hosts=1)
        assert lab.status()["name"] == name
    with Lab.launch(name, hosts=1):
        assert name in client.names()


def test_a_lab_that_is_not_there_is_told() -> None:
    with pytest.raises(NoSuchLabError, match="there is no lab 'nobody'"):
        Lab.find("nobody")


@pytest.mark.parametrize("arguments", [{"name": "Bad Name"}, {"hosts": 0}], ids=["name", "hosts"])
def test_what_no_lab_can_be_is_refused(arguments: dict) -> None:
    with pytest.raises(LabError):
        Lab.launch(**arguments)


def test_up_leaves_a_lab_that_any_terminal_can_use_and_take_down(name: str, tortie) -> None:
    up = tortie("lab", "up", "--name", name, "--hosts", "1")
    assert up.returncode == 0, up.stderr
    assert f"export TORTIE_DATASTORE=lab://{name}" in up.stdout
    members = tree(name)
    assert members
    assert name in tortie("lab", "list").stdout.split()
    assert tortie("--lab", name, "get", "nodes", "-o", "name").stdout.split() == ["node.projectcalico.org/host1"]
    again = tortie("lab", "up", "--name", name)
    assert (again.returncode, again.stderr.count("\n")) == (1, 1)
    assert "is running already" in again.stderr
    down = tortie("lab", "down", "--name", name)
    assert down.returncode == 0, down.stderr
    assert not members & set(parents()), "down returns when all has ended"
    assert_gone(name, members)


def test_killing_up_in_the_middle_leaves_nothing(name: str) -> None:
    arguments = [sys.executable, "-m", "tortie", "lab", "up", "--name", name, "--hosts", "1"]
    with subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as up:
        assert up.stderr is not None
        up.stderr.readline()
        members = tree(name)
        up.kill()
    assert_gone(name, members)


def test_a_dead_agent_stays_dead_and_status_shows_it(name: str) -> None:
    with Lab.launch(name, hosts=1) as lab:
        lab.signal("host1", "agent", signal.SIGSTOP)
        eventually(lambda: lab.status()["hosts"][0]["agent"] == "stopped", "the agent is shown as stopped")
        lab.signal("host1", "agent", signal.SIGKILL)
        eventually(lambda: lab.status()["hosts"][0]["agent"] == "exited -9", "the agent is shown as dead")
        assert lab.status()["hosts"][0]["bird"] == "running"
        with pytest.raises(LabError, match="runs no agent"):
            lab.signal("host1", "agent", signal.SIGCONT)


def test_a_bird_that_is_not_supervised_stays_dead(name: str) -> None:
    with Lab.launch(name, hosts=1, supervise_bird=False) as lab:
        assert lab.exec("host1", ["sh", "-c", "ps -eww -o args | grep -q '[-]-no-supervise bird'"]) == 0
        lab.signal("host1", "bird", signal.SIGKILL)
        eventually(lambda: lab.status()["hosts"][0]["bird"] == "not running", "BIRD is shown as dead")
        with pytest.raises(LabError, match="runs no bird"):
            lab.signal("host1", "bird", signal.SIGKILL)


def test_an_agent_that_cannot_start_is_told_with_its_own_words(name: str, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys\nif 'agent' in sys.argv: sys.exit('this agent cannot run')")
    script = "import sys; from tortie.lab.client import Lab; Lab.launch(sys.argv[1], hosts=1)"
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    arguments = [sys.executable, "-c", script, name]
    done = subprocess.run(arguments, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "the agent of host1 ended at once" in done.stderr
    assert "this agent cannot run" in done.stderr
    assert_gone(name, set())
