"""The walk of a declared kind beside a document's tree: nodes in, plain JSON values out, and everything found on the way.

One method per shape of declaration: struct, mapping, list, union; scalars are ``fieldvalues``. Plain values are as Calico
stores them: fields in the declaration's order and spelling, and for its kinds without what equals Go's zero value.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec
import msgspec.inspect as mi

from tortie.model import kubernetes, kubernetes_cluster_policy, kubernetes_endpointslice, meta, policy, staged
from tortie.model.fieldpath import FieldPath
from tortie.model.fieldvalues import convert, expected, suggestion
from tortie.model.meta import Resource, Value
from tortie.model.scalars import DURATION_TEXT
from tortie.model.yamlscalars import ScalarValue, as_integer, as_number, as_text, resolve
from tortie.model.yamltree import MappingNode, Node, Position, ScalarNode, SequenceNode

# --- fields that are not declared ------------------------------------------------------------------------------------------

_KEPT: Mapping[type, frozenset[str]] = {
    meta.ObjectMeta: frozenset({"deletionGracePeriodSeconds", "deletionTimestamp", "generation", "managedFields", "selfLink"}),
    meta.OwnerReference: frozenset({"controller", "blockOwnerDeletion"}),
    policy.Tier: frozenset({"status"}),
    policy.NetworkPolicy: frozenset({"status"}),
    policy.GlobalNetworkPolicy: frozenset({"status"}),
    staged.StagedNetworkPolicy: frozenset({"status"}),
    staged.StagedGlobalNetworkPolicy: frozenset({"status"}),
    staged.StagedKubernetesNetworkPolicy: frozenset({"status"}),
    kubernetes.NetworkPolicy: frozenset({"status"}),
    kubernetes.Namespace: frozenset({"spec", "status"}),
    kubernetes_cluster_policy.ClusterNetworkPolicy: frozenset({"status"}),
}  # fmt: skip
"""Fields that are known and kept as they are, though nothing here reads them."""

_OPEN: frozenset[type] = frozenset({
    kubernetes.Pod, kubernetes.PodSpec, kubernetes.PodStatus, kubernetes.PodIP, kubernetes.Container, kubernetes.ContainerPort,
    kubernetes.EnvVar, kubernetes.Service, kubernetes.ServiceSpec, kubernetes.ServicePort,
    kubernetes.ServiceAccount, kubernetes.LocalObjectReference, kubernetes_endpointslice.EndpointSlice,
    kubernetes_endpointslice.Endpoint, kubernetes_endpointslice.EndpointConditions, kubernetes_endpointslice.EndpointPort,
    kubernetes_endpointslice.ObjectReference,
})  # fmt: skip
"""Kubernetes' large structs: any undeclared field is kept. Never one that policy is made of, where ignoring a misspelt
field could open traffic."""


class Finding(NamedTuple):
    """An error or a warning, at its place."""

    position: Position
    path: FieldPath
    text: str
    message: str


class _Absent:
    """What the walk returns where a field counts as not written, or is wrong and has been reported."""


ABSENT = _Absent()

type_info = functools.cache(mi.type_info)
"""A kind's declaration as msgspec describes it."""


def choices(declared: mi.Type) -> tuple[mi.Type, ...]:
    """What a value of type *declared* may be where it is there: the members of a union but for null, or the type itself."""
    if isinstance(declared, mi.UnionType):
        return tuple(choice for choice in declared.types if not isinstance(choice, mi.NoneType))
    return (declared,)


def undeclared_fields(struct: type) -> frozenset[str] | None:
    """The fields that *struct* keeps as they are, though it does not declare them; None: any."""
    return None if struct in _OPEN else _KEPT.get(struct, frozenset())


