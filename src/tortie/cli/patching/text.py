"""The text of a patch as a value like those that a stored document has: whatever YAML can say beyond JSON ends here."""

from __future__ import annotations

import json
import math
from datetime import date
from typing import Any

from tortie.cli.patching.problem import PatchError

_DEEPEST = 100
"""As for people's YAML; more than any kind has."""


def parse_patch(text: str) -> Any:
    """What *text*, JSON or YAML, says: mappings with text as names, lists, text, finite numbers, truth values, null. PatchError."""
    try:
        return _plain(_parsed(text), _DEEPEST)
    except RecursionError as error:
        raise PatchError(f"the patch is nested more than {_DEEPEST} deep") from error


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        pass
    import yaml  # noqa: PLC0415 - most patches are JSON

    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError) as error:  # a ValueError for 2020-13-01, which looks like a date and is none
        raise PatchError(f"the patch is neither JSON nor YAML: {error}") from error


def _plain(value: Any, depth: int) -> Any:
    match value:
        case dict() | list() if not depth:
            raise PatchError(f"the patch is nested more than {_DEEPEST} deep")
        case dict():
            return {_name(name): _plain(item, depth - 1) for name, item in value.items()}
        case list():
            return [_plain(item, depth - 1) for item in value]
        case str():
            return _text(value)
        case float() if not math.isfinite(value):
            raise PatchError(f"{value} is no number that can be stored")
        case None | bool() | int() | float():
            return value
        case date():
            return value.isoformat()
    raise PatchError(f"{value!r} is nothing that JSON could say")


def _name(name: Any) -> str:
    """A field's name or a label's, as JSON has it: YAML reads ``1:`` as a number, ``no:`` as a truth value."""
    match name:
        case str():
            return _text(name)
        case bool() | int():
            return json.dumps(name)
    raise PatchError(f"{name!r} is no name of a field")


def _text(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise PatchError(f"{text!r} is no text: it has half a character (a lone surrogate)") from None
    return text
