"""Stored values as users see them; the way back is ``defaults.for_storage``. Quick to load, since reading needs no rules."""

from __future__ import annotations

from typing import Any

import msgspec

from tortie.model.codec import Document, decode_document, from_document

NAME_ANNOTATION = "projectcalico.org/metadata"
"""Holds a policy's own name, since old versions stored policies under other ones."""


class _Metadata(msgspec.Struct):
    """What every command may rely on."""

    name: str
    namespace: str | None = None
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None


class _Stored(msgspec.Struct):
    metadata: _Metadata
    spec: dict[str, Any] | None = None


def from_storage(value: bytes, revision: int) -> Document:
    """The document that users see for a stored *value*: with its revision, without what only the storage needs, in the usual order.

    InvalidResourceError if the value is not a JSON object, or not one with a name, text as labels and annotations, and an object as spec.
    """
    document = decode_document(value)
    from_document(document, _Stored)
    metadata = dict(document["metadata"])
    annotations = dict(metadata.get("annotations") or {})
    own = annotations.pop(NAME_ANNOTATION, None)
    if own is not None:
        metadata["name"] = _own_name(own) or metadata.get("name")
        metadata["annotations"] = annotations
        if not annotations:
            del metadata["annotations"]
    metadata["resourceVersion"] = str(revision)
    head: Document = {name: document[name] for name in ("apiVersion", "kind") if name in document}
    return {
        **head,
        "metadata": metadata,
        **{name: value for name, value in document.items() if name not in (*head, "metadata")},
    }


def _own_name(annotation: str) -> str | None:
    try:
        name = msgspec.json.decode(annotation, type=dict[str, str]).get("name")
    except msgspec.DecodeError:
        return None
    return name or None
