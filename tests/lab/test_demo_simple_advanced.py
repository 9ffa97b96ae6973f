"""``tortie demo simple`` and ``tortie demo advanced`` from the outside: names, services and policies in real packets.

  host1: nginx-1, cant-access or nothing, kube-dns ── fabric = outside.example ── host2: nginx-2, access

What each step must show is written down here again on purpose.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from asking import Answers, both, reach
from leftovers import eventually

from tortie.lab import client
from tortie.lab.client import Lab

SIMPLE = [
    ({"access": "reachable", "cant-access": "reachable"}, set()),
    ({"access": "timed out", "cant-access": "timed out"}, {"host1", "host2"}),
    ({"access": "reachable", "cant-access": "timed out"}, {"host1", "host2"}),
]
"""By step: what each client sees of nginx, and the hosts on which verdicts change: those of both replicas."""

ADVANCED = [
    ({"nginx": "timed out", "outside": "reachable"}, set()),
    ({"nginx": "reachable", "outside": "reachable"}, {"host1", "host2"}),
    ({"nginx": "reachable", "outside": "timed out"}, {"host2"}),
]
"""By step: what ``access`` sees, and the hosts on which verdicts change: those of the replicas, then that of ``access``."""


def steps_of(start, name: str, demo: str) -> list[dict[str, Any]]:
    """Walk *demo* to its end, which must be a good one."""
    process = start("demo", demo, "--no-pause", "-o", "json", "--name", name)
    output, errors = process.communicate()
    assert process.returncode == 0, errors
    result = json.loads(output)
    assert (result["demo"], result["ok"]) == (demo, True)
    assert name not in client.names()
    return result["steps"]


def check_enforcement(step: dict[str, Any], hosts: set[str]) -> None:
    assert set(step["enforcementMs"]) == hosts
    assert all(took is not None for took in step["enforcementMs"].values())


@pytest.mark.timeout(90)
def test_the_simple_demo_opens_nginx_to_a_label_in_both_families(start, name: str) -> None:
    for step, (expected, hosts) in zip(steps_of(start, name, "simple"), SIMPLE, strict=True):
        for family in ("ipv4", "ipv6"):
            assert {row: columns["nginx"] for row, columns in step["seen"][family].items()} == expected, step["title"]
        check_enforcement(step, hosts)


@pytest.mark.timeout(90)
def test_the_advanced_demo_restricts_both_directions_in_both_families(start, name: str) -> None:
    for step, (expected, hosts) in zip(steps_of(start, name, "advanced"), ADVANCED, strict=True):
        for family in ("ipv4", "ipv6"):
            assert step["seen"][family] == {"access": expected}, step["title"]
        check_enforcement(step, hosts)


# --- what a reader tries in a kept lab --------------------------------------------------------------------------------------


def kept(start, name: str, demo: str, step: int) -> Lab:
    process = start("demo", demo, "--no-pause", "--step", str(step), "--keep", "--name", name)
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    return Lab.find(name)


def addresses(lab: Lab, name: str) -> dict[str, str]:
    workload = next(w for w in lab.status()["workloads"] if w["name"] == name)
    return {"IPv4": f"http://{workload['ipv4']}", "IPv6": f"http://[{workload['ipv6']}]"}


@pytest.mark.timeout(90)
def test_both_replicas_let_in_the_label_and_nobody_else(start, name: str, tortie) -> None:
    lab = kept(start, name, "simple", 3)
    for pod, label in (("labelled", "run=access"), ("stranger", "run=stranger")):
        options = ("--name", name, "-n", "policy-demo", "-l", label)
        assert tortie("lab", "run", pod, *options, "--", "sleep", "1000").returncode == 0
    for replica in ("nginx-1", "nginx-2"):
        for family, url in addresses(lab, replica).items():
            for pod in ("access", "labelled"):
                eventually(
                    lambda pod=pod, url=url, family=family, replica=replica: (
                        reach_if_there(lab, f"policy-demo/{pod}", url).get(family) == f"Welcome to {replica}"
                    ),
                    f"{pod} reaches {replica} in {family}",
                )
            for pod in ("cant-access", "stranger"):
                eventually(lambda pod=pod: reach_if_there(lab, f"policy-demo/{pod}", "icmp://127.0.0.1"), f"{pod} runs")
                assert reach(lab, f"policy-demo/{pod}", url)[family] == "timed out"
    assert tortie("lab", "down", "--name", name).returncode == 0


def reach_if_there(lab: Lab, source: str, url: str) -> Answers:
    """Nothing while the pod is not yet set up."""
    try:
        return reach(lab, source, url)
    except subprocess.CalledProcessError:
        return {}


@pytest.mark.timeout(90)
def test_without_the_policy_for_dns_not_even_names_resolve(start, name: str, tortie) -> None:
    lab = kept(start, name, "advanced", 3)
    access = "advanced-policy-demo/access"
    assert set(reach(lab, access, "http://nginx").values()) <= {"Welcome to nginx-1", "Welcome to nginx-2"}
    assert reach(lab, access, "icmp://outside.example") == both("timed out")
    dns = "advanced-policy-demo.allow-dns"
    assert tortie("--lab", name, "delete", "globalnetworkpolicy", dns).returncode == 0
    eventually(lambda: reach(lab, access, "http://nginx") == both("bad address 'nginx'"), "names do not resolve")
    assert reach(lab, access, "icmp://outside.example") == both("bad address 'outside.example'")
    assert tortie("lab", "down", "--name", name).returncode == 0


# --- when something is wrong -------------------------------------------------------------------------------------------------


@pytest.mark.timeout(90)
def test_a_dead_dns_server_makes_the_demo_fail_and_is_told_from_a_policy(start, name: str) -> None:
    process = start("demo", "simple", "--no-pause", "--name", name)
    assert any(line.startswith("Step 1") for line in process.stdout)
    lab = Lab.find(name)
    assert lab.exec("kube-system/kube-dns", ["pkill", "-KILL", "-f", "tortie.lab.dns$"]) == 0
    output, errors = process.communicate()
    assert process.returncode == 1
    assert "WRONG: access to nginx, IPv4: bad address, expected " in output
    assert Path(errors.strip().splitlines()[-1].rpartition(" ")[2]).is_dir()
    assert name not in client.names()


# --- without a lab -----------------------------------------------------------------------------------------------------------


def test_without_a_name_the_demos_are_listed(start) -> None:
    output, _ = start("demo").communicate()
    assert [line.split()[:3] for line in output.splitlines()] == [
        ["tortie", "demo", "simple"],
        ["tortie", "demo", "stars"],
        ["tortie", "demo", "advanced"],
    ]


@pytest.mark.parametrize(("demo", "last"), [("simple", "3  those labelled"), ("advanced", "3  egress restricted")])
def test_their_steps_can_be_listed(start, demo: str, last: str) -> None:
    output, _ = start("demo", demo, "--list").communicate()
    assert last in output
