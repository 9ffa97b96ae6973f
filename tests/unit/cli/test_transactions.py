"""What is one transaction and what is not: batches within a store's limits, and what is said where they are several."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from tortie.cli import carrying_out
from tortie.cli.errors import CommandError
from tortie.cli.main import cli
from tortie.cli.writing import (
    Action,
    Change,
    Existing,
    PartlyDoneError,
    Stamp,
    batches,
    perform,
    plan_apply,
    plan_delete,
)
from tortie.datastore.sqlite import SQLiteStore
from tortie.datastore.store import (
    AmbiguousWriteError,
    AtRevision,
    Check,
    Limits,
    Put,
    TooLargeError,
    UnavailableError,
    Write,
)
from tortie.model import kinds
from tortie.model.document import read
from tortie.model.kinds import ResourceKey

STAMP = Stamp(lambda: "u", "2026-01-02T03:04:05Z")


def namespaces(count: int) -> str:
    """Each of them is two writes: itself, and its profile."""
    return "---\n".join(f"{{apiVersion: v1, kind: Namespace, metadata: {{name: ns{n}}}}}\n" for n in range(count))


class Limited:
    """A store that takes only so many operations at once, as etcd does, and fails before a given transaction."""

    def __init__(self, store: SQLiteStore, operations: int, *, stated: bool = True, failing: int = 0) -> None:
        self._store = store
        self._operations = operations
        self._failing = failing
        self.limits = Limits(operations if stated else None)
        self.transactions: list[int] = []

    def transact(self, checks: tuple[Check, ...], writes: tuple[Write, ...]) -> int:
        if max(len(checks), len(writes)) > self._operations:
            assert self.limits.operations is None, "more than was stated"
            raise TooLargeError("too many operations")
        self.transactions.append(len(writes))
        if len(self.transactions) == self._failing:
            raise UnavailableError("it is away")
        return self._store.transact(checks, writes)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def change(number: int, writes: int) -> Change:
    puts = tuple(Put(f"/{number}/{index}", b"12345") for index in range(writes))
    checks = tuple(AtRevision(put.key, 1) for put in puts)
    return Change(ResourceKey(kinds.TIER, "", str(number)), Action.CONFIGURED, 1, checks, puts)


@given(st.lists(st.integers(0, 5), max_size=30), st.integers(1, 12), st.none() | st.integers(9, 200))
def test_batches_keep_order_and_resources_whole_and_within_the_limits(
    sizes: list[int], operations: int, size_bytes: int | None
) -> None:
    changes = [change(number, size) for number, size in enumerate(sizes)]
    found = list(batches(changes, Limits(operations, size_bytes)))
    assert [one for batch in found for one in batch] == changes
    for batch in found:
        writes = [write for one in batch for write in one.writes]
        size = sum(len(write.key) + 5 for write in writes)
        assert len(batch) == 1 or (len(writes) <= operations and (size_bytes is None or size <= size_bytes))


@given(st.lists(st.integers(0, 3), min_size=1, max_size=30))
def test_without_limits_there_is_one_batch(sizes: list[int]) -> None:
    assert len(list(batches([change(number, size) for number, size in enumerate(sizes)], Limits()))) == 1


@pytest.mark.parametrize("stated", [True, False], ids=["stated", "found out"])
def test_an_apply_beyond_the_limits_is_several_transactions(store: SQLiteStore, stated: bool) -> None:
    limited: Any = Limited(store, 5, stated=stated)
    resources = read(namespaces(5)).resources
    outcomes = perform(limited, lambda: plan_apply(limited, resources, STAMP), lambda: 7)
    assert [outcome.key.name for outcome in outcomes] == [f"ns{n}" for n in range(5)]
    assert sum(limited.transactions) == 10
    assert all(size % 2 == 0 for size in limited.transactions)


def test_a_namespace_with_more_in_it_than_fits_goes_bit_by_bit_and_last(store: SQLiteStore) -> None:
    pods = "---\n".join(f"{{apiVersion: v1, kind: Pod, metadata: {{name: p{n}, namespace: ns0}}}}\n" for n in range(20))
    resources = read(f"{namespaces(1)}---\n{pods}").resources
    perform(store, lambda: plan_apply(store, resources, STAMP), lambda: 7)
    limited: Any = Limited(store, 6)
    keys = {ResourceKey(kinds.NAMESPACE, "", "ns0"): ""}
    (outcome,) = perform(limited, lambda: plan_delete(limited, keys, ignore_not_found=False), lambda: 7)
    assert (outcome.action, outcome.revision) == (Action.DELETED, store.revision())
    assert limited.transactions == [6, 6, 6, 4]
    assert store.list("/").entries == ()


def test_what_was_written_before_a_failure_is_known(store: SQLiteStore) -> None:
    limited: Any = Limited(store, 4, failing=2)
    resources = read(namespaces(5)).resources
    with pytest.raises(PartlyDoneError, match="it is away; what is listed above had been written before") as caught:
        perform(limited, lambda: plan_apply(limited, resources, STAMP), lambda: 7)
    assert [outcome.key.name for outcome in caught.value.done] == ["ns0", "ns1"]
    again = perform(store, lambda: plan_apply(store, resources, STAMP), lambda: 7)
    assert [outcome.action for outcome in again] == [Action.UNCHANGED] * 2 + [Action.CREATED] * 3


def test_a_failure_before_anything_was_written_is_itself(store: SQLiteStore) -> None:
    limited: Any = Limited(store, 4, failing=1)
    with pytest.raises(UnavailableError):
        perform(limited, lambda: plan_apply(limited, read(namespaces(5)).resources, STAMP), lambda: 7)


class Lost(Limited):
    """Loses the answer to its first transactions, which are done or not."""

    def __init__(self, store: SQLiteStore, *, is_done: bool, operations: int = 100, times: int = 1) -> None:
        super().__init__(store, operations)
        self._is_done = is_done
        self._times = times

    def transact(self, checks: tuple[Check, ...], writes: tuple[Write, ...]) -> int:
        if len(self.transactions) >= self._times:
            return super().transact(checks, writes)
        if self._is_done:
            super().transact(checks, writes)
        else:
            self.transactions.append(len(writes))
        raise AmbiguousWriteError("it was lost during a write, which may have been done")


@pytest.mark.parametrize("is_done", [True, False], ids=["done", "not done"])
def test_a_write_that_may_have_been_done_is_not_repeated_but_explained(store: SQLiteStore, is_done: bool) -> None:
    lost: Any = Lost(store, is_done=is_done)
    with pytest.raises(CommandError, match="may have been done; look with `tortie get`"):
        perform(lost, lambda: plan_apply(lost, read(namespaces(1)).resources, STAMP, Existing.REFUSED), lambda: 7)
    assert len(lost.transactions) == 1


@pytest.mark.parametrize("is_done", [True, False], ids=["done", "not done"])
def test_an_apply_whose_answer_was_lost_is_planned_again(store: SQLiteStore, is_done: bool) -> None:
    lost: Any = Lost(store, is_done=is_done, operations=4)
    resources = read(namespaces(3)).resources
    outcomes = perform(lost, lambda: plan_apply(lost, resources, STAMP), lambda: 7, is_repeatable=True)
    assert [(outcome.key.name, outcome.action) for outcome in outcomes] == [
        (f"ns{n}", Action.CREATED) for n in range(3)
    ]
    assert [outcome.revision for outcome in outcomes] == [store.get(outcome.key.path).revision for outcome in outcomes]
    assert lost.transactions == ([4, 2] if is_done else [4, 4, 2])


@pytest.mark.parametrize("is_done", [True, False], ids=["done", "not done"])
def test_a_deletion_whose_answer_was_lost_is_planned_again_where_absence_is_no_mistake(
    store: SQLiteStore, is_done: bool
) -> None:
    perform(store, lambda: plan_apply(store, read(namespaces(1)).resources, STAMP), lambda: 7)
    lost: Any = Lost(store, is_done=is_done)
    keys = {ResourceKey(kinds.NAMESPACE, "", "ns0"): ""}
    (outcome,) = perform(lost, lambda: plan_delete(lost, keys, ignore_not_found=True), lambda: 7, is_repeatable=True)
    assert outcome.action is Action.DELETED
    assert store.list("/").entries == ()


def test_a_failure_after_a_lost_answer_says_that_it_may_be_our_own_doing(store: SQLiteStore) -> None:
    perform(store, lambda: plan_apply(store, read(namespaces(1)).resources, STAMP), lambda: 7)
    revision = store.get(ResourceKey(kinds.NAMESPACE, "", "ns0").path).revision
    text = (
        f"{{apiVersion: v1, kind: Namespace, metadata: {{name: ns0, labels: {{a: b}}, resourceVersion: '{revision}'}}}}"
    )
    lost: Any = Lost(store, is_done=True)
    with pytest.raises(CommandError, match=r"has changed since the file was made.*that may be by this command itself"):
        perform(lost, lambda: plan_apply(lost, read(text).resources, STAMP), lambda: 7, is_repeatable=True)


def test_a_datastore_that_loses_every_answer_is_given_up(store: SQLiteStore) -> None:
    lost: Any = Lost(store, is_done=False, times=100)
    with pytest.raises(CommandError, match="10 times in a row"):
        perform(lost, lambda: plan_apply(lost, read(namespaces(1)).resources, STAMP), lambda: 7, is_repeatable=True)


@pytest.mark.parametrize(
    ("options", "failing", "status", "said", "noted"),
    [
        ([], 0, 0, 5, "not take this in one transaction, but in 3"),
        (["--dry-run", "-o", "name"], 0, 0, 5, "not take this in one transaction, but in 3"),
        ([], 3, 1, 4, "Run the command again to do the rest"),
    ],
    ids=["applied", "dry run", "failed"],
)
def test_the_command_says_what_was_not_atomic(
    store: SQLiteStore,
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    failing: int,
    status: int,
    said: int,
    noted: str,
) -> None:
    class Opened(Limited):
        def __enter__(self) -> Opened:
            return self

        def __exit__(self, *_: object) -> None: ...

    monkeypatch.setattr(carrying_out, "open_store", lambda *_, **__: Opened(store, 4, failing=failing))
    result = CliRunner().invoke(cli, ["apply", "-f", "-", *options], input=namespaces(5))
    assert result.exit_code == status
    assert len(result.stdout.splitlines()) == said
    assert noted in result.stderr


def test_one_transaction_is_not_worth_a_word(store: SQLiteStore) -> None:
    result = CliRunner().invoke(cli, ["apply", "-f", "-", "-o", "json"], input=namespaces(5))
    assert (result.exit_code, result.stderr) == (0, "")
    assert len({outcome["revision"] for outcome in json.loads(result.stdout)}) == 1
