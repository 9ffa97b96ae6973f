"""JSON Schema (draft 2020-12) of the declarations, for editors and CI.

A schema tells what can be told without looking at other fields: names, types, closed choices, the look of scalars. What
the rules across fields refuse, only ``tortie.model.document`` knows. Where that reader is generous, the schema is not: it
knows fields by their exact spelling, and wants text where text is declared, since an unquoted ``no`` is no text. An optional
field may be null, which counts as not written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec.inspect as mi

from tortie.cli.reference.tree import NO_DEFAULT, FieldDoc, StructDoc, describe_kind, structs
from tortie.model import scalars
from tortie.model.kinds import KINDS, Kind
from tortie.net import MAC, Address, Network, Port, Protocol

Schema: TypeAlias = dict[str, Any]

DRAFT = "https://json-schema.org/draft/2020-12/schema"

_CUSTOM: Mapping[type, Schema] = {
    Address: {"type": "string", "pattern": r"^[0-9a-fA-F.:]+$"},
    Network: {"type": "string", "pattern": r"^[0-9a-fA-F.:]+/[0-9]+$"},
    MAC: {"type": "string", "pattern": r"^[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}$"},
    Port: {
        "anyOf": [
            {"type": "integer", "minimum": 1, "maximum": 65535},
            {"type": "string", "pattern": r"^[a-zA-Z0-9_.-]{1,128}$|^[0-9]+:[0-9]+$"},
        ]
    },
    Protocol: {
        "anyOf": [
            {"enum": ["TCP", "UDP", "ICMP", "ICMPv6", "SCTP", "UDPLite"]},
            {"type": "integer", "minimum": 1, "maximum": 255},
            {"type": "string", "pattern": r"^[0-9]+$"},
        ]
    },
}


def kind_schema(kind: Kind) -> Schema:
    """The schema of a document that is one resource of *kind*."""
    root = describe_kind(kind)
    names = _names([root])
    definitions = {names[struct.cls]: _struct(struct, names) for struct in structs(root) if struct is not root}
    return {"$schema": DRAFT, "title": kind.name, **_resource(kind, root, names), "$defs": definitions}


def any_kind_schema(kinds: Iterable[Kind] = KINDS) -> Schema:
    """The schema of a document that is one resource of any of *kinds*, or a List of such."""
    roots = {kind: describe_kind(kind) for kind in kinds}
    names = _names(roots.values())
    definitions = {
        names[struct.cls]: _struct(struct, names)
        for root in roots.values()
        for struct in structs(root)
        if struct is not root
    }
    definitions |= {names[root.cls]: _resource(kind, root, names) for kind, root in roots.items()}
    known = [{"properties": _header(kind), "required": ["apiVersion", "kind"]} for kind in roots]
    a_list = {"properties": {"kind": {"type": "string", "pattern": "[Ll]ist$"}}, "required": ["kind", "items"]}
    items = {"properties": {"items": {"type": "array", "items": {"$ref": "#"}}}}
    return {
        "$schema": DRAFT,
        "title": "A resource of Tortie",
        "type": "object",
        "anyOf": [*known, a_list],
        "allOf": [
            *(
                {"if": header, "then": _reference(names[root.cls])}
                for header, root in zip(known, roots.values(), strict=True)
            ),
            {"if": a_list, "then": items},
        ],
        "$defs": definitions,
    }


# --- structs ---------------------------------------------------------------------------------------------------------------


def _names(roots: Iterable[StructDoc]) -> Mapping[type, str]:
    """A definition's name for each struct: its own, with its module's where two share it."""
    every = dict.fromkeys(struct.cls for root in roots for struct in structs(root))
    count = Counter(cls.__name__ for cls in every)
    return {
        cls: cls.__name__ if count[cls.__name__] == 1 else f"{cls.__module__.rpartition('.')[2]}.{cls.__name__}"
        for cls in every
    }


def _header(kind: Kind) -> Schema:
    return {"apiVersion": {"const": kind.api_version}, "kind": {"const": kind.name}}


def _resource(kind: Kind, root: StructDoc, names: Mapping[type, str]) -> Schema:
    schema = _struct(root, names)
    schema["properties"] |= _header(kind)
    if not kind.namespaced:
        schema["properties"]["metadata"]["properties"] = {"namespace": {"enum": ["", None]}}
    return schema


def _struct(struct: StructDoc, names: Mapping[type, str]) -> Schema:
    schema: Schema = {"type": "object"}
    if struct.description:
        schema["description"] = struct.description
    schema["properties"] = {field.name: _field(field, names) for field in struct.fields}
    if struct.kept is not None:
        schema["properties"] |= {name: {} for name in sorted(struct.kept)}
        schema["additionalProperties"] = False
    if required := [field.name for field in struct.fields if field.required]:
        schema["required"] = required
    return schema


def _field(field: FieldDoc, names: Mapping[type, str]) -> Schema:
    schema = _type(field.type, names)
    if not field.required:
        schema = _or_null(schema)
    if field.description:
        schema["description"] = field.description
    if field.default is not NO_DEFAULT:
        schema["default"] = field.default
    return schema


def _or_null(schema: Schema) -> Schema:
    match schema:
        case {"type": str() as one}:
            return {**schema, "type": [one, "null"]}
        case {"type": [*several]}:
            return {**schema, "type": [*several, "null"]}
        case {"enum": [*values]}:
            return {**schema, "enum": [*values, None]}
        case {"anyOf": [*several]}:
            return {**schema, "anyOf": [*several, {"type": "null"}]}
        case {}:
            return {"anyOf": [schema, {"type": "null"}]} if schema else schema


# --- types -----------------------------------------------------------------------------------------------------------------


def _reference(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def _type(wanted: mi.Type, names: Mapping[type, str]) -> Schema:
    def inner(one: mi.Type) -> Schema:
        return _type(one, names)

    match wanted:
        case mi.StructType():
            return _reference(names[wanted.cls])
        case mi.VarTupleType():
            return {"type": "array", "items": inner(wanted.item_type)}
        case mi.DictType():
            return {"type": "object", "additionalProperties": inner(wanted.value_type)}
        case mi.UnionType():
            return _union([inner(choice) for choice in wanted.types])
        case mi.Metadata():
            return _annotated(wanted, inner)
        case mi.CustomType():
            return dict(_CUSTOM.get(wanted.cls, {"type": "string"}))
        case mi.EnumType():
            return {"enum": [member.value for member in wanted.cls]}
        case mi.LiteralType():
            return {"enum": list(wanted.values)}
        case _:
            return _scalar(wanted)


def _union(choices: Sequence[Schema]) -> Schema:
    if all(choice.keys() == {"type"} for choice in choices):
        return {"type": [choice["type"] for choice in choices]}
    return {"anyOf": list(choices)}


def _annotated(wanted: mi.Metadata, inner: Callable[[mi.Type], Schema]) -> Schema:
    """A type with notes; for a few of them text may be written in more than one way."""
    schema = inner(wanted.type) | (wanted.extra_json_schema or {})
    match wanted.extra:
        case scalars.AS_NUMBER_TEXT:
            return {"anyOf": [schema, {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?$"}]}
        case {"choices": choices}:  # in any case, but an editor proposes them as declared
            return {"anyOf": [{"enum": list(choices)}, schema]}
        case scalars.DURATION_TEXT:
            return schema | {"pattern": r"^(0|([0-9]+(\.[0-9]+)?(ms|s|m|h))+)$"}
        case _:
            return schema


_SCALARS: Mapping[type, str] = {
    mi.StrType: "string", mi.IntType: "integer", mi.FloatType: "number", mi.BoolType: "boolean", mi.NoneType: "null",
}  # fmt: skip
_LIMITS: Mapping[str, str] = {
    "ge": "minimum", "le": "maximum", "gt": "exclusiveMinimum", "lt": "exclusiveMaximum",
    "min_length": "minLength", "max_length": "maxLength", "pattern": "pattern",
}  # fmt: skip


def _scalar(wanted: mi.Type) -> Schema:
    if isinstance(wanted, mi.AnyType):
        return {}
    limits = {word: getattr(wanted, ours, None) for ours, word in _LIMITS.items()}
    return {"type": _SCALARS[type(wanted)]} | {word: limit for word, limit in limits.items() if limit is not None}
