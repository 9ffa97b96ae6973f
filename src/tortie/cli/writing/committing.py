"""From plans to the store: in one transaction where the store can take it, planned again after a lost race."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from tortie.cli.errors import CommandError
from tortie.cli.writing.change import Action, Change, Outcome, Planner
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


def perform(
    store: Store, plan: Planner, now_ns: Callable[[], int], *, dry_run: bool = False, is_repeatable: bool = False
) -> tuple[Outcome, ...]:
    """Commit what *plan* plans, planning again after a lost race, ATTEMPTS times.

    With *is_repeatable* also after a write whose answer was lost: for plans that lead to the same state where a part of them has
    been done already. Others then fail, since what was to be created would be found to exist, what was to be deleted to be missing.
    CommandError from then on; PartlyDoneError for any failure after a first transaction was committed.
    """
    commits = _Commits(store, now_ns, dry_run=dry_run)
    try:
        for _ in range(ATTEMPTS):
            try:
                return commits.commit(plan())
            except ConflictError as error:
                lost: StoreError = error
            except AmbiguousWriteError as error:
                if not is_repeatable:
                    raise
                lost = error
        raise CommandError(
            f"{lost}, and so {ATTEMPTS} times in a row while this command was deciding what to write; it has given up"
        )
    except (StoreError, CommandError) as error:
        problem = commits.explained(error)
        written = tuple(outcome for outcome in commits.done.values() if outcome.committed_at_ns is not None)
        if written:
            raise PartlyDoneError(written, problem) from error
        if commits.in_doubt:
            raise CommandError(problem) from error
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


class _Commits:
    """What one command has committed, over all its plans."""

    def __init__(self, store: Store, now_ns: Callable[[], int], *, dry_run: bool) -> None:
        self._store = store
        self._now_ns = now_ns
        self._is_dry_run = dry_run
        self.done: dict[ResourceKey, Outcome] = {}
        self.in_doubt: dict[ResourceKey, Outcome] = {}
        """What becomes of resources if the write whose answer was lost has been done."""

    def commit(self, changes: Sequence[Change]) -> tuple[Outcome, ...]:
        """Commit *changes*; everything that has been done until now. ConflictError, AmbiguousWriteError."""
        _writes(changes)  # what contradicts itself is refused before a first part of it is written
        for batch in batches(changes, self._store.limits):
            for outcome in self._committed(batch):
                self._note(outcome)
        deleted = {key: outcome for key, outcome in self.in_doubt.items() if outcome.action is Action.DELETED}
        self.done = deleted | self.done  # they are in no later plan
        return tuple(self.done.values())

    def explained(self, error: StoreError | CommandError) -> str:
        """The sentence for a failure."""
        if isinstance(error, AmbiguousWriteError):
            return f"the datastore: {error}; look with `tortie get` or `tortie diff` before you run the command again"
        if self.in_doubt:
            return f"{error}; that may be by this command itself, for the answer to a write was lost before"
        return str(error)

    def _committed(self, changes: Sequence[Change]) -> Iterator[Outcome]:
        writes = _writes(changes)
        if self._is_dry_run or not writes:
            yield from (Outcome(change.key, change.action, change.revision, None) for change in changes)
            return
        at = self._now_ns()
        try:
            revision = self._store.transact(_checks(changes), writes)
        except AmbiguousWriteError:
            self.in_doubt = {
                change.key: Outcome(change.key, change.action, change.revision, at)
                for change in changes
                if change.writes
            }
            raise
        except TooLargeError:
            if len(changes) == 1:
                raise
            half = len(changes) // 2  # a server may be set to less than its backend states
            yield from self._committed(changes[:half])
            yield from self._committed(changes[half:])
            return
        for change in changes:
            written = (revision, at) if change.writes else (change.revision, None)
            yield Outcome(change.key, change.action, *written)

    def _note(self, outcome: Outcome) -> None:
        """What was created stays created, though it is found unchanged, or is changed again, by a later plan."""
        if outcome.action is Action.UNCHANGED and outcome.key in self.in_doubt:
            outcome = self.in_doubt[outcome.key]._replace(revision=outcome.revision)
        before = self.done.get(outcome.key)
        if before is None:
            self.done[outcome.key] = outcome
        elif outcome.committed_at_ns is not None:
            self.done[outcome.key] = outcome._replace(action=before.action)


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
