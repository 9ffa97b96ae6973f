"""``tortie datastore``: setting a datastore up, looking at it, keeping it safe, moving what it holds."""

from __future__ import annotations

import contextlib
import os
import sys
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any, NamedTuple

import click

from tortie.cli import output
from tortie.cli.carrying_out import new_stamp
from tortie.cli.cluster import initialise, ready, set_ready
from tortie.cli.datastore import open_store
from tortie.cli.datastore_migrate import migrate
from tortie.cli.errors import CommandError
from tortie.cli.place import LabConnection, Place
from tortie.cli.progress import bar
from tortie.cli.settings import Settings, datastore_options
from tortie.datastore.connection import SQLiteConnection
from tortie.datastore.sqlite import Retention, SQLiteStore
from tortie.datastore.store import AlreadyExistsError, Store, entries
from tortie.datastore.transfer import TransferError, export_lines, import_site, read_site
from tortie.model.kinds import PREFIXES

_HOUR_S = 3600


@click.group()
def datastore() -> None:
    """Set a datastore up, look at it, keep it safe, move what it holds.

    \b
    Examples:
      tortie datastore init
      tortie datastore status
      tortie datastore backup /var/backups/tortie.db
      tortie datastore restore /var/backups/tortie.db --overwrite
      tortie datastore export -o site.jsonl
      tortie --datastore etcds://etcd1,etcd2,etcd3 datastore import site.jsonl
    """


datastore.add_command(migrate)


# --- setting up ------------------------------------------------------------------------------------------------------------


@datastore.command()
@click.option(
    "--keep-revisions",
    type=click.IntRange(min=1),
    metavar="N",
    help="SQLite: how many revisions to keep. Default: 10000.",
)
@click.option(
    "--keep-hours", type=click.FloatRange(min=0.01), metavar="H", help="SQLite: how long to keep them. Default: 24."
)
@datastore_options
@click.pass_obj
def init(
    settings: Settings, keep_revisions: int | None, keep_hours: float | None, datastore: str | None, lab: str | None
) -> None:
    """Make the datastore if it is missing, and what every cluster has in it: ClusterInformation and the built-in tiers.

    What is there stays as it is, so this may be repeated, and run on a datastore that Calico has set up.

    An SQLite store keeps old revisions, from which watches are resumed and long listings read, until they are older than
    --keep-hours or more than --keep-revisions newer ones are there; the next write then forgets them. Both are recorded in the
    store and hold for everybody who writes to it. What is current is never forgotten. etcd has settings of its own for this.

    \b
    Examples:
      tortie datastore init
      tortie datastore init --keep-revisions 100000 --keep-hours 72
    """
    place = settings.over(datastore, lab).connection()
    with open_store(place, create=True) as store:
        if keep_revisions is not None or keep_hours is not None:
            _set_retention(store, place, keep_revisions, keep_hours)
        made = initialise(store, uuid.uuid4().hex, new_stamp())
    for key in made:
        click.echo(f"{output.short_name(key)} created")
    if not made:
        click.echo(f"{place.url} is set up already")


def _set_retention(store: Store, place: Place, revisions: int | None, hours: float | None) -> None:
    if not isinstance(store, SQLiteStore):
        raise CommandError(
            f"{place.url}: --keep-revisions and --keep-hours are for SQLite; see etcd's --auto-compaction-mode"
        )
    now = store.retention()
    store.set_retention(
        Retention(revisions or now.revisions, round(hours * _HOUR_S) if hours is not None else now.age_s)
    )


@datastore.command()
@datastore_options
@click.pass_obj
def lock(settings: Settings, datastore: str | None, lab: str | None) -> None:
    """Tell hosts not to act on the datastore, while it is moved.

    Sets datastoreReady of ClusterInformation, as `calicoctl datastore migrate lock` does: what Calico's hosts have in force stays,
    and they wait. `tortie datastore unlock` ends it.
    """
    with open_store(settings.over(datastore, lab).connection()) as store:
        set_ready(store, False)
    click.echo("Datastore locked.")


