"""etcd.json: the keys and values that applying a document writes are those that Calico's command writes for it."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from vectortables import Case, Judge, Mismatch, comparable, expect

from tortie.cli.writing import Stamp, perform, plan_apply
from tortie.datastore.sqlite import SQLiteStore
from tortie.datastore.store import Store
from tortie.model.document import ReadResource, read

STAMP = Stamp(lambda: "uid", "2026-01-01T00:00:00Z")
TIER = '{"apiVersion": "projectcalico.org/v3", "kind": "Tier", "metadata": {"name": "%s"}, "spec": {"order": 10}}'


def judge(case: Case) -> None:
    with tempfile.TemporaryDirectory() as folder, SQLiteStore.open(Path(folder) / "tortie.db") as store:
        _apply(store, _read("\n---\n".join(TIER % name for name in _tiers(case["input"])) or "---"))
        before = _content(store)
        _apply(store, _read(json.dumps(case["input"])))
        written = {key: value for key, value in _content(store).items() if before.get(key) != value}
    expect(sorted(written), sorted(case["keys"]), "keys")
    for key, value in case["keys"].items():
        expect(comparable(written[key]), comparable(value), key)


def _read(text: str) -> tuple[ReadResource, ...]:
    result = read(text)
    if result.errors:
        raise Mismatch(f"should be accepted, was refused: {'; '.join(map(str, result.errors))}")
    return result.resources


def _apply(store: Store, resources: tuple[ReadResource, ...]) -> None:
    perform(store, lambda: plan_apply(store, resources, STAMP), lambda: 0)


def _content(store: Store) -> Mapping[str, Any]:
    return {entry.key: json.loads(entry.value) for entry in store.list("").entries}


def _tiers(found: Any) -> Iterator[str]:
    """The tiers that the policies in *found*, a document or a list of them, are in."""
    for item in found.get("items") or [found]:
        if "Policy" in item["kind"] and (tier := (item.get("spec") or {}).get("tier")) and tier != "default":
            yield tier


def test_what_is_stored_is_what_calico_stores(run_table: Callable[[str, Judge], None]) -> None:
    run_table("etcd.json", judge)
