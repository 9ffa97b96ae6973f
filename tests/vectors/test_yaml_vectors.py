"""yaml.json: which texts are taken, and the values that are stored for them; the keys come with the datastores."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from vectortables import Case, Judge, expect, expect_refusal

from tortie.model.defaults import for_storage
from tortie.model.document import ReadResource, read


def judge(case: Case) -> None:
    result = read(case["text"])
    expect_refusal(bool(result.errors), not case["accepted"], result.errors)
    if case["accepted"]:
        expect(sorted(map(_stored, result.resources)), sorted(map(_text, case["keys"].values())), "values")


def _stored(item: ReadResource) -> str:
    value = json.loads(for_storage(item.document, uid="", creation_timestamp=""))
    return _text(value)


def _text(value: Any) -> str:
    """As text that sorts, without what is new each time."""
    metadata = {name: of for name, of in value["metadata"].items() if name not in ("uid", "creationTimestamp")}
    return json.dumps({**value, "metadata": metadata}, sort_keys=True)


def test_texts_are_read_as_the_vectors_say(run_table: Callable[[str, Judge], None]) -> None:
    run_table("yaml.json", judge)
