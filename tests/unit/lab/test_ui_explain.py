"""Why a connection of the demo is allowed or denied, from what is stored."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tortie.datastore.sqlite import SQLiteStore
from tortie.lab.stars import STARS
from tortie.lab.ui_explain import explain
from tortie.model.codec import encode_document, to_document
from tortie.model.kinds import key_of
from tortie.testing.demos import demo_resources


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SQLiteStore]:
    """What is stored after the fourth step."""
    with SQLiteStore.open(tmp_path / "store.db") as opened:
        for resource in demo_resources(STARS, 4):
            opened.apply(key_of(resource).path, encode_document(to_document(resource)))
        yield opened


def test_a_denied_connection_names_what_denied_it_and_what_was_considered(store: SQLiteStore) -> None:
    found = explain(store, STARS, "C", "B")
    assert (found["source"], found["destination"], found["port"]) == ("client/client", "stars/backend", 6379)
    for family in ("ipv4", "ipv6"):
        egress, ingress = found[family]["decisions"]
        assert found[family]["allowed"] is False
        assert (egress["direction"], egress["allowed"]) == ("Egress", True)
        assert (ingress["direction"], ingress["allowed"], ingress["byDefault"]) == ("Ingress", False, True)
        assert ingress["policies"] == [
            "NetworkPolicy stars/knp.default.allow-ui",
            "NetworkPolicy stars/knp.default.backend-policy",
            "NetworkPolicy stars/knp.default.default-deny",
        ]
        assert ingress["lines"][-1] == "Ingress denied: the default action of tier default"


def test_an_allowed_connection_names_the_rule(store: SQLiteStore) -> None:
    found = explain(store, STARS, "F", "B")["ipv4"]
    assert found["allowed"] is True
    assert (
        found["decisions"][1]["reason"]
        == "tier default, NetworkPolicy stars/knp.default.backend-policy, ingress rule 0"
    )
    assert found["decisions"][1]["byDefault"] is False


def test_what_the_ui_itself_sees_can_be_asked_too(store: SQLiteStore) -> None:
    assert explain(store, STARS, "UI", "C")["ipv6"]["allowed"] is True


@pytest.mark.parametrize(
    ("source", "destination", "problem"),
    [
        pytest.param("F", "X", "no workload 'X'", id="unknown"),
        pytest.param("", "", "no workload ''", id="nothing"),
        pytest.param("F", "F", "always reach itself", id="itself"),
    ],
)
def test_a_connection_that_there_is_not_is_refused(
    store: SQLiteStore, source: str, destination: str, problem: str
) -> None:
    with pytest.raises(LookupError, match=problem):
        explain(store, STARS, source, destination)


def test_a_workload_that_is_not_there_yet_is_refused(tmp_path: Path) -> None:
    with SQLiteStore.open(tmp_path / "empty.db") as empty, pytest.raises(LookupError):
        explain(empty, STARS, "C", "B")
