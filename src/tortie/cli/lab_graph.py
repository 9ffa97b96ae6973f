"""``tortie lab graph``: a drawing of a lab."""

from __future__ import annotations

from typing import IO

import click

from tortie.cli.lab_name import find, name_option
from tortie.cli.settings import Settings


@click.command()
@click.option("-o", "--output", "form", type=click.Choice(["text", "svg"]), default="text", help="How to draw it.")
@click.argument("file", type=click.File("w", encoding="utf-8", lazy=True), default="-", metavar="[FILE]")
@name_option
@click.pass_obj
def graph(settings: Settings, form: str, file: IO[str], name: str | None) -> None:
    """Draw a lab: hosts, workloads, links and BGP sessions, and what of it is down.

    \b
    Examples:
      tortie lab graph
      tortie lab graph -o svg lab.svg
    """
    from tortie.lab.graph_svg import as_svg  # noqa: PLC0415 - takes time to load, and only a drawing needs it
    from tortie.lab.graph_text import as_text  # noqa: PLC0415 - takes time to load, and only a drawing needs it
    from tortie.lab.topology import topology  # noqa: PLC0415 - takes time to load, and only a drawing needs it

    shown = topology(find(settings, name).status())
    file.write(as_svg(shown) if form == "svg" else as_text(shown) + "\n")
