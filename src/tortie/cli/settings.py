"""The options that all commands share, and which datastore they come to.

The first that names a datastore wins:

    --datastore, --lab ► TORTIE_DATASTORE, TORTIE_LAB ► the file of -c ► Calico's environment ► /etc/tortie/tortie.yaml ► SQLite

An URL of etcd says where it is, and not who we are there (certificates, user, password): that comes from the first of -c,
Calico's environment and /etc/tortie/tortie.yaml that says anything of it, whoever names the URL.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from itertools import tee
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

if TYPE_CHECKING:
    # At run time these are loaded where they are used: `tortie --version` needs none of them, completion no click.
    from tortie.cli.place import Place, Said

F = TypeVar("F", bound=Callable[..., Any])

SYSTEM_STORE = Path("/var/lib/tortie/tortie.db")
SYSTEM_SETTINGS = Path("/etc/tortie/tortie.yaml")


class Settings(NamedTuple):
    """What was said before the command's name; the group's ``ctx.obj``."""

    datastore: str | None = None
    lab: str | None = None
    config: Path | None = None

    def over(self, datastore: str | None, lab: str | None) -> Settings:
        """These settings, with what was said after the command's name in front."""
        return self._replace(datastore=datastore, lab=lab) if datastore or lab else self

    @property
    def is_named(self) -> bool:
        """Whether an option says which datastore is meant."""
        return bool(self.datastore or self.lab)

    def connection(self, environment: Mapping[str, str] = os.environ) -> Place:
        """The datastore that these settings come to; CommandError for one that cannot be opened, with who said so."""
        from tortie.datastore.connection import EtcdAccess, EtcdConnection, SQLiteConnection  # noqa: PLC0415 - the command line is read without it

        named = self._named(environment)
        first, again = tee(self._sources(environment))
        place = _parsed(*named) if named is not None else next((said.place for said in first if said.place), None)
        if not isinstance(place, EtcdConnection):
            return place or SQLiteConnection(default_store(environment))
        access = next((said.access for said in again if said.access is not None), EtcdAccess())
        return place._replace(access=access)

    def lab_name(self, environment: Mapping[str, str] = os.environ) -> str | None:
        """The lab whose datastore the options or Tortie's environment name."""
        from tortie.cli.place import LabConnection  # noqa: PLC0415 - the command line is read without it

        named = self._named(environment)
        place = _parsed(*named) if named else None
        return place.name if isinstance(place, LabConnection) else None

    def _named(self, environment: Mapping[str, str]) -> tuple[str, str] | None:
        """The URL of the options or of Tortie's environment, and which of them it is."""
        if self.datastore and self.lab:
            import click  # noqa: PLC0415 - completion does without it

            raise click.UsageError("--datastore and --lab exclude each other")
        candidates = (
            (self.datastore, "--datastore"),
            (self.lab and f"lab://{self.lab}", "--lab"),
            (environment.get("TORTIE_DATASTORE"), "TORTIE_DATASTORE"),
            (environment.get("TORTIE_LAB") and f"lab://{environment['TORTIE_LAB']}", "TORTIE_LAB"),
        )
        return next(((url, said_by) for url, said_by in candidates if url), None)

    def _sources(self, environment: Mapping[str, str]) -> Iterator[Said]:
        """What the files and Calico's environment say, in their order; each is read only if it is asked for."""
        from tortie.cli.calico_settings import said_by_environment  # noqa: PLC0415 - not if an option says it all

        if self.config is not None:
            yield _read(self.config)
        yield said_by_environment(environment)
        if os.path.exists(SYSTEM_SETTINGS):
            yield _read(SYSTEM_SETTINGS)


def _read(path: Path) -> Said:
    from tortie.cli.settings_file import read_settings  # noqa: PLC0415 - YAML takes time to load

    return read_settings(path)


def _parsed(url: str, said_by: str) -> Place:
    from tortie.cli.place import parse_place  # noqa: PLC0415 - the command line is read without it
    from tortie.datastore.connection import StoreURLError  # noqa: PLC0415 - the command line is read without it

    try:
        return parse_place(url)
    except StoreURLError as error:
        from tortie.cli.errors import CommandError  # noqa: PLC0415 - completion does without click

        raise CommandError(f"{said_by}: {error}") from error


def default_store(environment: Mapping[str, str]) -> Path:
    """The file of this machine's datastore: root's, or one's own."""
    if os.geteuid() == 0:
        return SYSTEM_STORE
    state = environment.get("XDG_STATE_HOME", "")
    # A relative one is to be ignored (XDG Base Directory Specification): it would be another one in each directory.
    if not os.path.isabs(state):
        state = str(_home() / ".local" / "state")
    return Path(state) / "tortie" / "tortie.db"


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError as error:  # a user whom /etc/passwd does not know, as containers have them, without HOME
        from tortie.cli.errors import CommandError  # noqa: PLC0415 - completion does without click

        raise CommandError(
            "there is no home directory for the datastore: set HOME, or name one with --datastore"
        ) from error


def datastore_options(command: F) -> F:
    """Give *command* ``--datastore``, ``--lab`` and ``--config`` too, so that they may also follow its name."""
    import click  # noqa: PLC0415 - completion does without it

    def take_config(ctx: click.Context, _: click.Parameter, file: Path | None) -> None:
        if file is not None:
            ctx.obj = ctx.obj._replace(config=file)

    command = click.option(
        "-c", "--config", metavar="FILE", type=click.Path(path_type=Path), expose_value=False, callback=take_config,
        help="Use the settings in FILE.",
    )(command)  # fmt: skip
    command = click.option("--lab", metavar="NAME", help="Use the datastore of the lab NAME.")(command)
    return click.option("--datastore", metavar="URL", help="Use the datastore at URL (see `tortie --help`).")(command)
