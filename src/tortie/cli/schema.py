"""``tortie schema``: JSON Schema of the kinds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tortie.cli import output
from tortie.cli.reference.naming import UnknownNameError, find_one_kind, stem
from tortie.cli.reference.schema import Schema, any_kind_schema, kind_schema
from tortie.model.kinds import KINDS

ALL = "all.json"
"""The file whose schema fits a resource of any kind."""


@click.command()
@click.argument("kind_name", metavar="[KIND]", required=False)
@click.option("--all", "every", is_flag=True, help="All kinds: one schema that fits a resource of any of them.")
@click.option(
    "-o", "--output", "folder", type=click.Path(file_okay=False, path_type=Path), metavar="DIR",
    help="Write files into this directory, which is made if it is missing, and print their names.",
)  # fmt: skip
def schema(kind_name: str | None, every: bool, folder: Path | None) -> None:
    """Print the JSON Schema (draft 2020-12) of KIND, or write those of all kinds as files.

    Editors complete and check what is typed with them. A schema knows names, types and allowed values, and is strict where a
    misspelt field would otherwise be lost: exact spelling, no unknown fields (except in Pods and Services), text in quotes
    where it looks like a number or truth value. Rules across fields are for `tortie validate` to check.

    With -o, each kind's schema is written as DIR/<kind>.json, and with all of them DIR/all.json, which fits a resource of any
    kind and a List. In the first line of a YAML file, `# yaml-language-server: $schema=DIR/all.json` makes editors use it.

    \b
    Examples:
      tortie schema gnp
      tortie schema --all
      tortie schema -o schemas/
    """
    if kind_name is not None and every:
        raise click.UsageError("KIND and --all exclude each other")
    if kind_name is None and not every and folder is None:
        raise click.UsageError("expected KIND, --all, or -o DIR for files of all kinds")
    files = _one(kind_name) if kind_name is not None else _all()
    if folder is not None:
        _write(folder, files)
    else:
        output.print_json(files[ALL] if kind_name is None else next(iter(files.values())))


def _one(name: str) -> dict[str, Schema]:
    try:
        kind = find_one_kind(name)
    except UnknownNameError as error:
        raise click.UsageError(str(error)) from error
    return {f"{stem(kind)}.json": kind_schema(kind)}


def _all() -> dict[str, Schema]:
    return {**{f"{stem(kind)}.json": kind_schema(kind) for kind in KINDS}, ALL: any_kind_schema()}


def _write(folder: Path, files: dict[str, dict[str, Any]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_text(output.json_text(content) + "\n", encoding="utf-8")
        click.echo(folder / name)
