"""Tables of one's own: kubectl's ``HEADER:PATH`` columns, and calicoctl's, which are headers of the kind's own columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import click

from tortie.cli.jsonpath import JSONPathError, parse_path, value_text
from tortie.model.codec import Document
from tortie.model.columns import columns
from tortie.model.kinds import Kind

_NONE = "<none>"
"""What kubectl shows where a path leads nowhere."""


def custom_table(
    kind: Kind, documents: Sequence[Document], wanted: Sequence[str]
) -> tuple[list[str], list[Sequence[str]]]:
    """Headers and rows; UsageError for a column that there is not."""
    chosen = [_column(kind, text.strip()) for text in wanted]
    rows: list[Sequence[str]] = [[text(document) for _, text in chosen] for document in documents]
    return [header for header, _ in chosen], rows


def _column(kind: Kind, text: str) -> tuple[str, Callable[[Document], str]]:
    header, colon, path = text.partition(":")
    if colon:
        return header, _by_path(path)
    own = {column.header: column.text for column in columns(kind, wide=True)}
    own = {"NAME": _metadata("name"), "NAMESPACE": _metadata("namespace"), **own}
    if header.upper() not in own:
        raise click.UsageError(f"{text!r} is no column of {kind.name}; there are {', '.join(own)}, or HEADER:PATH")
    return header.upper(), own[header.upper()]


def _metadata(field: str) -> Callable[[Document], str]:
    return lambda document: str(document["metadata"].get(field, ""))


def _by_path(text: str) -> Callable[[Document], str]:
    try:
        path = parse_path(text)
    except JSONPathError as error:
        raise click.UsageError(str(error)) from error
    return lambda document: ",".join(map(value_text, path.find(document, document))) or _NONE
