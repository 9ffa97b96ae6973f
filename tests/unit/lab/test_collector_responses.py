"""What the collector tells of the resources that it fetches, and the page that it serves."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tortie.datastore.sqlite import SQLiteStore
from tortie.lab import collector as collector_program
from tortie.lab import http
from tortie.lab.collector import DEFAULT_RESOURCES, Collector, ResourceError, parse_resources
from tortie.lab.target import Failure, Outcome, Target
from tortie.lab.ui_lab import LabPage

PAGE = Path(collector_program.__file__).parent / "page"
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
    prober.watched["http://f/status"].record("ipv6", 2.5, None, Failure.TIMED_OUT)
    fetches = get(collector, "/responses")["fetches"]
    assert fetches["F"] == {
        "url": "http://f/status",
        "reachable": True,
        "ipv4": True,
        "ipv6": False,
        "checked": {"ipv4": 1.5, "ipv6": 2.5},
        "failures": {"ipv4": None, "ipv6": "timed out"},
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


def test_a_page_of_another_site_cannot_add_resources(collector: Collector, prober: Recorded) -> None:
    body = b'{"id": "C", "url": "http://c/"}'
    for origin, status in (("http://evil.example", 403), ("null", 403), ("http://127.0.0.1:30002", 201)):
        fields = {"host": "127.0.0.1:30002", "origin": origin}
        assert collector.handle(http.Request("POST", "/resources", body, fields)).status == status
    assert "http://c/" in prober.watched


def test_followers_hear_of_what_is_drawn_and_of_nothing_else(collector: Collector, prober: Recorded) -> None:
    def fetched(**target: object) -> http.Response:
        return http.Response(200, json.dumps({"status": {"targets": [{"url": "http://b/status", **target}]}}).encode())

    heard: list[bytes] = []
    stream = collector.handle(http.Request("GET", "/events"))
    assert isinstance(stream, http.Stream)
    stream.open(heard.append)
    for began, outcome in enumerate(
        (fetched(reachable=True, checked=1), fetched(reachable=True, checked=2), fetched(reachable=False), None)
    ):
        prober.watched["http://f/status"].record("ipv4", began, outcome)
        prober.recorded()
    told = [json.loads(message.partition(b"data: ")[2])["F"] for message in heard]
    assert [response and response["json"]["status"]["targets"][0]["reachable"] for response in told] == [
        None,
        True,
        False,
        None,
    ]


@pytest.mark.parametrize("body", [b"[]", b'{"status": 1}', b'{"status": {"targets": [1]}}', b"null", b'"x"'])
def test_json_that_no_probe_would_send_has_no_targets(collector: Collector, prober: Recorded, body: bytes) -> None:
    heard: list[bytes] = []
    prober.watched["http://f/status"].record("ipv4", 1.0, http.Response(200, body))
    prober.recorded()
    stream = collector.handle(http.Request("GET", "/events"))
    assert isinstance(stream, http.Stream)
    stream.open(heard.append)
    drawn = json.loads(heard[0].partition(b"data: ")[2])["F"]
    assert drawn is None or drawn["json"] == {"status": {"targets": []}}


def test_reasons_need_a_datastore(collector: Collector) -> None:
    answer = collector.handle(http.Request("GET", "/explain?from=F&to=B"))
    assert (answer.status, answer.body) == (404, b"there is no datastore to look up reasons in\n")


def test_the_pages_and_all_that_they_refer_to_are_served(collector: Collector, tmp_path: Path) -> None:
    with SQLiteStore.open(tmp_path / "store.db") as store:
        known = referred_to(collector.handle) | referred_to(LabPage(store).handle)
    assert known == {f"/assets/{file.name}" for file in PAGE.iterdir() if file.suffix != ".html"}


def referred_to(handle: http.Handler) -> set[str]:
    page = handle(http.Request("GET", "/?example=true"))
    assert page.content_type.startswith("text/html")
    wanted, known = [path.decode() for path in re.findall(rb'(?:href|src)="([^"]+)"', page.body)], set()
    while wanted:
        path = wanted.pop()
        served = handle(http.Request("GET", path))
        assert served.status == 200, path
        assert ("X-Content-Type-Options", "nosniff") in served.fields
        known.add(path)
        imported = re.findall(rb'from "\./([^"]+)"', served.body)
        wanted += [f"/assets/{name.decode()}" for name in imported if f"/assets/{name.decode()}" not in known]
    return known


def test_the_browser_is_told_to_load_nothing_from_elsewhere(collector: Collector) -> None:
    fields = dict(collector.handle(http.Request("GET", "/")).fields)
    assert fields["Content-Security-Policy"].startswith("default-src 'self';")
    for file in PAGE.iterdir():
        assert not re.findall(r"https?://(?!www\.w3\.org/2000/svg)", file.read_text()), file.name


@pytest.mark.parametrize(("method", "path"), [("GET", "/assets/../probe.py"), ("GET", "/x"), ("PUT", "/resources")])
def test_everything_else_is_not_found(collector: Collector, method: str, path: str) -> None:
    assert collector.handle(http.Request(method, path)).status == 404


def test_the_sample_data_has_the_form_of_the_real_ones(collector: Collector) -> None:
    sample = get(collector, "/responses/example")["responses"]
    assert {name: response["url"] for name, response in sample.items()} == DEFAULT_RESOURCES
    for response in sample.values():
        assert {target["url"] for target in response["json"]["status"]["targets"]} == set(DEFAULT_RESOURCES.values())
