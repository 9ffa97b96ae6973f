"""What went wrong with a call, and whose fault it is: gRPC's and etcd's errors as the store's.

The question that matters for a write is whether it may have been done all the same. Only where etcd or gRPC says that the
request was refused or never left us is the answer no; a broken connection, a deadline or an unknown error leave it open.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import NamedTuple, Protocol

import grpc

from tortie.datastore.store import (
    AmbiguousWriteError,
    NotFoundError,
    StoreError,
    TooLargeError,
    UnauthorizedError,
    UnavailableError,
)


class NoSpaceError(UnavailableError):
    """etcd's space is used up (alarm NOSPACE): it refuses writes, and still answers reads."""


class RevisionCompactedError(StoreError):
    """A CompactedError to be: etcd does not say which revision is the oldest."""


class Kind(Enum):
    """What can be done about a fault."""

    NOT_DONE = auto()
    """The request was not carried out: another server may."""
    LOST = auto()
    """No answer: the request may have been carried out, or still be."""
    TOKEN = auto()
    """The token is no longer valid, or never was: the request was not carried out."""
    FUTURE = auto()
    COMPACTED = auto()
    UNAUTHORIZED = auto()
    """No user, a wrong password, or a right that our user's roles do not have."""
    NO_SPACE = auto()
    TOO_LARGE = auto()
    NO_LEASE = auto()
    NO_USERS = auto()
    """Authentication is off in etcd."""
    OTHER = auto()


# etcd 3.4 to 3.6, api/v3rpc/rpctypes/error.go: programs are expected to compare these texts.
_SAID: tuple[tuple[str, Kind], ...] = (
    ("etcdserver: mvcc: required revision has been compacted", Kind.COMPACTED),
    ("etcdserver: mvcc: required revision is a future revision", Kind.FUTURE),
    ("etcdserver: mvcc: database space exceeded", Kind.NO_SPACE),
    ("etcdserver: request is too large", Kind.TOO_LARGE),
    ("etcdserver: too many operations in txn request", Kind.TOO_LARGE),
    ("grpc: received message larger than max", Kind.TOO_LARGE),
    ("etcdserver: requested lease not found", Kind.NO_LEASE),
    ("etcdserver: invalid auth token", Kind.TOKEN),
    ("etcdserver: revision of auth store is old", Kind.TOKEN),
    ("etcdserver: user name is empty", Kind.TOKEN),
    ("etcdserver: authentication is not enabled", Kind.NO_USERS),
    ("etcdserver: authentication failed", Kind.UNAUTHORIZED),
    ("etcdserver: permission denied", Kind.UNAUTHORIZED),
    ("etcdserver: no leader", Kind.NOT_DONE),
    ("etcdserver: too many requests", Kind.NOT_DONE),
    # gRPC's own, when no connection could be made for the call
    ("failed to connect to all addresses", Kind.NOT_DONE),
    ("DNS resolution failed", Kind.NOT_DONE),
    ("errors resolving ", Kind.NOT_DONE),  # the same in grpcio 1.85
)

_LOST_CODES = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.INTERNAL,
    }
)


class CallError(Protocol):
    """What gRPC's errors of a call have in common, with and without an event loop."""

    def code(self) -> grpc.StatusCode: ...

    def details(self) -> str | None: ...


class Fault(NamedTuple):
    """A call's failure."""

    kind: Kind
    text: str

    @classmethod
    def of(cls, error: CallError) -> Fault:
        """What *error* means."""
        text = error.details() or error.code().name
        return cls(_kind(error.code(), text), text)

    def error(self, server: str, *, is_write: bool) -> StoreError:
        """The store's word for it."""
        where = f"etcd at {server}"
        match self.kind:
            case Kind.LOST if is_write:
                return AmbiguousWriteError(f"{where} was lost during a write, which may have been done: {self.text}")
            case Kind.LOST | Kind.NOT_DONE:
                return UnavailableError(f"{where}: {self.text}")
            case Kind.NO_SPACE:
                return NoSpaceError(
                    f"{where} has no space left and refuses writes (alarm NOSPACE): compact and defragment it, or raise its quota, "
                    "then run `etcdctl alarm disarm`"
                )
            case Kind.UNAUTHORIZED | Kind.TOKEN:
                return UnauthorizedError(f"{where} does not let us: {self.text}")
            case Kind.TOO_LARGE:
                return TooLargeError(f"{where}: {self.text}")
            case Kind.NO_LEASE:
                return NotFoundError("the lease")
            case Kind.COMPACTED:
                return RevisionCompactedError(f"{where}: {self.text}")
            case Kind.FUTURE:
                return StoreError(f"{where}: the revision has not happened yet")
            case _:
                return StoreError(f"{where}: {self.text}")


def _kind(code: grpc.StatusCode, text: str) -> Kind:
    for said, kind in _SAID:
        if said in text:
            return kind
    return Kind.LOST if code in _LOST_CODES else Kind.OTHER
