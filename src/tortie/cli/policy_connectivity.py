"""``tortie policy connectivity``: who can reach whom, as policies mean it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import click

from tortie.analysis.backends import unlisted
from tortie.analysis.reach.hosts import hosts_as_ends
from tortie.analysis.reach.matrix import Matrix
from tortie.analysis.reach.matrix import connectivity as matrix_of
from tortie.analysis.reach.services import Unlisted
from tortie.analysis.reach.state import Reach
from tortie.analysis.reach.universe import universe
from tortie.cli import connectivity_pictures as pictures
from tortie.cli import connectivity_tables as tables
from tortie.cli import output
from tortie.cli.clusters import files_or_store
from tortie.cli.errors import CommandError
from tortie.cli.options import files_options, hosts_option
from tortie.cli.settings import Settings, datastore_options
from tortie.verdict import Cluster

_FORMS: Mapping[str, Callable[[Matrix], None]] = {
    "table": tables.print_tables,
    "json": lambda matrix: output.print_json(tables.document(matrix)),
    "dot": lambda matrix: click.echo(pictures.dot(matrix)),
    "svg": lambda matrix: click.echo(pictures.svg(matrix)),
    "md": lambda matrix: click.echo(tables.markdown(matrix)),
    "html": lambda matrix: click.echo(pictures.html(matrix)),
}


@click.command()
@files_options()
@hosts_option
@click.option(
    "-o", "--output", "form", type=click.Choice(list(_FORMS)), default="table", show_default=True,
    help="A table, JSON, a graph for Graphviz, a picture, Markdown or a page.",
)  # fmt: skip
@datastore_options
@click.pass_obj
def connectivity(
    settings: Settings, files: tuple[str, ...], recursive: bool, hosts: bool, form: str, datastore: str | None, lab: str | None
) -> None:  # fmt: skip
    """Show who can reach whom, on which protocols and ports.

    Workloads with equal answers are one row, and so are networks outside; what is not listed is denied. Asked is the first packet of
    a new connection on its whole way, as in `tortie explain`; a workload always reaches itself, which is not listed. Hosts with
    host endpoints are listed too, as host:NODE, and with --hosts all others.

    With -f, the cluster is what the files say: Pods, and templates of Deployments, StatefulSets, DaemonSets, ReplicaSets, Jobs,
    CronJobs and ReplicationControllers, which have no address yet. Else it is the datastore.

    \b
    Examples:
      tortie policy connectivity -f manifests/
      tortie policy connectivity -f manifests/ -o svg
    """
    found = files_or_store(files, recursive=recursive, settings=settings.over(datastore, lab))
    cluster = Cluster.of(found.cluster.values())
    ends = hosts_as_ends([cluster], all_hosts=hosts)
    if not cluster.endpoints and not any(ends):
        raise CommandError("there are no workloads, so nobody can reach anybody")
    reach = Reach(universe([cluster], ends))
    behind = (
        Unlisted(service, protocol, port, (endpoint.metadata.namespace, endpoint.metadata.name))
        for service, protocol, port, endpoint in unlisted(found.cluster)
    )
    _FORMS[form](matrix_of(reach, behind))
