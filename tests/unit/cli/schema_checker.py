"""A small judge of JSON Schema, for the keywords that our schemas use, and random documents of a kind's declared shape."""

from __future__ import annotations

import re
from typing import Any

import msgspec.inspect as mi
from hypothesis import strategies as st

from tortie.cli.reference.tree import StructDoc, describe_kind
from tortie.model.kinds import Kind
from tortie.model.scalars import AS_NUMBER_TEXT, DURATION_TEXT
from tortie.net import MAC, Address, Network, Port, Protocol

Schema = dict[str, Any]

_TYPES: dict[str, Any] = {
    "object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "boolean": bool, "null": type(None),
}  # fmt: skip


def _has_type(value: Any, name: str) -> bool:
    if isinstance(value, bool):
        return name == "boolean"
    return isinstance(value, _TYPES[name]) or (name == "integer" and isinstance(value, float) and value.is_integer())


def _fits_object(value: dict[str, Any], schema: Schema, root: Schema) -> bool:
    properties, others = schema.get("properties", {}), schema.get("additionalProperties", {})
    return set(schema.get("required", ())) <= value.keys() and all(
        others is not False and fits(item, others, root)
        if name not in properties
        else fits(item, properties[name], root)
        for name, item in value.items()
    )


def fits(value: Any, schema: Schema, root: Schema) -> bool:
    """Whether *value* is valid under *schema*, a part of *root*."""
    for keyword, wanted in schema.items():
        match keyword:
            case "type":
                ok = any(_has_type(value, name) for name in ([wanted] if isinstance(wanted, str) else wanted))
            case "enum":
                ok = value in wanted and not isinstance(value, bool)
            case "const":
                ok = value == wanted
            case "pattern":
                ok = not isinstance(value, str) or re.search(wanted, value) is not None
            case "minimum" | "maximum":
                ok = not isinstance(value, (int, float)) or (
                    value >= wanted if keyword == "minimum" else value <= wanted
                )
            case "items":
                ok = not isinstance(value, list) or all(fits(item, wanted, root) for item in value)
            case "$ref":
                ok = fits(value, root if wanted == "#" else root["$defs"][wanted.removeprefix("#/$defs/")], root)
            case "anyOf":
                ok = any(fits(value, choice, root) for choice in wanted)
            case "allOf":
                ok = all(fits(value, part, root) for part in wanted)
            case "if":
                ok = not fits(value, wanted, root) or fits(value, schema["then"], root)
            case "then" | "$schema" | "$defs" | "title" | "description" | "default":
                ok = True
            case "properties" | "required" | "additionalProperties":
                ok = not isinstance(value, dict) or _fits_object(value, schema, root)
            case _:
                raise AssertionError(f"the checker does not know {keyword}")
        if not ok:
            return False
    return True


# --- documents -------------------------------------------------------------------------------------------------------------

_CUSTOM = {
    Network: st.sampled_from(["10.0.0.0/8", "192.168.1.1/32", "fd00::/8", "::ffff:10.0.0.0/104"]),
    Address: st.sampled_from(["10.0.0.1", "fd00::1"]),
    MAC: st.sampled_from(["ee:ee:ee:ee:ee:ee", "00:1A:2b:3c:4d:5e"]),
    Port: st.sampled_from([1, 80, 65535, "8000:8080", "http", "80"]),
    Protocol: st.sampled_from(["TCP", "UDPLite", 6, 255, "17"]),
}
_TEXT = st.sampled_from(["a", "x-1", "all()", "has(a)", "", "10.0.0.1", "no", "Ünï"])


def documents(kind: Kind) -> st.SearchStrategy[dict[str, Any]]:
    """Documents of the shape that *kind* declares; rules across fields may refuse them."""
    shape = _object(describe_kind(kind))
    if kind.namespaced:
        return shape
    return shape.map(
        lambda document: {
            **document,
            "metadata": {name: value for name, value in document["metadata"].items() if name != "namespace"},
        }
    )


def _object(struct: StructDoc) -> st.SearchStrategy[dict[str, Any]]:
    required = {field.name: _value(field.type, field.struct) for field in struct.fields if field.required}
    optional = {
        field.name: st.none() | _value(field.type, field.struct) for field in struct.fields if not field.required
    }
    if len(optional) <= 20:
        return st.fixed_dictionaries(required, optional=optional)
    some = st.sets(st.sampled_from(sorted(optional)), max_size=10)
    return some.flatmap(lambda names: st.fixed_dictionaries(required | {name: optional[name] for name in names}))


def _value(wanted: mi.Type, struct: StructDoc | None) -> st.SearchStrategy[Any]:
    match wanted:
        case mi.StructType():
            assert struct is not None
            return st.deferred(lambda: _object(struct))
        case mi.VarTupleType():
            return st.lists(_value(wanted.item_type, struct), max_size=2)
        case mi.DictType():
            return st.dictionaries(_value(wanted.key_type, None), _value(wanted.value_type, struct), max_size=2)
        case mi.UnionType():
            return st.one_of([_value(choice, struct) for choice in wanted.types])
        case mi.Metadata() if wanted.extra == AS_NUMBER_TEXT:
            return st.sampled_from([0, 64512, 4294967295, "1.10", "64512"])
        case mi.Metadata() if wanted.extra == DURATION_TEXT:
            return st.sampled_from(["90s", "0", "1h30m", "1.5s"])
        case mi.Metadata():
            return _value(wanted.type, struct)
        case mi.CustomType():
            return _CUSTOM[wanted.cls]
        case mi.EnumType():
            return st.sampled_from([member.value for member in wanted.cls])
        case mi.LiteralType():
            return st.sampled_from(list(wanted.values))
        case mi.IntType():
            return st.integers(wanted.ge or 0, 100 if wanted.le is None else wanted.le)
        case mi.FloatType():
            return st.sampled_from([0, 1.5, 1000, -2])
        case mi.BoolType():
            return st.booleans()
        case mi.StrType(pattern=str(pattern)):
            return st.from_regex(pattern, fullmatch=True)
        case _:
            return _TEXT
