"""Fields that a newer version has declared and this one does not know: found, left out for the reader of files, kept in every write.

A stored document may hold them anywhere below a declared struct. Losing one can open traffic, where it is a criterion of a
rule. A person's file is read by what is declared here, so it cannot have such a field, and its absence there means nothing: what
it stands in decides instead, and it stays where that stays. Structs that keep any field (``walk.undeclared_fields``) are taken as
they are written: there, a field that is left out is meant to go.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import msgspec.inspect as mi

from tortie.model.codec import Document
from tortie.model.fieldpath import FieldPath
from tortie.model.walk import choices, type_info, undeclared_fields


def undeclared_paths(struct: type[msgspec.Struct], document: Document) -> Iterator[FieldPath]:
    """Where *document* has fields that *struct* does not know."""
    return _paths(type_info(struct), document, ())


def without_undeclared(struct: type[msgspec.Struct], document: Document) -> Document:
    """The part of *document* that this version knows."""
    known: Document = _known(type_info(struct), document)
    return known


def with_undeclared(struct: type[msgspec.Struct], old: Document, new: Document) -> Document:
    """*new*, with the fields of *old* that this version does not know and *new* does not have; the arguments are not changed.

    The items of a list are the same if what is known of them is equal; the others, in lists of equal length, if they have the
    same place.
    """
    kept: Document = _kept(type_info(struct), old, new)
    return kept


# --- found and left out ----------------------------------------------------------------------------------------------------


def _unknown(declared: mi.StructType, value: dict[str, Any]) -> set[str]:
    """The names in *value* that *declared* does not know."""
    others = undeclared_fields(declared.cls)
    if others is None:
        return set()
    return value.keys() - others - {field.encode_name for field in declared.fields} - {declared.tag_field}


def _types(declared: mi.StructType) -> dict[str, mi.Type]:
    return {field.encode_name: field.type for field in declared.fields}


def _paths(declared: mi.Type, value: Any, path: FieldPath) -> Iterator[FieldPath]:
    for choice in choices(declared):
        match choice, value:
            case mi.StructType(), dict():
                types, unknown = _types(choice), _unknown(choice, value)
                yield from ((*path, name) for name in value if name in unknown)
                for name in (name for name in value if name in types):
                    yield from _paths(types[name], value[name], (*path, name))
            case mi.DictType(), dict():
                for name, item in value.items():
                    yield from _paths(choice.value_type, item, (*path, name))
            case mi.VarTupleType(), list():
                for index, item in enumerate(value):
                    yield from _paths(choice.item_type, item, (*path, index))


def _known(declared: mi.Type, value: Any, *, also_defaults: bool = True) -> Any:
    """What is known of *value*; or, for comparing, only what must be written of it, for others may write the rest or not."""
    for choice in choices(declared):
        match choice, value:
            case mi.StructType(), dict():
                return _known_fields(choice, value, also_defaults=also_defaults)
            case mi.DictType(), dict():
                return {
                    name: _known(choice.value_type, item, also_defaults=also_defaults) for name, item in value.items()
                }
            case mi.VarTupleType(), list():
                return [_known(choice.item_type, item, also_defaults=also_defaults) for item in value]
    return value


def _known_fields(declared: mi.StructType, value: dict[str, Any], *, also_defaults: bool) -> dict[str, Any]:
    fields = {field.encode_name: field for field in declared.fields}
    unknown = _unknown(declared, value)
    found: dict[str, Any] = {}
    for name, part in value.items():
        if name in unknown:
            continue
        known = _known(fields[name].type, part, also_defaults=also_defaults) if name in fields else part
        if also_defaults or name not in fields or _must_be_written(fields[name], known):
            found[name] = known
    return found


def _must_be_written(field: mi.Field, value: Any) -> bool:
    return field.required or field.default is None or value not in ("", [], {}, field.default)


# --- kept ------------------------------------------------------------------------------------------------------------------


def _kept(declared: mi.Type, old: Any, new: Any) -> Any:
    for choice in choices(declared):
        match choice, old, new:
            case mi.StructType(), dict(), dict():
                return _kept_fields(choice, old, new)
            case mi.DictType(), dict(), dict():
                return {name: _kept(choice.value_type, old.get(name), item) for name, item in new.items()}
            case mi.VarTupleType(), list(), list():
                return _kept_items(choice.item_type, old, new)
    return new


def _kept_fields(declared: mi.StructType, old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    result = dict(new)
    for name, field_type in _types(declared).items():
        if name in old and name in new:
            result[name] = _kept(field_type, old[name], new[name])
        elif name in old and isinstance(field_type, mi.StructType) and (rest := _kept(field_type, old[name], {})):
            result[name] = rest  # one that is always there, though not written while it is empty
    unknown = _unknown(declared, old)
    return result | {name: part for name, part in old.items() if name in unknown and name not in new}


def _kept_items(declared: mi.Type, old: list[Any], new: list[Any]) -> list[Any]:
    """Each item of *new* with what the first item of *old* like it has beside it, which no other item then gets."""
    if not any(True for item in old for _ in _paths(declared, item, ())):
        return new
    left = {place: _known(declared, item, also_defaults=False) for place, item in enumerate(old)}
    same: dict[int, int] = {}
    for index, item in enumerate(new):
        wanted = _known(declared, item, also_defaults=False)
        place = next((place for place, known in left.items() if known == wanted), None)
        if place is not None:
            same[index] = place
            del left[place]
    if len(old) == len(new):
        same |= {place: place for place in left if place not in same}
    return [_kept(declared, old[same[index]], item) if index in same else item for index, item in enumerate(new)]
