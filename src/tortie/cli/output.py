"""How resources are printed: tables, JSON, YAML, names."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import click
import msgspec

from tortie.model.codec import Document
from tortie.model.kinds import Kind, ResourceKey

Row = Sequence[str]


def short_name(key: ResourceKey) -> str:
    """``networkpolicy.networking.k8s.io/default-deny``, ``pod/web``: kind, group and name, as kubectl prints them."""
    group, slash, _ = key.kind.api_version.rpartition("/")
    return f"{key.kind.name.lower()}{'.' if slash else ''}{group}/{key.name}"


def json_text(value: object) -> str:
    """*value*, indented."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


def print_json(value: object) -> None:
    """*value*, indented."""
    click.echo(json_text(value))


def print_yaml(value: object) -> None:
    """*value*, in the order given."""
    from tortie.model.yamltext import yaml_text  # noqa: PLC0415 - takes time to load, and tables do not need it

    click.echo(yaml_text(value), nl=False)


def without_metadata(document: Document, names: Collection[str]) -> Document:
    """*document*, but for those fields of its metadata."""
    metadata = {name: value for name, value in document["metadata"].items() if name not in names}
    return {**document, "metadata": metadata}


def as_list(kind: Kind | None, documents: Sequence[Document], revision: int) -> dict[str, Any]:
    """Many documents as one, of kind ``<Kind>List``, or List where they are of several; *revision* is that of the store."""
    name, api_version = (f"{kind.name}List", kind.api_version) if kind else ("List", "v1")
    metadata = {"resourceVersion": str(revision)}
    return {"apiVersion": api_version, "kind": name, "metadata": metadata, "items": list(documents)}


def resource_table(
    kind: Kind, documents: Iterable[Document], *, wide: bool, with_namespace: bool
) -> tuple[Row, list[Row]]:
    """The headers and rows that ``get`` shows for *documents*, all of *kind*."""
    from tortie.model.columns import columns  # noqa: PLC0415 - takes time to load, and only tables need it

    shown = columns(kind, wide=wide)
    headers = [*(["NAMESPACE"] if with_namespace else []), "NAME", *(column.header for column in shown)]
    rows: list[Row] = []
    for document in documents:
        metadata = document["metadata"]
        place = [metadata.get("namespace", "")] if with_namespace else []
        rows.append([*place, metadata.get("name", ""), *(column.text(document) for column in shown)])
    return headers, rows


def print_table(headers: Row, rows: Sequence[Row]) -> None:
    """Columns under their headers: by Rich on a terminal, else as plain aligned text."""
    if sys.stdout.isatty():
        _print_rich(headers, rows)
        return
    click.echo(plain_table(headers, rows))


def plain_table(headers: Row, rows: Sequence[Row]) -> str:
    """Columns as aligned text."""
    widths = [max(len(row[column]) for row in (headers, *rows)) for column in range(len(headers))]
    return "\n".join(
        "   ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in (headers, *rows)
    )


def _print_rich(headers: Row, rows: Iterable[Row]) -> None:
    from rich.console import Console  # noqa: PLC0415 - loaded only where a table goes to a terminal
    from rich.table import Table  # noqa: PLC0415 - the same
    from rich.text import Text  # noqa: PLC0415 - the same

    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
    for header in headers:
        table.add_column(header, overflow="fold")
    for row in rows:
        table.add_row(*(Text(text) for text in row))  # as Text, since brackets in plain strings would be markup
    Console().print(table)
