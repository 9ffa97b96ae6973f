"""How every command that writes goes on once it knows what is wanted: plan, show or commit, report."""

from __future__ import annotations

import contextlib
import datetime as dt
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import click

from tortie.cli import output
from tortie.cli.datastore import open_store
from tortie.cli.place import Place
from tortie.cli.policy_guard import guarded, unchecked
from tortie.cli.stored import Stored
from tortie.cli.writing import Action, Change, Outcome, PartlyDoneError, Stamp, batches, perform
from tortie.datastore.store import Store

Plan = Callable[[Store], Sequence[Change]]


class Report(NamedTuple):
    """How to tell what was done."""

    form: str = "text"
    """``text``, ``json`` or ``name``."""
    dry_run: str = "none"
    """``none``, ``client`` or ``server``: then nothing is written, and the difference is shown."""
    changed: str = Action.CONFIGURED
    """The command's own word for a resource that was there and is different now."""


def new_stamp() -> Stamp:
    """For objects that are made now."""
    return Stamp(lambda: str(uuid.uuid4()), dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))


def carry_out(
    place: Place,
    plan: Plan,
    report: Report,
    *,
    create: bool = False,
    is_repeatable: bool = False,
    ignore_policy_tests: bool = False,
    then: Callable[[Store], None] = lambda _: None,
) -> None:
    """Open the store, commit what *plan* plans and tell it; with *create*, make an SQLite store that is missing.

    *is_repeatable* is ``perform``'s; *then* looks at what is stored afterwards. CommandError if the change would break a policy's
    test, unless those are ignored.
    """
    check = unchecked if ignore_policy_tests else guarded
    with open_store(place, create=create and report.dry_run == "none") as store:
        if report.dry_run != "none":
            changes, stored = plan(store), Stored(store)
            _show_only(stored, changes, report)
            if report.dry_run == "server":
                check(stored, changes)
            then(store)
            return
        with _telling_what_was_done(report):
            outcomes = perform(
                store, lambda: check(Stored(store), plan(store)), time.monotonic_ns, is_repeatable=is_repeatable
            )
        then(store)
    tell(outcomes, report)
    _tell_of_parts(len({outcome.revision for outcome in outcomes if outcome.committed_at_ns is not None}))


def _show_only(stored: Stored, changes: Sequence[Change], report: Report) -> None:
    from tortie.cli.difference import difference  # noqa: PLC0415 - YAML takes time to load

    outcomes = dict.fromkeys(Outcome(change.key, change.action, change.revision, None) for change in changes)
    tell(outcomes, report)
    if report.form == "text":
        for line in difference(stored.store, changes):
            click.echo(line)
        if report.dry_run == "server":
            from tortie.cli.consequences import show_what_opens_and_closes  # noqa: PLC0415 - rules take time to load

            show_what_opens_and_closes(stored, changes)
    writing = [batch for batch in batches(changes, stored.store.limits) if any(change.writes for change in batch)]
    _tell_of_parts(len(writing))


@contextlib.contextmanager
def _telling_what_was_done(report: Report) -> Iterator[None]:
    try:
        yield
    except PartlyDoneError as error:
        tell(error.done, report)
        raise


def _tell_of_parts(transactions: int) -> None:
    if transactions > 1:
        click.echo(
            f"Note: the datastore does not take this in one transaction, but in {transactions}: each resource is written whole, "
            "with what it means; between one and the next, others can see a part of them.",
            err=True,
        )


def tell(outcomes: Iterable[Outcome], report: Report) -> None:
    """Say what was, or would be, done."""
    if report.form == "json":
        output.print_json([_as_json(outcome) for outcome in outcomes])
        return
    suffix = "" if report.dry_run == "none" else " (dry run)"
    for key, action, _, _ in outcomes:
        if report.form == "name":
            click.echo(output.short_name(key))
            continue
        named = f'{key.kind.name.lower()} "{key.name}"' if action is Action.DELETED else output.short_name(key)
        click.echo(f"{named} {report.changed if action is Action.CONFIGURED else action}{suffix}")


def _as_json(outcome: Outcome) -> dict[str, object]:
    kind, namespace, name = outcome.key
    return {
        "apiVersion": kind.api_version, "kind": kind.name, "namespace": namespace, "name": name,
        "action": outcome.action, "revision": outcome.revision, "committedAtNs": outcome.committed_at_ns,
    }  # fmt: skip
