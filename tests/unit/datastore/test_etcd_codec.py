"""Keys and checks in etcd's words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tortie.datastore.etcd import rpc_pb2 as rpc
from tortie.datastore.etcd.codec import entry_of, is_once_only, key_bytes, key_text, put, range_of, transaction
from tortie.datastore.store import Absent, AtRevision, Check, Delete, Entry, Put, Write, holds

BYTES = st.binary(max_size=4).map(lambda data: data.replace(b"\0", b"\xff"))


def is_in(key: bytes, bounds: tuple[bytes, bytes]) -> bool:
    """As etcd reads ``key`` and ``range_end``."""
    begin, end = bounds
    return begin <= key and (end == b"\0" or key < end)


@given(key=BYTES.filter(bool), prefix=BYTES, after=st.none() | BYTES)
def test_a_range_holds_the_keys_with_a_prefix_that_come_after_one(
    key: bytes, prefix: bytes, after: bytes | None
) -> None:
    bounds = range_of(key_text(prefix), None if after is None else key_text(after))
    assert is_in(key, bounds) == (key.startswith(prefix) and (after is None or key > after))


@given(data=st.binary())
def test_any_bytes_survive_as_text(data: bytes) -> None:
    assert key_bytes(key_text(data)) == data


@given(keys=st.lists(st.text(st.characters(codec="utf-8"))))
def test_etcds_order_is_the_order_of_text(keys: list[str]) -> None:
    assert [key_text(data) for data in sorted(map(key_bytes, keys))] == sorted(keys)


@pytest.mark.parametrize("key", ["", "/a\U0010ffff"])
def test_what_cannot_be_a_key_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="cannot be a key"):
        put(key, b"", None)


def test_a_pair_is_an_entry() -> None:
    assert entry_of(rpc.KeyValue(key=b"/a", value=b"1", mod_revision=7)) == Entry("/a", b"1", 7)
    assert entry_of(rpc.KeyValue(key=b"/a", value=b"1", mod_revision=7, lease=9)) == Entry("/a", b"1", 7, 9)  # type: ignore[arg-type]


def test_an_absent_key_is_at_no_revision() -> None:
    """For etcd it is at 0."""
    assert transaction([AtRevision("/a", 0)], []).compare[0].mod_revision == -1
    assert not holds(AtRevision("/a", 0), None)


@pytest.mark.parametrize(
    ("checks", "writes", "expected"),
    [
        ([AtRevision("/a", 5)], [Put("/a", b"")], True),
        ([AtRevision("/a", 5)], [Delete("/a")], True),
        ([Absent("/b"), AtRevision("/a", 5)], [Put("/b", b""), Put("/a", b"")], True),
        ([Absent("/a")], [Put("/a", b"")], False),
        ([AtRevision("/a", 5)], [Put("/b", b"")], False),
        ([], [Put("/a", b"")], False),
    ],
    ids=[
        "replaces",
        "deletes",
        "one of several",
        "creates: may be deleted, then created again",
        "checks another",
        "blind",
    ],
)
def test_only_what_replaces_a_revision_can_be_done_but_once(
    checks: list[Check], writes: list[Write], expected: bool
) -> None:
    assert is_once_only(checks, writes) == expected
