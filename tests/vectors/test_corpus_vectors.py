"""corpus/: documents as they stand in public repositories are read or refused in words, and what is read survives a round trip."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from vectortables import PROPERTY, Case, Tally, expect, judge_one

from tortie.conversion import ConversionError, convert
from tortie.model.codec import decode, encode_document, from_document, to_document
from tortie.model.defaults import with_defaults
from tortie.model.document import ReadResource, read


def judge(case: Case) -> None:
    result = read(case["text"])
    for problem in (*result.errors, *result.warnings):
        str(problem)
    for item in result.resources:
        _round_trip(item)


def _round_trip(item: ReadResource) -> None:
    struct = item.key.kind.struct
    expect(from_document(item.document, struct), item.resource, "the stored document, decoded")
    expect(from_document(to_document(item.resource), struct), item.resource, "encoded and decoded")
    expect(decode(encode_document(to_document(item.resource)), struct), item.resource, "through bytes")
    defaulted = with_defaults(item.document)
    expect(with_defaults(defaulted), defaulted, "defaults filled in twice")
    again = read(json.dumps(item.document, ensure_ascii=False))
    expect([(other.key, other.resource) for other in again.resources], [(item.key, item.resource)], "read again")
    try:
        convert(item.resource)
    except ConversionError as error:
        str(error)


def test_the_corpus_is_read_without_a_crash_and_survives_a_round_trip(
    folder: Path, record_property: Callable[[str, object], None]
) -> None:
    if not (folder / "corpus").is_dir():
        pytest.skip("the folder has no corpus")
    tally = Tally()
    for path in sorted((folder / "corpus").glob("*/*")):  # beside the folders of documents there is only their index
        name = str(path.relative_to(folder))
        judge_one(tally, name, {"text": path.read_text(encoding="utf-8")}, judge)
    record_property(PROPERTY, tally.as_property("corpus/"))
    assert not tally.failed, "\n".join([f"{len(tally.failed)} documents failed:", *tally.failed])
