"""A kind's or field's documentation as text for a terminal, and as plain values for JSON."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from tortie.cli.reference.naming import Place
from tortie.cli.reference.tree import NO_DEFAULT, FieldDoc, StructDoc
from tortie.cli.reference.types import Choice, choices, limits, type_text

_LABEL = 13


def render(place: Place, *, recursive: bool, width: int) -> str:
    """Everything about *place*; with *recursive* the names of all fields below it instead of their descriptions."""
    return "\n".join(line.rstrip() for line in _lines(place, recursive=recursive, width=width))


def _lines(place: Place, *, recursive: bool, width: int) -> Iterator[str]:
    yield from _labelled("KIND:", place.kind.name, width)
    yield from _labelled("VERSION:", place.kind.api_version, width)
    if place.field is not None:
        yield from _labelled("FIELD:", ".".join(place.path), width)
        yield ""
        yield from _facts(place.field, width)
    description = place.field.description if place.field else place.struct.description if place.struct else ""
    if description:
        yield ""
        yield "DESCRIPTION:"
        for paragraph in description.split("\n"):
            yield from textwrap.wrap(paragraph, width, initial_indent="  ", subsequent_indent="  ")
    if place.struct is not None:
        yield ""
        yield "FIELDS:"
        yield from _names(place.struct, 1) if recursive else _fields(place.struct, width)


def _facts(field: FieldDoc, width: int) -> Iterator[str]:
    yield from _labelled("TYPE:", type_text(field.type), width)
    yield from _labelled("REQUIRED:", "yes" if field.required else "no", width)
    if field.default is not NO_DEFAULT:
        yield from _labelled("DEFAULT:", default_text(field), width)
    if limits(field.type):
        yield from _labelled("LIMITS:", limits(field.type), width)
    yield from _values(choices(field.type), width)


def _labelled(label: str, text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, initial_indent=f"{label:<{_LABEL}}", subsequent_indent=" " * _LABEL)


def _values(values: Sequence[Choice], width: int) -> Iterator[str]:
    longest = max((len(str(choice.value)) for choice in values), default=0)
    for index, choice in enumerate(values):
        label = f"{'' if index else 'VALUES:':<{_LABEL}}{choice.value!s:<{longest}}  "
        yield from textwrap.wrap(
            choice.description, width, initial_indent=label, subsequent_indent=" " * len(label)
        ) or [label]


def _fields(struct: StructDoc, width: int) -> Iterator[str]:
    for field in struct.fields:
        yield from textwrap.wrap(_headline(field), width, initial_indent="  ", subsequent_indent=" " * 8)
        for paragraph in field.description.split("\n"):
            yield from textwrap.wrap(paragraph, width, initial_indent=" " * 6, subsequent_indent=" " * 6)
    yield from _kept(struct, width)


def _names(struct: StructDoc, depth: int) -> Iterator[str]:
    for field in struct.fields:
        yield "  " * depth + _headline(field)
        if field.struct is not None:
            yield from _names(field.struct, depth + 1)


def _kept(struct: StructDoc, width: int) -> list[str]:
    text = ""
    if struct.kept is None:
        text = "Any other field is kept as it is."
    elif struct.kept:
        text = f"Kept as they are: {', '.join(sorted(struct.kept))}."
    return textwrap.wrap(text, width, initial_indent="  ", subsequent_indent="    ")


def _headline(field: FieldDoc) -> str:
    """``action  <text>  required; Allow, Deny, Log or Pass``."""
    notes = [
        "required" if field.required else "",
        f"default: {default_text(field)}" if field.default is not NO_DEFAULT else "",
        values_text(field),
        limits(field.type),
    ]
    return f"{field.name}  <{type_text(field.type)}>  {'; '.join(note for note in notes if note)}".rstrip()


def values_text(field: FieldDoc) -> str:
    """``Allow, Deny, Log or Pass``; empty where the values are not a closed set."""
    values = [str(choice.value) for choice in choices(field.type)]
    return " or ".join(filter(None, (", ".join(values[:-1]), *values[-1:])))


def default_text(field: FieldDoc) -> str:
    """A field's default as it would stand in a file."""
    return field.default if isinstance(field.default, str) else msgspec.json.encode(field.default).decode()


# --- JSON ------------------------------------------------------------------------------------------------------------------


def as_json(place: Place, *, recursive: bool) -> dict[str, Any]:
    """The same as plain values; fields of fields only with *recursive*."""
    header = {"kind": place.kind.name, "apiVersion": place.kind.api_version, "path": ".".join(place.path)}
    if place.field is not None:
        return header | _field_json(place.field, depth=-1 if recursive else 1)
    assert place.struct is not None  # of a kind
    depth = -1 if recursive else 0
    fields = [_field_json(field, depth=depth) for field in place.struct.fields]
    return header | {"description": place.struct.description, "fields": fields}


def _field_json(field: FieldDoc, *, depth: int) -> dict[str, Any]:
    """One field, with *depth* levels of fields below it; all of them if it is negative."""
    plain: dict[str, Any] = {
        "name": field.name, "type": type_text(field.type), "required": field.required, "description": field.description,
    }  # fmt: skip
    if field.default is not NO_DEFAULT:
        plain["default"] = field.default
    if limits(field.type):
        plain["limits"] = limits(field.type)
    if values := choices(field.type):
        plain["values"] = [{"value": choice.value, "description": choice.description} for choice in values]
    if field.struct is not None and depth:
        plain["fields"] = [_field_json(inner, depth=depth - 1) for inner in field.struct.fields]
    return plain
