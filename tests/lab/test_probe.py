"""``tortie lab probe``: the matrix is what packets say, and a change is seen.

host1: web (TCP 80), names (UDP 53, in IPv4 UDP 54 too), quiet     host2: friend, stranger (TCP 80)
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest
from leftovers import eventually

from tortie.lab import client
from tortie.lab.attempt import Outcome
from tortie.lab.client import Lab
from tortie.lab.errors import LabError
from tortie.lab.listening import Port
from tortie.lab.reachability import Flow, Meter

POLICY = """
apiVersion: projectcalico.org/v3
kind: NetworkPolicy
metadata: {name: friends, namespace: shop}
spec:
  selector: app == 'web'
  ingress:
    - {action: Allow, protocol: TCP, ipVersion: 4, source: {selector: app == 'friend'}, destination: {ports: [80]}}
"""
ALL = [f"shop/{name}" for name in ("friend", "quiet", "stranger", "web")]
HTTP, DNS, OTHER = Port("TCP", 80), Port("UDP", 53), Port("UDP", 54)
LISTENING = {
    "shop/friend": (HTTP,),
    "shop/names": (DNS, OTHER),
    "shop/quiet": (),
    "shop/stranger": (HTTP,),
    "shop/web": (HTTP,),
}

DATAGRAM_SERVER = """
import socket
everywhere = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
everywhere.bind(("::", 53))
ipv4 = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
ipv4.bind(("0.0.0.0", 54))
nobodys = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
nobodys.bind(("0.0.0.0", 0))
while received := everywhere.recv(100):
    print("got", received, flush=True)
"""
"""It says what it gets, and never answers."""

UDP_POLICY = """
apiVersion: projectcalico.org/v3
kind: NetworkPolicy
metadata: {name: names, namespace: shop}
spec:
  selector: app == 'names'
  ingress:
    - {action: Allow, protocol: UDP, source: {selector: app == 'friend'}, destination: {ports: [53]}}
    - {action: Deny, protocol: TCP}
