"""Documents of any kind with little to write, and which of their fields the reader of files refuses."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tortie.model.codec import Document
from tortie.model.defaults import with_defaults
from tortie.model.document import ReadResult, read
from tortie.model.fieldpath import path_text
from tortie.model.kinds import Kind


def document(
    kind: Kind, spec: Document, name: str = "x", *, metadata: Mapping[str, Any] | None = None, **more: Any
) -> Document:
    """A document; *more* stands beside its spec."""
    return {
        "apiVersion": kind.api_version,
        "kind": kind.name,
        "metadata": {"name": name, **(metadata or {})},
        "spec": spec,
        **more,
    }


def reading(kind: Kind, spec: Document, name: str = "x", **more: Any) -> ReadResult:
    return read(json.dumps(document(kind, spec, name, **more)))


def refused(kind: Kind, spec: Document, name: str = "x", **more: Any) -> list[str]:
    """The fields that are refused."""
    return [path_text(error.path) for error in reading(kind, spec, name, **more).errors]


def refused_in_spec(kind: Kind, spec: Document, name: str = "x", **more: Any) -> list[str]:
    """The same, without ``spec``."""
    return [field.removeprefix("spec.") for field in refused(kind, spec, name, **more)]


def stored_spec(kind: Kind, spec: Document) -> Document:
    """What is stored for the spec of an object ``default``."""
    [resource] = reading(kind, spec, "default").resources
    found: Document = with_defaults(resource.document)["spec"]
    return found
