"""An example of each kind, and what ``tortie get`` shows of it, for the reference pages."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from importlib.resources import files

from tortie.cli.output import plain_table, resource_table
from tortie.cli.reference.naming import names
from tortie.model.defaults import for_storage
from tortie.model.document import read
from tortie.model.kinds import Kind
from tortie.model.stored import from_storage

_FILE = "examples.yaml"


@functools.cache
def examples() -> Mapping[Kind, str]:
    """The text of each kind's example."""
    whole = files(__package__).joinpath(_FILE).read_text(encoding="utf-8")
    _, _, text = whole.partition("\n")  # the first line says what the file is
    parts = [part.strip("\n") for part in text.split("\n---\n")]
    return {read(part, source=_FILE).resources[0].key.kind: part for part in parts}


def shown(kind: Kind, text: str) -> Iterator[str]:
    """The commands that list the resource of *text*, and what they print."""
    (item,) = read(text, source=_FILE).resources
    document = from_storage(for_storage(item.document, uid="", creation_timestamp=""), 1)
    command = f"tortie get {names(kind)[1]}{' -A' if kind.namespaced else ''}"
    plain, wide = (
        plain_table(*resource_table(kind, [document], wide=wide, with_namespace=kind.namespaced))
        for wide in (False, True)
    )
    yield f"$ {command}"
    yield plain
    if wide != plain:
        yield f"$ {command} -o wide"
        yield wide
