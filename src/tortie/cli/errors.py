"""What a command says when it cannot do its work: one sentence on standard error, and the exit status.

Libraries' and our own packages' exceptions become a CommandError in one place, ``in_one_sentence``. What is not listed
there is a bug of ours, and keeps its traceback.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import click

from tortie.datastore.store import StoreError


class CommandError(click.ClickException):
    """The command's work failed: exit status 1. (Wrong usage is ``click.UsageError``, status 2.)"""

    exit_code = 1


class UnansweredError(CommandError):
    """A question that cannot be answered, asked of a command whose exit status 1 is an answer."""

    exit_code = 2


def refuse_for(problems: Sequence[object]) -> None:
    """Tell all *problems*, the last as a CommandError; nothing if there are none."""
    for problem in problems[:-1]:
        click.echo(f"Error: {problem}", err=True)
    if problems:
        raise CommandError(str(problems[-1]))


@contextlib.contextmanager
def failures_are_no_answer() -> Iterator[None]:
    """Turn the expected failures of what is called inside into UnansweredErrors."""
    try:
        with in_one_sentence():
            yield
    except CommandError as error:
        raise UnansweredError(str(error)) from error


@contextlib.contextmanager
def in_one_sentence() -> Iterator[None]:
    """Turn the expected failures of what is called inside into CommandErrors."""
    try:
        yield
    except BrokenPipeError:
        raise  # whoever read our output has gone: nobody to tell
    except StoreError as error:
        raise CommandError(f"the datastore: {error}") from error
    except OSError as error:
        if error.filename is None:
            raise CommandError(f"{error.strerror or error}") from error
        raise CommandError(f"{error.filename}: {error.strerror}") from error
