"""``tortie get --watch``: a program reads events as they come."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tortie.cli import following
from tortie.cli.following import follow
from tortie.cli.forms import Form
from tortie.cli.get import Wish
from tortie.datastore.sqlite import SQLiteStore
from tortie.model import kinds
from tortie.model.kinds import ResourceKey

PREFIX = kinds.TIER.prefix
TIERS = Wish(kinds.TIER)


def put(store: SQLiteStore, name: str, **labels: str) -> None:
    document = {
        "kind": "Tier",
        "apiVersion": "projectcalico.org/v3",
        "metadata": {"name": name, "labels": labels},
        "spec": {},
    }
    store.apply(PREFIX + name, json.dumps(document).encode())


def changes(store: SQLiteStore) -> list[Callable[[], object]]:
    return [
        lambda: put(store, "b", role="x"),
        lambda: put(store, "a", role="y"),
        lambda: store.delete(PREFIX + "b"),
        lambda: store.apply(PREFIX + "c", b"not JSON"),
        lambda: put(store, "a"),
    ]


@pytest.fixture
def seen(
    store: SQLiteStore, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., list[str]]:
    """The lines that a watch shows of ``changes``, each made after the one before it was told; one resource is there before."""

    def run(form: Form, wish: Wish = TIERS, selects: Any = lambda _: True) -> list[str]:
        put(store, "a", role="x")
        left = iter([*changes(store), store.close])
        told = following.sync

        async def one_after_the_other(*arguments: Any) -> Any:
            async for batch in told(*arguments):
                yield batch
                if any(not hasattr(update, "value") for update in batch):
                    next(left)()

        monkeypatch.setattr(following, "sync", one_after_the_other)
        follow(store, wish, selects, form, with_namespace=False)
        return capsys.readouterr().out.splitlines()

    return run


def test_a_table_has_a_line_for_each_event(seen: Callable[..., list[str]]) -> None:
    assert [line.split() for line in seen(Form("ps"))] == [
        ["EVENT", "NAME", "ORDER"],
        ["ADDED", "a", "*"],
        ["ADDED", "b", "*"],
        ["MODIFIED", "a", "*"],
        ["DELETED", "b", "*"],
        ["MODIFIED", "a", "*"],
    ]


def test_json_is_an_object_a_line(seen: Callable[..., list[str]]) -> None:
    events = [json.loads(line) for line in seen(Form("json"))]
    assert [(event["type"], event["object"]["metadata"]["name"]) for event in events[:4]] == [
        ("ADDED", "a"), ("ADDED", "b"), ("MODIFIED", "a"), ("DELETED", "b"),
    ]  # fmt: skip


def test_what_is_no_longer_selected_counts_as_deleted(seen: Callable[..., list[str]]) -> None:
    lines = seen(Form("name"), selects=lambda document: document["metadata"]["labels"].get("role") == "x")
    name = "tier.projectcalico.org"
    assert lines == [f"ADDED {name}/a", f"ADDED {name}/b", f"DELETED {name}/a", f"DELETED {name}/b"]


def test_names_limit_what_is_shown(seen: Callable[..., list[str]]) -> None:
    lines = seen(Form("name"), Wish(kinds.TIER, (ResourceKey(kinds.TIER, "", "b"),)))
    assert [line.partition(" ")[0] for line in lines] == ["ADDED", "DELETED"]
