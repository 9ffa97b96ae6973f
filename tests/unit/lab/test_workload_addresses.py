"""Workloads get one address of each family from their host's blocks, and the datastore says so as Calico's would."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from tortie.datastore.sqlite import SQLiteStore
from tortie.datastore.store import ConflictError, NotFoundError, Put
from tortie.ipam import BlockFullError, block_key, handle_key, new_block
from tortie.lab import bootstrap
from tortie.lab.addresses import assign_addresses, handle_id, release_addresses
from tortie.lab.layout import HostLayout, hosts
from tortie.net import Network

BLOCKS = HostLayout(2).blocks


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SQLiteStore]:
    with SQLiteStore.open(tmp_path / "tortie.db") as opened:
        entries = bootstrap.entries(hosts(2), uid=lambda: "uid", creation_timestamp="2026-01-01T00:00:00Z")
        opened.transact([], [Put(key, value) for key, value in entries])
        yield opened


def assigned(store: SQLiteStore, pod: str) -> list[str]:
    return [str(address) for address in assign_addresses(store, BLOCKS, handle_id("stars", pod), {"pod": pod})]


def test_each_workload_gets_the_next_address_of_each_block(store: SQLiteStore) -> None:
    assert assigned(store, "a") == ["10.65.0.64", "fd00:65::40"]
    assert assigned(store, "b") == ["10.65.0.65", "fd00:65::41"]


def test_who_asks_again_keeps_what_it_has(store: SQLiteStore) -> None:
    assert assigned(store, "a") == assigned(store, "a")


def test_a_handle_names_the_blocks_that_it_holds_addresses_in(store: SQLiteStore) -> None:
    assigned(store, "a")
    value = store.get(handle_key("k8s-pod-network.stars.a")).value
    assert msgspec.json.decode(value) == {"block": {"10.65.0.64/26": 1, "fd00:65::40/122": 1}, "deleted": False}


def test_releasing_frees_the_addresses_and_deletes_the_handle(store: SQLiteStore) -> None:
    before = [msgspec.json.decode(store.get(block_key(block)).value)["allocations"] for block in BLOCKS]
    assigned(store, "a")
    release_addresses(store, BLOCKS, handle_id("stars", "a"))
    after = [msgspec.json.decode(store.get(block_key(block)).value)["allocations"] for block in BLOCKS]
    assert after == before
    with pytest.raises(NotFoundError):
        store.get(handle_key("k8s-pod-network.stars.a"))


def test_releasing_what_is_not_held_writes_nothing(store: SQLiteStore) -> None:
    before = store.revision()
    release_addresses(store, BLOCKS, handle_id("stars", "nobody"))
    assert store.revision() == before


def test_a_full_block_is_told(store: SQLiteStore) -> None:
    tiny = Network.parse("10.99.0.0/32")
    store.create(block_key(tiny), msgspec.json.encode(new_block(tiny, "host2")))
    assign_addresses(store, (tiny,), "a", {})
    with pytest.raises(BlockFullError):
        assign_addresses(store, (tiny,), "b", {})


class Racing:
    """A store on which somebody else takes an address before each of the first *losses* transactions."""

    def __init__(self, store: SQLiteStore, losses: int) -> None:
        self._store = store
        self._losses = losses

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    def transact(self, *arguments: object) -> int:
        if self._losses > 0:
            self._losses -= 1
            assign_addresses(self._store, BLOCKS[:1], f"other-{self._losses}", {})
        return self._store.transact(*arguments)  # type: ignore[arg-type]


def test_a_lost_race_is_planned_again(store: SQLiteStore) -> None:
    (address,) = assign_addresses(Racing(store, 3), BLOCKS[:1], "mine", {})  # type: ignore[arg-type]
    assert str(address) == "10.65.0.67"


def test_races_are_not_lost_for_ever(store: SQLiteStore) -> None:
    class Losing(Racing):
        def transact(self, *_: object) -> int:
            raise ConflictError("key")

    with pytest.raises(ConflictError):
        assign_addresses(Losing(store, 0), BLOCKS[:1], "mine", {})  # type: ignore[arg-type]
