"""``tortie fields``: what each field of each kind is."""

from __future__ import annotations

import shutil

import click

from tortie.cli import output
from tortie.cli.reference.naming import UnknownNameError, find_place, names
from tortie.cli.reference.text import as_json, render
from tortie.cli.reference.tree import describe_kind
from tortie.model.kinds import KINDS

_WIDEST = 100


@click.command()
@click.argument("place", metavar="[KIND[.FIELD]...]", required=False)
@click.option("-r", "--recursive", is_flag=True, help="Show the fields of fields too, by name and type only.")
@click.option("-o", "--output", "form", type=click.Choice(["text", "json"]), default="text", help="How to print it.")
def fields(place: str | None, recursive: bool, form: str) -> None:
    """Say what a kind or one of its fields is: type, default, allowed values, what it means.

    KIND is a kind's name, plural or short name, and FIELD a field's name, all in any case. NetworkPolicy alone is Calico's;
    Kubernetes' is netpol, or networkpolicy.networking.k8s.io. List indices are left out, or may stand there as error messages
    print them, so that the field path of an error can be asked for. Without KIND, lists the kinds.

    What is printed comes from the same declarations that read and check files. A field that is not required may be left out
    or be null; its default is what it then means. The same is in docs/reference/, and for editors in `tortie schema`.

    \b
    Examples:
      tortie fields                                the kinds
      tortie fields gnp                            the fields of GlobalNetworkPolicy
      tortie fields networkpolicy.spec.ingress     what a rule is made of
      tortie fields netpol.spec --recursive        all names below spec
      tortie fields bgppeer.spec.asNumber -o json  for a program
    """
    if place is None:
        _list_kinds(form)
        return
    try:
        found = find_place(place)
    except UnknownNameError as error:
        raise click.UsageError(str(error)) from error
    if form == "json":
        output.print_json(as_json(found, recursive=recursive))
    else:
        width = min(shutil.get_terminal_size().columns, _WIDEST)
        click.echo(render(found, recursive=recursive, width=width))


def _list_kinds(form: str) -> None:
    if form == "json":
        output.print_json([
            {
                "kind": kind.name, "apiVersion": kind.api_version, "plural": kind.plural, "shortNames": kind.short_names,
                "namespaced": kind.namespaced, "description": describe_kind(kind).description,
            }
            for kind in KINDS
        ])  # fmt: skip
        return
    rows = [
        (name, kind.name, kind.api_version, "true" if kind.namespaced else "false", ",".join(short))
        for kind in KINDS
        for name, _, *short in [names(kind)]
    ]
    output.print_table(("NAME", "KIND", "VERSION", "NAMESPACED", "SHORTNAMES"), rows)
