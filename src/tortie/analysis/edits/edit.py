"""An edit: what is changed of which objects, where that stands, and what it does besides."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from tortie.analysis.edits.operations import Operation, value_at
from tortie.analysis.provenance import Origin, Written
from tortie.model.codec import Document
from tortie.model.fieldpath import FieldPath, path_text
from tortie.model.kinds import ResourceKey
from tortie.model.meta import Resource
from tortie.model.yamltext import yaml_item_lines, yaml_line, yaml_lines

_ONE_LINE = 60
"""So long may a value be that is told in the line that says what is done with it."""


class Size(NamedTuple):
    """How much an edit changes; the smaller of two is the better."""

    others: int
    """Connections beside the one that was asked about, at most: pairs of ends times kinds of packets, as far as its rules tell."""
    lines: int
    """Of text."""

    def plus(self, other: Size) -> Size:
        return Size(self.others + other.others, self.lines + other.lines)


class Change(NamedTuple):
    """What becomes of one object."""

    key: ResourceKey
    document: Document
    """The object afterwards."""
    resource: Resource
    """The same, read."""
    meant: Mapping[ResourceKey, Resource]
    """What verdicts are given of it."""
    operations: tuple[Operation, ...] = ()
    """Of the document as it was; none for a new object."""
    written: Written | None = None
    """The object as it was; None: it is new."""

    def origin(self, path: FieldPath = ()) -> Origin | None:
        return None if self.written is None else Origin(self.written, path)


class Edit(NamedTuple):
    """One or two changes that together make a verdict another."""

    changes: tuple[Change, ...]
    size: Size

    def lines(self) -> Iterator[str]:
        """For people: what to change where."""
        for change in self.changes:
            if change.written is None:
                yield f"add a {change.key}:"
                yield from (f"  {line}" for line in yaml_lines(change.document))
            for operation in change.operations:
                yield from _operation_lines(change, operation)
        if self.size.others == 0:
            yield "which changes no other connection of these workloads"

    def document(self) -> list[dict[str, Any]]:
        """For programs."""
        return [_change_document(change) for change in self.changes]


_VERBS = {"add": "add", "remove": "remove", "replace": "make it"}


def _operation_lines(change: Change, operation: Operation) -> Iterator[str]:
    assert change.written is not None
    *parent, last = operation.path
    is_item = isinstance(last, int)
    # What is added does not stand there yet: the place is that of the list, or of the item before which it comes.
    found = change.origin(operation.path)
    assert found is not None
    place = f"{found}: " if found.place is not None else ""
    path = path_text(tuple(parent) if is_item and operation.op == "add" else operation.path)
    where = f"{place}in {change.written.name}, {path}: "
    if operation.op == "remove":
        gone = _short(value_at(change.written.document, operation.path))
        yield f"{where}remove {gone if len(gone) <= _ONE_LINE else 'it'}"
        return
    short = _short(operation.value)
    if len(short) <= _ONE_LINE or not isinstance(operation.value, dict | list):
        yield f"{where}{_VERBS[operation.op]} {short}"
        return
    yield f"{where}{_VERBS[operation.op]}"
    yield from (f"  {line}" for line in (yaml_item_lines if is_item else yaml_lines)(operation.value))


def _short(value: Any) -> str:
    return value if isinstance(value, str) else yaml_line(value)


def _change_document(change: Change) -> dict[str, Any]:
    key = change.key
    target = {
        "apiVersion": key.kind.api_version,
        "kind": key.kind.name,
        **({"namespace": key.namespace} if key.namespace else {}),
        "name": key.name,
    }
    if change.written is None:
        return {"create": target, "document": change.document}
    patch = [operation.document() for operation in change.operations]
    origin = change.origin(change.operations[0].path)
    place = origin.place if origin is not None else None
    stands = {"file": place.source, "line": place.position.line, "column": place.position.column} if place else {}
    return {"change": target, **stands, "patch": patch}
