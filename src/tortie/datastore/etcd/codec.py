"""Our values as etcd's messages, and back. Pure.

Keys are text here and bytes in etcd; bytes of others that are not UTF-8 survive as surrogates (PEP 383). etcd's order of
bytes is the order of characters.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import assert_never

from tortie.datastore.etcd import rpc_pb2 as rpc
from tortie.datastore.store import (
    Absent,
    AtRevision,
    Check,
    Delete,
    Entry,
    LeaseId,
    Put,
    TooLargeError,
    Write,
    require_key,
)

MAX_OPERATIONS = 128
"""Of one transaction, checks and writes each: etcd's --max-txn-ops as it comes."""

MAX_REQUEST_BYTES = 1_572_864 - 512
"""etcd's --max-request-bytes as it comes, less what a server adds to a request before it measures it: the user's name, ids."""


def key_bytes(key: str) -> bytes:
    """*key* as etcd keeps it."""
    return key.encode("utf-8", "surrogateescape")


def key_text(key: bytes) -> str:
    """The inverse of ``key_bytes``."""
    return key.decode("utf-8", "surrogateescape")


def range_of(prefix: str, after: str | None = None) -> tuple[bytes, bytes]:
    """What etcd calls ``key`` and ``range_end`` for the keys that begin with *prefix* and sort after *after*."""
    begin = key_bytes(prefix)
    end = _successor(begin)
    if after is not None:
        begin = max(begin, key_bytes(after) + b"\0")
    return begin or b"\0", end


def _successor(prefix: bytes) -> bytes:
    """The first key that sorts after all that begin with *prefix*; etcd's word for "no end" is one zero byte."""
    stem = prefix.rstrip(b"\xff")
    return stem[:-1] + bytes((stem[-1] + 1,)) if stem else b"\0"


def entry_of(pair: rpc.KeyValue) -> Entry:
    """A stored pair."""
    return Entry(key_text(pair.key), pair.value, pair.mod_revision, LeaseId(pair.lease) if pair.lease else None)


def entries_of(pairs: Iterable[rpc.KeyValue]) -> tuple[Entry, ...]:
    """``entry_of`` for a page, written out: this is most of what a long listing costs here, and calls would be a third of it."""
    new = tuple.__new__
    return tuple([
        new(Entry, (pair.key.decode("utf-8", "surrogateescape"), pair.value, pair.mod_revision, pair.lease or None))
        for pair in pairs
    ])  # fmt: skip


def put(key: str, value: bytes, lease: LeaseId | None) -> rpc.PutRequest:
    """The request that writes *key*; ValueError for what cannot be one."""
    require_key(key)
    return rpc.PutRequest(key=key_bytes(key), value=value, lease=lease or 0)


def one(key: str, at_revision: int | None = None) -> rpc.RangeRequest:
    """The request that reads *key*."""
    return rpc.RangeRequest(key=key_bytes(key), revision=at_revision or 0)


def transaction(checks: Sequence[Check], operations: Sequence[rpc.RequestOp]) -> rpc.TxnRequest:
    """*operations* if all *checks* hold, else a reading of what they were about, in their order; TooLargeError."""
    failure = [rpc.RequestOp(range=one(check.key)) for check in checks]
    request = rpc.TxnRequest(compare=map(_compare, checks), success=operations, failure=failure)
    count = max(len(checks), len(operations))
    if count > MAX_OPERATIONS:
        raise TooLargeError(f"a transaction of {count} operations; etcd takes {MAX_OPERATIONS}")
    return request


def require_size(request: rpc.TxnRequest | rpc.PutRequest) -> None:
    """TooLargeError for a request that etcd would refuse, before it is sent."""
    if (size := request.ByteSize()) > MAX_REQUEST_BYTES:
        raise TooLargeError(f"a write of {size} bytes; etcd takes {MAX_REQUEST_BYTES}")


def _compare(check: Check) -> rpc.Compare:
    match check:
        case Absent(key):
            return rpc.Compare(target=rpc.Compare.VERSION, key=key_bytes(key), version=0)
        case AtRevision(key, revision):
            # to etcd, an absent key was last written at revision 0
            return rpc.Compare(
                target=rpc.Compare.MOD, key=key_bytes(key), mod_revision=revision if revision > 0 else -1
            )
        case _:
            assert_never(check)


def operation(write: Write) -> rpc.RequestOp:
    """One write of a transaction."""
    match write:
        case Put(key, value, lease):
            return rpc.RequestOp(put=put(key, value, lease))
        case Delete(key):
            return rpc.RequestOp(delete_range=rpc.DeleteRangeRequest(key=key_bytes(key), prev_kv=True))
        case _:
            assert_never(write)


def is_once_only(checks: Sequence[Check], writes: Sequence[Write]) -> bool:
    """Whether a transaction, once done, can never be done again: it replaces a key that it requires at a revision.

    A revision never comes back; absence does, so what requires that alone could be done twice.
    """
    written = {write.key for write in writes}
    return any(isinstance(check, AtRevision) and check.revision > 0 and check.key in written for check in checks)
