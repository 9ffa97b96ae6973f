"""PolicyTests in the datastore against a planned change: those that it breaks, and new ones that fail."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import click

from tortie.analysis.assertions import Located, Outcome, broken, judge
from tortie.analysis.assertions.outcome import of_resource
from tortie.analysis.provenance import Provenance
from tortie.cli.errors import CommandError
from tortie.cli.planned import Planned, may_break, planned_for
from tortie.cli.policy_guard import NEVERTHELESS
from tortie.cli.policy_test_reports import explained
from tortie.cli.stored import Stored
from tortie.cli.unmatched import valid_resources
from tortie.cli.writing import Change
from tortie.datastore.store import Entry
from tortie.model.policytest import PolicyTest
from tortie.verdict import Cluster

_TOLD = 3
"""So many broken assertions are told with what decides."""


def judged(stored: Stored, changes: Sequence[Change], kept: Iterable[Entry], written: Iterable[Entry]) -> None:
    """CommandError if *changes* break a test that is *kept*, with what decides then; tell which of those *written* do not hold."""
    tests, new = _located(kept), _located(written)
    if not new and not may_break(stored, changes, tests):
        return
    try:
        states = planned_for(stored, changes, [*tests, *new])
    except CommandError as error:
        raise CommandError(f"{error}; {NEVERTHELESS}") from error
    found = () if states.is_same else broken(states.before, states.after, tests)
    if found:
        raise CommandError("\n".join(_lines(states, found)))
    _warn_of_failing(judge(states.after, new))


def _warn_of_failing(outcomes: Iterable[Outcome]) -> None:
    for outcome in outcomes:
        if outcome.error:
            click.echo(f"Warning: {_called(outcome)}: cannot be asked: {outcome.error}", err=True)
        elif outcome.failing:
            why = f"{_packets(outcome)}; `tortie policy test` tells more"
            click.echo(f"Warning: {_called(outcome)}: does not hold: {why}", err=True)


def _located(tests: Iterable[Entry]) -> list[Located]:
    resources = valid_resources(tests).items()
    return [located for key, test in resources if isinstance(test, PolicyTest) for located in of_resource(test, key)]


def _lines(states: Planned, found: Sequence[Outcome]) -> Iterator[str]:
    many = f"{len(found)} assertions hold" if len(found) > 1 else "1 assertion holds"
    yield f"this would break what policies are tested for: {many} now and would not afterwards"
    after, provenance = Cluster.of(states.after.values()), Provenance.of_stored(states.stored)
    for outcome in found[:_TOLD]:
        yield f"{_called(outcome)}: {_packets(outcome)}"
        for example in outcome.counter_examples[:1]:
            yield from (f"  {line}" for line in explained(example.verdict, after, provenance))
    if len(found) > _TOLD:
        yield f"and {len(found) - _TOLD} more"
    yield NEVERTHELESS.capitalize()


def _called(outcome: Outcome) -> str:
    located = outcome.located
    return f"{located.group}, test {located.number}: {located.sentence}"


def _packets(outcome: Outcome) -> str:
    """Between whom it does not hold, and for what."""
    example = outcome.counter_examples[0]
    more = f", and {outcome.failing - 1} more" if outcome.failing > 1 else ""
    return f"{example.source} to {example.destination}, {', '.join(example.packets)}{more}"
