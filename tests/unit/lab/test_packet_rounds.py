"""Packets go through one network together only if they agree where every address is."""

from __future__ import annotations

import msgspec

from tortie.analysis.ways import Hop
from tortie.lab.packetrounds import Crossing, rounds, volleys
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


# --- which go at once --------------------------------------------------------------------------------------------------------


def at_once(*crossings: Crossing, most: int = 64) -> list[list[int]]:
    return [[found.question for found in volley] for volley in volleys(crossings, most)]


def test_no_more_go_at_once_than_a_socket_holds() -> None:
    assert at_once(*(crossing(n, "cali-web", "eth0", WEB, f"1.1.1.{n}") for n in range(5)), most=2) == [
        [0, 1],
        [2, 3],
        [4],
    ]


def test_a_packet_that_could_be_an_answer_goes_later() -> None:
    there, back = crossing(0, "", "cali-web", DB, WEB), crossing(1, "cali-web", "", WEB, DB)
    assert at_once(there, there, crossing(2, "eth0", "cali-web", "1.1.1.1", WEB), back) == [[0, 0, 2], [1]]


def test_what_goes_to_where_it_comes_from_could_answer_itself() -> None:
    own = crossing(0, "", "", DB, DB)
    assert at_once(own, own) == [[0], [0]]


def test_other_ports_are_another_connection() -> None:
    def at_ports(question: int, source: str, destination: str, source_port: int, destination_port: int) -> Crossing:
        found = crossing(question, "", "cali-web", source, destination)
        ports = {"source_port": source_port, "destination_port": destination_port}
        return found._replace(packet=msgspec.structs.replace(found.packet, **ports))

    there = at_ports(0, DB, WEB, 1024, 80)
    assert at_once(there, at_ports(1, WEB, DB, 1024, 80), at_ports(2, WEB, DB, 80, 1024)) == [[0, 1], [2]]
