"""Which lab a command means."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from tortie.cli.settings import Settings

if TYPE_CHECKING:
    from tortie.lab.client import Lab

F = TypeVar("F", bound=Callable[..., Any])

DEFAULT_NAME = "default"


def name_option(command: F) -> F:
    """The option ``--name``."""
    return click.option(
        "--name", metavar="NAME", help="The lab. Default: the one that --lab or TORTIE_DATASTORE names, else `default`."
    )(command)


def lab_name(settings: Settings, name: str | None) -> str:
    """The lab that a command means, which need not be running."""
    if name is not None:
        return name
    with contextlib.suppress(click.ClickException):
        return settings.lab_name() or DEFAULT_NAME
    return DEFAULT_NAME


def find(settings: Settings, name: str | None) -> Lab:
    """The running lab that a command means; NoSuchLabError."""
    from tortie.lab.client import Lab  # noqa: PLC0415 - only who uses a lab loads it

    return Lab.find(lab_name(settings, name))
