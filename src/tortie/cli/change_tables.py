"""What opens and closes, as a table and for programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from tortie.analysis.reach.diff import Change
from tortie.cli import output

_TOLD = 6
"""So many of a long list are told."""


def print_changes(changes: Sequence[Change]) -> None:
    """For people."""
    if changes:
        output.print_table(("", "FROM", "TO", "WHAT", "BECAUSE OF"), [_row(change) for change in changes])
    else:
        click.echo("nothing opens or closes")


def document(changes: Sequence[Change]) -> list[dict[str, Any]]:
    """For programs, with all names."""
    return [
        {
            "change": "gained" if change.gained else "lost",
            "from": change.sources,
            "to": change.destinations,
            "packets": change.packets,
            "because": change.because,
        }
        for change in changes
    ]


def _row(change: Change) -> tuple[str, ...]:
    lists = (change.sources, change.destinations, change.packets, change.because)
    return "+" if change.gained else "-", *map(_short, lists)


def _short(items: Sequence[str]) -> str:
    told = items if len(items) <= _TOLD else (*items[: _TOLD - 1], f"{len(items) - _TOLD + 1} more")
    return ", ".join(told)
