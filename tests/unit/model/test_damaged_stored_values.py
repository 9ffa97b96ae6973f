"""A stored value may be anything: what has no form that people can be shown is refused as that, all else is shown."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tortie.datastore.validation import InvalidValue, validate
from tortie.model.codec import InvalidResourceError, encode_document
from tortie.model.columns import columns
from tortie.model.kinds import KINDS, POD, Kind
from tortie.model.stored import from_storage
from tortie.model.updates import Update
from tortie.testing.documents import documents

ANY_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-1, 2**70)
    | st.floats(allow_nan=False)
    | st.sampled_from(("", "a", "::/0")),
    lambda parts: st.lists(parts, max_size=2) | st.dictionaries(st.sampled_from(("", "a", "name")), parts, max_size=2),
    max_leaves=4,
)


@st.composite
def damaged(draw: st.DrawFn, value: Any) -> Any:
    """*value* with anything at one place."""
    if draw(st.integers(0, 3)) == 0 or not value or not isinstance(value, (dict, list)):
        return draw(ANY_JSON)
    if isinstance(value, list):
        place = draw(st.integers(0, len(value) - 1))
        return [*value[:place], draw(damaged(value[place])), *value[place + 1 :]]
    name = draw(st.sampled_from(sorted(value)))
    return {**value, name: draw(damaged(value[name]))}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind.name}.{kind.api_version}")
@settings(max_examples=settings().max_examples // 5, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_damaged_value_is_refused_or_shown_and_counts_as_valid_or_absent(kind: Kind, data: st.DataObject) -> None:
    value = encode_document(data.draw(documents(kind).flatmap(damaged)))
    with contextlib.suppress(InvalidResourceError):
        shown = from_storage(value, 7)
        assert all(isinstance(column.text(shown), str) for column in columns(kind, wide=True))
        assert isinstance(shown["metadata"]["name"], str)
    path = f"{kind.prefix}n/x" if kind.namespaced else f"{kind.prefix}x"
    update, *problem = validate([Update(path, value, 7)])
    assert not problem or (isinstance(problem[0], InvalidValue) and getattr(update, "value", value) is None)


@pytest.mark.parametrize(
    ("value", "where"),
    [
        (b"[]", "object"),
        (b"{}", "metadata"),
        (b'{"metadata": "x"}', r"\$.metadata"),
        (b'{"metadata": {}}', "name"),
        (b'{"metadata": {"name": "x", "labels": {"a": 1}}}', r"\$.metadata.labels"),
        (b'{"metadata": {"name": "x", "annotations": []}}', r"\$.metadata.annotations"),
        (b'{"metadata": {"name": "x"}, "spec": 1.5}', r"\$.spec"),
    ],
)
def test_what_every_command_needs_is_named_where_it_is_missing(value: bytes, where: str) -> None:
    with pytest.raises(InvalidResourceError, match=where):
        from_storage(value, 7)


def test_pods_with_strange_parts_have_a_row() -> None:
    shown = from_storage(b'{"metadata": {"name": "x"}, "spec": {}, "status": {"podIPs": [5, {"ip": 6}]}}', 7)
    assert {column.header: column.text(shown) for column in columns(POD, wide=True)}["IPS"] == "6"
