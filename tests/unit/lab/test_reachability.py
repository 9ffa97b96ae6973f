"""Which ports are measured, and what becomes of the answers."""

from __future__ import annotations

import socket
import struct

import pytest

from tortie.lab.attempt import Outcome, attempts
from tortie.lab.datagrams import Seen, parse
from tortie.lab.listening import Port, ports
from tortie.lab.packets import first_packet
from tortie.lab.reachability import Flow, Reachability, reachability
from tortie.net import TCP, UDP, Address, Protocol
from tortie.verdict.packet import Packet


def answer(address: str, port: int) -> bytes:
    """How the kernel tells of one socket (``struct inet_diag_msg``)."""
    own = bytes.fromhex(address)
    family = socket.AF_INET if len(own) == 4 else socket.AF_INET6
    ends = struct.pack(">HH16s16s12x", port, 0, own, b"")
    return struct.pack("BBBB", family, 10, 0, 0) + ends + bytes(20)


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        pytest.param([], (), id="nobody"),
        pytest.param([answer("00000000", 80)], (80,), id="everywhere"),
        pytest.param([answer("0a410001", 8080)], (8080,), id="one-address"),
        pytest.param([answer("7f000001", 80), answer("7f000035", 53)], (), id="loopback"),
        pytest.param([answer("00" * 16, 443)], (443,), id="everywhere-in-ipv6"),
        pytest.param([answer("00" * 15 + "01", 443)], (), id="ipv6-loopback"),
        pytest.param([answer("00" * 10 + "ffff" + "7f000001", 443)], (), id="mapped-loopback"),
        pytest.param(
            [answer("00000000", 443), answer("00000000", 80), answer("00" * 16, 80)], (80, 443), id="sorted-once"
        ),
    ],
)
def test_the_ports_are_those_that_others_can_reach(answers: list[bytes], expected: tuple[int, ...]) -> None:
    assert ports("TCP", answers) == tuple(Port("TCP", number) for number in expected)


def test_a_port_that_the_kernel_chose_is_a_client_s() -> None:
    answers = [answer("00000000", 53), answer("00000000", 40000)]
    assert ports("UDP", answers, ephemeral=range(32768, 61000)) == (Port("UDP", 53),)


@pytest.mark.parametrize(("source", "target"), [("10.65.0.1", "10.65.0.2"), ("fd00:65::1", "fd00:65::2")])
def test_a_datagram_is_known_by_its_source_and_ports(source: str, target: str) -> None:
    def packet(protocol: Protocol) -> bytes:
        ends = {"source": Address.parse(source), "destination": Address.parse(target)}
        return first_packet(Packet(**ends, protocol=protocol, source_port=40000, destination_port=53), number=1)

    assert parse(packet(UDP)) == Seen(Address.parse(source).packed, 40000, 53)
    assert parse(packet(UDP)[:27]) is None
    assert parse(packet(TCP)) is None


WORKLOADS = [{"name": name, "ipv4": f"4{name}", "ipv6": f"6{name}"} for name in ("t/a", "t/b", "t/c")]
PORTS = {"t/a": (Port("TCP", 80), Port("UDP", 443)), "t/b": (Port("UDP", 53),), "t/c": ()}


def test_everybody_asks_every_port_of_everybody_else_in_both_families() -> None:
    found = list(attempts(WORKLOADS, PORTS))
    pairs = {("a", "b"): 1, ("b", "a"): 2, ("c", "a"): 2, ("c", "b"): 1}
    assert len(found) == 2 * sum(pairs.values())
    assert ("t/c", "t/a", "6t/a", Port("UDP", 443), "ipv6") in found
    assert not [attempt for attempt in found if attempt.source[-1] == attempt.address[-1]]


def test_answers_come_back_to_the_flows_that_they_are_of() -> None:
    wanted = list(attempts(WORKLOADS, PORTS))
    dropped = Flow("t/b", "t/a", Port("UDP", 443), "ipv6")
    outcomes: dict[str, list[str]] = {workload["name"]: [] for workload in WORKLOADS}
    for attempt in wanted:
        flow = Flow(attempt.source, attempt.target, attempt.port, attempt.family)
        outcomes[attempt.source].append("dropped" if flow == dropped else "reachable")
    found = reachability({"ports": {name: list(ports) for name, ports in PORTS.items()}, "outcomes": outcomes})
    assert len(found.outcomes) == len(wanted)
    assert [flow for flow, outcome in found.outcomes.items() if outcome is Outcome.DROPPED] == [dropped]
    assert found.as_json()["pairs"][0] == {
        "from": "t/a",
        "to": "t/b",
        "protocol": "UDP",
        "port": 53,
        "ipv4": "reachable",
        "ipv6": "reachable",
    }


def test_changes_are_what_is_new_different_or_gone() -> None:
    stays, turns, comes, goes = (Flow("t/a", "t/b", Port("TCP", n), "ipv4") for n in (1, 2, 3, 4))
    yes, no = Outcome.REACHABLE, Outcome.DROPPED
    before = Reachability(("t/a", "t/b"), {}, {stays: yes, turns: yes, goes: no})
    now = Reachability(("t/a", "t/b"), {}, {stays: yes, turns: no, comes: no})
    assert now.changes(before) == {turns: no, comes: no, goes: None}
    assert not now.changes(now)
