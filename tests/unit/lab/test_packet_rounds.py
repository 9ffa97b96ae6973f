"""Packets go through one network together only if they agree where every address is."""

from __future__ import annotations

from tortie.analysis.ways import Hop
from tortie.lab.packetrounds import Crossing, rounds
from tortie.net import TCP, Address
from tortie.verdict.packet import Packet

WEB, DB = "10.0.0.1", "10.0.0.2"
ROUTES = {Address.parse(WEB): "cali-web", Address.parse(DB): "cali-db"}


def crossing(question: int, came: str, goes: str, source: str, destination: str) -> Crossing:
    packet = Packet(source=Address.parse(source), destination=Address.parse(destination), protocol=TCP)
    return Crossing(question, Hop("one", came, goes), packet)


def together(*crossings: Crossing) -> list[list[int]]:
    return [[found.question for found in part.crossings] for part in rounds(crossings, ROUTES)]


def test_packets_that_agree_share_a_round() -> None:
    out, back = crossing(0, "cali-web", "eth0", WEB, "1.1.1.1"), crossing(1, "eth0", "cali-web", "1.1.1.1", WEB)
    assert together(out, back, crossing(2, "cali-db", "cali-web", DB, WEB)) == [[0, 1, 2]]


def test_a_destination_cannot_be_in_two_places() -> None:
    elsewhere = [crossing(n, "cali-web", goes, WEB, "1.1.1.1") for n, goes in enumerate(("eth0", "eth1", "", "eth0"))]
    assert together(*elsewhere) == [[0, 3], [1], [2]]


def test_a_workloads_own_source_must_lead_back_to_it() -> None:
    assert together(crossing(0, "cali-web", "eth0", WEB, "1.1.1.1"), crossing(1, "eth0", "eth1", "1.1.1.1", WEB)) == [
        [0],
        [1],
    ]


def test_a_source_that_is_not_the_workloads_must_not_lead_back_to_it() -> None:
    stolen = crossing(0, "cali-web", "eth0", "1.1.1.1", "2.2.2.2")
    assert together(stolen, crossing(1, "eth0", "cali-web", "2.2.2.2", "1.1.1.1")) == [[0], [1]]


def test_where_others_come_from_is_no_matter() -> None:
    assert together(
        crossing(0, "eth0", "eth1", "1.1.1.1", "2.2.2.2"), crossing(1, "eth1", "eth0", "3.3.3.3", "1.1.1.1")
    ) == [[0, 1]]
    assert together(crossing(0, "", "eth0", "9.9.9.9", "1.1.1.1"), crossing(1, "eth0", "", "1.1.1.1", "9.9.9.9")) == [
        [0, 1]
    ]