@datastore.command()
@datastore_options
@click.pass_obj
def unlock(settings: Settings, datastore: str | None, lab: str | None) -> None:
    """Tell hosts to act on the datastore again."""
    with open_store(settings.over(datastore, lab).connection()) as store:
        set_ready(store, True)
    click.echo("Datastore unlocked.")


migrate.add_command(lock)
migrate.add_command(unlock)


# --- looking ---------------------------------------------------------------------------------------------------------------


class Line(NamedTuple):
    """One thing to be said of a datastore."""

    name: str
    value: Any
    text: str


@datastore.command()
@click.option("-o", "--output", "form", type=click.Choice(["text", "json"]), default="text", help="How to print.")
@datastore_options
@click.pass_obj
def status(settings: Settings, form: str, datastore: str | None, lab: str | None) -> None:
    """Say which datastore is used, whether it answers, and what it holds."""
    place = settings.over(datastore, lab).connection()
    with open_store(place) as store:
        lines = [Line("datastore", place.url, place.url), *_contents(store), *_of_backend(store)]
    if form == "json":
        output.print_json({line.name: line.value for line in lines})
        return
    width = max(len(line.name) for line in lines)
    for line in lines:
        click.echo(f"{line.name:{width}}   {line.text}")


_READY: Mapping[bool | None, str] = {True: "yes", False: "no: locked", None: "unknown: run `tortie datastore init`"}


def _contents(store: Store) -> Iterator[Line]:
    is_ready, revision = ready(store), store.revision()
    count = sum(1 for prefix in PREFIXES for _ in entries(store, prefix, at_revision=revision))
    yield Line("ready", is_ready, _READY[is_ready])
    yield Line("resources", count, str(count))
    yield Line("revision", revision, str(revision))


def _of_backend(store: Store) -> Iterator[Line]:
    if isinstance(store, SQLiteStore):
        oldest, kept = store.oldest_revision(), store.retention()
        hours = kept.age_s / _HOUR_S
        yield Line("oldest", oldest, f"{oldest}: from there on the past can be read")
        yield Line("keeps", kept._asdict(), f"{kept.revisions} revisions, for {hours:g} h")
        return
    from tortie.datastore.etcd import EtcdStore  # noqa: PLC0415 - gRPC takes time to load

    if isinstance(store, EtcdStore):
        health = store.health()
        alarms = ", ".join(health.alarms) or "none"
        yield Line("endpoint", health.endpoint, f"{health.endpoint}, etcd {health.version}")
        yield Line("size", health.size_bytes, f"{health.size_bytes} bytes, {health.size_in_use_bytes} of them in use")
        yield Line("alarms", list(health.alarms), alarms)


# --- keeping safe and moving ------------------------------------------------------------------------------------------------


@datastore.command()
@click.argument("file", type=click.Path(path_type=Path))
@datastore_options
@click.pass_obj
def backup(settings: Settings, file: Path, datastore: str | None, lab: str | None) -> None:
    """Copy an SQLite store to the new file FILE while others go on writing.

    The copy is of one revision, with the past that the store keeps, and is a store itself: --datastore sqlite:///FILE reads it. FILE
    appears when it is complete. For etcd there is `etcdctl snapshot save`; for any datastore, `tortie datastore export`.

    \b
    Example:
      tortie datastore backup /var/backups/tortie-monday.db
    """
    place = _file_of(settings.over(datastore, lab).connection(), "backed up", "`etcdctl snapshot save`")
    with open_store(place) as store, bar("Copying") as tell:
        assert isinstance(store, SQLiteStore)
        store.backup(file.absolute(), tell)
    click.echo(f"{file}: {file.stat().st_size} bytes")


def _file_of(place: Place, done: str, of_etcd: str) -> SQLiteConnection:
    """*place*, if it is a file; CommandError, which says what to use instead."""
    if isinstance(place, SQLiteConnection):
        return place
    instead = "`tortie datastore export` and `import`" if isinstance(place, LabConnection) else of_etcd
    raise CommandError(f"{place.url}: only an SQLite store can be {done} so; use {instead}")


