"""Fields that this version does not know, in what a newer one wrote: found, left out for the reader of files, kept in every write.

A stored document may hold them anywhere below a declared struct. Losing one can open traffic, where it is a criterion of a
rule. Structs that keep any field (``walk.undeclared_fields``) are taken as they are written: a field that is left out is meant
to go.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import msgspec.inspect as mi

from tortie.model.codec import Document
from tortie.model.fieldpath import FieldPath
from tortie.model.walk import type_info, undeclared_fields


def undeclared_paths(struct: type[msgspec.Struct], document: Document) -> Iterator[FieldPath]:
    """Where *document* has fields that *struct* does not know."""
    return _paths(type_info(struct), document, ())


def without_undeclared(struct: type[msgspec.Struct], document: Document) -> Document:
    """The part of *document* that this version knows."""
    known: Document = _known(type_info(struct), document)
    return known


def with_undeclared(struct: type[msgspec.Struct], old: Document, new: Document) -> Document:
    """*new*, with the fields of *old* that this version does not know and *new* does not have.

    The items of a list are the same if what is known of them is equal; the others, in lists of equal length, if they have the
    same place.
    """
    kept: Document = _kept(type_info(struct), old, new)
    return kept


def _fields(wanted: mi.StructType) -> dict[str, mi.Type]:
    return {field.encode_name: field.type for field in wanted.fields}


def _is_known(wanted: mi.StructType, name: str) -> bool:
    others = undeclared_fields(wanted.cls)
    return name in _fields(wanted) or others is None or name in others or (wanted.tag is not None and name == "kind")


def _struct_of(wanted: mi.Type) -> mi.Type:
    """What an optional value is where it is there."""
    if isinstance(wanted, mi.UnionType):
        return next((choice for choice in wanted.types if isinstance(choice, mi.StructType)), wanted)
    return wanted


def _paths(wanted: mi.Type, value: Any, path: FieldPath) -> Iterator[FieldPath]:
    match _struct_of(wanted), value:
        case mi.StructType() as struct, dict():
            fields = _fields(struct)
            for name, item in value.items():
                if not _is_known(struct, name):
                    yield (*path, name)
                elif name in fields:
                    yield from _paths(fields[name], item, (*path, name))
        case mi.DictType(value_type=item_type), dict():
            for name, item in value.items():
                yield from _paths(item_type, item, (*path, name))
        case mi.VarTupleType(item_type=item_type), list():
            for index, item in enumerate(value):
                yield from _paths(item_type, item, (*path, index))


def _known(wanted: mi.Type, value: Any) -> Any:
    match _struct_of(wanted), value:
        case mi.StructType() as struct, dict():
            fields = _fields(struct)
            return {
                name: _known(fields[name], item) if name in fields else item
                for name, item in value.items()
                if _is_known(struct, name)
            }
        case mi.DictType(value_type=item_type), dict():
            return {name: _known(item_type, item) for name, item in value.items()}
        case mi.VarTupleType(item_type=item_type), list():
            return [_known(item_type, item) for item in value]
        case _:
            return value


def _kept(wanted: mi.Type, old: Any, new: Any) -> Any:
    match _struct_of(wanted), old, new:
        case mi.StructType() as struct, dict(), dict():
            fields = _fields(struct)
            kept = {
                name: _kept(fields[name], old.get(name), item) if name in fields else item for name, item in new.items()
            }
            for name, item in old.items():
                if name not in new and not _is_known(struct, name):
                    kept[name] = item
                elif (
                    name not in new
                    and isinstance(fields.get(name), mi.StructType)
                    and (rest := _kept(fields[name], item, {}))
                ):
                    kept[name] = rest  # a struct that is always there, though it is not written while it is empty
            return kept
        case mi.DictType(value_type=item_type), dict(), dict():
            return {name: _kept(item_type, old.get(name), item) for name, item in new.items()}
        case mi.VarTupleType(item_type=item_type), list(), list():
            return _kept_items(item_type, old, new)
        case _:
            return new


def _kept_items(item_type: mi.Type, old: list[Any], new: list[Any]) -> list[Any]:
    if not any(True for _ in _paths_of_items(item_type, old)):
        return new
    left = dict(enumerate(old))
    same: dict[int, int] = {}
    for index, item in enumerate(new):
        found = next((place for place, other in left.items() if _known(item_type, other) == item), None)
        if found is not None:
            same[index] = found
            del left[found]
    if len(old) == len(new):
        same |= {index: index for index in left if index not in same}
    return [_kept(item_type, old[same[index]], item) if index in same else item for index, item in enumerate(new)]


def _paths_of_items(item_type: mi.Type, items: list[Any]) -> Iterator[FieldPath]:
    return (path for item in items for path in _paths(item_type, item, ()))
