"""A field's type in words, the values it may have, and its limits."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

import msgspec.inspect as mi

from tortie.cli.reference.docstrings import attribute_docs
from tortie.cli.reference.tree import innermost
from tortie.net import MAC, Port, Protocol

_WORDS: Mapping[type, str] = {
    mi.StrType: "text", mi.IntType: "whole number", mi.FloatType: "number", mi.BoolType: "true or false",
    mi.AnyType: "anything",
}  # fmt: skip
_CUSTOM: Mapping[type, str] = {
    MAC: "MAC address", Port: "port, range of ports or port name", Protocol: "protocol name or number",
}  # fmt: skip
"""Where the type's name is not word enough."""


class Choice(NamedTuple):
    """One of the values that a field may have."""

    value: str | int
    description: str


def type_text(wanted: mi.Type) -> str:
    """The type in words, as the reader of files says them: ``list of network``, ``mapping of text to text``."""
    match wanted:
        case mi.Metadata(extra={"choices": _}):
            return type_text(wanted.type)
        case mi.Metadata():
            return re.sub("^an? ", "", _written(wanted)[0]) or type_text(wanted.type)
        case mi.VarTupleType():
            return f"list of {type_text(wanted.item_type)}"
        case mi.DictType():
            return f"mapping of {type_text(wanted.key_type)} to {type_text(wanted.value_type)}"
        case mi.UnionType():
            return " or ".join(type_text(choice) for choice in wanted.types)
        case mi.StructType():
            return wanted.cls.__name__
        case mi.CustomType():
            return _CUSTOM.get(wanted.cls, wanted.cls.__name__.lower())
        case mi.LiteralType():
            return _WORDS[mi.StrType if isinstance(wanted.values[0], str) else mi.IntType]
        case mi.EnumType():
            return _WORDS[mi.StrType]
        case _:
            return _WORDS[type(wanted)]


def choices(wanted: mi.Type) -> tuple[Choice, ...]:
    """The values that a field, or each item of a list, may have; empty where they are not a closed set."""
    match wanted:
        case mi.VarTupleType(item_type=item):
            return choices(item)
        case mi.Metadata(extra={"choices": values}):
            return tuple(Choice(value, "") for value in values)
    match innermost(wanted):
        case mi.EnumType(cls=cls):
            docs = attribute_docs(cls)
            return tuple(Choice(member.value, " ".join(docs.get(member.name, "").split())) for member in cls)
        case mi.LiteralType(values=values):
            return tuple(Choice(value, "") for value in values if isinstance(value, (str, int)))
        case _:
            return ()


def limits(wanted: mi.Type) -> str:
    """The bounds of a number, or of a text's length and look, as ``1 to 65535``; empty where ``type_text`` says them."""
    if isinstance(wanted, mi.VarTupleType):
        return limits(wanted.item_type)
    if any(_written(wanted)):
        return _written(wanted)[1]
    match innermost(wanted):
        case mi.IntType() | mi.FloatType() as number:
            low = number.ge if number.ge is not None else number.gt
            high = number.le if number.le is not None else number.lt
            return _between(low, high)
        case mi.StrType() as text if text.pattern:
            return f"as the pattern {text.pattern}"
        case mi.StrType() as text if length := _between(text.min_length, text.max_length):
            return f"{length} characters"
        case _:
            return ""


def _written(wanted: mi.Type) -> tuple[str, str]:
    """What a declaration says may be written there, beyond its type: what it is, and after a colon what it may be."""
    if not isinstance(wanted, mi.Metadata):
        return "", ""
    extra = wanted.extra or {}
    what, _, values = str(extra.get("written", "")).partition(": ")
    return what, "any case" if "choices" in extra else values


def _between(low: float | None, high: float | None) -> str:
    if low is None and high is None:
        return ""
    if low is None:
        return f"at most {high}"
    return f"at least {low}" if high is None else f"{low} to {high}"
