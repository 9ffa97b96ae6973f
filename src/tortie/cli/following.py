"""``tortie get --watch``: what is there, and then what becomes of it, one event after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import TypeAlias

import click
import msgspec

from tortie.cli import output
from tortie.cli.forms import Form
from tortie.cli.get import Wish, readable, show_document, table
from tortie.datastore.store import Store
from tortie.datastore.syncer import sync
from tortie.model.codec import Document
from tortie.model.kinds import Kind, ResourceKey, parse_path
from tortie.model.updates import InSync, Update

Selects: TypeAlias = Callable[[Document], bool]


class Event(StrEnum):
    """What happened, in the words of Kubernetes' watches."""

    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"


def follow(
    store: Store, wish: Wish, selects: Selects, form: Form, *, with_namespace: bool,
    change: Callable[[Document], Document] | None = None,
) -> None:  # fmt: skip
    """Show events of what is wished for until interrupted or the store ends. What *selects* no longer takes counts as deleted."""
    events = _Events(wish, selects)
    show = _Shower(form, with_namespace=with_namespace)

    async def run() -> None:
        prefixes = [key.path for key in wish.keys] or [wish.prefix]
        async for batch in sync(store, prefixes):
            for update in batch:
                if isinstance(update, InSync):
                    continue
                for event, kind, document in events.of(update):
                    show(event, kind, change(document) if change else document)
            show.finish_page()

    asyncio.run(run())


class _Events:
    """Turns the store's updates into events; what was last shown is kept, since a deletion does not bring it along."""

    def __init__(self, wish: Wish, selects: Selects) -> None:
        self._paths = {key.path for key in wish.keys}
        self._selects = selects
        self._shown: dict[str, Document] = {}

    def of(self, update: Update) -> list[tuple[Event, Kind, Document]]:
        key = parse_path(update.key)
        if key is None or (self._paths and update.key not in self._paths):
            return []
        before = self._shown.get(update.key)
        document = None if update.value is None else readable(update.key, update.value, update.revision)
        if document is not None and self._selects(document):
            self._shown[update.key] = document
            return [(Event.ADDED if before is None else Event.MODIFIED, key.kind, document)]
        self._shown.pop(update.key, None)
        return [] if before is None else [(Event.DELETED, key.kind, before)]


class _Shower:
    """Prints events; a table's columns are as wide as its first rows need, and its headers come once."""

    def __init__(self, form: Form, *, with_namespace: bool) -> None:
        self._form = form
        self._with_namespace = with_namespace
        self._headers: Sequence[str] = ()
        self._rows: list[Sequence[str]] = []
        self._widths: list[int] = []

    def __call__(self, event: Event, kind: Kind, document: Document) -> None:
        match self._form.name:
            case "json":
                click.echo(msgspec.json.encode({"type": event, "object": document}).decode())
            case "yaml":
                click.echo("---")
                output.print_yaml({"type": str(event), "object": document})
            case "name":
                click.echo(f"{event} {output.short_name(ResourceKey(kind, '', document['metadata']['name']))}")
            case "jsonpath":
                show_document(document, self._form)
                click.echo()
            case _:
                headers, (row,) = table(kind, [document], self._form, with_namespace=self._with_namespace)
                self._headers = ["EVENT", *headers]
                self._rows.append([str(event), *row])

    def finish_page(self) -> None:
        """Print the rows that are waiting."""
        if not self._rows:
            return
        rows = self._rows if self._widths else [self._headers, *self._rows]
        self._rows = []
        own = [max(len(row[column]) for row in rows) for column in range(len(self._headers))]
        self._widths = [max(pair) for pair in zip(self._widths or own, own, strict=True)]
        for row in rows:
            cells = (text.ljust(width) for text, width in zip(row, self._widths, strict=True))
            click.echo("   ".join(cells).rstrip())
