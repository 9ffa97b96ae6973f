"""yaml.json: which texts are taken, and the keys and values that are stored for them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from vectortables import Case, Judge, comparable, expect, expect_refusal

from tortie.model.defaults import for_storage
from tortie.model.document import ReadResource, read


def judge(case: Case) -> None:
    result = read(case["text"])
    expect_refusal(bool(result.errors), not case["accepted"], result.errors)
    if case["accepted"]:
        found = {item.key.path: _stored(item) for item in result.resources}
        expect(sorted(found), sorted(case["keys"]), "keys")
        expect(found, {key: comparable(value) for key, value in case["keys"].items()}, "values")


def _stored(item: ReadResource) -> Any:
    return comparable(json.loads(for_storage(item.document, uid="", creation_timestamp="")))


def test_texts_are_read_as_the_vectors_say(run_table: Callable[[str, Judge], None]) -> None:
    run_table("yaml.json", judge)
