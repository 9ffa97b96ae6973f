"""``tortie policy test``: what is told of tests that hold and that do not, and what the exit status says."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from click.testing import Result
from example_manifests import DATABASE_POLICY as POLICY
from example_manifests import SHOP_PODS as PODS
from example_manifests import SHOP_TEST

Tortie = Callable[..., Result]

TEST = SHOP_TEST.replace("- allow", "- name: the web <reaches> its database\n    allow")
FAILING = TEST.replace("from: backup", "from: [backup, web]")
UNKNOWN = TEST.replace("from: backup", "from: backpu")


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    monkeypatch.chdir(tmp_path)

    def make(*texts: str) -> str:
        Path("all.yaml").write_text("\n---\n".join((PODS, POLICY, *texts)))
        return "all.yaml"

    return make


def test_what_holds_is_told_in_a_line_with_its_place(tortie: Tortie, write: Callable[..., str]) -> None:
    lines = tortie("policy", "test", "-f", write(TEST)).stdout.splitlines()
    first, second, last = lines
    assert first.startswith("ok      all.yaml:")
    assert first.endswith(": the web <reaches> its database")
    assert second.endswith(": deny backup to db")
    assert last == "2 tests: 2 passed"


def test_what_does_not_hold_is_told_with_the_rule_that_decides(tortie: Tortie, write: Callable[..., str]) -> None:
    printed = tortie("policy", "test", "-f", write(FAILING), status=1).stdout
    assert "FAILED  all.yaml:" in printed
    assert "shop/web can reach shop/db: TCP 5432\n" in printed
    assert "allowed by tier default, NetworkPolicy shop/knp.default.db, ingress rule 0\n" in printed
    assert "2 tests: 1 passed, 1 failed\n" in printed


def test_what_cannot_be_asked_is_no_answer(tortie: Tortie, write: Callable[..., str]) -> None:
    printed = tortie("policy", "test", "-f", write(UNKNOWN), status=2).stdout
    assert "ERROR   all.yaml:" in printed
    assert "did you mean shop/backup?" in printed


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "there are no tests in what -f names"), ("tests: [{}]", "all.yaml:"), ("kind: [", "all.yaml:")],
    ids=["no tests", "a test that says nothing", "no YAML"],
)
def test_what_cannot_be_read_is_no_answer(tortie: Tortie, write: Callable[..., str], text: str, message: str) -> None:
    assert message in tortie("policy", "test", "-f", write(text), status=2).stderr


def test_tests_beside_a_policy_are_of_its_namespace(tortie: Tortie, write: Callable[..., str]) -> None:
    text = "tests:\n- allow: {from: web, to: db, ports: tcp/5432}\n"
    assert (
        "1 test: 1 passed" in tortie("policy", "test", "-f", write(POLICY.replace("name: db", "name: b") + text)).stdout
    )


def test_json_says_the_same(tortie: Tortie, write: Callable[..., str]) -> None:
    found = json.loads(tortie("policy", "test", "-f", write(FAILING), "-o", "json", "--coverage", status=1).stdout)
    assert (found["passed"], found["failed"], found["errors"]) == (1, 1, 0)
    _, test = found["tests"]
    assert (test["file"], test["result"], test["pairs"], test["failingPairs"]) == ("all.yaml", "failed", 2, 1)
    (example,) = test["counterExamples"]
    assert (example["from"], example["to"], example["port"], example["allowed"]) == (
        "shop/web",
        "shop/db",
        "tcp/5432",
        True,
    )
    assert found["coverage"]["percent"] == 100.0
    assert found["coverage"]["rules"][0]["state"] == "tested"


def test_junit_has_a_suite_for_each_group_and_a_case_for_each_test(tortie: Tortie, write: Callable[..., str]) -> None:
    name = write(
        FAILING, "tests:\n- deny: {from: shop/nobody, to: shop/db}\n- allow: {from: shop/web, to: shop/backup}\n"
    )
    tortie("policy", "test", "-f", name, "--junit", "results.xml", status=1)
    root = ET.parse("results.xml").getroot()
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("4", "1", "1")
    assert [suite.get("name") for suite in root] == ["PolicyTest shop/shop", "all.yaml"]
    cases = {case.get("name"): [child.tag for child in case] for case in root.iter("testcase")}
    assert cases == {
        "the web <reaches> its database": [],
        "deny backup, web to db": ["failure"],
        "deny shop/nobody to shop/db": ["error"],
        "allow shop/web to shop/backup": [],
    }
    (failure,) = root.iter("failure")
    assert failure.get("message") == "shop/web can reach shop/db: TCP 5432"
    assert "NetworkPolicy shop/knp.default.db, ingress rule 0" in (failure.text or "")


def test_junit_is_xml_whatever_a_test_is_called(tortie: Tortie, write: Callable[..., str]) -> None:
    odd = TEST.replace("the web <reaches> its database", r'"\a\0 \uD83D\uDE00 & ]]>"').replace(r" \uD83D\uDE00", "")
    tortie("policy", "test", "-f", write(odd), "--junit", "results.xml")
    names = [case.get("name") for case in ET.parse("results.xml").getroot().iter("testcase")]
    assert names[0] == "\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER} & ]]>"


@pytest.mark.parametrize(("least", "status"), [("0", 0), ("50", 0), ("50.1", 1), ("100", 1)])
def test_too_little_coverage_fails(tortie: Tortie, write: Callable[..., str], least: str, status: int) -> None:
    unused = POLICY.replace("name: db", "name: other").replace("app: db", "app: backup")
    result = tortie("policy", "test", "-f", write(TEST, unused), "--fail-under", least, status=status)
    assert "all                        2       1        50 %" in result.stdout
    assert ("of the rules are tried" in result.stderr) is bool(status)


def test_stored_tests_are_asked_of_the_datastore(tortie: Tortie, write: Callable[..., str]) -> None:
    tortie("datastore", "init")
    tortie("apply", "-f", write(TEST))
    assert json.loads(tortie("get", "ptest", "-n", "shop", "-o", "json").stdout)["items"][0]["kind"] == "PolicyTest"
    printed = tortie("policy", "test", status=2).stdout
    assert "PolicyTest shop/shop, test 1: the web" in printed, "pods have no endpoints there until a host connects them"


def test_what_is_applied_has_no_tests_beside_it(tortie: Tortie, write: Callable[..., str]) -> None:
    tortie("datastore", "init")
    tortie("apply", "-f", write(POLICY.replace("name: db", "name: b") + "tests:\n- deny: {from: backup, to: db}\n"))
    stored = json.loads(tortie("get", "netpol", "b", "-n", "shop", "-o", "json").stdout)
    assert "tests" not in stored
