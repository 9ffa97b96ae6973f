"""Changes of a document: operations of a JSON patch (RFC 6902) on its fields."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, NamedTuple

from tortie.model.codec import Document
from tortie.model.fieldpath import FieldPath


class Operation(NamedTuple):
    """One change at one place."""

    op: Literal["add", "remove", "replace"]
    path: FieldPath
    """Of a field; or of an item of a list, before which another is added."""
    value: Any = None
    """What is added, or takes the place."""

    def document(self) -> dict[str, Any]:
        """As it stands in a JSON patch."""
        pointer = "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in self.path)
        value = {} if self.op == "remove" else {"value": self.value}
        return {"op": self.op, "path": pointer, **value}


def applied(document: Document, operations: Iterable[Operation]) -> Document:
    """*document* after *operations*; it is itself not changed. KeyError or IndexError for a place that is not there."""
    for operation in operations:
        document = _at(document, operation.path, operation)
    return document


def _at(node: Any, path: FieldPath, operation: Operation) -> Any:
    first, *rest = path
    changed: Any = dict(node) if isinstance(node, dict) else list(node)
    if rest:
        changed[first] = _at(node[first], tuple(rest), operation)
    elif operation.op == "remove":
        del changed[first]
    elif operation.op == "add" and isinstance(node, list):
        changed[first:first] = [operation.value]
    else:
        changed[first] = operation.value
    return changed


def value_at(document: Any, path: FieldPath) -> Any:
    """What stands at *path*; None if nothing does."""
    for part in path:
        try:
            document = document[part]
        except (KeyError, IndexError):
            return None
    return document


def added(document: Document, path: FieldPath, item: Any, index: int = 0) -> Operation:
    """*item* put into the list at *path* before its item *index*, whether there is such a list or not."""
    listed = value_at(document, path)
    if not listed:
        return Operation("add", path, [item])
    return Operation("add", (*path, index), item)
