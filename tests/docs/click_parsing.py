"""Command lines, parsed as ``tortie`` would, and not run."""

from __future__ import annotations

from collections.abc import Sequence

import click

from tortie.cli.main import cli


def parse_only(words: Sequence[str]) -> None:
    """Parse what stands after ``tortie``; UsageError for what no command knows."""
    _parse(cli, list(words), None)


def _parse(command: click.Command, words: list[str], parent: click.Context | None) -> None:
    context = command.make_context(command.name, words, parent)
    if isinstance(command, click.Group):
        _, words, _ = command.make_parser(context).parse_args(words)
        _, child, rest = command.resolve_command(context, words)
        assert child is not None
        _parse(child, rest, context)
