"""Hypothesis strategies for valid documents of every kind, derived from the declarations and the checks of ``tortie.model``.

    @given(documents(kinds.NETWORK_POLICY))
    def test(document: Document) -> None: ...

No kind and no field has code of its own here: a strategy draws the types that a declaration asks for, fields at random among
those that may be absent, and ``tortie.testing.repair`` makes valid what was drawn. So a new field is drawn from the day it is
declared. Documents are of the form that is stored; all that a person may write beside it is not among them.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec.inspect as mi
from hypothesis import reject
from hypothesis import strategies as st

from tortie.model.codec import Document, from_document
from tortie.model.fieldpath import FieldPath
from tortie.model.kinds import Kind
from tortie.model.meta import Resource
from tortie.model.walk import choices, type_info, undeclared_fields
from tortie.testing.repair import repaired
from tortie.testing.words import Strategy, labels, scalars

MOST_ITEMS = 3
"""Of a list or mapping: two may differ, and a third may be like one of them."""

_EMPTY: tuple[Any, ...] = ("", [], {})


@st.composite
def documents(draw: st.DrawFn, kind: Kind, having: FieldPath | None = None) -> Document:
    """Documents of *kind* that the reader of people's files accepts; those of a namespaced kind have a namespace.

    Each has one field at least, however deep in the declaration: the one at *having* if it can be there, else any.
    """
    fields = draw(_fields_of(kind))
    planted = having or draw(st.sampled_from([path for path, _ in declared_paths(kind)]))
    _plant(draw, _declaration(kind), fields, planted)
    document = repaired(kind, _with_header(kind, fields), planted)
    if document is None:
        reject()
    if kind.namespaced:
        document["metadata"]["namespace"] = document["metadata"].get("namespace") or "default"
    _leave_out_empty(_declaration(kind), document)
    return document


def resources(kind: Kind) -> st.SearchStrategy[Resource]:
    """The typed form of ``documents``."""
    return documents(kind).map(lambda document: from_document(document, kind.struct))


@functools.cache
def _fields_of(kind: Kind) -> Strategy:
    return _struct(_declaration(kind))


def _declaration(kind: Kind) -> mi.StructType:
    declared = type_info(kind.struct)
    assert isinstance(declared, mi.StructType)
    return declared


def _with_header(kind: Kind, fields: dict[str, Any]) -> Document:
    metadata = {name: value for name, value in fields["metadata"].items() if kind.namespaced or name != "namespace"}
    return {"kind": kind.name, **fields, "apiVersion": kind.api_version, "metadata": metadata}


# --- one strategy per shape of declaration, as in tortie.model.walk ----------------------------------------------------------


def _struct(declared: mi.StructType) -> Strategy:
    required = {field.encode_name: _value(field.type) for field in declared.fields if field.required}
    optional = {field.encode_name: _value(field.type) for field in declared.fields if not field.required}
    return st.fixed_dictionaries(required, optional=optional)


def _value(declared: mi.Type) -> Strategy:
    return st.one_of([_choice(choice) for choice in choices(declared)])


def _choice(declared: mi.Type) -> Strategy:
    match declared:
        case mi.StructType():
            return _struct(declared)
        case mi.VarTupleType():
            return st.lists(_value(declared.item_type), max_size=MOST_ITEMS)
        case mi.DictType():
            return st.dictionaries(labels(), _value(declared.value_type), max_size=MOST_ITEMS)
        case _:
            return scalars(declared)


def _plant(draw: st.DrawFn, declared: mi.Type, value: Any, path: FieldPath) -> None:
    """Draw the field at *path* where *value* lacks it: deep in a declaration, chance alone would rarely come by."""
    for choice in choices(declared):
        match choice:
            case mi.StructType() if path:
                field = next(field for field in choice.fields if field.encode_name == path[0])
                if field.encode_name not in value:
                    value[field.encode_name] = draw(_value(field.type))
                _plant(draw, field.type, value[field.encode_name], path[1:])
            case mi.VarTupleType() if path:
                if not value:
                    value.append(draw(_value(choice.item_type)))
                _plant(draw, choice.item_type, value[0], path[1:])


def _leave_out_empty(declared: mi.Type, value: Any) -> None:
    """Drop what no store holds: an empty text, list or mapping where that means the same as nothing (Go's ``omitempty``)."""
    for choice in choices(declared):
        match choice:
            case mi.StructType():
                for field in choice.fields:
                    name = field.encode_name
                    if name in value:
                        _leave_out_empty(field.type, value[name])
                        if value[name] in _EMPTY and not field.required and field.default is not None:
                            del value[name]
            case mi.VarTupleType():
                for item in value:
                    _leave_out_empty(choice.item_type, item)


# --- which fields there are --------------------------------------------------------------------------------------------------


class Field(NamedTuple):
    """One field of one declaration, wherever in a kind that stands."""

    struct: type
    name: str


def declared_fields(kind: Kind) -> frozenset[Field]:
    """Every field that documents of *kind* may have."""
    return frozenset(
        field for path, field in declared_paths(kind) if kind.namespaced or path != ("metadata", "namespace")
    )


def used_fields(kind: Kind, document: Document) -> frozenset[Field]:
    """Those of ``declared_fields`` that *document* has, and not empty."""
    return frozenset(_used(_declaration(kind), document))


@functools.cache
def declared_paths(kind: Kind) -> tuple[tuple[FieldPath, Field], ...]:
    """Every place of every field that documents of *kind* may have; of a list, the first item."""
    return tuple(_below(_declaration(kind), ()))


def _below(declared: mi.Type, path: FieldPath) -> Iterator[tuple[FieldPath, Field]]:
    for choice in choices(declared):
        match choice:
            case mi.StructType():
                for field in choice.fields:
                    inner = (*path, field.encode_name)
                    yield inner, Field(choice.cls, field.encode_name)
                    yield from _below(field.type, inner)
            case mi.VarTupleType():
                yield from _below(choice.item_type, (*path, 0))


def _used(declared: mi.Type, value: Any) -> Iterator[Field]:
    for choice in choices(declared):
        match choice:
            case mi.StructType():
                for field in choice.fields:
                    if value.get(field.encode_name, "") not in _EMPTY:
                        yield Field(choice.cls, field.encode_name)
                        yield from _used(field.type, value[field.encode_name])
            case mi.VarTupleType():
                for item in value:
                    yield from _used(choice.item_type, item)


# --- what a newer version writes -----------------------------------------------------------------------------------------------

LATER = "laterField"
"""A field of a version to come."""


@st.composite
def from_later_version(draw: st.DrawFn, kind: Kind, document: Document) -> Document:
    """*document* as a newer version may have stored it: with undeclared fields wherever people cannot write any."""
    later = copy.deepcopy(document)
    for value in _closed_structs(_declaration(kind), later):
        if draw(st.booleans()):
            value[LATER] = draw(st.sampled_from(["", 1, {"a": ["b"]}]))
    return later


def _closed_structs(declared: mi.Type, value: Any) -> Iterator[dict[str, Any]]:
    for choice in choices(declared):
        match choice:
            case mi.StructType():
                if undeclared_fields(choice.cls) is not None:
                    yield value
                for field in choice.fields:
                    if field.encode_name in value:
                        yield from _closed_structs(field.type, value[field.encode_name])
            case mi.VarTupleType():
                for item in value:
                    yield from _closed_structs(choice.item_type, item)
