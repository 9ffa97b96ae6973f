"""The lab's own parts follow the datastore through compactions: a lab does not end by one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from tortie.datastore.sqlite import SQLiteStore
from tortie.lab.catalog import Catalog
from tortie.lab.kubelet import Kubelet
from tortie.model.codec import decode, encode_document
from tortie.model.kinds import POD, ResourceKey
from tortie.model.kubernetes import Pod


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SQLiteStore]:
    with SQLiteStore.open(tmp_path / "store.db") as opened:
        yield opened


def key(name: str) -> ResourceKey:
    return ResourceKey(POD, "shop", name)


def put(store: SQLiteStore, name: str) -> int:
    """A pod in its host's own network, which the lab's kubelet refuses."""
    document = {"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": "shop", "name": name}}
    document["spec"] = {"hostNetwork": True, "nodeName": "host1"}
    return store.apply(key(name).path, encode_document(document)).revision


def phase(store: SQLiteStore, name: str) -> str:
    return decode(store.get(key(name).path).value, Pod).status.phase


async def survives(store: SQLiteStore, follow: Callable[[], Awaitable[None]], knows: Callable[[str], bool]) -> None:
    """Follow *store*, whose history is dropped before the follower has read it."""
    put(store, "first")
    following = asyncio.ensure_future(follow())
    async with asyncio.timeout(10):
        await until(lambda: knows("first"), following)
        put(store, "gone")
        store.delete(key("gone").path)
        store.compact(put(store, "second"))
        await until(lambda: knows("second"), following)
    following.cancel()


async def until(holds: Callable[[], bool], following: asyncio.Future[None]) -> None:
    while not holds():
        if following.done():
            following.result()
        await asyncio.sleep(0.01)


def test_the_kubelet_goes_on_after_a_compaction(store: SQLiteStore) -> None:
    asyncio.run(survives(store, Kubelet(store, {}).run, lambda name: phase(store, name) == "Failed"))


def test_the_catalog_goes_on_after_a_compaction_and_forgets_what_went(store: SQLiteStore) -> None:
    catalog = Catalog(store)
    asyncio.run(survives(store, catalog.follow, lambda name: key(name) in catalog.pods))
    assert set(catalog.pods) == {key("first"), key("second")}
