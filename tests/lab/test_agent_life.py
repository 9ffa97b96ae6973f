"""An agent's life on a host of a lab: what stays when it ends, what a second one may do, what cleanup removes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest
from leftovers import eventually

from tortie.lab.client import Lab

AGENT = ["agent", "run", "--node", "host1", "--datastore", "sqlite:///run/tortie-lab/tortie.db"]


@pytest.fixture(scope="module")
def lab(shared_name: str) -> Iterator[Lab]:
    with Lab.launch(shared_name, hosts=1) as running:
        yield running


def inside(lab: Lab, *argv: str) -> subprocess.CompletedProcess[str]:
    """Run a program on host1."""
    return subprocess.run(
        lab.exec_command("host1", argv),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def tortie(lab: Lab, *arguments: str) -> subprocess.CompletedProcess[str]:
    return inside(lab, sys.executable, "-m", "tortie", *arguments)


def table(lab: Lab) -> str:
    return inside(lab, "nft", "list", "table", "inet", "tortie").stdout


def agent_state(lab: Lab) -> str:
    return str(lab.status()["hosts"][0]["agent"])


def test_a_table_that_somebody_deletes_comes_back_at_once(lab: Lab) -> None:
    before = table(lab)
    assert inside(lab, "nft", "delete", "table", "inet", "tortie").returncode == 0
    eventually(lambda: table(lab) == before, "the agent puts its table back", within_s=5)


ENDPOINT = """
apiVersion: projectcalico.org/v3
kind: WorkloadEndpoint
metadata: {name: host1-k8s-late-eth0}
spec:
  {orchestrator: k8s, node: host1, pod: late, endpoint: eth0, interfaceName: cali-late, ipNetworks: [10.65.9.9/32]}
"""


def test_a_locked_datastore_changes_nothing_and_what_is_in_force_is_kept(lab: Lab) -> None:
    def operate(*arguments: str, text: str = "") -> None:
        command = [sys.executable, "-m", "tortie", "--lab", lab.name, *arguments]
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=60, input=text)

    def is_told(sentence: str) -> bool:
        with lab.logs("host1") as logs:
            return sentence in logs["host1/agent.log"].read().decode()

    operate("datastore", "init")
    operate("datastore", "lock")
    eventually(lambda: is_told("the datastore is locked"), "the agent hears of it")
    before = table(lab)
    operate("apply", "-f", "-", text=ENDPOINT)
    assert inside(lab, "nft", "delete", "table", "inet", "tortie").returncode == 0
    eventually(lambda: table(lab) == before, "the agent puts its table back as it was", within_s=5)
    assert "cali-late" not in table(lab)
    operate("datastore", "unlock")
    eventually(lambda: "cali-late" in table(lab), "the agent takes in what was written meanwhile")
    operate("delete", "workloadendpoint", "host1-k8s-late-eth0")
    eventually(lambda: table(lab) == before, "the endpoint goes again")


def test_a_second_agent_refuses_to_start_and_changes_nothing(lab: Lab) -> None:
    before = table(lab)
    second = tortie(lab, *AGENT)
    assert second.returncode == 1
    assert "another tortie agent already runs on this host" in second.stderr
    assert table(lab) == before
    assert agent_state(lab) == "running"


def test_cleanup_is_refused_while_an_agent_runs(lab: Lab) -> None:
    refused = tortie(lab, "agent", "cleanup")
    assert refused.returncode == 1
    assert table(lab)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "killed"])
def test_rules_routes_and_bird_stay_when_the_agent_ends(launch, name: str, number: int) -> None:
    lab = launch(name, hosts=1)
    before = table(lab)
    lab.signal("host1", "agent", number)
    eventually(lambda: agent_state(lab) != "running", "the agent ends")
    assert "wl-from" in before
    assert table(lab) == before
    assert lab.status()["hosts"][0]["bird"] == "running"


def test_cleanup_removes_everything_of_ours(lab: Lab) -> None:
    """The last test of this lab: it ends the agent."""
    lab.signal("host1", "agent", signal.SIGTERM)
    eventually(lambda: agent_state(lab) != "running", "the agent ends")
    done = tortie(lab, "agent", "cleanup")
    assert done.returncode == 0, done.stderr
    assert table(lab) == ""
    routes = json.loads(inside(lab, "ip", "-j", "route").stdout) + json.loads(
        inside(lab, "ip", "-j", "-6", "route").stdout
    )
    assert not [route for route in routes if route["protocol"] in ("80", "bird")]
    assert lab.status()["hosts"][0]["bird"] == "not running"
    assert tortie(lab, "agent", "cleanup").returncode == 0, "cleaning up twice is no mistake"


def test_an_agent_logs_as_the_environment_of_the_lab_says(launch, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORTIE_LOG_FORMAT", "json")
    with launch(name, hosts=1).logs("host1") as logs:
        lines = logs["host1/agent.log"].read().decode().splitlines()
    assert {"level", "message", "time"} <= json.loads(lines[0]).keys()
