"""An agent takes in whole states of a datastore, and none while the datastore says that it is not ready."""

from __future__ import annotations

import json
import logging

import pytest

from tortie.agent.wholestates import CLUSTER_PATH, WholeStates
from tortie.model.updates import InSync, Update


def cluster(**spec: object) -> Update:
    metadata = {"name": "default"}
    document = {"apiVersion": "projectcalico.org/v3", "kind": "ClusterInformation", "metadata": metadata, "spec": spec}
    return Update(CLUSTER_PATH, json.dumps(document).encode(), 1)


A, B, BLOCK = Update("/a", b"1", 1), Update("/b", b"2", 1), Update("/block", None, 1)
LOCKED, READY, SILENT = cluster(datastoreReady=False), cluster(datastoreReady=True), cluster()
GONE, BROKEN = Update(CLUSTER_PATH, None, 1), Update(CLUSTER_PATH, b"{", 1)


def taken(states: WholeStates, *items: Update | InSync) -> list[Update | InSync]:
    return list(states.take(items))


@pytest.fixture
def running() -> WholeStates:
    """One that has taken in a first state."""
    states = WholeStates()
    assert taken(states, A, InSync(1)) == [A, InSync(1)]
    return states


def test_until_the_first_state_updates_are_passed_on_as_they_come() -> None:
    states = WholeStates()
    assert taken(states, A) == [A]
    assert taken(states, BLOCK, B) == [BLOCK, B]
    assert taken(states, InSync(1)) == [InSync(1)]


def test_afterwards_they_wait_for_the_state_that_they_belong_to(running: WholeStates) -> None:
    assert taken(running, A) == []
    assert taken(running, BLOCK) == []
    assert taken(running, B, InSync(2)) == [A, BLOCK, B, InSync(2)]
    assert taken(running, InSync(3)) == [InSync(3)]


@pytest.mark.parametrize("said", [READY, SILENT, GONE, BROKEN], ids=["true", "no word", "gone", "unreadable"])
def test_a_locked_datastore_changes_nothing_until_it_is_ready(running: WholeStates, said: Update) -> None:
    assert taken(running, B, LOCKED, InSync(2)) == []
    assert taken(running, BLOCK, InSync(3)) == []
    assert taken(running, A, said, InSync(4)) == [B, said, BLOCK, A, InSync(4)]
    assert taken(running, B, InSync(5)) == [B, InSync(5)]


def test_of_what_changes_twice_meanwhile_the_last_counts(running: WholeStates) -> None:
    later = A._replace(revision=7)
    assert taken(running, LOCKED, A, InSync(2), later, InSync(3)) == []
    assert taken(running, READY, InSync(4)) == [READY, later, InSync(4)]


def test_an_agent_that_starts_while_it_is_locked_is_not_in_sync_before_it_is_ready() -> None:
    states = WholeStates()
    assert taken(states, A, LOCKED, InSync(1)) == [A, LOCKED]
    assert taken(states, B, InSync(2)) == [B]
    assert taken(states, READY, InSync(3)) == [READY, InSync(3)]


def test_waiting_is_told_once_and_so_is_its_end(running: WholeStates, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    taken(running, LOCKED, InSync(2), A, InSync(3))
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    taken(running, READY, InSync(4), A, InSync(5))
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
