"""Which step the stored policies make, and which policies the page shows in which order."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import pytest

from tortie.conversion import meaning
from tortie.datastore.sqlite import SQLiteStore
from tortie.lab.demo import Demo
from tortie.lab.stars import STARS
from tortie.lab.ui_feed import Feed
from tortie.lab.ui_policies import follow_policies
from tortie.model.codec import encode_document, to_document
from tortie.model.document import read

MINE = """
apiVersion: projectcalico.org/v3
kind: GlobalNetworkPolicy
metadata: {name: mine}
spec: {order: 1, ingress: [{action: Deny, ipVersion: 6}]}
"""


@pytest.fixture
def store(tmp_path: Path) -> SQLiteStore:
    with SQLiteStore.open(tmp_path / "store.db") as opened:
        yield opened


def apply(store: SQLiteStore, text: str, namespace: str = "default") -> None:
    """As ``tortie apply`` would: what a Kubernetes object means is stored beside it."""
    for item in read(text, source="test", default_namespace=namespace).resources:
        store.apply(item.key.path, encode_document(item.document))
        for key, resource in meaning(item.resource).items():
            store.apply(key.path, encode_document(to_document(resource)))


def apply_step(store: SQLiteStore, number: int) -> None:
    for manifest in STARS.steps[number - 1].apply:
        apply(store, (STARS.folder / manifest.file).read_text(), manifest.namespace or "default")


def shown(store: SQLiteStore, demo: Demo | None = STARS) -> dict[str, Any]:
    """What is published of *store* at first."""

    class Kept(Feed):
        def publish(self, name: str, value: object) -> None:
            published.append((name, value))
            following.cancel()

    async def run() -> None:
        nonlocal following
        following = asyncio.create_task(follow_policies(store, demo, Kept()))
        with contextlib.suppress(asyncio.CancelledError):
            await following

    published: list[tuple[str, Any]] = []
    following: asyncio.Task[None]
    asyncio.run(run())
    ((name, value),) = published
    assert name == "policies"
    return value


@pytest.mark.parametrize("number", range(1, 6))
def test_after_each_step_it_is_that_step_with_its_policies(store: SQLiteStore, number: int) -> None:
    for step in range(1, number + 1):
        apply_step(store, step)
    view = shown(store)
    assert view["step"]["number"] == number
    assert view["step"]["title"] == STARS.steps[number - 1].title
    assert len(view["policies"]) == [0, 2, 4, 5, 6][number - 1]
    assert [policy["step"] for policy in view["policies"]] == [2, 2, 3, 3, 4, 5][: len(view["policies"])]


def test_half_a_step_is_still_the_one_before(store: SQLiteStore) -> None:
    apply(store, (STARS.folder / "default-deny.yaml").read_text(), "stars")
    view = shown(store)
    assert view["step"]["number"] == 1
    assert [(policy["namespace"], policy["name"]) for policy in view["policies"]] == [("stars", "default-deny")]


def test_a_policy_stands_for_what_is_enforced_for_it_which_is_not_shown_twice(store: SQLiteStore) -> None:
    apply_step(store, 4)
    ((policy),) = shown(store)["policies"]
    assert policy["kind"] == "NetworkPolicy"
    assert policy["means"] == ["NetworkPolicy stars/knp.default.backend-policy"]
    assert policy["spec"].startswith("podSelector:\n  matchLabels:\n    role: backend\n")


def test_a_policy_of_somebody_else_comes_last_and_belongs_to_no_step(store: SQLiteStore) -> None:
    apply(store, MINE)
    apply_step(store, 2)
    policies = shown(store)["policies"]
    assert [(policy["name"], policy["step"]) for policy in policies] == [
        ("default-deny", 2),
        ("default-deny", 2),
        ("mine", None),
    ]
    assert policies[-1]["means"] == ["GlobalNetworkPolicy mine"]


def test_a_stored_policy_that_is_invalid_counts_as_absent(store: SQLiteStore) -> None:
    store.apply("/calico/resources/v3/projectcalico.org/globalnetworkpolicies/bad", b'{"spec": {"order": "first"}}')
    assert shown(store)["policies"] == []


def test_without_a_demo_there_are_policies_and_no_steps(store: SQLiteStore) -> None:
    apply_step(store, 2)
    view = shown(store, None)
    assert (view["step"], view["titles"]) == (None, [])
    assert [(policy["name"], policy["step"]) for policy in view["policies"]] == [("default-deny", None)] * 2
