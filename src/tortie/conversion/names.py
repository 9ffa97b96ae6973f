"""Names of converted objects: a prefix that tells what they come from, and the source's own name."""

from __future__ import annotations

from tortie.conversion.errors import ConversionError

_MAX = 253


def derived_name(prefix: str, name: str) -> str:
    """*prefix* and *name*; ConversionError if that is too long to be a name, for then it would be stored and ignored."""
    if len(prefix) + len(name) > _MAX:
        raise ConversionError(
            f"metadata.name: {len(name)} characters are too many; with {prefix!r} before it, at most {_MAX - len(prefix)} are allowed"
        )
    return prefix + name
