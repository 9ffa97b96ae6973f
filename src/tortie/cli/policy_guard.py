"""What a write may not do to policies' tests: break one that is stored and stays.

Here is only found out whether anything has to be judged, for few datastores have tests; ``tortie.cli.broken_tests`` judges.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

from tortie.cli.stored import Stored
from tortie.cli.writing import Change
from tortie.datastore.store import Entry, Put, Store, entries
from tortie.model import kinds

NEVERTHELESS = "with --ignore-policy-tests it is written nevertheless"

Guard: TypeAlias = Callable[[Stored, Sequence[Change]], Sequence[Change]]
"""Between a plan and its commit: the changes, unless they are refused."""


def unchecked(_: Stored, changes: Sequence[Change]) -> Sequence[Change]:
    """*changes*, whatever they break."""
    return changes


def guarded(stored: Stored, changes: Sequence[Change]) -> Sequence[Change]:
    """*changes*; CommandError if they break a test, a warning for each new one that fails.

    Where no test is stored and none is written, nothing else is read; else what can bear on the tests' ends is decoded.
    """
    kept, written = _tests_after(stored.store, changes)
    if not (kept or written) or not any(change.writes for change in changes):
        return changes
    from tortie.cli.broken_tests import judged  # noqa: PLC0415 - few datastores have tests, and rules take time to load
    from tortie.cli.planned import bearing  # noqa: PLC0415 - the same

    kept = kept if bearing(changes) else []
    if kept or written:
        judged(stored, changes, kept, written)
    return changes


def _tests_after(store: Store, changes: Iterable[Change]) -> tuple[list[Entry], list[Entry]]:
    """The tests that are there after *changes*: those that stay as they are stored, and those that are written."""
    prefix = kinds.POLICY_TEST.prefix
    last = {write.key: write for change in changes for write in change.writes if write.key.startswith(prefix)}
    kept = [entry for entry in entries(store, prefix) if entry.key not in last]
    return kept, [Entry(key, write.value, revision=0) for key, write in last.items() if isinstance(write, Put)]
