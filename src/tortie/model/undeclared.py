"""Fields that a newer version has declared and this one does not know: they outlive a write by this one.

A person's file is read by what is declared here, so it cannot have such a field, and its absence there means nothing. What it
stands in decides instead: it stays where that stays. An item of a list is the same one if it is equal in all that is declared;
who changes an item writes another.
"""

from __future__ import annotations

from typing import Any

import msgspec.inspect as mi

from tortie.model.codec import Document
from tortie.model.meta import Resource
from tortie.model.walk import choices, type_info, undeclared_fields


def with_undeclared(struct: type[Resource], old: Document, new: Document) -> Document:
    """*new*, with the fields of *old* that nobody could have written into it; the arguments are not changed."""
    kept: Document = _value(type_info(struct), old, new)
    return kept


def _value(declared: mi.Type, old: Any, new: Any) -> Any:
    for choice in choices(declared):
        match choice:
            case mi.StructType() if isinstance(old, dict) and isinstance(new, dict):
                return _fields(choice, old, new)
            case mi.VarTupleType() if isinstance(old, list) and isinstance(new, list):
                return _items(choice.item_type, old, new)
    return new


def _fields(declared: mi.StructType, old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    result = dict(new)
    for field in declared.fields:
        name = field.encode_name
        if name in old and name in new:
            result[name] = _value(field.type, old[name], new[name])
        elif name in old and isinstance(field.type, mi.StructType) and (rest := _value(field.type, old[name], {})):
            result[name] = rest  # one that is always there, though not written while it is empty
    return {**result, **_unknown(declared, old)}


def _unknown(declared: mi.StructType, value: dict[str, Any]) -> dict[str, Any]:
    writable = undeclared_fields(declared.cls)
    if writable is None:
        return {}
    known = writable | {field.encode_name for field in declared.fields} | {declared.tag_field}
    return {name: part for name, part in value.items() if name not in known}


def _items(declared: mi.Type, old: list[Any], new: list[Any]) -> list[Any]:
    """Each item of *new* with what the first item of *old* like it has beside it, which no other item then gets."""
    left = [(_declared_part(declared, item), item) for item in old]
    result = []
    for item in new:
        wanted = _declared_part(declared, item)
        index = next((index for index, (part, _) in enumerate(left) if part == wanted), None)
        result.append(item if index is None else _value(declared, left.pop(index)[1], item))
    return result


def _must_be_written(field: mi.Field, value: Any) -> bool:
    return field.required or field.default is None or value not in ("", [], {}, field.default)


def _declared_part(declared: mi.Type, value: Any) -> Any:
    """*value* without undeclared fields, and without those that need not be written, for others may do so."""
    for choice in choices(declared):
        match choice:
            case mi.StructType() if isinstance(value, dict):
                unknown = _unknown(choice, value)
                fields = {field.encode_name: field for field in choice.fields}
                kept = {name: part for name, part in value.items() if name not in unknown and name not in fields}
                parts = {
                    name: _declared_part(field.type, value[name]) for name, field in fields.items() if name in value
                }
                return kept | {name: part for name, part in parts.items() if _must_be_written(fields[name], part)}
            case mi.VarTupleType() if isinstance(value, list):
                return [_declared_part(choice.item_type, item) for item in value]
    return value
