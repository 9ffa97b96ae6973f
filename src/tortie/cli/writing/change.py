"""What planning hands to committing, and committing to whoever reports."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import NamedTuple, TypeAlias

from tortie.datastore.store import Check, Write
from tortie.model.kinds import ResourceKey


class Action(StrEnum):
    """What happened to a resource."""

    CREATED = "created"
    CONFIGURED = "configured"
    UNCHANGED = "unchanged"
    SKIPPED = "skipped"
    """It is there already, and only what is not there was to be created."""
    DELETED = "deleted"


class Change(NamedTuple):
    """One resource's change, with what it means."""

    key: ResourceKey
    action: Action
    revision: int
    """Of the value that was read; 0 if there was none."""
    checks: tuple[Check, ...]
    writes: tuple[Write, ...]


Planner: TypeAlias = Callable[[], Sequence[Change]]


class Outcome(NamedTuple):
    """What became of one resource."""

    key: ResourceKey
    action: Action
    revision: int
    """Of the last write to it; 0 in a dry run that would create it."""
    committed_at_ns: int | None
    """CLOCK_MONOTONIC just before the commit was asked for, so that what is timed from it includes the commit; None where
    nothing was written."""


class Stamp(NamedTuple):
    """What new objects get."""

    uid: Callable[[], str]
    creation_timestamp: str
