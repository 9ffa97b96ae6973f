"""The options that all commands share, and which datastore they come to."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from urllib.parse import quote

import click

F = TypeVar("F", bound=Callable[..., Any])

SYSTEM_STORE = Path("/var/lib/tortie/tortie.db")


class Settings(NamedTuple):
    """What was said before the command's name; the group's ``ctx.obj``."""

    datastore: str | None = None
    lab: str | None = None

    def over(self, datastore: str | None, lab: str | None) -> Settings:
        """These settings, with what was said after the command's name in front."""
        return Settings(datastore, lab) if datastore or lab else self

    @property
    def is_named(self) -> bool:
        """Whether an option says which datastore is meant."""
        return bool(self.datastore or self.lab)

    def url(self, environment: Mapping[str, str] = os.environ) -> str:
        """The datastore's URL: of the options, else TORTIE_DATASTORE, TORTIE_LAB, else this machine's own one."""
        if self.datastore and self.lab:
            raise click.UsageError("--datastore and --lab exclude each other")
        if self.is_named:
            return self.datastore or f"lab://{self.lab}"
        if url := environment.get("TORTIE_DATASTORE"):
            return url
        if lab := environment.get("TORTIE_LAB"):
            return f"lab://{lab}"
        return f"sqlite://{quote(str(default_store(environment)))}"


def default_store(environment: Mapping[str, str]) -> Path:
    """The file of this machine's datastore: root's, or one's own."""
    if os.geteuid() == 0:
        return SYSTEM_STORE
    state = environment.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(state) / "tortie" / "tortie.db"


def datastore_options(command: F) -> F:
    """Give *command* ``--datastore`` and ``--lab`` too, so that they may also follow its name."""
    command = click.option("--lab", metavar="NAME", help="Use the datastore of the lab NAME.")(command)
    return click.option("--datastore", metavar="URL", help="Use the datastore at URL (see `tortie --help`).")(command)
