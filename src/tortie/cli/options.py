"""Options that the commands on resources share, and how their values are read; quick to load."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import click

from tortie.cli.settings import datastore_options

F = TypeVar("F", bound=Callable[..., Any])

_FILES_HELP = "A file, a directory of .yaml, .yml and .json files, or - for standard input. May be repeated."


def files_options(*, required: bool = False, help_text: str = _FILES_HELP) -> Callable[[F], F]:
    """``-f`` and ``-R``."""

    def give(command: F) -> F:
        command = click.option("-R", "--recursive", is_flag=True, help="Read the directories in a directory too.")(
            command
        )
        return click.option(
            "-f",
            "--filename",
            "--file",
            "files",
            multiple=True,
            required=required,
            metavar="FILE|DIR|-",
            help=help_text,
        )(command)

    return give


def namespace_option(help_text: str) -> Callable[[F], F]:
    """``-n``; None where it is not given, which means ``default`` for what is in a namespace at all."""
    return click.option("-n", "--namespace", metavar="NS", help=f"{help_text}  [default: default]")


def report_option(command: F) -> F:
    """``-o`` of commands that write."""
    return click.option(
        "-o", "--output", "form", type=click.Choice(["text", "json", "name"]), default="text", help="How to report."
    )(command)


def dry_run_option(command: F) -> F:
    """``--dry-run``, alone or with a value."""
    return click.option(
        "--dry-run", type=click.Choice(["none", "client", "server"]), is_flag=False, flag_value="server", default="none",
        help="Write nothing; say what would be done, and show the difference. client: each resource beside what is stored in "
        "its place; server, and without a value: after all checks, with what it means, and which connections it opens and closes.",
    )(command)  # fmt: skip


def hosts_option(command: F) -> F:
    """``--hosts``."""
    return click.option("--hosts", is_flag=True, help="Ask about all hosts, not only about those with host endpoints.")(
        command
    )


def labels_of(pairs: Iterable[str]) -> dict[str, str]:
    """The labels that words such as ``role=web`` name; UsageError."""
    labels = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise click.UsageError(f"{pair!r} is not a label; expected NAME=VALUE")
        labels[name] = value
    return labels


def write_options(command: F) -> F:
    """What all commands take that write resources, and report each."""
    return report_option(dry_run_option(policy_tests_option(version_option(datastore_options(command)))))


def policy_tests_option(command: F) -> F:
    """``--ignore-policy-tests``."""
    return click.option(
        "--ignore-policy-tests", is_flag=True, help="Write also what breaks a PolicyTest that is stored and holds now."
    )(command)


def version_option(command: F) -> F:
    """``--allow-version-mismatch``, which calicoctl has: here no version of a client is refused, so it changes nothing."""
    return click.option("--allow-version-mismatch", is_flag=True, hidden=True, expose_value=False)(command)
