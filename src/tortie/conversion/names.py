"""Names of converted objects, a prefix that tells what they come from and the source's own name; and their other metadata."""

from __future__ import annotations

from tortie.conversion.errors import ConversionError
from tortie.conversion.uid import derived_uid
from tortie.model.meta import ObjectMeta

_MAX = 253


def derived_name(prefix: str, name: str) -> str:
    """*prefix* and *name*; ConversionError if that is too long to be a name, for then it would be stored and ignored."""
    if len(prefix) + len(name) > _MAX:
        raise ConversionError(
            f"metadata.name: {len(name)} characters are too many; with {prefix!r} before it, at most {_MAX - len(prefix)} are allowed"
        )
    return prefix + name


def derived_metadata(prefix: str, source: ObjectMeta, *, namespace: str = "") -> ObjectMeta:
    """What a converted object has of *source*: its name after *prefix*, its age, a uid that follows from its own."""
    return ObjectMeta(
        name=derived_name(prefix, source.name),
        namespace=namespace,
        uid=derived_uid(source.uid),
        creation_timestamp=source.creation_timestamp,
    )
