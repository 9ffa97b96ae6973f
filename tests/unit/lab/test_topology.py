"""A lab as a value, as text and as a drawing."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tortie.lab.graph_svg import as_svg
from tortie.lab.graph_text import as_text
from tortie.lab.topology import Session, topology

GOLDEN = Path(__file__).parents[2] / "golden" / "lab"
ADDRESSES = {1: ("172.30.0.1", "fd00:30::1"), 2: ("172.30.0.2", "fd00:30::2")}
FABRIC = ("172.30.0.254", "fd00:30::fe")


def host(number: int, peers: dict[str, str], **changes: str) -> dict[str, Any]:
    ipv4, ipv6 = ADDRESSES[number]
    found = {"name": f"host{number}", "ipv4": ipv4, "ipv6": ipv6, "agent": "running", "bird": "running", "link": "up"}
    return found | {"peers": [{"address": address, "state": state} for address, state in peers.items()]} | changes


def all_up(*others: tuple[str, str]) -> dict[str, str]:
    return {address: "Established" for other in (*others, FABRIC) for address in other}


def workload(name: str, host: str, **changes: str) -> dict[str, Any]:
    found = {"namespace": "shop", "name": name, "host": host, "ipv4": "10.65.0.1", "ipv6": "fd00:65::1"}
    return found | {"phase": "Running", "link": "up", "message": ""} | changes


WELL = {
    "name": "demo",
    "hosts": [host(1, all_up(ADDRESSES[2])), host(2, all_up(ADDRESSES[1]))],
    "workloads": [workload("web", "host1"), workload("client", "host2"), workload("<odd> & 'quoted'", "host2")],
    "faults": [],
}
BROKEN = {
    "name": "demo",
    "hosts": [
        host(1, all_up(ADDRESSES[2]) | {"172.30.0.2": "Active"}, agent="exited -9"),
        host(2, {}, bird="not running", link="down"),
    ],
    "workloads": [
        workload("web", "host1", link="down"),
        workload("client", "host2", phase="Pending", ipv4="", ipv6=""),
    ],
    "faults": [{"kind": "bird", "name": "host2"}, {"kind": "link", "name": "shop/web"}],
}
CASES = {"well": WELL, "broken": BROKEN}


def test_a_session_is_up_in_a_family_when_both_ends_say_so() -> None:
    status = WELL | {"hosts": [host(1, all_up(ADDRESSES[2])), host(2, all_up(ADDRESSES[1]) | {"fd00:30::1": "Idle"})]}
    assert topology(status).sessions == (
        Session(("host1", "host2"), 1, 2),
        Session(("host1", "fabric"), 2, 2),
        Session(("host2", "fabric"), 2, 2),
    )


def test_a_host_whose_bird_is_gone_has_no_session() -> None:
    assert [session.established for session in topology(BROKEN).sessions] == [0, 2, 0]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(("draw", "suffix"), [(as_text, "txt"), (as_svg, "svg")], ids=["text", "svg"])
def test_a_lab_is_drawn_as_it_was(
    case: str, draw: Callable[[Any], str], suffix: str, golden: Callable[[Path, str], None]
) -> None:
    golden(GOLDEN / f"{case}.{suffix}", draw(topology(CASES[case])))


@pytest.mark.parametrize("case", CASES)
def test_every_part_of_the_drawing_has_a_title(case: str) -> None:
    svg = ET.fromstring(as_svg(topology(CASES[case])))
    space = "{http://www.w3.org/2000/svg}"
    titles = [group.findtext(f"{space}title") for group in svg.iter(f"{space}g")]
    assert all(titles)
    shown = topology(CASES[case])
    parts = [node.name for host in shown.hosts for node in (host, *host.workloads)]
    assert all(any(part in (title or "") for title in titles) for part in parts)
    assert svg.get("role") == "img"


def test_what_is_not_well_is_written_in_the_drawing() -> None:
    svg = as_svg(topology(BROKEN))
    for words in (
        "agent exited -9",
        "BIRD not running",
        ">link down<",
        ">Pending<",
        "failed: bird host2, link shop/web",
    ):
        assert words in svg
