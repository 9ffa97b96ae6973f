"""From plans to the store: in one transaction where the store can take it, planned again after a lost race."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from tortie.cli.errors import CommandError
from tortie.cli.writing.change import Change, Outcome, Planner
from tortie.datastore.store import (
    AmbiguousWriteError,
    Check,
    ConflictError,
    Limits,
    Put,
    Store,
    StoreError,
    TooLargeError,
    Write,
)
from tortie.model.kinds import ResourceKey

ATTEMPTS = 10
"""How often a change that others keep overtaking is planned."""


class PartlyDoneError(CommandError):
    """Of several transactions the first were committed, and then one was not: see ``done``."""

    def __init__(self, done: tuple[Outcome, ...], problem: str) -> None:
        super().__init__(
            f"{problem}; what is listed above had been written before in transactions of its own, as the datastore does not take "
            "all of it in one. Run the command again to do the rest"
        )
        self.done = done


def perform(store: Store, plan: Planner, now_ns: Callable[[], int], *, dry_run: bool = False) -> tuple[Outcome, ...]:
    """Commit what *plan* plans, planning again after a lost race, ATTEMPTS times.

    CommandError from then on; PartlyDoneError for any failure after a first transaction was committed.
    """
    done: dict[ResourceKey, Outcome] = {}
    try:
        for _ in range(ATTEMPTS):
            changes = plan()
            try:
                for outcome in _outcomes(store, changes, now_ns, dry_run=dry_run):
                    _note(done, outcome)
            except ConflictError as error:
                lost = error
                continue
            return tuple(done.values())
        raise CommandError(
            f"{lost}, and so {ATTEMPTS} times in a row while this command was deciding what to write; it has given up"
        )
    except (StoreError, CommandError) as error:
        written = tuple(outcome for outcome in done.values() if outcome.committed_at_ns is not None)
        if written:
            raise PartlyDoneError(written, str(error)) from error
        if isinstance(error, AmbiguousWriteError):
            # Not planned again: what was to be created would be found to exist, what was to be deleted to be missing.
            hint = "look with `tortie get` or `tortie diff` before you run the command again"
            raise CommandError(f"the datastore: {error}; {hint}") from error
        raise


def batches(changes: Sequence[Change], limits: Limits) -> Iterator[tuple[Change, ...]]:
    """*changes* in their order, as few transactions as *limits* allow; one resource and what it means are never apart."""
    batch: list[Change] = []
    load = _Load(limits)
    for change in changes:
        if not load.takes(change) and batch:
            yield tuple(batch)
            batch, load = [], _Load(limits)
            load.takes(change)
        batch.append(change)
    if batch:
        yield tuple(batch)


class _Load:
    """What one transaction holds so far."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._sizes: dict[str, int] = {}
        self._checks: set[Check] = set()
        self._bytes = 0

    def takes(self, change: Change) -> bool:
        """Add *change*; whether all of it is within the limits still."""
        for write in change.writes:
            if write.key not in self._sizes:
                self._sizes[write.key] = len(write.key.encode()) + (len(write.value) if isinstance(write, Put) else 0)
                self._bytes += self._sizes[write.key]
        self._checks.update(change.checks if change.writes else ())
        operations, size_bytes = self._limits
        return (operations is None or max(len(self._sizes), len(self._checks)) <= operations) and (
            size_bytes is None or self._bytes <= size_bytes
        )


def _outcomes(
    store: Store, changes: Sequence[Change], now_ns: Callable[[], int], *, dry_run: bool
) -> Iterator[Outcome]:
    _writes(changes)  # what contradicts itself is refused before a first part of it is written
    for batch in batches(changes, store.limits):
        yield from _commit(store, batch, now_ns, dry_run=dry_run)


def _commit(store: Store, changes: Sequence[Change], now_ns: Callable[[], int], *, dry_run: bool) -> Iterator[Outcome]:
    writes = _writes(changes)
    if dry_run or not writes:
        yield from (Outcome(change.key, change.action, change.revision, None) for change in changes)
        return
    at = now_ns()
    try:
        revision = store.transact(_checks(changes), writes)
    except TooLargeError:
        if len(changes) == 1:
            raise
        half = len(changes) // 2  # a server may be set to less than its backend states
        yield from _commit(store, changes[:half], now_ns, dry_run=False)
        yield from _commit(store, changes[half:], now_ns, dry_run=False)
        return
    for change in changes:
        written = (revision, at) if change.writes else (change.revision, None)
        yield Outcome(change.key, change.action, *written)


def _checks(changes: Iterable[Change]) -> tuple[Check, ...]:
    """Of a resource that stays as it is nothing is checked: it may change while we write the others."""
    return tuple(dict.fromkeys(check for change in changes if change.writes for check in change.checks))


def _writes(changes: Iterable[Change]) -> tuple[Write, ...]:
    """All writes; two that differ at one key cannot both be meant."""
    writes: dict[str, Write] = {}
    for write in (write for change in changes for write in change.writes):
        if writes.setdefault(write.key, write) != write:
            raise CommandError(f"two of the resources say different things about {write.key}")
    return tuple(writes.values())


def _note(done: dict[ResourceKey, Outcome], outcome: Outcome) -> None:
    """What was created stays created, though it is found unchanged, or is changed again, by a later plan."""
    before = done.get(outcome.key)
    if before is None:
        done[outcome.key] = outcome
    elif outcome.committed_at_ns is not None:
        done[outcome.key] = outcome._replace(action=before.action)
