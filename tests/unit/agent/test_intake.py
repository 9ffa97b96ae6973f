"""An agent takes in whole states of a datastore, and none while the datastore says that it is not ready."""

from __future__ import annotations

import logging

import pytest

from tortie.agent.intake import CLUSTER, Intake
from tortie.datastore.validation import BlockUpdate, InvalidValue, ValidUpdate
from tortie.model.blocks import BlockKey
from tortie.model.configuration import ClusterInformation, ClusterInformationSpec
from tortie.model.kinds import TIER, ResourceKey
from tortie.model.meta import HostName, ObjectMeta
from tortie.model.policy import Tier, TierSpec
from tortie.model.topology import BlockAffinity
from tortie.model.updates import InSync, ResourceUpdate
from tortie.net import Network


def tier(name: str, revision: int = 1) -> ResourceUpdate:
    return ResourceUpdate(ResourceKey(TIER, "", name), Tier(metadata=ObjectMeta(name=name), spec=TierSpec()), revision)


def cluster(ready: bool | None) -> ResourceUpdate:
    spec = ClusterInformationSpec(datastore_ready=ready)
    return ResourceUpdate(CLUSTER, ClusterInformation(metadata=ObjectMeta(name="default"), spec=spec), 1)


A, B = tier("a"), tier("b")
BLOCK = BlockUpdate(BlockKey(HostName("host1"), Network.parse("10.0.0.0/26")), BlockAffinity(), 1)
LOCKED, READY, SILENT = cluster(False), cluster(True), cluster(None)
GONE = ResourceUpdate(CLUSTER, None, 1)


def taken(intake: Intake, *items: ValidUpdate | InSync | InvalidValue) -> list[ValidUpdate | InSync]:
    return list(intake.take(items))


@pytest.fixture
def running() -> Intake:
    """One that has taken in a first state."""
    intake = Intake()
    assert taken(intake, A, InSync(1)) == [A, InSync(1)]
    return intake


def test_until_the_first_state_updates_are_passed_on_as_they_come() -> None:
    intake = Intake()
    assert taken(intake, A) == [A]
    assert taken(intake, BLOCK, InvalidValue("/x", 1, "broken"), B) == [BLOCK, B]
    assert taken(intake, InSync(1)) == [InSync(1)]


def test_afterwards_they_wait_for_the_state_that_they_belong_to(running: Intake) -> None:
    assert taken(running, A) == []
    assert taken(running, BLOCK) == []
    assert taken(running, B, InSync(2)) == [A, BLOCK, B, InSync(2)]
    assert taken(running, InSync(3)) == [InSync(3)]


@pytest.mark.parametrize("said", [READY, SILENT, GONE], ids=["true", "no word", "gone"])
def test_a_locked_datastore_changes_nothing_until_it_is_ready(running: Intake, said: ResourceUpdate) -> None:
    assert taken(running, B, LOCKED, InSync(2)) == []
    assert taken(running, BLOCK, InSync(3)) == []
    assert taken(running, A, said, InSync(4)) == [B, said, BLOCK, A, InSync(4)]
    assert taken(running, B, InSync(5)) == [B, InSync(5)]


def test_of_what_changes_twice_meanwhile_the_last_counts(running: Intake) -> None:
    later = tier("a", 7)
    assert taken(running, LOCKED, A, InSync(2), later, InSync(3)) == []
    assert taken(running, READY, InSync(4)) == [READY, later, InSync(4)]


def test_an_agent_that_starts_while_it_is_locked_is_not_in_sync_before_it_is_ready() -> None:
    intake = Intake()
    assert taken(intake, A, LOCKED, InSync(1)) == [A, LOCKED]
    assert taken(intake, B, InSync(2)) == [B]
    assert taken(intake, READY, InSync(3)) == [READY, InSync(3)]


def test_waiting_is_told_once_and_so_is_its_end(running: Intake, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    taken(running, LOCKED, InSync(2), A, InSync(3))
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    taken(running, READY, InSync(4), A, InSync(5))
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
