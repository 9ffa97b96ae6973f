"""Assertions about policies as people write them: what is read, what is refused, and where it may stand."""

from __future__ import annotations

import pytest

from tortie.model import kinds
from tortie.model.document import read
from tortie.model.kinds import parse_path
from tortie.model.policytest import Packets, PolicyTest
from tortie.net import ICMP, SCTP, TCP, UDP, Protocol

HEAD = "apiVersion: tortie.dev/v1\nkind: PolicyTest\nmetadata: {name: t, namespace: shop}\n"
POLICY = """\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db, namespace: shop}
spec: {podSelector: {}}
"""


def errors(assertion: str) -> list[str]:
    return [str(error) for error in read(f"{HEAD}spec: {{tests: [{assertion}]}}", source="t.yaml").errors]


def test_one_text_or_a_list_is_read() -> None:
    text = f"{HEAD}spec: {{tests: [{{allow: {{from: web, to: [a/b, c], ports: tcp/80}}}}]}}"
    (item,) = read(text).resources
    assert isinstance(item.resource, PolicyTest)
    (assertion,) = item.resource.spec.tests
    asked = assertion.connections
    assert assertion.is_allow
    assert (asked.sources, asked.destinations, asked.at_ports) == (("web",), ("a/b", "c"), ("tcp/80",))
    assert item.document["spec"]["tests"][0]["allow"] == {"from": "web", "to": ["a/b", "c"], "ports": "tcp/80"}


def test_it_is_stored_where_no_program_of_calicos_looks() -> None:
    (item,) = read(f"{HEAD}spec: {{tests: []}}").resources
    assert item.key.path == "/tortie/resources/policytests/shop/t"
    assert parse_path(item.key.path) == item.key
    assert not kinds.POLICY_TEST.is_kubernetes


@pytest.mark.parametrize(
    ("assertion", "message"),
    [
        ("{}", "spec.tests[0]: neither allow nor deny is given; a test says one of them"),
        ("{allow: {from: a, to: b}, deny: {from: a, to: b}}", "spec.tests[0]: allow and deny are both given"),
        ("{allow: {from: a}}", "spec.tests[0].allow.to: to is missing; expected text or a list"),
        ("{allow: {from: [], to: b}}", "spec.tests[0].allow.from: nobody is named"),
        ("{allow: {from: {a: b}, to: b}}", "spec.tests[0].allow.from: expected text or a list, got a mapping"),
        ("{deny: {from: [a, 'a b'], to: b}}", "spec.tests[0].deny.from[1]: 'a b' names nobody"),
        ("{deny: {from: a/b/c, to: b}}", "spec.tests[0].deny.from: 'a/b/c' names nobody"),
        ("{deny: {from: 10.0.0.1/8, to: b}}", "'10.0.0.1/8' has host bits set; the network is 10.0.0.0/8"),
        ("{deny: {from: a, to: b, ports: tcp/99999}}", "'tcp/99999' is not packets such as tcp/443"),
        ("{deny: {from: a, to: b, ports: [udp/53, tpc/1]}}", "spec.tests[0].deny.ports[1]: 'tpc/1' is not packets"),
        ("{denied: {from: a, to: b}}", "there is no field 'denied' here; did you mean deny?"),
    ],
    ids=lambda text: text[:40],
)
def test_what_means_nothing_is_refused_in_its_place(assertion: str, message: str) -> None:
    found = errors(assertion)
    assert any(message in error for error in found), found
    assert all(error.startswith("t.yaml:4:") for error in found)


@pytest.mark.parametrize(
    "name",
    ["web", "shop/web", "web-7d9f.x", "shop/*", "w?b", "host:node-1", "host:*", "service:web", "service:shop/web",
     "10.0.0.1", "fd00::1", "10.0.0.0/8", "::/0", "0.0.0.0/0"],
)  # fmt: skip
def test_every_way_to_name_an_end_is_read(name: str) -> None:
    assert errors(f"{{deny: {{from: '{name}', to: ['{name}']}}}}") == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tcp", Packets(TCP)),
        ("TCP/443", Packets(TCP, 443)),
        ("udp/8000-8010", Packets(UDP, 8000, 8010)),
        ("sctp/0", Packets(SCTP, 0)),
        ("icmp", Packets(ICMP)),
        ("icmp/8", Packets(ICMP, 8)),
        ("icmp/8/1", Packets(ICMP, 8, 1)),
        ("47", Packets(Protocol(47))),
    ],
)
def test_packets_are_read(text: str, expected: Packets) -> None:
    assert Packets.parse(text) == expected


@pytest.mark.parametrize(
    "text", ["", "tcp/", "tcp/1/2", "tcp/2-1", "tcp/a", "tcp/-1", "47/1", "icmp/256", "icmp/1/2/3", "http"]
)
def test_what_is_no_packets_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not packets such as"):
        Packets.parse(text)


# --- beside a policy ---------------------------------------------------------------------------------------------------------


def test_tests_beside_a_policy_are_read_and_no_part_of_it() -> None:
    found = read(f"{POLICY}tests:\n- deny: {{from: web, to: db}}\n", source="p.yaml")
    (item,), (tests,) = found.resources, found.tests
    assert (found.errors, tests.beside) == ((), item.key)
    assert "tests" not in item.document
    assert tests.spec.tests[0].connections.sources == ("web",)


def test_a_document_may_hold_tests_alone() -> None:
    found = read("tests:\n- deny: {from: web, to: db}\n")
    assert (found.resources, found.errors, [tests.beside for tests in found.tests]) == ((), (), [None])


def test_a_mistake_in_tests_beside_a_policy_is_told_in_its_place() -> None:
    found = read(f"{POLICY}tests:\n- deny: {{from: web, to: db, ports: tcp/x}}\n", source="p.yaml")
    assert [str(error)[:40] for error in found.errors] == ["p.yaml:6:36: tests[0].deny.ports: 'tcp/x"]
    assert found.tests == ()


def test_only_policies_have_tests_beside_them() -> None:
    found = read("{apiVersion: v1, kind: Namespace, metadata: {name: a}, tests: []}", source="n.yaml")
    assert ["there is no field 'tests' here" in str(error) for error in found.errors] == [True]


def test_of_a_policy_that_is_refused_no_tests_are_read() -> None:
    found = read(POLICY.replace("podSelector", "podSelectr") + "tests:\n- deny: {from: web, to: db}\n")
    assert (found.resources, found.tests, bool(found.errors)) == ((), (), True)
