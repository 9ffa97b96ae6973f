"""What the page of a lab is told: workloads by host, and two letters for each port."""

from __future__ import annotations

from pathlib import Path

import pytest

from tortie.datastore.sqlite import SQLiteStore
from tortie.lab.attempt import Outcome
from tortie.lab.every_demo import DEMOS, demo_in
from tortie.lab.http import Request, Response
from tortie.lab.listening import Port
from tortie.lab.reachability import Flow
from tortie.lab.ui_lab import LabPage, as_json, placed, still_there
from tortie.model.codec import encode_document, to_document
from tortie.model.document import read
from tortie.model.kinds import key_of
from tortie.model.kubernetes import Container, Pod, PodIP, PodSpec, PodStatus
from tortie.model.meta import ObjectMeta
from tortie.testing.demos import demo_resources


def pod(name: str, host: str, phase: str = "Running", addresses: tuple[str, ...] = ("10.65.0.1", "fd00:65::1")) -> Pod:
    return Pod(
        metadata=ObjectMeta(name=name, namespace="shop"),
        spec=PodSpec(node_name=host, containers=(Container(name="c", image="i"),)),
        status=PodStatus(phase=phase, pod_ips=tuple(PodIP(ip=address) for address in addresses)),
    )


def test_workloads_stand_by_host_and_numbers_count_as_such() -> None:
    pods = [pod("w10", "host2"), pod("w9", "host2"), pod("b", "host10"), pod("a", "host1"), pod("z", "host1")]
    assert [(found["name"], host) for found, host in placed(pods)] == [
        ("shop/a", "host1"),
        ("shop/z", "host1"),
        ("shop/w9", "host2"),
        ("shop/w10", "host2"),
        ("shop/b", "host10"),
    ]


@pytest.mark.parametrize(
    "absent", [pod("a", "host1", "Pending"), pod("a", "host1", "Failed"), pod("a", "host1", addresses=("10.65.0.1",))]
)
def test_only_what_runs_and_has_addresses_can_be_measured(absent: Pod) -> None:
    assert placed([absent]) == []


def test_a_row_has_two_letters_for_each_port() -> None:
    http, dns = Port("TCP", 80), Port("UDP", 53)
    outcomes = {
        Flow("shop/a", "shop/b", http, "ipv4"): Outcome.REACHABLE,
        Flow("shop/a", "shop/b", http, "ipv6"): Outcome.DROPPED,
        Flow("shop/a", "shop/b", dns, "ipv4"): Outcome.REFUSED,
        Flow("shop/a", "shop/b", dns, "ipv6"): Outcome.NO_ROUTE,
    }
    ports = {"shop/a": (), "shop/b": (http, dns), "shop/c": ()}
    found = as_json(ports, outcomes, {"shop/a": "host1", "shop/b": "host1", "shop/c": "host2"})
    assert found["ports"][1] == {"workload": "shop/b", "protocol": "UDP", "port": 53}
    assert found["workloads"][2] == {"name": "shop/c", "host": "host2"}
    assert found["rows"] == {"shop/a": "ynrx", "shop/b": "....", "shop/c": "????"}


@pytest.mark.parametrize(
    "ports",
    [
        pytest.param({"shop/b": (Port("TCP", 80),)}, id="the-source-is-gone"),
        pytest.param({"shop/a": ()}, id="the-target-is-gone"),
        pytest.param({"shop/a": (), "shop/b": (Port("UDP", 80),)}, id="nobody-listens-any-more"),
    ],
)
def test_what_is_gone_is_not_yet_measured_when_it_comes_back(ports: dict[str, tuple[Port, ...]]) -> None:
    outcomes = {Flow("shop/a", "shop/b", Port("TCP", 80), "ipv4"): Outcome.REACHABLE}
    assert still_there(outcomes, {"shop/a": (), "shop/b": (Port("TCP", 80),)}) == outcomes
    assert still_there(outcomes, ports) == {}


@pytest.fixture
def store(tmp_path: Path) -> SQLiteStore:
    with SQLiteStore.open(tmp_path / "store.db") as opened:
        yield opened


@pytest.mark.parametrize("name", DEMOS)
def test_a_demo_is_recognised_by_its_workloads(store: SQLiteStore, name: str) -> None:
    assert demo_in(store) is None
    demo = DEMOS[name]
    for manifest in demo.workloads:
        text = (demo.folder / manifest.file).read_text()
        for item in read(text, source=manifest.file, default_namespace=manifest.namespace or "default").resources:
            store.apply(item.key.path, encode_document(item.document))
    assert demo_in(store) is demo


def asked(store: SQLiteStore, query: str) -> tuple[int, bytes]:
    answer = LabPage(store).handle(Request("GET", f"/explain?{query}"))
    assert isinstance(answer, Response)
    return answer.status, answer.body


def test_a_reason_is_told_for_any_two_workloads_and_protocol(store: SQLiteStore) -> None:
    for resource in demo_resources(DEMOS["simple"], 2):
        store.apply(key_of(resource).path, encode_document(to_document(resource)))
    status, body = asked(store, "from=policy-demo/access&to=policy-demo/nginx-1&protocol=UDP&port=53")
    assert (status, b'"protocol": "UDP", "port": 53' in body, b"default-deny" in body) == (200, True, True)


@pytest.mark.parametrize(
    ("query", "status"),
    [
        pytest.param("", 400, id="nothing"),
        pytest.param("from=a/b&to=c/d&port=x", 400, id="no-number"),
        pytest.param("from=a/b&to=c/d&port=80&protocol=carrier-pigeon", 400, id="no-protocol"),
        pytest.param("from=a/b&to=c/d&port=80", 404, id="no-such-workload"),
        pytest.param("from=a/b&to=a/b&port=80", 404, id="itself"),
        pytest.param("from=a/b&to=c/d&port=70000", 400, id="no-port"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused_in_words(store: SQLiteStore, query: str, status: int) -> None:
    found, body = asked(store, query)
    assert found == status
    assert body.strip()