"""


@pytest.fixture(scope="module")
def lab(shared_name: str, tortie) -> Iterator[Lab]:
    with Lab.launch(shared_name, hosts=2) as running:
        programs = {"web": "webserver", "friend": "webserver", "stranger": "webserver", "quiet": "sleep 1000"}
        for name, program in programs.items():
            place = ("--name", shared_name, "-n", "shop", "-l", f"app={name}")
            place += ("--host", "host1" if name in ("web", "quiet") else "host2")
            done = tortie("lab", "run", name, *place, "--", *program.split())
            assert done.returncode == 0, done.stderr
        place = ("--name", shared_name, "-n", "shop", "-l", "app=names", "--host", "host1")
        done = tortie("lab", "run", "names", *place, "--", sys.executable, "-c", DATAGRAM_SERVER)
        assert done.returncode == 0, done.stderr
        with Meter(running, timeout_s=0.5) as meter:
            eventually(
                lambda: {n: p for n, p in meter.measure().ports.items() if n in LISTENING} == LISTENING,
                "the servers listen",
            )
        yield running


@pytest.fixture
def policy(lab: Lab, tortie) -> Iterator[None]:
    assert tortie("--lab", lab.name, "apply", "-f", "-", text=POLICY).returncode == 0
    yield
    assert tortie("--lab", lab.name, "delete", "-f", "-", text=POLICY).returncode == 0


def between_shops(meter: Meter) -> dict[Flow, Outcome]:
    return {f: o for f, o in meter.measure().outcomes.items() if f.source in ALL and f.target in ALL}


def test_everybody_reaches_every_listening_port_of_everybody_else(lab: Lab) -> None:
    with Meter(lab, timeout_s=2.0) as meter:
        found = between_shops(meter)
    assert found.keys() == {
        Flow(source, target, HTTP, family)
        for source in ALL
        for target in ("shop/friend", "shop/stranger", "shop/web")
        if source != target
        for family in ("ipv4", "ipv6")
    }
    assert set(found.values()) == {Outcome.REACHABLE}


def test_the_matrix_shows_what_a_policy_allows_in_each_family(lab: Lab, tortie, policy: None) -> None:
    def shown() -> dict[str, list[str]]:
        done = tortie("lab", "probe", "--name", lab.name, "--timeout", "0.5")
        assert done.returncode == 0, done.stderr
        head, *rows = done.stdout.splitlines()
        (column,) = [head.index(word) for word in head.split() if word == "shop/web:80"]
        return {row.split()[0]: row[column:].split("  ")[0].strip() for row in rows if row.startswith("shop/")}

    expected = dict.fromkeys(LISTENING, "no") | {"shop/friend": "IPv4 yes IPv6 no", "shop/web": "."}
    eventually(lambda: shown() == expected, "the matrix is as the policy says")


def to_names(meter: Meter) -> dict[tuple[str, int, str], str]:
    found = meter.measure().outcomes.items()
    return {(f.source, f.port.number, f.family): str(outcome) for f, outcome in found if f.target == "shop/names"}


def test_datagrams_arrive_though_nobody_answers_and_in_the_families_that_are_listened_in(lab: Lab, tortie) -> None:
    with Meter(lab, timeout_s=2.0) as meter:
        found = to_names(meter)
    assert {source for source, *_ in found} >= set(ALL)
    for (source, number, family), outcome in found.items():
        expected = "refused" if (number, family) == (54, "ipv6") else "reachable"
        assert outcome == expected, (source, number, family)
    assert "got b'\\x00'" in tortie("lab", "logs", "shop/names", "--name", lab.name).stdout


def test_datagrams_that_a_policy_drops_do_not_arrive(lab: Lab, tortie) -> None:
    assert tortie("--lab", lab.name, "apply", "-f", "-", text=UDP_POLICY).returncode == 0
    expected = {
        (source, number, family): "reachable" if (source, number) == ("shop/friend", 53) else "dropped"
        for source in (*ALL, "kube-system/kube-dns")
        for number in (53, 54)
        for family in ("ipv4", "ipv6")
    }
    with Meter(lab, timeout_s=0.5) as meter:
        eventually(lambda: to_names(meter) == expected, "only the friend's datagrams arrive")
    assert tortie("--lab", lab.name, "delete", "-f", "-", text=UDP_POLICY).returncode == 0


def test_json_tells_each_pair_and_port(lab: Lab, tortie) -> None:
    found = json.loads(tortie("lab", "probe", "--name", lab.name, "-o", "json").stdout)
    assert found["ports"]["shop/web"] == [{"protocol": "TCP", "port": 80}]
    pair = {"from": "shop/quiet", "to": "shop/web", "protocol": "TCP", "port": 80}
    assert pair | {"ipv4": "reachable", "ipv6": "reachable"} in found["pairs"]


def test_watching_tells_each_change_and_ends_with_the_lab(name: str, tortie, start) -> None:
    assert tortie("lab", "up", "--name", name, "--hosts", "1", "--workloads", "2").returncode == 0
    watching = start("lab", "probe", "--watch", "--every", "0.2", "--timeout", "0.2", "--name", name)
    assert watching.stdout is not None
    for line in watching.stdout:
        if line.startswith("kube-system/"):  # the last row of the first matrix
            break
    Lab.find(name).fail("link", "default/host1-w2")
    change = next(line for line in watching.stdout if "default/host1-w1 → default/host1-w2:80 IPv4" in line)
    assert change.rstrip().endswith(": no")
    assert tortie("lab", "down", "--name", name).returncode == 0
    watching.stdout.read()
    assert watching.wait() == 1
    assert name not in client.names()


def test_a_lab_that_ends_while_it_is_measured_is_told(name: str, launch) -> None:
    lab = launch(name, hosts=1)
    with Meter(lab, timeout_s=0.2) as meter:
        meter.measure()
        lab.down()
        with pytest.raises(LabError):
            meter.measure()


def test_without_a_listener_there_is_nothing_to_measure() -> None:
    script = "import json, sys; from tortie.lab.meter import answer; print(answer(json.loads(sys.argv[1])))"
    request = json.dumps({"workloads": [{"name": "gone/long-ago", "ipv4": "", "ipv6": ""}], "timeout_s": 1})
    done = subprocess.run([sys.executable, "-c", script, request], capture_output=True, text=True, check=True)
    assert done.stdout == "{'ports': {}, 'outcomes': {}}\n"