@datastore.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--overwrite", is_flag=True, help="Restore into a store that holds something, all of which is replaced.")
@datastore_options
@click.pass_obj
def restore(settings: Settings, file: Path, overwrite: bool, datastore: str | None, lab: str | None) -> None:
    """Bring an SQLite store back to what the backup FILE holds, while others have it open.

    A store that is missing is made. Of one that is there everything is replaced, in one commit: keys that are not in the backup are
    deleted, and those of living processes (with a lease) stay. To whoever follows the store these are changes as any others: its
    revisions go on. FILE stays as it is.

    \b
    Examples:
      tortie --datastore sqlite:///new.db datastore restore /var/backups/tortie-monday.db
      tortie datastore restore /var/backups/tortie-monday.db --overwrite
    """
    place = _file_of(settings.over(datastore, lab).connection(), "restored", "`etcdctl snapshot restore`")
    with open_store(place, create=True) as store, bar("Restoring") as tell:
        assert isinstance(store, SQLiteStore)
        try:
            done = store.restore(file.absolute(), overwrite=overwrite, progress=tell)
        except AlreadyExistsError as error:
            raise CommandError(
                f"{place.url} is not empty: {error.key} is there; --overwrite replaces all of it"
            ) from error
    click.echo(f"{done.written} keys written and {done.deleted} deleted: {place.url} is as it was in {file}")


@datastore.command()
@click.option(
    "-o",
    "--output",
    "file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Where to. Default: standard output.",
)
@datastore_options
@click.pass_obj
def export(settings: Settings, file: Path | None, datastore: str | None, lab: str | None) -> None:
    """Write all that the datastore holds, as it is at one moment, for `tortie datastore import`.

    One line of JSON for each key and value under /calico/ and /tortie/, byte for byte. Keys that end with a living process (host
    status with a lease) are left out: their owners write them again. A key that is not UTF-8 text, which etcd may hold, is refused.

    \b
    Example:
      tortie datastore export -o site.jsonl
    """
    place = settings.over(datastore, lab).connection()
    try:
        with _writing(file) as stream, open_store(place) as store, bar("Exporting") as tell:
            for line in export_lines(store, tell):
                stream.write(line)
    except TransferError as error:
        raise CommandError(f"{place.url}: {error}") from error


@contextlib.contextmanager
def _writing(file: Path | None) -> Iterator[IO[bytes]]:
    """Standard output, or a new file that only its owner may read, opened before a lab's files take the place of ours."""
    if file is None:
        yield sys.stdout.buffer
        return
    with open(file, "xb", opener=_owners_only) as stream:
        try:
            yield stream
        except BaseException:
            file.unlink()
            raise


def _owners_only(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


@datastore.command("import")
@click.argument("file", metavar="FILE|-")
@click.option(
    "--merge", is_flag=True, help="Import into a datastore that holds something: the file's keys win, others stay."
)
@datastore_options
@click.pass_obj
def import_(settings: Settings, file: str, merge: bool, datastore: str | None, lab: str | None) -> None:
    """Write what `tortie datastore export` wrote to another datastore, which must be empty.

    The whole file is checked first. It is written in transactions as large as the datastore allows, policies before what they are
    enforced on, and the cluster is locked (see `tortie datastore lock`) until all of it is there. Broken off, it goes on where it
    was when the same file is imported again.

    \b
    Examples:
      tortie --datastore etcds://etcd1,etcd2,etcd3 datastore import site.jsonl
      tortie datastore export | tortie --datastore sqlite:///copy.db datastore import -
    """
    place = settings.over(datastore, lab).connection()
    try:
        with open(file, "rb") if file != "-" else contextlib.nullcontext(sys.stdin.buffer) as lines:
            site = read_site(lines)
        with open_store(place, create=True) as store, bar("Importing") as tell:
            import_site(store, site, merge=merge, tell=tell)
    except TransferError as error:
        raise CommandError(f"{file}: {error}") from error
    click.echo(f"{len(site.items)} keys imported into {place.url}")
