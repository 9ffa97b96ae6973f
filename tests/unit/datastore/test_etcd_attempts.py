"""Which failed calls are tried again, and what is said of those that are not."""

from __future__ import annotations

import grpc
import pytest

from tortie.datastore.etcd.attempts import Attempts, Effect
from tortie.datastore.etcd.cluster import Cluster
from tortie.datastore.etcd.faults import NoSpaceError, RevisionCompactedError
from tortie.datastore.store import (
    AmbiguousWriteError,
    NotFoundError,
    StoreError,
    TooLargeError,
    UnauthorizedError,
    UnavailableError,
)

LOST = "recvmsg:Connection reset by peer"
REFUSED = (
    "failed to connect to all addresses; last error: UNKNOWN: ipv4:127.0.0.1:2379: Failed to connect to remote host"
)


class Failure:
    """A call's error."""

    def __init__(self, code: str, details: str) -> None:
        self._code = grpc.StatusCode[code]
        self._details = details

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str:
        return self._details


def cluster(*, patience_s: float = 60, username: str = "") -> Cluster:
    return Cluster(["a:1", "b:2", "c:3"], None, username, "secret", patience_s=patience_s)


@pytest.mark.parametrize(
    "details",
    [
        REFUSED,
        "etcdserver: no leader",
        "DNS resolution failed for etcd:2379: NXDOMAIN",
        "errors resolving etcd:2379: [field:hostname lookup error:address lookup failed for etcd:2379: Domain name not found]",
    ],
    ids=["refused", "no leader", "no such name", "no such name, grpcio 1.85"],
)
@pytest.mark.parametrize("effect", Effect)
def test_what_was_not_done_is_tried_at_the_next_server(effect: Effect, details: str) -> None:
    servers = cluster()
    attempts = Attempts(servers, effect)
    used = []
    for _ in range(3):
        attempts.begin()
        used.append(attempts.server.endpoint)
        attempts.failed(Failure("UNAVAILABLE", details))
    assert sorted(used) == ["a:1", "b:2", "c:3"]
    assert attempts.pause_s() > 0, "all were tried"


@pytest.mark.parametrize("code", ["UNAVAILABLE", "DEADLINE_EXCEEDED", "UNKNOWN", "INTERNAL", "CANCELLED"])
def test_a_write_whose_answer_was_lost_is_not_repeated(code: str) -> None:
    with pytest.raises(AmbiguousWriteError, match="may have been done"):
        Attempts(cluster(), Effect.WRITE).failed(Failure(code, LOST))


@pytest.mark.parametrize("effect", [Effect.READ, Effect.ONCE_ONLY])
def test_what_can_be_repeated_is(effect: Effect) -> None:
    attempts = Attempts(cluster(), effect)
    attempts.failed(Failure("UNAVAILABLE", LOST))
    assert attempts.was_lost


def test_a_request_that_was_not_sent_is_not_lost() -> None:
    attempts = Attempts(cluster(), Effect.WRITE)
    attempts.failed(Failure("UNAVAILABLE", LOST), was_sent=False)
    assert not attempts.was_lost


def test_patience_ends() -> None:
    attempts = Attempts(cluster(patience_s=-1), Effect.WRITE)
    with pytest.raises(UnavailableError) as raised:
        attempts.failed(Failure("UNAVAILABLE", REFUSED))
    assert not isinstance(raised.value, AmbiguousWriteError)


def test_a_lost_answer_is_not_forgotten_over_what_came_later() -> None:
    attempts = Attempts(cluster(), Effect.ONCE_ONLY)
    attempts.failed(Failure("UNAVAILABLE", LOST))
    attempts._until = 0.0
    with pytest.raises(AmbiguousWriteError):
        attempts.failed(Failure("UNAVAILABLE", REFUSED))


@pytest.mark.parametrize(
    "details",
    ["etcdserver: invalid auth token", "etcdserver: revision of auth store is old", "etcdserver: user name is empty"],
)
def test_a_token_is_renewed_some_times(details: str) -> None:
    servers = cluster(username="agent")
    attempts = Attempts(servers, Effect.WRITE)
    server = attempts.server
    for _ in range(3):
        servers.token = "old"
        attempts.failed(Failure("UNAUTHENTICATED", details))
        assert servers.token is None
    assert servers.server == server
    with pytest.raises(UnauthorizedError):
        attempts.failed(Failure("UNAUTHENTICATED", details))


@pytest.mark.parametrize(
    ("code", "details", "expected"),
    [
        ("RESOURCE_EXHAUSTED", "etcdserver: mvcc: database space exceeded", NoSpaceError),
        ("INVALID_ARGUMENT", "etcdserver: request is too large", TooLargeError),
        ("INVALID_ARGUMENT", "etcdserver: too many operations in txn request", TooLargeError),
        ("NOT_FOUND", "etcdserver: requested lease not found", NotFoundError),
        ("OUT_OF_RANGE", "etcdserver: mvcc: required revision has been compacted", RevisionCompactedError),
        ("PERMISSION_DENIED", "etcdserver: permission denied", UnauthorizedError),
        ("INVALID_ARGUMENT", "etcdserver: authentication failed, invalid user ID or password", UnauthorizedError),
        ("INVALID_ARGUMENT", "etcdserver: user name is empty", UnauthorizedError),
        ("DATA_LOSS", "etcdserver: corrupt cluster", StoreError),
    ],
)
@pytest.mark.parametrize("effect", Effect)
def test_what_etcd_refuses_is_said_as_what_it_is(
    effect: Effect, code: str, details: str, expected: type[StoreError]
) -> None:
    with pytest.raises(expected) as raised:
        Attempts(cluster(), effect).failed(Failure(code, details))
    assert type(raised.value) is expected


def test_a_server_is_left_once_however_many_find_it_failing() -> None:
    servers = cluster()
    first, second = Attempts(servers, Effect.READ), Attempts(servers, Effect.READ)
    first.failed(Failure("UNAVAILABLE", REFUSED))
    after = servers.server
    second.failed(Failure("UNAVAILABLE", REFUSED))
    assert servers.server == after
