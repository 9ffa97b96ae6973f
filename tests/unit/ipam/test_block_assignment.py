"""A block gives each address to one handle at a time, and rests it as long as possible."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tortie.ipam import (
    AllocationBlock,
    BlockFullError,
    Handle,
    assign,
    block_key,
    handle_key,
    new_block,
    release,
)
from tortie.net import Address, Network

BLOCK = new_block(Network.parse("10.65.0.64/29"), "host2")


def test_addresses_are_given_in_order() -> None:
    first, block = assign(BLOCK, "a", {})
    second, _ = assign(block, "b", {})
    assert [str(first), str(second)] == ["10.65.0.64", "10.65.0.65"]


def test_a_released_address_is_given_again_after_all_others() -> None:
    first, block = assign(BLOCK, "a", {})
    block = release(block, "a")
    given = []
    for _ in range(8):
        address, block = assign(block, "b", {})
        given.append(address)
    assert given[-1] == first


def test_an_ipv6_block_counts_in_its_own_family() -> None:
    address, _ = assign(new_block(Network.parse("fd00:65::40/122"), "host2"), "a", {})
    assert str(address) == "fd00:65::40"


def test_a_full_block_says_so() -> None:
    block = BLOCK
    for number in range(8):
        _, block = assign(block, str(number), {})
    with pytest.raises(BlockFullError, match=r"10\.65\.0\.64/29"):
        assign(block, "one more", {})


def test_releasing_what_is_not_held_changes_nothing() -> None:
    _, block = assign(BLOCK, "a", {})
    assert release(block, "b") is block


def test_the_stored_form_is_calicos() -> None:
    _, block = assign(BLOCK, "k8s-pod-network.stars.frontend", {"pod": "frontend", "namespace": "stars"})
    assert msgspec.json.decode(msgspec.json.encode(block)) == {
        "cidr": "10.65.0.64/29",
        "affinity": "host:host2",
        "allocations": [0, None, None, None, None, None, None, None],
        "unallocated": [1, 2, 3, 4, 5, 6, 7],
        "attributes": [
            {"handle_id": "k8s-pod-network.stars.frontend", "secondary": {"namespace": "stars", "pod": "frontend"}}
        ],
        "sequenceNumber": 1,
        "sequenceNumberForAllocation": {"0": 0},
        "deleted": False,
    }


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        pytest.param(block_key(BLOCK.network), "assignment/ipv4/block/10.65.0.64-29", id="block"),
        pytest.param(
            block_key(Network.parse("fd00:65::/122")), "assignment/ipv6/block/fd00:65::-122", id="block-of-ipv6"
        ),
        pytest.param(handle_key("net.a/b%"), "handle/net.a%2fb%25", id="handle"),
    ],
)
def test_keys_are_calicos(key: str, expected: str) -> None:
    assert key == "/calico/ipam/v2/" + expected


def test_a_handle_counts_by_block_and_forgets_empty_ones() -> None:
    handle = Handle().plus("10.65.0.0/26", 1).plus("fd00:65::/122", 1).plus("10.65.0.0/26", -1)
    assert handle == Handle(block={"fd00:65::/122": 1})


class BlockHistory(RuleBasedStateMachine):
    """Any history of assignments and releases, against a plain list of who holds what."""

    def __init__(self) -> None:
        super().__init__()
        self.block: AllocationBlock = BLOCK
        self.held: list[tuple[str, Address]] = []

    @precondition(lambda self: len(self.held) < BLOCK.network.size)
    @rule(handle=st.sampled_from("abc"), attributes=st.dictionaries(st.sampled_from("xy"), st.sampled_from("12")))
    def assign(self, handle: str, attributes: dict[str, str]) -> None:
        address, self.block = assign(self.block, handle, attributes)
        assert address not in [taken for _, taken in self.held]
        self.held.append((handle, address))

    @rule(handle=st.sampled_from("abc"))
    def release(self, handle: str) -> None:
        self.block = release(self.block, handle)
        self.held = [(owner, address) for owner, address in self.held if owner != handle]

    @invariant()
    def each_handle_holds_what_it_was_given(self) -> None:
        for handle in "abc":
            assert set(self.block.addresses(handle)) == {address for owner, address in self.held if owner == handle}

    @invariant()
    def every_ordinal_is_either_free_or_taken(self) -> None:
        taken = [ordinal for ordinal, index in enumerate(self.block.allocations) if index is not None]
        assert sorted([*taken, *self.block.unallocated]) == list(range(BLOCK.network.size))
        assert sorted(map(int, self.block.sequence_number_for_allocation)) == taken

    @invariant()
    def every_attribute_is_pointed_to_and_none_stands_twice(self) -> None:
        assert set(range(len(self.block.attributes))) == {i for i in self.block.allocations if i is not None}
        assert len(self.block.attributes) == len({str(attribute) for attribute in self.block.attributes})

    @invariant()
    def what_is_stored_reads_back_equal(self) -> None:
        assert msgspec.json.decode(msgspec.json.encode(self.block), type=AllocationBlock) == self.block


TestBlockHistory = BlockHistory.TestCase
