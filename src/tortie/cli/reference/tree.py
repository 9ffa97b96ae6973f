"""A declaration as a tree of values: for each field its name outside, type, default and description.

Joins ``msgspec.inspect`` with the docstrings of the source. Names are those of people's files (``preDNAT``), also inside
descriptions, where the declaration says ``pre_dnat``.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import msgspec
import msgspec.inspect as mi

from tortie.cli.reference.docstrings import attribute_docs, class_doc
from tortie.model.kinds import Kind
from tortie.model.walk import type_info, undeclared_fields

NO_DEFAULT = msgspec.NODEFAULT


class FieldDoc(NamedTuple):
    """One field of a struct."""

    name: str
    """As in files: ``ipVersion``."""
    type: mi.Type
    """Without ``| None``."""
    required: bool
    """Whether a file must give it. A struct all of whose fields may be left out may be left out itself."""
    default: object
    """What an absent field means, as plain JSON; NO_DEFAULT where that is nothing, empty, or no value of its own."""
    description: str
    struct: StructDoc | None
    """What it holds, or what the items of its list or mapping are."""


class StructDoc(NamedTuple):
    """One struct of a declaration. No declared struct holds itself, so the tree ends."""

    cls: type
    description: str
    fields: tuple[FieldDoc, ...]
    kept: frozenset[str] | None
    """Fields that are not declared and kept as they are; None: any."""

    def field(self, name: str) -> FieldDoc | None:
        """The field called *name*, in any case."""
        return next((field for field in self.fields if field.name.lower() == name.lower()), None)


@functools.cache
def describe_kind(kind: Kind) -> StructDoc:
    """The declaration of *kind*; its first fields are ``apiVersion`` and ``kind``, which hold one value each."""
    struct = _describe(kind.struct)
    header = (
        FieldDoc("apiVersion", mi.LiteralType((kind.api_version,)), True, NO_DEFAULT, "The version of this API.", None),
        FieldDoc("kind", mi.LiteralType((kind.name,)), True, NO_DEFAULT, "What kind of resource this is.", None),
    )
    rest = tuple(field for field in struct.fields if field.name != "apiVersion")
    spec = struct.field("spec")
    description = struct.description or (spec.struct.description if spec and spec.struct else "")
    return struct._replace(description=description, fields=(*header, *rest))


def structs(root: StructDoc) -> Iterator[StructDoc]:
    """*root* and every struct below it, each once, those of earlier fields first."""
    seen: set[type] = set()

    def below(struct: StructDoc) -> Iterator[StructDoc]:
        if struct.cls not in seen:
            seen.add(struct.cls)
            yield struct
            for field in struct.fields:
                if field.struct is not None:
                    yield from below(field.struct)

    return below(root)


# --- from the declaration --------------------------------------------------------------------------------------------------


@functools.cache
def _describe(cls: type) -> StructDoc:
    wanted = type_info(cls)
    assert isinstance(wanted, mi.StructType)
    outside = {field.name: field.encode_name for field in wanted.fields}
    docs = {name: _for_people(text, outside) for name, text in attribute_docs(cls).items()}
    fields = tuple(_field(field, docs.get(field.name, "")) for field in wanted.fields)
    kept = undeclared_fields(cls)
    if kept is not None:
        kept -= set(outside.values())
    return StructDoc(cls, _for_people(class_doc(cls), outside), fields, kept)


def _field(field: mi.Field, description: str) -> FieldDoc:
    wanted = without_none(field.type)
    inner = innermost(wanted)
    struct = _describe(inner.cls) if isinstance(inner, mi.StructType) else None
    if not description and isinstance(inner, mi.StructType | mi.EnumType):
        description = _for_people(class_doc(inner.cls), {})
    return FieldDoc(field.encode_name, wanted, _must_be_written(field), _default(field), description, struct)


def _must_be_written(field: mi.Field) -> bool:
    if isinstance(field.type, mi.StructType):
        return field.required and any(_must_be_written(inner) for inner in field.type.fields)
    return field.required


def _default(field: mi.Field) -> object:
    value = field.default
    if value is NO_DEFAULT or value in (None, "", ()) or isinstance(value, msgspec.Struct):
        return NO_DEFAULT
    return msgspec.json.decode(msgspec.json.encode(value, enc_hook=str))


def without_none(wanted: mi.Type) -> mi.Type:
    """*wanted* without None among its choices."""
    if not isinstance(wanted, mi.UnionType):
        return wanted
    choices = tuple(choice for choice in wanted.types if not isinstance(choice, mi.NoneType))
    return choices[0] if len(choices) == 1 else mi.UnionType(choices)


def innermost(wanted: mi.Type) -> mi.Type:
    """The type of a list's items or a mapping's values, however nested; *wanted* itself if it is neither."""
    match wanted:
        case mi.VarTupleType(item_type=inner) | mi.DictType(value_type=inner) | mi.Metadata(type=inner):
            return innermost(without_none(inner))
        case _:
            return wanted


def _for_people(text: str, outside: Mapping[str, str]) -> str:
    """A docstring with one line for each paragraph, plain code quotes, and the fields' names of *outside*."""
    text = re.sub(r"``(.+?)``", lambda found: f"`{outside.get(found[1], found[1])}`", text)
    return "\n".join(" ".join(paragraph.split()) for paragraph in re.split(r"\n\s*\n", text))
