"""From the syncer's bytes to typed updates: what is invalid counts as absent and is reported."""

from __future__ import annotations

import logging

import pytest

from tortie.datastore.validation import BlockUpdate, InvalidValue, InvalidValues, validate
from tortie.model import kinds
from tortie.model.blocks import BlockKey
from tortie.model.kinds import ResourceKey
from tortie.model.meta import HostName
from tortie.model.topology import BlockAffinity
from tortie.model.updates import InSync, ResourceUpdate, Update
from tortie.net import Network

NAMESPACE = ResourceKey(kinds.NAMESPACE, "", "stars")
VALUE = b'{"kind":"Namespace","apiVersion":"v1","metadata":{"name":"stars","labels":{"role":"x"}}}'
BLOCK = BlockKey(HostName("host1"), Network.parse("10.65.0.64/26"))


def test_a_resource_is_decoded() -> None:
    (update,) = validate([Update(NAMESPACE.path, VALUE, 7)])
    assert isinstance(update, ResourceUpdate)
    assert (update.key, update.revision) == (NAMESPACE, 7)
    assert update.value is not None
    assert update.value.metadata.labels == {"role": "x"}


def test_a_claim_on_a_block_is_decoded() -> None:
    assert list(validate([Update(BLOCK.path, b"", 7)])) == [BlockUpdate(BLOCK, BlockAffinity(), 7)]


@pytest.mark.parametrize(
    ("path", "absent"),
    [(NAMESPACE.path, ResourceUpdate(NAMESPACE, None, 7)), (BLOCK.path, BlockUpdate(BLOCK, None, 7))],
    ids=["resource", "block"],
)
@pytest.mark.parametrize(
    "value",
    [b"nonsense", b"[]", b'{"state":"lost","metadata":7}', b'{"metadata":{"name":"\xff"},"state":"\xff"}', b'{"x":' + b"[" * 100_000],
    ids=["no JSON", "list", "wrong fields", "no UTF-8", "deep"],
)  # fmt: skip
def test_an_invalid_value_counts_as_absent_and_is_reported(
    path: str, absent: ResourceUpdate | BlockUpdate, value: bytes
) -> None:
    update, report = validate([Update(path, value, 7)])
    assert update == absent
    assert isinstance(report, InvalidValue)
    assert (report.key, report.revision) == (path, 7)
    assert report.reason


def test_a_deletion_is_passed_on() -> None:
    assert list(validate([Update(NAMESPACE.path, None, 7), Update(BLOCK.path, None, 8)])) == [
        ResourceUpdate(NAMESPACE, None, 7),
        BlockUpdate(BLOCK, None, 8),
    ]


def test_order_and_insync_are_kept_and_other_keys_left_out() -> None:
    updates: list[Update | InSync] = [
        Update("/calico/ipam/v2/config", b"{}", 1),
        InSync(2),
        Update(BLOCK.path, b"{}", 3),
        Update("/calico/resources/v3/projectcalico.org/unknownkinds/x", b"?", 3),
        Update(NAMESPACE.path, None, 3),
        InSync(4),
    ]
    assert list(validate(updates)) == [
        InSync(2),
        BlockUpdate(BLOCK, BlockAffinity(), 3),
        ResourceUpdate(NAMESPACE, None, 3),
        InSync(4),
    ]


def test_an_invalid_value_is_kept_account_of_until_it_is_mended_or_gone() -> None:
    invalid = InvalidValues()
    reports = list(validate([Update(NAMESPACE.path, b"?", 1), Update(BLOCK.path, b"?", 2)], invalid))
    assert list(invalid) == sorted([NAMESPACE.path, BLOCK.path])
    assert invalid[NAMESPACE.path] == reports[1]
    assert invalid[BLOCK.path] == reports[3]
    list(validate([Update(NAMESPACE.path, VALUE, 3), Update(BLOCK.path, None, 4)], invalid))
    assert dict(invalid) == {}


def test_an_invalid_value_is_logged_once_for_each_revision(caplog: pytest.LogCaptureFixture) -> None:
    invalid = InvalidValues()
    with caplog.at_level(logging.WARNING):
        for revision in (1, 1, 2, 1):
            list(validate([Update(NAMESPACE.path, b"?", revision)], invalid))
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == [
        f"{NAMESPACE.path} counts as absent at revision {revision}" for revision in (1, 2, 1)
    ]
