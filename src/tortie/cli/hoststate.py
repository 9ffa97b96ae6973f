"""``tortie policy hoststate``: what the calculation would send to one host."""

from __future__ import annotations

import click

from tortie.analysis.hoststate import host_state
from tortie.cli import output
from tortie.cli.clusters import files_or_store, node_of
from tortie.cli.options import files_options
from tortie.cli.settings import Settings, datastore_options


@click.command()
@click.option("--host", metavar="NAME", required=True, help="The name of the host's Node resource.")
@files_options()
@click.option(
    "-o", "--output", "form", type=click.Choice(["json", "yaml"]), default="yaml", show_default=True,
    help="How to print it.",
)  # fmt: skip
@datastore_options
@click.pass_obj
def hoststate(
    settings: Settings, host: str, files: tuple[str, ...], recursive: bool, form: str, datastore: str | None,
    lab: str | None,
) -> None:  # fmt: skip
    """Show everything that a host is told to enforce.

    IP sets with what they are of and their members; for each endpoint its tiers and policies in order; the policies and profiles
    that are active there, with their rules as the host has them; routes, pools, tunnel endpoints, hosts, settings.

    With -f, the cluster is what the files say, and what a cluster fills in by itself is filled in; else it is the datastore.

    \b
    Examples:
      tortie policy hoststate --host host1
      tortie policy hoststate --host host1 -f manifests/ -o json
    """
    found = files_or_store(files, recursive=recursive, settings=settings.over(datastore, lab))
    state = host_state(node_of(found.cluster, host), found.cluster.resources, found.blocks)
    if form == "json":
        output.print_json(state)
    else:
        output.print_yaml(state)
