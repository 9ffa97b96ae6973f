"""``tortie policy diff``: what a change of policies, or of anything else, changes of who can reach whom."""

from __future__ import annotations

from collections.abc import Sequence

import click

from tortie.analysis.cluster import KnownCluster
from tortie.analysis.reach.diff import difference
from tortie.analysis.reach.states import load
from tortie.cli import change_tables, output
from tortie.cli.clusters import files_or_store, with_and_without
from tortie.cli.errors import failures_are_no_answer
from tortie.cli.options import files_options, hosts_option
from tortie.cli.settings import Settings, datastore_options

_DIFFERS = 1


@click.command()
@files_options(
    required=True,
    help_text="NEW, or first OLD and then NEW: each a file, a directory of .yaml, .yml and .json files, or - for standard input.",
)
@hosts_option
@click.option(
    "-o", "--output", "form", type=click.Choice(["table", "json"]), default="table", show_default=True,
    help="A table, or JSON with all names.",
)  # fmt: skip
@datastore_options
@click.pass_context
def diff(
    ctx: click.Context, files: tuple[str, ...], recursive: bool, hosts: bool, form: str, datastore: str | None, lab: str | None
) -> None:  # fmt: skip
    """Show which connections a change would open and close, and through which objects.

    Not the text is compared but what it means: who gains or loses which protocols and ports with whom. With -f twice, OLD and NEW
    are two whole clusters; with -f once, the datastore is compared with what it would be with NEW applied. Hosts with host endpoints
    are ends too, as host:NODE, and with --hosts all others.

    The exit status is 0 if nothing opens or closes, 1 if something does, and 2 if that cannot be told.

    \b
    Examples:
      tortie policy diff -f manifests/ -f proposed/
      tortie policy diff -f demo.yaml -o json
    """
    if len(files) > 2:
        raise click.UsageError("-f is given once, NEW, or twice, OLD and NEW")
    settings: Settings = ctx.obj
    with failures_are_no_answer():
        before, after = _states(files, recursive=recursive, settings=settings.over(datastore, lab))
    changes = difference(load(before.resources, after.resources, all_hosts=hosts))
    if form == "json":
        output.print_json(change_tables.document(changes))
    else:
        change_tables.print_changes(changes)
    if changes:
        ctx.exit(_DIFFERS)


def _states(files: Sequence[str], *, recursive: bool, settings: Settings) -> tuple[KnownCluster, KnownCluster]:
    if len(files) == 1:
        return with_and_without(files, recursive=recursive, settings=settings)
    before, after = (files_or_store([each], recursive=recursive, settings=settings).cluster for each in files)
    return before, after
