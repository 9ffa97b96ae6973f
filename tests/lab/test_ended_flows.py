"""What policy no longer allows ends, in flows that are established too; all others stay. And settings reach the rules.

    host1
┌─────┼──────┐
a     b   server       a and b count to the server, each over TCP and UDP, and never stop
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import manifests
import pytest
from leftovers import eventually
from manifests import network_policy, pod

from tortie.lab.client import Lab

Apply = Callable[..., None]

SERVER = """
import selectors, socket
ready = selectors.DefaultSelector()
with socket.create_server(("", 9000)) as listener, socket.socket(type=socket.SOCK_DGRAM) as datagrams:
    datagrams.bind(("", 9000))
    ready.register(listener, selectors.EVENT_READ)
    ready.register(datagrams, selectors.EVENT_READ)
    while True:
        for key, _ in ready.select():
            if key.fileobj is listener:
                ready.register(listener.accept()[0], selectors.EVENT_READ)
            elif key.fileobj is datagrams:
                data, sender = datagrams.recvfrom(4096)
                print(data.decode(), end="", flush=True)
                if data.endswith(b" 0\\n"):  # an answer, so that the flow is established
                    datagrams.sendto(b"welcome", sender)
            else:
                print(key.fileobj.recv(4096).decode(), end="", flush=True)
"""
CLIENT = """
import itertools, socket, sys, time
name, server = sys.argv[1:]
stream = socket.create_connection((server, 9000))
stream.setblocking(False)
datagrams = socket.socket(type=socket.SOCK_DGRAM)
datagrams.connect((server, 9000))
for number in itertools.count():
    for kind, connection in (("tcp", stream), ("udp", datagrams)):
        try:
            connection.send(f"{name} {kind} {number}\\n".encode())
        except OSError:
            pass
    time.sleep(0.05)
"""
KNOCK = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], 9), timeout=1)
except ConnectionRefusedError:
    pass
except TimeoutError:
    sys.exit(1)
"""
"""Whether anybody answers, be it that nobody listens."""


@pytest.fixture(scope="module")
def lab(shared_name: str) -> Iterator[Lab]:
    with Lab.launch(shared_name, hosts=1) as started:
        yield started


@pytest.fixture
def apply(lab: Lab, tortie) -> Apply:
    return lambda *objects: manifests.apply(lab, tortie, *objects)


def policy(*allowed: str) -> dict[str, Any]:
    """The server may be reached by these."""
    peers = [{"podSelector": {"matchLabels": {"app": name}}} for name in allowed]
    server = {"matchLabels": {"app": "server"}}
    return network_policy("server", podSelector=server, ingress=[{"from": peers}])


def running(lab: Lab, name: str) -> dict[str, Any]:
    def found() -> dict[str, Any] | None:
        return next((w for w in lab.status()["workloads"] if (w["name"], w["phase"]) == (name, "Running")), None)

    eventually(found, f"{name} runs")
    workload = found()
    assert workload is not None
    return workload


def counts(lab: Lab) -> dict[tuple[str, str], int]:
    """How far the server has heard each client count, over each protocol."""
    with lab.logs("t/server") as logs:
        lines = [line.split() for file in logs.values() for line in file.read().decode().splitlines()]
    return {(name, kind): int(number) for name, kind, number in (line for line in lines if len(line) == 3)}


FLOWS = [(name, kind) for name in ("a", "b") for kind in ("tcp", "udp")]


def go_on(lab: Lab, *flows: tuple[str, str]) -> dict[tuple[str, str], int]:
    """Wait until all of these have gone on by 20; how far all were then."""
    before = counts(lab)
    eventually(lambda: all(counts(lab).get(f, 0) > before.get(f, 0) + 20 for f in flows), f"{flows} go on")
    return counts(lab)


def test_established_flows_end_with_their_permission_and_all_others_stay(lab: Lab, apply: Apply) -> None:
    apply(policy("a", "b"), pod("server", sys.executable, "-c", SERVER, app="server"))
    server = running(lab, "server")
    apply(*(pod(name, sys.executable, "-c", CLIENT, name, server["ipv4"], app=name) for name in ("a", "b")))
    go_on(lab, *FLOWS)
    apply(policy("b"))

    def is_ended() -> bool:
        before = counts(lab)
        now = go_on(lab, ("b", "tcp"), ("b", "udp"))
        return all(before["a", kind] == now["a", kind] for kind in ("tcp", "udp"))

    eventually(is_ended, "what a has sent since does not arrive")
    apply(policy("a", "b"))
    go_on(lab, *FLOWS)


def test_the_settings_of_a_host_reach_its_rules(lab: Lab, apply: Apply) -> None:
    apply(pod("c", "sleep", "1000"))
    running(lab, "c")
    host = lab.status()["hosts"][0]["ipv4"]

    def reaches() -> bool:
        return lab.exec("t/c", [sys.executable, "-c", KNOCK, host]) == 0

    assert not reaches()
    apply(settings(defaultEndpointToHostAction="Accept"))
    eventually(reaches, "a workload reaches its host")
    apply(settings(defaultEndpointToHostAction="Drop"))
    eventually(lambda: not reaches(), "a workload does not reach its host any more")


def settings(**spec: object) -> dict[str, Any]:
    return {
        "apiVersion": "projectcalico.org/v3",
        "kind": "FelixConfiguration",
        "metadata": {"name": "default"},
        "spec": spec,
    }
