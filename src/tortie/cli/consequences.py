"""What planned changes mean for who can reach whom, told before anything is written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from tortie.cli.errors import CommandError
from tortie.cli.writing import Change
from tortie.datastore.store import Store

if TYPE_CHECKING:
    from tortie.analysis.reach.states import States

AT_MOST = 20_000
"""Stored resources that are read to tell it: a second's worth."""
AT_MOST_PAIRS = 5_000_000
"""Pairs of ends that are compared: some five seconds' worth."""


def show_what_opens_and_closes(store: Store, changes: Sequence[Change]) -> None:
    """As `tortie policy diff` would; nothing where none of *changes* bears on it. Why it is not told goes to standard error."""
    # Rules and the analysis take time to load, and few commands need them.
    from tortie.analysis.reach.diff import difference  # noqa: PLC0415
    from tortie.cli.change_tables import print_changes  # noqa: PLC0415

    try:
        states = _states(store, changes)
    except CommandError as error:
        click.echo(f"Note: what opens and closes is not shown: {error}", err=True)
        return
    if states is not None:
        click.echo()
        print_changes(difference(states))


def _states(store: Store, changes: Sequence[Change]) -> States | None:
    """What to compare; None if nothing, CommandError if it is too much."""
    from tortie.analysis.reach.states import load  # noqa: PLC0415
    from tortie.cli.planned import bearing, planned_if_small  # noqa: PLC0415

    if not bearing(changes):
        return None
    found = planned_if_small(store, changes, AT_MOST)
    states = None if found is None else load(found.before.resources, found.after.resources)
    if states is None or states.pairs > AT_MOST_PAIRS:
        what = (
            f"{AT_MOST:,} resources are stored"
            if states is None
            else f"{AT_MOST_PAIRS:,} pairs of ends may be affected"
        )
        raise CommandError(f"more than {what}; `tortie policy diff -f` shows it, however long that takes")
    return states
