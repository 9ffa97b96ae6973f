"""For every kind and whatever its declaration allows: both readers agree, and nothing is lost by reading, storing or applying."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tortie.cli.writing import Action, Stamp, plan_apply
from tortie.datastore.sqlite import SQLiteStore
from tortie.datastore.store import Put
from tortie.model import kinds
from tortie.model.codec import Document, decode, decode_document, encode_document, from_document, to_document
from tortie.model.defaults import for_storage, with_defaults
from tortie.model.document import ReadResource, read
from tortie.model.kinds import KINDS, Kind, ResourceKey
from tortie.model.stored import from_storage
from tortie.model.validation import stored_resource
from tortie.model.yamltext import yaml_text
from tortie.testing.documents import documents, from_later_version

STAMP = Stamp(uid=lambda: "u", creation_timestamp="t")

every_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind.name}.{kind.api_version}")
some_documents = settings(
    max_examples=settings().max_examples // 10, deadline=None, suppress_health_check=list(HealthCheck)
)
"""For each of thirty kinds a tenth of what other tests get. Documents are large, which is no fault."""


def read_one(text: str) -> ReadResource:
    result = read(text)
    assert result.errors == ()
    (item,) = result.resources
    return item


def without_zeros(value: Any) -> Any:
    """*value* without the fields that are Go's zero, which need not be stored."""
    if isinstance(value, dict):
        kept = {name: without_zeros(part) for name, part in value.items()}
        return {name: part for name, part in kept.items() if part not in ("", 0, [], {})}
    return [without_zeros(item) for item in value] if isinstance(value, list) else value


def stored_form(item: ReadResource) -> Document:
    return decode_document(for_storage(item.document, uid="u", creation_timestamp="t"))


@every_kind
@some_documents
@given(data=st.data())
def test_both_readers_agree_on_yaml_and_json(kind: Kind, data: st.DataObject) -> None:
    document = data.draw(documents(kind))
    from_yaml, from_json = read_one(yaml_text(document)), read_one(encode_document(document).decode())
    assert from_yaml.document == from_json.document
    assert from_yaml.resource == from_json.resource == decode(encode_document(document), kind.struct)
    assert decode(encode_document(from_yaml.document), kind.struct) == from_yaml.resource
    assert without_zeros(from_yaml.document) == without_zeros(document)


@every_kind
@some_documents
@given(data=st.data())
def test_reading_writing_and_reading_is_the_identity(kind: Kind, data: st.DataObject) -> None:
    item = read_one(yaml_text(data.draw(documents(kind))))
    again = read_one(yaml_text(item.document))
    assert (again.key, again.document, again.resource) == (item.key, item.document, item.resource)
    written = encode_document(to_document(item.resource))
    assert decode(written, kind.struct) == item.resource
    assert encode_document(to_document(decode(written, kind.struct))) == written
    assert decode_document(encode_document(item.document)) == item.document


@every_kind
@some_documents
@given(data=st.data())
def test_storing_adds_only_what_stays_as_it_is(kind: Kind, data: st.DataObject) -> None:
    item = read_one(yaml_text(data.draw(documents(kind))))
    completed = with_defaults(item.document)
    assert with_defaults(completed) == completed
    stored = for_storage(item.document, uid="u", creation_timestamp="t")
    assert stored_resource(item.key, stored) == decode(stored, kind.struct)
    shown = read_one(yaml_text(from_storage(stored, 7)))
    assert shown.key == item.key
    assert stored_form(shown) == decode_document(stored)


# --- what a newer version has stored -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SQLiteStore]:
    with SQLiteStore.open(tmp_path_factory.mktemp("store") / "tortie.db") as opened:
        yield opened


def applied(store: SQLiteStore, item: ReadResource, stored: Document) -> tuple[Action, Document]:
    """What ``tortie apply`` of *item* does where *stored* is stored, and what is stored then."""
    tier = ResourceKey(kinds.TIER, "", item.document.get("spec", {}).get("tier", "default"))
    if tier != item.key:
        store.apply(tier.path, b"{}")
    store.apply(item.key.path, encode_document(stored))
    change = next(change for change in plan_apply(store, [item], STAMP) if change.key == item.key)
    writes = {write.key: write.value for write in change.writes if isinstance(write, Put)}
    store.delete(item.key.path)
    return change.action, decode_document(writes[item.key.path]) if item.key.path in writes else stored


def without_revision(document: Document) -> Document:
    metadata = {name: value for name, value in document["metadata"].items() if name != "resourceVersion"}
    return {**document, "metadata": metadata}


@every_kind
@some_documents
@given(data=st.data())
def test_fields_labels_and_annotations_of_a_newer_version_survive(
    kind: Kind, data: st.DataObject, store: SQLiteStore
) -> None:
    item = read_one(yaml_text(without_revision(data.draw(documents(kind)))))
    later = data.draw(from_later_version(kind, stored_form(item)))
    assert decode(encode_document(later), kind.struct) == from_document(stored_form(item), kind.struct)
    assert (
        without_revision(from_storage(encode_document(later), 7)).items()
        >= {name: value for name, value in later.items() if name != "metadata"}.items()
    )
    _, same = applied(store, item, later)
    assert same == later

    noted = {**item.document["metadata"], "annotations": {"example.com/note": "new"}}
    _, changed = applied(store, read_one(yaml_text({**item.document, "metadata": noted})), later)
    expected = dict(later["metadata"].get("annotations", {}))
    for name in item.document["metadata"].get("annotations", {}):
        del expected[name]
    assert changed == {**later, "metadata": {**later["metadata"], "annotations": {**expected, **noted["annotations"]}}}
