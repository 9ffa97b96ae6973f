"""One block: which of its addresses are taken, by whom, and which comes next.

A block numbers its addresses from 0 (the *ordinal*). Each ordinal is either in ``unallocated``, a queue, so that an address
rests as long as possible before it is given again, or points from ``allocations`` to an entry of ``attributes``, which says
whose it is; entries are shared, and none is without a pointer to it. The field names are Calico's, in its two spellings.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import msgspec

from tortie.net import Address, Network


class AllocationAttribute(msgspec.Struct, frozen=True, kw_only=True):
    """Whose an address is."""

    handle_id: str | None = None
    secondary: Mapping[str, str] | None = None
    """What it is for: ``pod``, ``namespace``, ``node``, ``timestamp`` and others."""


class AllocationBlock(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The value at ``/calico/ipam/v2/assignment/ipv4/block/<cidr>``."""

    cidr: str
    affinity: str | None = None
    """``host:<node>``, whose block it is; None where nobody claims it."""
    allocations: tuple[int | None, ...]
    """By ordinal: an index into ``attributes``, None where the address is free."""
    unallocated: tuple[int, ...]
    """The free ordinals, the one to give next first."""
    attributes: tuple[AllocationAttribute, ...] = ()
    sequence_number: int = 0
    """One more with every write."""
    sequence_number_for_allocation: Mapping[str, int] = {}
    """By ordinal, in decimal: the block's sequence number when it was given, so that a late release cannot take it from the next owner."""
    deleted: bool = False

    @property
    def network(self) -> Network:
        return Network.parse(self.cidr)

    def address(self, ordinal: int) -> Address:
        return self.network.address + ordinal

    def addresses(self, handle: str) -> tuple[Address, ...]:
        """What *handle* holds here, in order."""
        return tuple(self.address(ordinal) for ordinal in self._held(handle))

    def _held(self, handle: str) -> tuple[int, ...]:
        mine = {index for index, attribute in enumerate(self.attributes) if attribute.handle_id == handle}
        return tuple(ordinal for ordinal, index in enumerate(self.allocations) if index in mine)


class Handle(msgspec.Struct, frozen=True, kw_only=True):
    """The value at ``/calico/ipam/v2/handle/<id>``: how many addresses a handle holds in each block, by CIDR."""

    block: Mapping[str, int] = {}
    deleted: bool = False

    def plus(self, cidr: str, count: int) -> Handle:
        """The handle with *count* addresses more in a block, or fewer; a block with none is not named."""
        counts = {**self.block, cidr: self.block.get(cidr, 0) + count}
        return Handle(block={key: value for key, value in sorted(counts.items()) if value > 0})


class BlockFullError(Exception):
    """Every address of the block is taken."""


def new_block(network: Network, host: str) -> AllocationBlock:
    """A block of *host* with every address free."""
    size = network.size
    return AllocationBlock(
        cidr=str(network), affinity=f"host:{host}", allocations=(None,) * size, unallocated=tuple(range(size))
    )


def assign(block: AllocationBlock, handle: str, attributes: Mapping[str, str]) -> tuple[Address, AllocationBlock]:
    """Plan to give *handle* the next free address; the address, and the block to write. BlockFullError."""
    if not block.unallocated:
        raise BlockFullError(f"no address is free in block {block.cidr}")
    ordinal, *rest = block.unallocated
    owner = AllocationAttribute(handle_id=handle, secondary=dict(sorted(attributes.items())))
    owners = block.attributes if owner in block.attributes else (*block.attributes, owner)
    sequence = block.sequence_number
    return block.address(ordinal), msgspec.structs.replace(
        block,
        allocations=_replaced(block.allocations, ordinal, owners.index(owner)),
        unallocated=tuple(rest),
        attributes=owners,
        sequence_number=sequence + 1,
        sequence_number_for_allocation={**block.sequence_number_for_allocation, str(ordinal): sequence},
    )


def release(block: AllocationBlock, handle: str) -> AllocationBlock:
    """Plan to free all that *handle* holds in *block*: the block to write, or the same one if it holds nothing.

    Its addresses go to the end of the queue; attributes that nothing points to any more go, and the others move up.
    """
    freed = block._held(handle)
    if not freed:
        return block
    left = tuple(None if ordinal in freed else index for ordinal, index in enumerate(block.allocations))
    used = sorted({index for index in left if index is not None})
    moved = {old: new for new, old in enumerate(used)}
    return msgspec.structs.replace(
        block,
        allocations=tuple(None if index is None else moved[index] for index in left),
        unallocated=(*block.unallocated, *freed),
        attributes=tuple(block.attributes[index] for index in used),
        sequence_number=block.sequence_number + 1,
        sequence_number_for_allocation={
            ordinal: sequence
            for ordinal, sequence in block.sequence_number_for_allocation.items()
            if int(ordinal) not in freed
        },
    )


T = TypeVar("T")


def _replaced(items: tuple[T, ...], index: int, item: T) -> tuple[T, ...]:
    return (*items[:index], item, *items[index + 1 :])
