"""What planned changes mean for who can reach whom, told before anything is written."""

from __future__ import annotations

from collections.abc import Sequence

import click

from tortie.analysis.reach.diff import difference
from tortie.analysis.reach.states import States, load
from tortie.cli.change_tables import print_changes
from tortie.cli.errors import CommandError
from tortie.cli.planned import bearing, planned_if_small
from tortie.cli.stored import Stored
from tortie.cli.writing import Change

AT_MOST = 20_000
"""Stored resources that are read to tell it: a second's worth."""
AT_MOST_PAIRS = 5_000_000
"""Pairs of ends that are compared: some five seconds' worth."""


def show_what_opens_and_closes(stored: Stored, changes: Sequence[Change]) -> None:
    """As `tortie policy diff` would; nothing where none of *changes* bears on it. Why it is not told goes to standard error."""
    try:
        states = _states(stored, changes)
    except CommandError as error:
        click.echo(f"Note: what opens and closes is not shown: {error}", err=True)
        return
    if states is not None:
        click.echo()
        print_changes(difference(states))


def _states(stored: Stored, changes: Sequence[Change]) -> States | None:
    """What to compare; None if nothing, CommandError if it is too much."""
    if not bearing(changes):
        return None
    found = planned_if_small(stored, changes, AT_MOST)
    if found is None:
        raise _too_many(f"{AT_MOST:,} resources are stored")
    states = load(found.before.resources, found.after.resources)
    if states.pairs > AT_MOST_PAIRS:
        raise _too_many(f"{AT_MOST_PAIRS:,} pairs of ends may be affected")
    return states


def _too_many(what: str) -> CommandError:
    return CommandError(f"more than {what}; `tortie policy diff -f` shows it, however long that takes")
