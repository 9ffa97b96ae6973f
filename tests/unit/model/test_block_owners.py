"""Whose an IPAM block and its addresses are, read from what is stored."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tortie.datastore.validation import InvalidValue, validate
from tortie.model.blocks import BlockOwners, decode_owners, parse_assignment_path
from tortie.model.codec import InvalidResourceError
from tortie.model.meta import HostName
from tortie.model.updates import OwnersUpdate, Update
from tortie.net import Network

KEY = "/calico/ipam/v2/assignment/ipv4/block/10.65.0.0-30"
NETWORK = Network.parse("10.65.0.0/30")


def a_block(**fields: Any) -> bytes:
    stored = {"cidr": "10.65.0.0/30", "affinity": "host:n1", "allocations": [0, 1, None, 2], "attributes": [
        {"secondary": {"node": "n1"}}, {"secondary": {"node": "n2"}}, {"handle_id": "x", "secondary": None}]}  # fmt: skip
    return json.dumps(stored | fields).encode()


def test_addresses_that_another_host_gave_out_are_strays() -> None:
    assert decode_owners(a_block()) == BlockOwners(HostName("n1"), {Network.parse("10.65.0.1/32"): HostName("n2")})


@pytest.mark.parametrize("affinity", [None, "virtual:load-balancer", "host:"])
def test_a_block_that_no_host_has_belongs_to_nobody(affinity: str | None) -> None:
    owners = decode_owners(a_block(affinity=affinity))
    assert owners.node is None
    assert sorted(owners.strays.values()) == ["n1", "n2"]


@pytest.mark.parametrize(
    "value",
    [
        b"{}",
        b"x",
        a_block(cidr="x"),
        a_block(allocations=[9]),
        a_block(allocations=[None] * 5),
        a_block(allocations=["a"]),
        a_block(allocations=[-1]),
        a_block()[:-1] + b', "later": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
    ids=["empty", "no JSON", "no network", "an owner that is not there", "more addresses than it has", "a word", "an owner before the first", "too deep"],
)  # fmt: skip
def test_what_is_no_block_is_refused(value: bytes) -> None:
    with pytest.raises(InvalidResourceError):
        decode_owners(value)


@pytest.mark.parametrize("path", [KEY[:-3], "/calico/ipam/v2/assignment/ipv4/block/x", "/calico/ipam/v2/handle/h", ""])
def test_other_keys_are_no_blocks(path: str) -> None:
    assert parse_assignment_path(path) is None


def test_blocks_pass_validation_and_invalid_ones_count_as_absent() -> None:
    good, bad = Update(KEY, a_block(), 3), Update(KEY, b"{}", 4)
    typed, absent, problem = validate([good, bad])
    assert typed == OwnersUpdate(NETWORK, decode_owners(a_block()), 3)
    assert absent == OwnersUpdate(NETWORK, None, 4)
    assert isinstance(problem, InvalidValue)
    assert problem.key == KEY
