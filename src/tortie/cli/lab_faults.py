"""``tortie lab fail`` and ``tortie lab heal``: what breaks in a network, on purpose."""

from __future__ import annotations

import click

from tortie.cli.lab_name import find, name_option
from tortie.cli.settings import Settings

KINDS = click.Choice(["link", "host", "bird", "agent"])


@click.command()
@click.argument("kind", type=KINDS, metavar="link|host|bird|agent")
@click.argument("target", metavar="NAME")
@name_option
@click.pass_obj
def fail(settings: Settings, kind: str, target: str, name: str | None) -> None:
    """Break something of a lab, until `tortie lab heal` mends it.

    \b
    link HOST                its link to the fabric loses carrier
    link NAMESPACE/WORKLOAD  its link to its host loses carrier
    host HOST                it falls silent: its link is down, and all of its processes stand still
    bird HOST                BIRD is killed, and cannot start again
    agent HOST               its agent is killed; rules, routes and BIRD stay

    \b
    Examples:
      tortie lab fail link host2
      tortie lab fail link shop/web
    """
    find(settings, name).fail(kind, target)
    click.echo(f"Failed: {kind} {target}")


@click.command()
@click.argument("kind", type=KINDS, metavar="[link|host|bird|agent", required=False)
@click.argument("target", metavar="NAME]", required=False)
@name_option
@click.pass_obj
def heal(settings: Settings, kind: str | None, target: str | None, name: str | None) -> None:
    """Mend what `tortie lab fail` has broken; without arguments all of it.

    \b
    Examples:
      tortie lab heal
      tortie lab heal link host2
    """
    if kind and not target:
        raise click.UsageError(f"which {kind}? Name it, or name nothing to mend everything.")
    mended = find(settings, name).heal(kind or "", target or "")
    for what, whose in mended:
        click.echo(f"Healed: {what} {whose}")
    if not mended:
        click.echo("Nothing had failed.")
