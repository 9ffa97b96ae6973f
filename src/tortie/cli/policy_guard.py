"""What a write may not do to policies' tests: break one that is stored and stays.

Here is only found out whether anything has to be judged, for few datastores have tests; ``tortie.cli.broken_tests`` judges.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeAlias

from tortie.cli.errors import CommandError
from tortie.cli.writing import Change
from tortie.datastore.store import Delete, Entry, Put, Store, entries
from tortie.model import kinds
from tortie.model.kinds import parse_path

NEVERTHELESS = "with --ignore-policy-tests it is written nevertheless"

Guard: TypeAlias = Callable[[Store, Sequence[Change]], Sequence[Change]]
"""Between a plan and its commit: the changes, unless they are refused."""


def unchecked(_: Store, changes: Sequence[Change]) -> Sequence[Change]:
    """*changes*, whatever they break."""
    return changes


def guarded(store: Store, changes: Sequence[Change]) -> Sequence[Change]:
    """*changes*; CommandError if they break a test, a warning for each new one that fails.

    Where no test is stored and none is written, nothing else is read.
    """
    stored = {entry.key: entry for entry in entries(store, kinds.POLICY_TEST.prefix)}
    after = _after(stored, changes)
    if not after or not any(change.writes for change in changes):
        return changes
    # Rules and the analysis take time to load.
    from tortie.cli.broken_tests import refuse_broken, warn_of_failing  # noqa: PLC0415
    from tortie.cli.planned import bearing, planned  # noqa: PLC0415

    new = [entry for key, entry in after.items() if entry != stored.get(key)]
    kept = [entry for entry in after.values() if entry not in new] if bearing(changes) else []
    if kept or new:
        try:
            states = planned(store, changes)
        except CommandError as error:
            raise CommandError(f"{error}; {NEVERTHELESS}") from error
        refuse_broken(states, kept)
        warn_of_failing(states, new)
    return changes


def _after(stored: Mapping[str, Entry], changes: Iterable[Change]) -> dict[str, Entry]:
    """The tests that are there after *changes*."""
    found = dict(stored)
    for write in (write for change in changes for write in change.writes):
        match write:
            case Put(path, value) if (key := parse_path(path)) is not None and key.kind is kinds.POLICY_TEST:
                found[path] = Entry(path, value, revision=0)
            case Delete(path):
                found.pop(path, None)
            case _:
                pass
    return found
