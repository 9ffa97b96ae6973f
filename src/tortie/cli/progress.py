"""What a command is doing right now: a line that moves on a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import TypeAlias

import click

Tell: TypeAlias = Callable[[str], None]


@contextlib.contextmanager
def progress(first: str) -> Iterator[Tell]:
    """What to call with each thing that is being done, the *first* of them now; all of it goes to standard error."""
    if not sys.stderr.isatty():
        yield lambda text: click.echo(f"  {text}", err=True)
        return
    from rich.console import Console  # noqa: PLC0415 - takes time to load, and only a terminal needs it
    from rich.markup import escape  # noqa: PLC0415 - takes time to load, and only a terminal needs it

    with Console(stderr=True).status(escape(first)) as status:
        yield lambda text: status.update(escape(text))


@contextlib.contextmanager
def bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """What to call with how much is done and how much there is in all: a bar on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda done, total: None  # noqa: ARG005 - nobody looks
        return
    from rich.console import Console  # noqa: PLC0415 - takes time to load, and only a terminal needs it
    from rich.progress import Progress  # noqa: PLC0415 - takes time to load, and only a terminal needs it

    with Progress(console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task(what)
        yield lambda done, total: shown.update(task, completed=done, total=total)
