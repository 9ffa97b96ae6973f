"""What the collector tells of the resources that it fetches, and the page that it serves."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tortie.lab import http
from tortie.lab.collector import DEFAULT_RESOURCES, Collector, ResourceError, parse_resources
from tortie.lab.target import Outcome, Target

STATUS = {"status": {"targets": []}}
FETCHED = http.Response(200, json.dumps(STATUS).encode())


class Recorded:
    """A prober that fetches nothing: outcomes are put in by hand."""

    def __init__(self) -> None:
        self.watched: dict[str, Target] = {}

    def watch(self, target: Target) -> None:
        self.watched[target.url] = target

    def forget(self, target: Target) -> None:
        del self.watched[target.url]


@pytest.fixture
def prober() -> Recorded:
    return Recorded()


@pytest.fixture
def collector(prober: Recorded) -> Collector:
    return Collector({"F": "http://f/status", "B": "http://b/status"}, prober)


def get(collector: Collector, path: str) -> Any:
    answer = collector.handle(http.Request("GET", path))
    assert answer.status == 200
    return json.loads(answer.body)


@pytest.mark.parametrize(
    ("ipv4", "ipv6", "expected"),
    [
        pytest.param(FETCHED, FETCHED, {"url": "http://f/status", "statusCode": 200, "json": STATUS}, id="both"),
        pytest.param(None, FETCHED, {"url": "http://f/status", "statusCode": 200, "json": STATUS}, id="ipv6-only"),
        pytest.param(None, None, None, id="neither"),
        pytest.param(http.Response(200, b"<html>"), None, None, id="not-json"),
    ],
)
def test_a_response_is_what_either_family_brought(
    collector: Collector, prober: Recorded, ipv4: Outcome, ipv6: Outcome, expected: object
) -> None:
    prober.watched["http://f/status"].record("ipv4", 1.0, ipv4)
    prober.watched["http://f/status"].record("ipv6", 2.0, ipv6)
    answer = get(collector, "/responses")
    assert answer["responses"] == {"F": expected, "B": None}


def test_fetches_tell_the_families_apart_and_when_each_began(collector: Collector, prober: Recorded) -> None:
    prober.watched["http://f/status"].record("ipv4", 1.5, FETCHED)
    prober.watched["http://f/status"].record("ipv6", 2.5, None)
    fetches = get(collector, "/responses")["fetches"]
    assert fetches["F"] == {
        "url": "http://f/status",
        "reachable": True,
        "ipv4": True,
        "ipv6": False,
        "checked": {"ipv4": 1.5, "ipv6": 2.5},
    }
    assert fetches["B"]["checked"] == {"ipv4": None, "ipv6": None}


def test_a_resource_can_be_added_and_replaced(collector: Collector, prober: Recorded) -> None:
    for resource in ({"id": "C", "url": "http://c/"}, {"id": "B", "url": "http://b2/"}):
        assert collector.handle(http.Request("POST", "/resources", json.dumps(resource).encode())).status == 201
    assert get(collector, "/resources")["resources"] == [
        {"id": "F", "url": "http://f/status"},
        {"id": "B", "url": "http://b2/"},
        {"id": "C", "url": "http://c/"},
    ]
    assert set(prober.watched) == {"http://f/status", "http://b2/", "http://c/"}


@pytest.mark.parametrize("body", [b"", b"[]", b'{"id": "C"}', b'{"id": 1, "url": "http://c/"}', b"\xff"])
def test_what_is_no_resource_is_refused(collector: Collector, body: bytes) -> None:
    assert collector.handle(http.Request("POST", "/resources", body)).status == 400
    assert len(get(collector, "/resources")["resources"]) == 2


@pytest.mark.parametrize("text", ["{", "{}", '[{"id": "F"}]', "[1]"])
def test_a_resources_file_that_holds_something_else_is_refused(text: str) -> None:
    with pytest.raises(ResourceError):
        parse_resources(text)


def test_a_resources_file_keeps_its_order() -> None:
    text = '[{"id": "b", "url": "http://b/"}, {"id": "a", "url": "http://a/"}]'
    assert list(parse_resources(text).items()) == [("b", "http://b/"), ("a", "http://a/")]


def test_the_page_and_its_files_are_served(collector: Collector) -> None:
    page = collector.handle(http.Request("GET", "/?example=true"))
    assert page.content_type.startswith("text/html")
    for path in ("/assets/stars.js", "/assets/stars.css"):
        assert path.encode() in page.body
        assert collector.handle(http.Request("GET", path)).status == 200


@pytest.mark.parametrize(("method", "path"), [("GET", "/assets/../probe.py"), ("GET", "/x"), ("PUT", "/resources")])
def test_everything_else_is_not_found(collector: Collector, method: str, path: str) -> None:
    assert collector.handle(http.Request(method, path)).status == 404


def test_the_sample_data_has_the_form_of_the_real_ones(collector: Collector) -> None:
    sample = get(collector, "/responses/example")["responses"]
    assert {name: response["url"] for name, response in sample.items()} == DEFAULT_RESOURCES
    for response in sample.values():
        assert {target["url"] for target in response["json"]["status"]["targets"]} == set(DEFAULT_RESOURCES.values())
