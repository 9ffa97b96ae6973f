"""A store with one writer, whose followers are struck by random faults; and what that writer has written.

Only the writer writes, so what it knows is the truth: each revision's events, and the state at each.
"""

from __future__ import annotations

import contextlib
import functools
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from random import Random
from typing import Protocol, TypeAlias, TypeVar

from backends import SQLiteBackend
from proxy import Proxy

from tortie.datastore.store import (
    AmbiguousWriteError,
    AtRevision,
    CompactedError,
    ConflictError,
    Delete,
    Put,
    Store,
    UnavailableError,
    Write,
)
from tortie.testing.etcd import EtcdCluster, etcd_cluster

PREFIX = "/watched/"
"""Where the followers look."""
KEYS = [f"{PREFIX}{number}" for number in range(6)] + ["/elsewhere/1", "/elsewhere/2"]
END = f"{PREFIX}end"
"""The last key that is written."""
TURN = "/elsewhere/turn"
"""Every transaction writes it, where it was last written by the one before."""
WRITES = 600 if os.environ.get("TORTIE_SOAK") else 400
WAIT_S = 20.0
WITHIN_S = 400 if os.environ.get("TORTIE_SOAK") else 100
"""One run takes 3 s; a soak runs beside other work, with what that leaves of the machine."""

T = TypeVar("T")

Written: TypeAlias = Mapping[int, tuple[Write, ...]]
"""By revision."""


class Bench(Protocol):
    """A store for the writer, one for the follower, and what can happen to them."""

    def writer(self) -> Store: ...

    def follower(self) -> Store: ...

    def strike(self, random: Random, store: Store) -> None:
        """Do some harm; *store* is the writer's."""


class SQLiteBench:
    """Processes of one machine lose no connection: here only the history can be taken away."""

    def __init__(self, backend: SQLiteBackend) -> None:
        self.writer = self.follower = backend.open

    def strike(self, random: Random, store: Store) -> None:
        _compact(random, store)


class EtcdBench:
    """The follower's connection leads through a proxy; the server can be killed under both."""

    def __init__(self, cluster: EtcdCluster, proxy: Proxy) -> None:
        self._server = cluster.servers[0]
        self._proxy = proxy
        self._kills = 2
        self.writer = cluster.client
        self.follower = functools.partial(cluster.client, endpoints=(proxy.endpoint,))

    def strike(self, random: Random, store: Store) -> None:
        match random.randrange(10):
            case 0 if self._kills:
                self._kills -= 1
                self._server.kill()
                self._server.start()
            case 1:
                _compact(random, store)
            case _:
                self._proxy.cut()


def _compact(random: Random, store: Store) -> None:
    with contextlib.suppress(CompactedError):  # so far back, nothing was kept already
        store.compact(max(1, store.revision() - random.randrange(5)))  # type: ignore[attr-defined]  # both have it


@contextmanager
def sqlite_bench(folder: Path) -> Iterator[Bench]:
    yield SQLiteBench(SQLiteBackend(folder))


@contextmanager
def etcd_bench(folder: Path) -> Iterator[Bench]:
    with etcd_cluster(folder) as cluster, Proxy(cluster.endpoints[0]) as proxy:
        yield EtcdBench(cluster, proxy)


BENCHES: dict[str, Callable[[Path], AbstractContextManager[Bench]]] = {"sqlite": sqlite_bench, "etcd": etcd_bench}


def events(written: Written) -> dict[int, dict[str, bytes | None]]:
    """What became of the keys under ``PREFIX`` at each revision that touched some: values, None for a deletion."""
    present: set[str] = set()
    found: dict[int, dict[str, bytes | None]] = {}
    for revision, writes in sorted(written.items()):
        made = {
            write.key: write.value if isinstance(write, Put) else None
            for write in writes
            if isinstance(write, Put) or write.key in present
        }
        present |= {key for key, value in made.items() if value is not None}
        present -= {key for key, value in made.items() if value is None}
        if under := {key: value for key, value in made.items() if key.startswith(PREFIX)}:
            found[revision] = under
    return found


class Writer:
    """Writes each transaction exactly once, whatever becomes of the answers: all of them take turns on one key."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._turn = store.apply(TURN, b"").revision
        self.written: dict[int, tuple[Write, ...]] = {}

    def transact(self, *writes: Write) -> int:
        """Write, and note it; the revision."""
        turn = str(self._turn).encode()
        while True:
            try:
                revision = self._store.transact([AtRevision(TURN, self._turn)], [*writes, Put(TURN, turn)])
            except (AmbiguousWriteError, ConflictError):
                found = until_available(lambda: self._store.get(TURN))
                if found.value != turn:
                    continue
                revision = found.revision
            except UnavailableError:
                continue
            self._turn = revision
            self.written[revision] = writes
            return revision


def write(bench: Bench, seed: int, bookmarked: threading.Event) -> Written:
    """Random transactions, each with a value of its own; now and then something happens. By revision, what was written.

    Before the last one, nothing happens where the follower looks until it is told so.
    """
    random = Random(seed)
    with bench.writer() as store:
        writer = Writer(store)
        for number in range(WRITES):
            writer.transact(*some_writes(random, str(number).encode()))
            if random.random() < 0.04:
                until_available(lambda: bench.strike(random, store))
            time.sleep(random.choice((0, 0, 0.004)))  # so that the follower catches up at times
        writer.transact(Put("/elsewhere/1", b"bookmark"))
        assert bookmarked.wait(WAIT_S), "no progress was told"
        writer.transact(Put(END, b"end"))
    return writer.written


def some_writes(random: Random, value: bytes) -> tuple[Write, ...]:
    """One to four, of which the first puts."""
    first, *others = random.sample(KEYS, random.randint(1, 4))
    return (Put(first, value), *(random.choice((Put(key, value), Delete(key))) for key in others))


def until_available(attempt: Callable[[], T]) -> T:
    """What *attempt* gives once the store can be reached."""
    while True:
        with contextlib.suppress(UnavailableError):
            return attempt()
