"""Gives workloads their addresses: one of each family, from the blocks of their host, kept in the datastore as Calico keeps it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from tortie.datastore.store import Absent, AtRevision, Check, ConflictError, Delete, Entry, NotFoundError, Put, Store
from tortie.ipam import AllocationBlock, Handle, assign, block_key, handle_key, release
from tortie.net import Address, Network

_ATTEMPTS = 100
"""Plans that lost a race are made again so often; every loss is another's success."""


def handle_id(namespace: str, pod: str) -> str:
    """Whose a pod's addresses are."""
    return f"k8s-pod-network.{namespace}.{pod}"


def assign_addresses(
    store: Store, blocks: tuple[Network, ...], handle: str, attributes: Mapping[str, str]
) -> tuple[Address, ...]:
    """One address from each block; what *handle* holds already is kept. BlockFullError, ConflictError."""
    return tuple(_assign(store, block, handle, attributes) for block in blocks)


def release_addresses(store: Store, blocks: tuple[Network, ...], handle: str) -> None:
    """Free all that *handle* holds in *blocks*."""
    for network in blocks:
        _change(store, network, handle, lambda block: release(block, handle))


def _assign(store: Store, network: Network, handle: str, attributes: Mapping[str, str]) -> Address:
    given: list[Address] = []

    def plan(block: AllocationBlock) -> AllocationBlock:
        if held := block.addresses(handle):
            given[:] = held[:1]
            return block
        address, changed = assign(block, handle, attributes)
        given[:] = [address]
        return changed

    _change(store, network, handle, plan)
    return given[0]


def _change(store: Store, network: Network, handle: str, plan: Callable[[AllocationBlock], AllocationBlock]) -> None:
    """Write what *plan* makes of the block, and the handle's count with it, in one transaction."""
    for attempt in range(_ATTEMPTS):
        entry = store.get(block_key(network))
        block = msgspec.json.decode(entry.value, type=AllocationBlock)
        changed = plan(block)
        if changed is block:
            return
        count = len(changed.addresses(handle)) - len(block.addresses(handle))
        check, write = _count(store, handle, block.cidr, count)
        try:
            store.transact(
                [AtRevision(entry.key, entry.revision), check], [Put(entry.key, msgspec.json.encode(changed)), write]
            )
        except ConflictError:
            if attempt == _ATTEMPTS - 1:
                raise
        else:
            return


def _count(store: Store, handle: str, cidr: str, count: int) -> tuple[Check, Put | Delete]:
    """What to check and write so that *handle* holds *count* addresses more in a block; an empty handle is deleted."""
    entry = _get(store, handle_key(handle))
    known = msgspec.json.decode(entry.value, type=Handle) if entry is not None else Handle()
    changed = known.plus(cidr, count)
    key = handle_key(handle)
    check = Absent(key) if entry is None else AtRevision(key, entry.revision)
    return check, Put(key, msgspec.json.encode(changed)) if changed.block else Delete(key)


def _get(store: Store, key: str) -> Entry | None:
    try:
        return store.get(key)
    except NotFoundError:
        return None
