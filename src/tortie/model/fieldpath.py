"""Where in a resource something stands: ``spec.ingress[0].source.nets[1]``."""

from __future__ import annotations

import re
from typing import TypeAlias

FieldPath: TypeAlias = tuple[str | int, ...]
"""Field names and map keys, spelled as stored, and list indices from 0."""

_SIMPLE = re.compile(r"[A-Za-z0-9_-]+")


def path_text(path: FieldPath) -> str:
    """*path* for people; a key that is not a plain word stands in brackets: ``metadata.labels[example.com/role]``."""
    text = ""
    for part in path:
        if isinstance(part, str) and _SIMPLE.fullmatch(part):
            text += f".{part}" if text else part
        else:
            text += f"[{part}]"
    return text
