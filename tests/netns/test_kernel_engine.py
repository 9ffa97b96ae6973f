"""``tortie policy query --engine kernel``: real packets through the kernel get the oracle's answers.

    workload's link ┐                ┌ raw sockets of the host
    eth0 ───────────┴ network namespace per host and round of packets

The command makes its namespaces itself and is run as a process of its own, as whoever runs the tests.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from typing import Any

import pytest

from tortie.cli.query import Answering
from tortie.conversion import interface_name
from tortie.model.codec import to_document
from tortie.net import Address
from tortie.testing.clusters import random_cluster
from tortie.testing.flows import Traffic
from tortie.verdict import EndpointRef, Flow, HostPacket

Line = dict[str, Any]
CLUSTERS = 40 if os.environ.get("TORTIE_SOAK") else 4
PACKETS = 20


def by_kernel(lines: list[Line], compilation: str) -> list[Line]:
    """Skips where the system lets nobody make namespaces."""
    command = [
        sys.executable,
        "-m",
        "tortie",
        *["policy", "query", "--jsonl", "--engine", "kernel", "--compilation"],
        compilation,
    ]
    stdin = "".join(json.dumps(line) + "\n" for line in lines)
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    if any("user namespaces" in str(answer["error"]) for answer in answers):
        pytest.skip("needs user namespaces, which are switched off here, or root")
    return answers


def pod(name: str, ips: list[str], node: str) -> Line:
    namespace, _, own = name.partition("/")
    return {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": own, "namespace": namespace, "labels": {"app": own}},
        "spec": {"nodeName": node}, "status": {"podIPs": [{"ip": ip} for ip in ips]},
    }  # fmt: skip


def calico(kind: str, name: str, **spec: Any) -> Line:
    return {"apiVersion": "projectcalico.org/v3", "kind": kind, "metadata": {"name": name}, "spec": spec}


WEB = interface_name("shop", "web")
RESOURCES = [
    pod("shop/web", ["10.0.0.1", "fd00::1"], "one"),
    pod("shop/db", ["10.0.0.2"], "two"),
    pod("shop/six", ["fd00::6"], "two"),
    pod("shop/new", [], "one"),
    calico("Node", "one", bgp={"ipv4Address": "192.0.2.1/24"}),
    calico("Node", "two", bgp={"ipv4Address": "192.0.2.2/24"}),
    calico("HostEndpoint", "one-eth0", node="one", interfaceName="eth0", expectedIPs=["192.0.2.1"]),
    calico("GlobalNetworkPolicy", "db", selector="app == 'db'", types=["Ingress"], ingress=[
        {"action": "Allow", "protocol": "TCP", "source": {"selector": "app == 'web'"}, "destination": {"ports": [5432]}},
        {"action": "Allow", "protocol": "UDP", "source": {"notNets": ["10.0.0.0/8"]}},
        {"action": "Allow", "source": {"selector": "app == 'new'", "nets": ["0.0.0.0/0"]}},
    ]),
]  # fmt: skip
QUERIES = [
    ("shop/web", "shop/db", "TCP", 5432, True),
    ("shop/web", "shop/db", "TCP", 80, False),
    ("shop/web", "shop/db", "UDP", 80, False),
    ("203.0.113.1", "shop/db", "UDP", 80, True),
    ("shop/new", "shop/db", "UDP", 80, True),
    ("shop/new", "shop/db", "TCP", 80, False),
    ("shop/web", "shop/six", "TCP", 80, True),
    ("shop/web", "shop/six", "ICMPv6", None, True),
    ("shop/db", "shop/web", "SCTP", 80, True),
    ("shop/db", "shop/web", "UDPLite", None, True),
    ("shop/db", "shop/web", 47, None, True),
    ("shop/web", "shop/web", "TCP", 80, True),
    ("shop/web", "host:one", "TCP", 22, False),
    ("host:two", "shop/db", "TCP", 80, True),
    ("host:one", "shop/db", "TCP", 80, False),
    ("203.0.113.1", "host:one", "TCP", 22, True),
    ("203.0.113.1", "host:one", "TCP", 80, False),
    ("203.0.113.1", "host:two", "TCP", 80, True),
    ("host:one", "host:one", "TCP", 80, True),
    ("host:two", "203.0.113.1", "TCP", 80, True),
]


@pytest.mark.parametrize("compilation", ["linear", "runs"])
def test_flows_between_workloads_hosts_and_outside(compilation: str) -> None:
    queries = [dict(zip(("src", "dst", "protocol", "port"), query, strict=False)) for query in QUERIES]
    (answer,) = by_kernel([{"resources": RESOURCES, "queries": queries}], compilation)
    assert answer["error"] is None
    assert dict(zip(QUERIES, answer["answers"], strict=True)) == {query: query[-1] for query in QUERIES}


def test_what_cannot_be_sent_is_refused_and_the_next_line_goes_on() -> None:
    packets = {
        "over loopback": ("lo", "eth0", "10.0.0.1", "10.0.0.2"),
        "to itself": (WEB, "eth0", "10.0.0.1", "10.0.0.1"),
    }
    lines = [
        {
            "resources": RESOURCES,
            "host": "one",
            "packets": [{"in": came, "out": goes, "src": src, "dst": dst, "protocol": 47}],
        }
        for came, goes, src, dst in packets.values()
    ]
    good = {"resources": RESOURCES, "queries": [{"src": "shop/web", "dst": "shop/db", "protocol": "TCP", "port": 5432}]}
    *refused, answered = by_kernel([*lines, good], "auto")
    assert [answer["error"] for answer in refused] == [
        "packets[0]: nothing but the host itself can send over lo",
        "packets[0]: nothing is forwarded to where it comes from",
    ]
    assert answered["answers"] == [True]


@pytest.mark.parametrize(("protocol", "ports"), [(47, (None, None)), ("TCP", (1024, 80))], ids=["no ports", "ports"])
def test_a_packet_that_could_answer_another_begins_a_connection_all_the_same(protocol: int | str, ports: Any) -> None:
    there, back = (
        {"in": came, "out": goes, "src": src, "dst": dst, "protocol": protocol, "sport": sport, "dport": dport}
        for came, goes, src, dst, (sport, dport) in (
            (None, WEB, "192.0.2.1", "10.0.0.1", ports),
            (WEB, None, "10.0.0.1", "192.0.2.1", ports[::-1]),
        )
    )
    (answer,) = by_kernel([{"resources": RESOURCES, "host": "one", "packets": [there, back]}], "auto")
    assert answer["answers"] == [True, False]


@pytest.mark.parametrize("compilation", ["linear", "runs"])
def test_random_packets_get_the_oracles_answers(compilation: str, record_property: Any) -> None:
    seed = int(os.environ.get("TORTIE_SEED", random.randrange(1 << 32)))
    print(f"TORTIE_SEED={seed}")
    record_property("seed", seed)
    lines = [line for number in range(CLUSTERS) for line in random_lines(random.Random(seed + number))]
    oracle = Answering("oracle")
    for line, answer in zip(lines, by_kernel(lines, compilation), strict=True):
        expected = oracle.answer(json.dumps(line).encode())
        asked = line.get("queries") or line["packets"]
        assert answer["error"] is None, (seed, answer["error"])
        wrong = [q for q, a, e in zip(asked, answer["answers"], expected["answers"], strict=True) if a != e]
        assert not wrong, (seed, line.get("host"), wrong)


def random_lines(rng: random.Random) -> list[Line]:
    """A random cluster's flows, and packets at each of its hosts."""
    cluster = random_cluster(rng)
    traffic = Traffic(rng, cluster)
    resources = [to_document(resource) for resource in cluster.resources]
    lines: list[Line] = [{"resources": resources, "queries": [query(traffic.flow()) for _ in range(PACKETS)]}]
    for host in cluster.hosts:
        crossings = (traffic.crossing() for _ in range(10 * PACKETS))
        packets = [item(found.packet) for found in crossings if found.host == host and can_be_sent(found.packet)]
        lines.append({"resources": resources, "host": host, "packets": packets[:PACKETS]})
    return lines


def can_be_sent(packet: HostPacket) -> bool:
    return "lo" not in (packet.in_interface, packet.out_interface) and packet.source != packet.destination


def query(flow: Flow) -> Line:
    source, destination = (
        f"{end.namespace}/{end.name}"
        if isinstance(end, EndpointRef)
        else str(end if isinstance(end, Address) else end.address)
        for end in (flow.source, flow.destination)
    )
    return {
        "src": source, "dst": destination, "protocol": flow.protocol.number, "port": flow.destination_port,
        "sport": flow.source_port, "icmp_type": flow.icmp_type, "icmp_code": flow.icmp_code,
    }  # fmt: skip


def item(packet: HostPacket) -> Line:
    return {
        "in": packet.in_interface, "out": packet.out_interface, "src": str(packet.source), "dst": str(packet.destination),
        "protocol": packet.protocol.number, "sport": packet.source_port, "dport": packet.destination_port,
        "icmp_type": packet.icmp_type, "icmp_code": packet.icmp_code,
    }  # fmt: skip
