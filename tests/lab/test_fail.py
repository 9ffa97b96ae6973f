"""What is broken on purpose is broken, is shown, and is whole again when it is healed.

   fabric
   │    │
host1  host2
w1     w1        both listen at port 80
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from leftovers import eventually

from tortie.lab.client import Lab
from tortie.lab.errors import LabError
from tortie.lab.reachability import Meter

ONE, TWO = "default/host1-w1", "default/host2-w1"


@pytest.fixture(scope="module")
def lab(shared_name: str, tortie) -> Iterator[Lab]:
    up = tortie("lab", "up", "--name", shared_name, "--hosts", "2", "--workloads", "1")
    assert up.returncode == 0, up.stderr
    running = Lab.find(shared_name)
    yield running
    running.down()


@pytest.fixture(scope="module")
def meter(lab: Lab) -> Iterator[Meter]:
    with Meter(lab, timeout_s=0.5) as measuring:
        yield measuring


@pytest.fixture(autouse=True)
def healed(lab: Lab) -> Iterator[None]:
    yield
    lab.heal()
    eventually(lambda: host(lab, 1)["bgp"] == host(lab, 2)["bgp"] == {"established": 4, "sessions": 4}, "BGP is back")


def host(lab: Lab, number: int) -> dict[str, Any]:
    found: dict[str, Any] = lab.status()["hosts"][number - 1]
    return found


def seen(meter: Meter) -> set[str]:
    """What came of all connections between the two workloads."""
    return {str(o) for flow, o in meter.measure().outcomes.items() if {flow.source, flow.target} == {ONE, TWO}}


@pytest.mark.parametrize("fault", [("link", "host2"), ("link", TWO), ("host", "host2")], ids=" ".join)
def test_what_lies_behind_a_failed_link_is_silent_until_it_is_healed(
    lab: Lab, meter: Meter, fault: tuple[str, str]
) -> None:
    eventually(lambda: seen(meter) == {"reachable"}, "the workloads reach each other")
    lab.fail(*fault)
    eventually(lambda: seen(meter).isdisjoint({"reachable"}), "nobody reaches the other")
    assert lab.status()["faults"] == [{"kind": fault[0], "name": fault[1]}]
    assert lab.heal(*fault) == [fault]
    eventually(lambda: seen(meter) == {"reachable"}, "the workloads reach each other again")
    assert lab.status()["faults"] == []


def test_a_failed_host_stands_still_with_all_that_runs_on_it(lab: Lab) -> None:
    lab.fail("host", "host2")
    assert (host(lab, 2)["agent"], host(lab, 2)["bird"], host(lab, 2)["link"]) == ("stopped", "stopped", "down")
    listed = subprocess.run(
        lab.exec_command(TWO, ["ps", "-e", "-o", "stat,args"]), capture_output=True, text=True, check=True
    )
    states = [line[0] for line in listed.stdout.splitlines() if line.endswith("-m tortie.lab.webserver")]
    assert sorted(states) == ["S", "T"], "of the two web servers that of the failed host"
    assert host(lab, 1)["agent"] == "running"
    lab.heal("host", "host2")
    assert (host(lab, 2)["agent"], host(lab, 2)["link"]) == ("running", "up")


def test_a_failed_bird_stays_dead_although_its_agent_looks_after_it(lab: Lab) -> None:
    lab.fail("bird", "host2")

    def refused() -> bool:
        with lab.logs("host2") as logs:
            return b"the lab forbids it" in logs["host2/agent.log"].read()

    eventually(refused, "the agent has tried to start another")
    assert host(lab, 2)["bird"] == "not running"
    assert host(lab, 2)["agent"] == "running"
    lab.heal("bird", "host2")
    assert host(lab, 2)["bird"] == "running"


def test_a_failed_agent_is_started_again_when_it_is_healed(lab: Lab, meter: Meter) -> None:
    lab.fail("agent", "host1")
    assert host(lab, 1)["agent"] == "exited -9"
    assert seen(meter) == {"reachable"}, "rules and routes stay"
    lab.heal("agent", "host1")
    assert host(lab, 1)["agent"] == "running"


def test_a_bird_that_nobody_looks_after_is_started_by_healing(lab: Lab) -> None:
    lab.fail("agent", "host1")
    lab.fail("bird", "host1")
    lab.heal("bird", "host1")
    eventually(lambda: host(lab, 1)["bird"] == "running", "it runs, without an agent")
    assert lab.heal() == [("agent", "host1")]


def test_a_link_that_two_faults_need_down_comes_up_with_the_second(lab: Lab) -> None:
    lab.fail("link", "host2")
    lab.fail("host", "host2")
    lab.heal("host", "host2")
    assert host(lab, 2)["link"] == "down"
    assert host(lab, 2)["agent"] == "running"
    lab.heal("link", "host2")
    assert host(lab, 2)["link"] == "up"


def test_everything_is_healed_at_once_what_others_stand_on_first(lab: Lab, tortie) -> None:
    for kind in ("agent", "bird", "host", "link"):
        assert tortie("lab", "fail", kind, "host2", "--name", lab.name).stdout == f"Failed: {kind} host2\n"
    shown = tortie("lab", "graph", "--name", lab.name).stdout
    assert "─x─ host2" in shown
    assert "failed: bird host2" in shown
    assert "FAILED" in tortie("lab", "status", "--name", lab.name).stdout
    healed = tortie("lab", "heal", "--name", lab.name).stdout.splitlines()
    assert healed == [f"Healed: {kind} host2" for kind in ("link", "host", "bird", "agent")]
    assert tortie("lab", "heal", "--name", lab.name).stdout == "Nothing had failed.\n"


@pytest.mark.parametrize(
    ("kind", "name", "problem"),
    [
        ("link", "host9", "there is no host 'host9'"),
        ("link", "t/nobody", "there is no workload 't/nobody'"),
        ("bird", TWO, f"there is no host '{TWO}'"),
        ("disk", "host1", "what can fail is a link"),
    ],
)
def test_what_is_not_there_cannot_fail(lab: Lab, kind: str, name: str, problem: str) -> None:
    with pytest.raises(LabError, match=problem):
        lab.fail(kind, name)


def test_what_has_failed_does_not_fail_again_and_what_has_not_is_not_healed(lab: Lab) -> None:
    lab.fail("link", "host1")
    with pytest.raises(LabError, match="link host1 has failed already; `tortie lab heal link host1` mends it"):
        lab.fail("link", "host1")
    with pytest.raises(LabError, match="agent host1 has not failed; what has: link host1"):
        lab.heal("agent", "host1")


def test_a_workload_that_is_deleted_takes_the_fault_of_its_link_with_it(lab: Lab, tortie) -> None:
    run = ("lab", "run", "short", "--host", "host1", "--name", lab.name, "--", "sleep", "1000")
    assert tortie(*run).returncode == 0
    eventually(lambda: linked(lab, "short") == "up", "its link is up")
    lab.fail("link", "default/short")
    assert linked(lab, "short") == "down"
    assert tortie("--lab", lab.name, "delete", "pod", "short").returncode == 0
    eventually(lambda: linked(lab, "short") is None, "the workload is gone")
    assert lab.status()["faults"] == []
    assert tortie(*run).returncode == 0
    eventually(lambda: linked(lab, "short") == "up", "the link of the next of its name is well")
    assert tortie("--lab", lab.name, "delete", "pod", "short").returncode == 0
    eventually(lambda: linked(lab, "short") is None, "the workload is gone")


def linked(lab: Lab, name: str) -> str | None:
    return next((w["link"] for w in lab.status()["workloads"] if w["name"] == name and w["phase"] == "Running"), None)


def test_a_drawing_goes_to_a_file(lab: Lab, tortie, tmp_path) -> None:
    assert tortie("lab", "graph", "-o", "svg", str(tmp_path / "lab.svg"), "--name", lab.name).returncode == 0
    text = (tmp_path / "lab.svg").read_text()
    assert text.startswith("<svg ")
    assert json.dumps(lab.name)[1:-1] in text
    assert "6 of 6 BGP sessions established" in text
