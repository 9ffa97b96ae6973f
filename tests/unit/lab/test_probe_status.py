"""What the probe tells about its targets."""

from __future__ import annotations

import json

import pytest

from tortie.lab import http, probe
from tortie.lab.target import Failure, Outcome, Target

ANSWER = http.Response(500, b"any answer will do")
URL = "http://frontend.stars:80/status"


def target(**outcomes: Outcome) -> Target:
    found = Target(URL)
    for number, (family, outcome) in enumerate(outcomes.items()):
        found.record(family, 100.5 + number, outcome)
    return found


@pytest.mark.parametrize(
    ("outcomes", "reachable", "ipv4", "ipv6"),
    [
        pytest.param({}, False, None, None, id="nothing-known"),
        pytest.param({"ipv4": ANSWER}, True, True, None, id="one-family-known"),
        pytest.param({"ipv4": None, "ipv6": ANSWER}, True, False, True, id="ipv6-only"),
        pytest.param({"ipv4": ANSWER, "ipv6": None}, True, True, False, id="ipv4-only"),
        pytest.param({"ipv4": None, "ipv6": None}, False, False, False, id="neither"),
    ],
)
def test_reachable_means_in_any_family(
    outcomes: dict[str, Outcome], reachable: bool, ipv4: bool | None, ipv6: bool | None
) -> None:
    described = target(**outcomes).as_json()
    assert (described["reachable"], described["ipv4"], described["ipv6"]) == (reachable, ipv4, ipv6)


def test_each_answer_says_when_its_attempt_began() -> None:
    found = target(ipv4=ANSWER, ipv6=None)
    assert found.as_json()["checked"] == {"ipv4": 100.5, "ipv6": 101.5}
    found.record("ipv4", 200.0, None)
    assert found.as_json()["checked"] == {"ipv4": 200.0, "ipv6": 101.5}
    assert target(ipv6=ANSWER).as_json()["checked"] == {"ipv4": None, "ipv6": 100.5}


def test_why_there_was_no_answer_is_forgotten_with_the_next_one() -> None:
    found = Target(URL)
    found.record("ipv4", 100.5, None, Failure.BAD_ADDRESS)
    assert found.as_json()["failures"] == {"ipv4": "bad address", "ipv6": None}
    found.record("ipv4", 101.5, ANSWER)
    assert found.as_json()["failures"] == {"ipv4": None, "ipv6": None}


def test_status_lists_the_targets_in_the_order_of_the_urls_as_given() -> None:
    handle = probe.handler([Target("http://b:1/status"), Target("http://a/")])
    answer = handle(http.Request("GET", "/status"))
    assert answer.status == 200
    assert [item["url"] for item in json.loads(answer.body)["status"]["targets"]] == ["http://b:1/status", "http://a/"]


@pytest.mark.parametrize("path", ["/", "/status/", "/statuses", "/favicon.ico"])
def test_every_other_path_is_not_found(path: str) -> None:
    assert probe.handler([])(http.Request("GET", path)).status == 404
