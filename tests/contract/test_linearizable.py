"""Reads and writes are linearizable: concurrent clients' histories, recorded under faults, have an order that explains them."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from random import Random

import pytest
from backends import Backend, EtcdBackend, NewBackend
from histories import UNKNOWN, Operation, Value, legal_order
from proxy import Proxy

from tortie.datastore.store import (
    AlreadyExistsError,
    AmbiguousWriteError,
    ConflictError,
    Entry,
    NotFoundError,
    Store,
    UnavailableError,
)
from tortie.testing.etcd import EtcdCluster

CLIENTS = 4
OPERATIONS = 80
KEYS = ("/linear/a", "/linear/b")
SEEDS = range(100 if os.environ.get("TORTIE_SOAK") else 10)

History = list[tuple[str, Operation]]


class Client:
    """Does random things to the keys, and writes down what it saw."""

    def __init__(self, name: str, store: Store, random: Random, history: History) -> None:
        self._name = name
        self._store = store
        self._random = random
        self._history = history
        self._read: dict[str, Entry] = {}

    def run(self) -> None:
        for number in range(OPERATIONS):
            key = self._random.choice(KEYS)
            kind = self._random.choice(("get", "get", "put", "create", "swap", "swap", "delete"))
            if kind != "swap" or key in self._read:
                self._record(kind, key, f"{self._name}{number}")
        self._store.close()

    def _record(self, kind: str, key: str, value: str) -> None:
        known = self._read.get(key)
        operation = Operation(kind, time.monotonic(), value=value, expected=known.value.decode() if known else None)
        try:
            outcome = self._do(kind, key, value.encode())
        except AmbiguousWriteError:
            pass
        except UnavailableError:
            return  # it was not done
        else:
            operation = operation._replace(returned=time.monotonic(), outcome=outcome)
        self._history.append((key, operation))

    def _do(self, kind: str, key: str, value: bytes) -> Value:
        try:
            match kind:
                case "get":
                    self._read[key] = self._store.get(key)
                    return self._read[key].value.decode()
                case "put":
                    self._store.apply(key, value)
                case "create":
                    self._store.create(key, value)
                case "swap":
                    self._store.update(key, value, self._read[key].revision)
                case _:
                    return self._store.delete(key).value.decode()
        except NotFoundError:
            return "refused" if kind == "swap" else None
        except (AlreadyExistsError, ConflictError):
            return "refused"
        return "done"


def record(open_store: Callable[[], Store], seed: int, disturb: Callable[[Random], object]) -> History:
    """What ``CLIENTS`` clients saw, each in a thread, while somebody disturbed them."""
    history: History = []
    clients = [Client(f"c{n}-", open_store(), Random(seed * 100 + n), history) for n in range(CLIENTS)]
    threads = [threading.Thread(target=client.run) for client in clients]
    for thread in threads:
        thread.start()
    random = Random(seed)
    while any(thread.is_alive() for thread in threads):
        disturb(random)
        time.sleep(random.uniform(0, 0.025))
    for thread in threads:
        thread.join()
    return history


def require_order(history: History) -> None:
    for key in KEYS:
        operations = [operation for of, operation in history if of == key]
        assert sum(operation.outcome != UNKNOWN for operation in operations) > OPERATIONS
        shown = "\n".join(map(repr, sorted(operations, key=lambda operation: operation.called)))
        assert legal_order(operations) is not None, f"no order explains what was seen of {key}:\n{shown}"


@pytest.mark.parametrize("seed", range(2))
def test_undisturbed_clients_see_one_order(new_backend: NewBackend, seed: int) -> None:
    with new_backend() as backend:
        require_order(record(backend.open, seed, lambda _: None))


@pytest.fixture
def before_etcd(etcd: EtcdCluster) -> Iterator[tuple[Backend, list[Proxy]]]:
    """The server behind two proxies: it looks like two servers to its clients."""
    with ExitStack() as proxies:
        yield EtcdBackend(etcd), [proxies.enter_context(Proxy(etcd.endpoints[0])) for _ in range(2)]


def test_clients_whose_connections_are_cut_see_one_order(before_etcd: tuple[EtcdBackend, list[Proxy]]) -> None:
    backend, proxies = before_etcd
    endpoints = [proxy.endpoint for proxy in proxies]
    lost = 0
    for seed in SEEDS:
        backend.wipe()
        history = record(
            lambda: backend.cluster.client(endpoints=endpoints), seed, lambda random: random.choice(proxies).cut()
        )
        lost += sum(operation.outcome == UNKNOWN for _, operation in history)
        require_order(history)
    assert lost, "no answer was lost"