class Walk:
    """One walk of one resource; ``errors`` and ``warnings`` fill up on the way."""

    def __init__(self, *, omit_zero: bool) -> None:
        self._omit_zero = omit_zero
        """Leave out fields whose value is the zero that they have anyway, as Go's ``omitempty`` does."""
        self.errors: list[Finding] = []
        self.warnings: list[Finding] = []

    def resource(self, struct: type[Resource], node: MappingNode) -> dict[str, Any]:
        """The document of a resource of the kind that *struct* declares."""
        wanted = type_info(struct)
        assert isinstance(wanted, mi.StructType)
        document = {"kind": wanted.tag, **self._fields(wanted, node, ())}
        document["apiVersion"] = next(field.default for field in wanted.fields if field.name == "api_version")
        return document

    def struct(self, struct: type[msgspec.Struct], node: MappingNode) -> dict[str, Any]:
        """The same for a struct that is no kind, such as a program's settings: its fields, as they were written."""
        wanted = type_info(struct)
        assert isinstance(wanted, mi.StructType)
        return self._fields(wanted, node, ())

    def _error(self, node: Node, path: FieldPath, message: str) -> _Absent:
        text = node.text if isinstance(node, ScalarNode) else ""
        self.errors.append(Finding(node.position, path, text, message))
        return ABSENT

    # --- collections ---------------------------------------------------------------------------------------------------

    def _value(self, wanted: mi.Type, node: Node, path: FieldPath) -> Any:
        match wanted:
            case mi.StructType():
                if isinstance(node, MappingNode):
                    return self._fields(wanted, node, path)
                return self._error(
                    node, path, f"expected a mapping with fields such as {_examples(wanted)}, got {_describe(node)}"
                )
            case mi.DictType():
                return self._mapping(wanted, node, path)
            case mi.VarTupleType():
                return self._list(wanted, node, path)
            case mi.UnionType():
                return self._union(wanted, node, path)
            case _:
                return self._scalar(wanted, node, path)

    def _fields(self, wanted: mi.StructType, node: MappingNode, path: FieldPath) -> dict[str, Any]:
        declared = {field.encode_name.lower(): field for field in wanted.fields}
        found: dict[str, Any] = {}
        extra: dict[str, Any] = {}
        seen: dict[str, Position] = {}
        for key, value in node.entries:
            field = declared.get(key.text.lower())
            name = field.encode_name if field else key.text
            if self._is_duplicate(name, key, seen, path):
                continue
            if field is None:
                self._undeclared(wanted, key, value, path, extra)
            elif not is_null(value):
                found[name] = self._value(field.type, value, (*path, name))
        return {**self._complete(wanted, found, node, path), **extra}

    def _is_duplicate(self, name: str, key: ScalarNode, seen: dict[str, Position], path: FieldPath) -> bool:
        if name in seen:
            self._error(key, (*path, name), f"{key.text!r} is given twice; the first is in line {seen[name].line}")
            return True
        seen[name] = key.position
        return False

    def _undeclared(
        self, wanted: mi.StructType, key: ScalarNode, value: Node, path: FieldPath, extra: dict[str, Any]
    ) -> None:
        kept = _KEPT.get(wanted.cls, frozenset())
        name = next((name for name in kept if name.lower() == key.text.lower()), key.text)
        header = wanted.tag is not None and key.text.lower() == "kind"
        if name in kept or (wanted.cls in _OPEN and not header):
            extra[name] = self._plain(value, (*path, name))
        elif not header:
            known = [field.encode_name for field in wanted.fields]
            self._error(key, (*path, key.text), f"there is no field {key.text!r} here{suggestion(key.text, known)}")

    def _complete(self, wanted: mi.StructType, found: dict[str, Any], node: Node, path: FieldPath) -> dict[str, Any]:
        """The fields in the declaration's order, without zeros, with what must be there reported or made."""
        zeros_too = not self._omit_zero or (
            issubclass(wanted.cls, Value) and not wanted.cls.__struct_config__.omit_defaults
        )
        complete: dict[str, Any] = {}
        for field in wanted.fields:
            name = field.encode_name
            value = found.get(name, ABSENT)
            if name in found and (zeros_too or not _is_zero(value, field)):
                complete[name] = value
            elif name not in found and field.required:
                if isinstance(field.type, mi.StructType):  # an empty one, which reports its own required fields
                    complete[name] = self._complete(field.type, {}, node, (*path, name))
                else:
                    self._error(node, (*path, name), f"{name} is missing; {expected(field.type)}")
            elif name not in found and zeros_too and self._omit_zero and field.default in ("", 0):
                complete[name] = field.default
        return complete

    def _mapping(self, wanted: mi.DictType, node: Node, path: FieldPath) -> dict[str, Any] | _Absent:
        if not isinstance(node, MappingNode):
            return self._error(node, path, f"expected a mapping, got {_describe(node)}")
        result: dict[str, Any] = {}
        seen: dict[str, Position] = {}
        for key, value in node.entries:
            name = self._text(key, (*path, key.text))
            if not self._is_duplicate(name, key, seen, path):
                result[name] = self._value(wanted.value_type, value, (*path, name))
        return result

    def _list(self, wanted: mi.VarTupleType, node: Node, path: FieldPath) -> list[Any] | _Absent:
        if not isinstance(node, SequenceNode):
            return self._error(node, path, f"expected a list, got {_describe(node)}")
        return [self._value(wanted.item_type, item, (*path, index)) for index, item in enumerate(node.items)]

    def _union(self, wanted: mi.UnionType, node: Node, path: FieldPath) -> Any:
        """``X | None``, where null never comes to here, or two of a number, a switch, a list and text, whichever was written."""
        first, *others = choices(wanted)
        if not others:
            return self._value(first, node, path)
        if isinstance(others[0], mi.VarTupleType):
            if isinstance(node, MappingNode):
                return self._error(node, path, f"{expected(wanted)}, got a mapping")
            return self._value(others[0] if isinstance(node, SequenceNode) else first, node, path)
        if isinstance(first, mi.BoolType):
            plain = isinstance(node, ScalarNode) and isinstance(_resolved(node), bool)
            return self._value(first if plain else others[0], node, path)
        assert isinstance(first, mi.IntType)
        number = isinstance(node, ScalarNode) and as_integer(_resolved(node)) is not None
        return self._value(first if number else mi.StrType(), node, path)

    # --- scalars -------------------------------------------------------------------------------------------------------

    def _scalar(self, wanted: mi.Type, node: Node, path: FieldPath) -> Any:
        if not isinstance(node, ScalarNode):
            return self._error(node, path, f"{expected(wanted)}, got {_describe(node)}")
        if isinstance(wanted, mi.StrType):
            return self._text(node, path)
        try:
            value = convert(wanted, resolve(node))
        except ValueError as error:
            return self._error(node, path, str(error))
        self._warn_if_changed(wanted, node, value, path)
        return value

    def _text(self, node: ScalarNode, path: FieldPath) -> str:
        try:
            text = as_text(resolve(node))
        except ValueError as error:
            self._error(node, path, str(error))
            return node.text
        if node.tag and not node.tag.startswith("tag:"):
            message = f"{node.tag!r} is read as a YAML tag, which leaves the text {text!r}; put all of it in quotes if it is text"
            self.warnings.append(Finding(node.position, path, node.tag, message))
        elif text != node.text and not node.tag.endswith("binary"):
            message = f"{node.text!r} is stored as the text {text!r}, as YAML 1.1 reads it; put it in quotes to keep it as written"
            self.warnings.append(Finding(node.position, path, node.text, message))
        return text

    def _warn_if_changed(self, wanted: mi.Type, node: ScalarNode, value: Any, path: FieldPath) -> None:
        if isinstance(wanted, mi.BoolType) or str(value) == node.text:
            return  # `yes` for true surprises nobody
        if isinstance(wanted, mi.Metadata) and wanted.extra == DURATION_TEXT:
            return  # nor does 2m0s for 120s
        if isinstance(wanted, mi.FloatType) and _decimal(node.text) == value:
            return  # nor does 1e3 for 1000
        self.warnings.append(Finding(node.position, path, node.text, f"{node.text!r} is stored as {value}"))

    def _plain(self, node: Node, path: FieldPath) -> Any:
        """A value that nothing declares, as YAML alone reads it."""
        match node:
            case SequenceNode():
                return [self._plain(item, (*path, index)) for index, item in enumerate(node.items)]
            case ScalarNode():
                scalar = _resolved(node)
                return as_number(scalar) if isinstance(scalar, float) else scalar
            case MappingNode():
                result: dict[str, Any] = {}
                seen: dict[str, Position] = {}
                for key, value in node.entries:
                    if not self._is_duplicate(key.text, key, seen, path):
                        result[key.text] = self._plain(value, (*path, key.text))
                return result


def _resolved(node: ScalarNode) -> ScalarValue:
    try:
        return resolve(node)
    except ValueError:
        return node.text


def is_null(node: Node) -> bool:
    """Whether *node* counts as not written: nothing, ``~``, ``null``."""
    return isinstance(node, ScalarNode) and _resolved(node) is None


def _is_zero(value: object, field: mi.Field) -> bool:
    """Whether *value* is Go's zero value of a field that is absent at zero: an optional one that is not a pointer (None)."""
    if field.required or field.default is None:
        return False
    return value in ("", [], {}) or (value == 0 and not field.default)


def _decimal(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _examples(wanted: mi.StructType) -> str:
    return ", ".join(field.encode_name for field in wanted.fields[:3])


def _describe(node: Node) -> str:
    match node:
        case ScalarNode():
            return repr(node.text)
        case SequenceNode():
            return "a list"
        case MappingNode():
            return "a mapping"
