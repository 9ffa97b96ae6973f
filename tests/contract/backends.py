"""The backends that the contract is tested on, each as one datastore that is empty at first.

A backend joins with a class here and a line in ``conftest``.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeAlias

from tortie.datastore.sqlite import SQLiteStore
from tortie.datastore.store import CompactedError, Store
from tortie.testing.clock import ManualClock
from tortie.testing.etcd import EtcdCluster


class Backend(Protocol):
    """One datastore of a kind, empty at first, that any number of clients open."""

    too_large: int
    """Bytes that no transaction may have."""
    ttl_s: float
    """Of the leases in tests."""

    def open(self) -> Store: ...

    def opening(self) -> str:
        """Python text that binds ``store`` to this datastore, for a process of its own."""

    def compact(self, oldest: int) -> None: ...

    def pass_time(self, ttls: float) -> None:
        """Let the time of leases go on by so many times ``ttl_s``; what is over by then has ended."""


NewBackend: TypeAlias = Callable[[], contextlib.AbstractContextManager[Backend]]


class SQLiteBackend:
    too_large = (16 << 20) + 1
    ttl_s = 60.0

    def __init__(self, folder: Path) -> None:
        self._path = folder / "store.db"
        self._clock = ManualClock(reading=1000.0)

    def open(self) -> Store:
        return SQLiteStore.open(self._path, clock=self._clock, poll_s=0.01)

    def opening(self) -> str:
        return (
            f"from tortie.datastore.sqlite import SQLiteStore\n"
            f"class Clock:\n    era = 'test'\n    def now(self): return {self._clock.reading}\n"
            f"store = SQLiteStore.open({str(self._path)!r}, clock=Clock())\n"
        )

    def compact(self, oldest: int) -> None:
        with SQLiteStore.open(self._path, clock=self._clock) as store:
            store.compact(oldest)

    def pass_time(self, ttls: float) -> None:
        self._clock.reading += ttls * self.ttl_s


class EtcdBackend:
    """A server that other tests used before, without their keys; its revisions go on."""

    too_large = 1_572_864 + 1
    ttl_s = 2.0

    def __init__(self, cluster: EtcdCluster) -> None:
        self.cluster = cluster
        self.wipe()

    def wipe(self) -> None:
        self.cluster.ctl("del", "--from-key", "")

    def open(self) -> Store:
        return self.cluster.client()

    def opening(self) -> str:
        return f"from tortie.datastore.etcd import EtcdStore\nstore = EtcdStore.open({list(self.cluster.endpoints)})\n"

    def compact(self, oldest: int) -> None:
        with self.cluster.client() as store, contextlib.suppress(CompactedError):
            store.compact(oldest)  # it may have been, since an earlier test's

    def pass_time(self, ttls: float) -> None:
        """A server's clock cannot be set, so this takes its time; etcd ends leases up to half a second late."""
        time.sleep(ttls * self.ttl_s)
        while ttls >= 1 and any(self._left_s(lease) <= 0 for lease in self._leases()):
            time.sleep(0.05)

    def _leases(self) -> list[str]:
        found = json.loads(self.cluster.ctl("lease", "list", "--write-out", "json"))
        return [f"{lease['id']:x}" for lease in found.get("leases") or ()]

    def _left_s(self, lease: str) -> float:
        """Whole seconds that are left of a lease; infinite if it has ended."""
        left: float = json.loads(self.cluster.ctl("lease", "timetolive", lease, "--write-out", "json"))["ttl"]
        return float("inf") if left == -1 else left
