"""``tortie dataplane``: what stands in a host's kernel, and why."""

from __future__ import annotations

import click

from tortie.analysis.tuples import tuple_owners
from tortie.cli import output
from tortie.cli.clusters import files_or_store, node_of
from tortie.cli.errors import CommandError
from tortie.cli.options import files_options
from tortie.cli.settings import Settings, datastore_options
from tortie.ruleset.group import RuleOwner, TupleOwners


@click.group()
def dataplane() -> None:
    """Ask why something stands in a host's kernel."""


@dataplane.command()
@click.argument("set_name", metavar="SET")
@click.argument("element", nargs=-1, required=True, metavar="ELEMENT")
@click.option("--host", metavar="NAME", required=True, help="The name of the host's Node resource.")
@files_options()
@click.option(
    "-o", "--output", "form", type=click.Choice(["text", "json"]), default="text", show_default=True,
    help="Lines to read, or one JSON list.",
)  # fmt: skip
@datastore_options
@click.pass_obj
def owner(
    settings: Settings, set_name: str, element: tuple[str, ...], host: str, files: tuple[str, ...], recursive: bool,
    form: str, datastore: str | None, lab: str | None,
) -> None:  # fmt: skip
    """Name the policies behind ELEMENT of SET, the deciding one first.

    Where many policies allow, deny or pass by address, protocol and port, the kernel has no rule for each, but sets of tuples such as
    gi-_4kq2m3ab5c-SD4-allow. SET and ELEMENT are written as `nft list ruleset` prints them. The answer is worked out from the datastore, or
    from files, as it is now: neither the agent nor the kernel is asked.

    Exit status 1 if no policy there puts ELEMENT into such a set on that host.

    \b
    Examples:
      tortie dataplane owner gi-_4kq2m3ab5c-SD4-allow 10.0.0.1 . tcp . 80 --host host1
      tortie dataplane owner gi-_4kq2m3ab5c-SD4-allow "10.0.0.1 . tcp . 80" --host host1 -f manifests/
    """
    cluster = files_or_store(files, recursive=recursive, settings=settings.over(datastore, lab)).cluster
    node = node_of(cluster, host)
    try:
        found = tuple_owners(cluster.resources, node, set_name, " ".join(element))
    except ValueError as error:
        raise CommandError(str(error)) from error
    if not found:
        raise CommandError(f"on {host} no policy puts {' '.join(element)} into {set_name}")
    if form == "json":
        output.print_json([_document(each) for each in found])
        return
    for each in found:
        if each.set_name != set_name:
            click.echo(f"{each.set_name}, as it is called now:")
        for line in _lines(each):
            click.echo(line)


def _lines(found: TupleOwners) -> list[str]:
    decides, *others = (f"{_policy(each)} rule {each.rule}" for each in found.owners)
    return [f"{decides}  decides", *(f"{other}  comes after it" for other in others)]


def _policy(found: RuleOwner) -> str:
    kind, namespace, name = found.policy
    return f"{kind} {namespace}/{name}" if namespace else f"{kind} {name}"


def _document(found: TupleOwners) -> dict[str, object]:
    owners = [
        {"kind": each.policy.kind, "namespace": each.policy.namespace, "name": each.policy.name, "rule": each.rule}
        for each in found.owners
    ]
    return {"set": found.set_name, "owners": owners}
