"""Which ports are measured, and what becomes of the answers."""

from __future__ import annotations

import sys

import pytest

from tortie.lab.listening import listening_ports
from tortie.lab.meter import Outcome, attempts
from tortie.lab.reachability import Flow, Reachability, reachability

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"


def line(address: str, port: int, state: str = "0A") -> str:
    words = bytes.fromhex(address)
    native = b"".join(words[i : i + 4][:: -1 if sys.byteorder == "little" else 1] for i in range(0, len(words), 4))
    zero = "0" * len(address)
    return f"   0: {native.hex().upper()}:{port:04X} {zero}:0000 {state} 00000000:00000000 00:00000000 00000000 0 0 1\n"


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        pytest.param("", (), id="nobody"),
        pytest.param(line("00000000", 80), (80,), id="everywhere"),
        pytest.param(line("0a410001", 8080), (8080,), id="one-address"),
        pytest.param(line("7f000001", 80) + line("7f000035", 53), (), id="loopback"),
        pytest.param(line("00" * 16, 443), (443,), id="everywhere-in-ipv6"),
        pytest.param(line("00" * 15 + "01", 443), (), id="ipv6-loopback"),
        pytest.param(line("00" * 10 + "ffff" + "7f000001", 443), (), id="mapped-loopback"),
        pytest.param(line("00000000", 80, "01"), (), id="a-connection-is-no-listener"),
        pytest.param(line("00000000", 443) + line("00000000", 80) + line("00" * 16, 80), (80, 443), id="sorted-once"),
    ],
)
def test_the_ports_are_those_that_others_can_reach(table: str, expected: tuple[int, ...]) -> None:
    assert listening_ports(HEAD + table) == expected


WORKLOADS = [{"name": name, "ipv4": f"4{name}", "ipv6": f"6{name}"} for name in ("t/a", "t/b", "t/c")]
PORTS = {"t/a": (80, 443), "t/b": (53,), "t/c": ()}


def test_everybody_asks_every_port_of_everybody_else_in_both_families() -> None:
    found = list(attempts(WORKLOADS, PORTS))
    pairs = {("a", "b"): 1, ("b", "a"): 2, ("c", "a"): 2, ("c", "b"): 1}
    assert len(found) == 2 * sum(pairs.values())
    assert ("t/c", "6t/a", 443, "ipv6") in found
    assert not [attempt for attempt in found if attempt.source[-1] == attempt.address[-1]]


def test_answers_come_back_to_the_flows_that_they_are_of() -> None:
    wanted = list(attempts(WORKLOADS, PORTS))
    by_address = {workload[family]: workload["name"] for workload in WORKLOADS for family in ("ipv4", "ipv6")}
    dropped = Flow("t/b", "t/a", 443, "ipv6")
    outcomes: dict[str, list[str]] = {workload["name"]: [] for workload in WORKLOADS}
    for attempt in wanted:
        flow = Flow(attempt.source, by_address[attempt.address], attempt.port, attempt.family)
        outcomes[attempt.source].append("dropped" if flow == dropped else "reachable")
    found = reachability({"ports": {name: list(ports) for name, ports in PORTS.items()}, "outcomes": outcomes})
    assert len(found.outcomes) == len(wanted)
    assert [flow for flow, outcome in found.outcomes.items() if outcome is Outcome.DROPPED] == [dropped]
    assert found.as_json()["pairs"][0] == {
        "from": "t/a",
        "to": "t/b",
        "port": 53,
        "ipv4": "reachable",
        "ipv6": "reachable",
    }


def test_changes_are_what_is_new_different_or_gone() -> None:
    stays, turns, comes, goes = (Flow("t/a", "t/b", port, "ipv4") for port in (1, 2, 3, 4))
    yes, no = Outcome.REACHABLE, Outcome.DROPPED
    before = Reachability(("t/a", "t/b"), {}, {stays: yes, turns: yes, goes: no})
    now = Reachability(("t/a", "t/b"), {}, {stays: yes, turns: no, comes: no})
    assert now.changes(before) == {turns: no, comes: no, goes: None}
    assert not now.changes(now)
