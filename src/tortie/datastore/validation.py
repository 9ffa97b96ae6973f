"""Between the syncer and whoever uses resources: bytes become typed values, and what is invalid becomes absent.

A stored value can be invalid all the same: another program, or another version, wrote it. It then counts as absent, which
fails closed, and is reported: here as an InvalidValue beside the update, and by InvalidValues for the log and for status.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple, TypeAlias

from tortie.model.blocks import BlockKey, decode_affinity, decode_owners, parse_assignment_path, parse_block_path
from tortie.model.codec import InvalidResourceError
from tortie.model.kinds import ResourceKey, parse_path
from tortie.model.topology import BlockAffinity
from tortie.model.updates import InSync, OwnersUpdate, ResourceUpdate, Update
from tortie.model.validation import stored_resource
from tortie.net import Network

_log = logging.getLogger(__name__)


class BlockUpdate(NamedTuple):
    """The current claim on a block; None where there is none, or an invalid one."""

    key: BlockKey
    value: BlockAffinity | None
    revision: int


class InvalidValue(NamedTuple):
    """A stored value that counts as absent."""

    key: str
    revision: int
    reason: str
    """Which field is wrong, and how."""


ValidUpdate: TypeAlias = ResourceUpdate | BlockUpdate | OwnersUpdate
_Key: TypeAlias = ResourceKey | BlockKey | Network


class InvalidValues(Mapping[str, InvalidValue]):
    """The invalid values that the store holds now, by key. Each is logged once, however often it is read."""

    def __init__(self) -> None:
        self._values: dict[str, InvalidValue] = {}

    def note(self, key: str, found: InvalidValue | None) -> None:
        """Take in what is wrong with the value at *key*; None if it is valid or gone."""
        if found is None:
            self._values.pop(key, None)
        elif self._values.get(key) != found:
            self._values[key] = found
            _log.warning("%s counts as absent at revision %d: %s", key, found.revision, found.reason)

    def __getitem__(self, key: str) -> InvalidValue:
        return self._values[key]

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._values))

    def __len__(self) -> int:
        return len(self._values)


def validate(
    updates: Iterable[Update | InSync], invalid: InvalidValues | None = None
) -> Iterator[ValidUpdate | InSync | InvalidValue]:
    """Typed updates, in the same order; keys that hold neither a resource nor a block or a claim on one are left out.

    An invalid value becomes an update to None and, after it, an InvalidValue. *invalid* is kept up to date on the way.
    """
    for update in updates:
        if isinstance(update, InSync):
            yield update
            continue
        key = parse_path(update.key) or parse_block_path(update.key) or parse_assignment_path(update.key)
        if key is None:
            continue
        typed, problem = _read(key, update)
        if invalid is not None:
            invalid.note(update.key, problem)
        yield typed
        if problem is not None:
            yield problem


def _read(key: _Key, update: Update) -> tuple[ValidUpdate, InvalidValue | None]:
    try:
        return _typed(key, update.value, update.revision), None
    except InvalidResourceError as error:
        problem = InvalidValue(update.key, update.revision, str(error))
        return _typed(key, None, update.revision), problem


def _typed(key: _Key, value: bytes | None, revision: int) -> ValidUpdate:
    if isinstance(key, BlockKey):
        return BlockUpdate(key, None if value is None else decode_affinity(value), revision)
    if isinstance(key, Network):
        return OwnersUpdate(key, None if value is None else decode_owners(value), revision)
    return ResourceUpdate(key, None if value is None else stored_resource(key, value), revision)
