"""How resources are printed: tables, JSON, YAML, names."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Any

import click
import msgspec
import yaml

from tortie.model.codec import Document
from tortie.model.kinds import Kind, ResourceKey
from tortie.model.yamlscalars import resolve
from tortie.model.yamltree import Position, ScalarNode

Row = Sequence[str]

_LINE_BREAKS = frozenset("\r\x85\u2028\u2029")
"""Beside the line feed."""


def short_name(key: ResourceKey) -> str:
    """``networkpolicy.networking.k8s.io/default-deny``, ``pod/web``: kind, group and name, as kubectl prints them."""
    group, slash, _ = key.kind.api_version.rpartition("/")
    return f"{key.kind.name.lower()}{'.' if slash else ''}{group}/{key.name}"


def print_json(value: object) -> None:
    """*value*, indented."""
    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def print_yaml(value: object) -> None:
    """*value*, in the order given."""
    click.echo(yaml_text(value), nl=False)


def yaml_text(value: object) -> str:
    """*value* as YAML that our reader, which is Calico's, reads as the same."""
    text = yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1_000)
    assert isinstance(text, str)
    return text


class _Dumper(yaml.SafeDumper):
    """Quotes every text that would be taken for a number, a truth value or null."""


def _text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    style = "'" if resolve(ScalarNode(Position(1, 1), text, True, "")) != text else None
    if _LINE_BREAKS.intersection(text):
        style = '"'  # the only style in which YAML can escape them
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def as_list(kind: Kind, documents: Sequence[Document], revision: int) -> dict[str, Any]:
    """Many documents as one, of kind ``<Kind>List``; *revision* is that of the store which they show."""
    metadata = {"resourceVersion": str(revision)}
    return {"kind": f"{kind.name}List", "apiVersion": kind.api_version, "metadata": metadata, "items": list(documents)}


def print_table(headers: Row, rows: Sequence[Row]) -> None:
    """Columns under their headers: by Rich on a terminal, else as plain aligned text."""
    if sys.stdout.isatty():
        _print_rich(headers, rows)
        return
    widths = [max(len(row[column]) for row in (headers, *rows)) for column in range(len(headers))]
    for row in (headers, *rows):
        click.echo("   ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


def _print_rich(headers: Row, rows: Iterable[Row]) -> None:
    from rich.console import Console  # noqa: PLC0415 - loaded only where a table goes to a terminal
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
    for header in headers:
        table.add_column(header, overflow="fold")
    for row in rows:
        table.add_row(*(Text(text) for text in row))  # as Text, since brackets in plain strings would be markup
    Console().print(table)
