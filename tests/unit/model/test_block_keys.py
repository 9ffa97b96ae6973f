from __future__ import annotations

import pytest

from tortie.model.blocks import BlockKey, decode_affinity, encode_affinity, parse_block_path
from tortie.model.codec import InvalidResourceError
from tortie.model.meta import HostName
from tortie.model.topology import AffinityState, BlockAffinity
from tortie.net import Network

HOST = "/calico/ipam/v2/host/host1"

KEYS = {
    f"{HOST}/ipv4/block/10.65.0.64-26": BlockKey(HostName("host1"), Network.parse("10.65.0.64/26")),
    f"{HOST}/ipv6/block/fd00:65::40-122": BlockKey(HostName("host1"), Network.parse("fd00:65::40/122")),
}


@pytest.mark.parametrize("path", KEYS)
def test_a_block_key_is_its_path(path: str) -> None:
    assert parse_block_path(path) == KEYS[path]
    assert KEYS[path].path == path


@pytest.mark.parametrize(
    "path",
    [
        HOST,
        f"{HOST}/ipv4/block/",
        f"{HOST}/ipv4/block/10.65.0.64",
        f"{HOST}/ipv4/block/10.65.0.64-x",
        f"{HOST}/ipv4/block/10.65.0.65-26",
        f"{HOST}/ipv6/block/10.65.0.64-26",
        f"{HOST}/ipv6/block/FD00:65::40-122",
        f"{HOST}/x/ipv4/block/10.65.0.64-26",
        "/calico/ipam/v2/assignment/ipv4/block/10.65.0.64-26",
    ],
    ids=["host", "no block", "no length", "no number", "host bits", "wrong family", "not canonical", "slash", "block itself"],
)  # fmt: skip
def test_another_key_is_no_block_key(path: str) -> None:
    assert parse_block_path(path) is None


@pytest.mark.parametrize(
    ("value", "affinity"),
    [
        (b'{"state":"confirmed","deleted":false}', BlockAffinity()),
        (b'{"state":"pending","deleted":true}', BlockAffinity(state=AffinityState.PENDING, deleted=True)),
        (b'{"state":"pendingDeletion","new":1}', BlockAffinity(state=AffinityState.PENDING_DELETION)),
        (b'{"state":""}', BlockAffinity()),
        (b"", BlockAffinity()),
    ],
    ids=["confirmed", "pending", "unknown field", "empty state", "empty"],
)
def test_a_stored_claim_is_read(value: bytes, affinity: BlockAffinity) -> None:
    assert decode_affinity(value) == affinity


@pytest.mark.parametrize("value", [b"[]", b"{", b'{"state":"lost"}', b'{"deleted":"no"}'])
def test_a_claim_that_makes_no_sense_is_invalid(value: bytes) -> None:
    with pytest.raises(InvalidResourceError):
        decode_affinity(value)


@pytest.mark.parametrize("state", AffinityState)
def test_what_is_stored_says_everything(state: AffinityState) -> None:
    affinity = BlockAffinity(state=state)
    assert encode_affinity(affinity) == f'{{"state":"{state}","deleted":false}}'.encode()
    assert decode_affinity(encode_affinity(affinity)) == affinity
