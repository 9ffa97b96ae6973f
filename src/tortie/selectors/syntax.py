"""A parsed selector: its nodes, their canonical text, and their meaning as a compiled function.

Nodes are immutable. The canonical text decides the names of IP sets on every host of a cluster, Calico's included, so it
follows Calico byte for byte: ``And`` and ``Or`` always in parentheses, values sorted and unique, nested groups kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import TypeAlias, assert_never

import msgspec

Matcher: TypeAlias = Callable[[Mapping[str, str]], bool]
"""Whether an object with these labels is selected."""


class Comparison(StrEnum):
    """An operator between a label and one string; the value is its canonical text."""

    EQUAL = "=="
    NOT_EQUAL = "!="
    CONTAINS = "contains"
    STARTS_WITH = "starts with"
    ENDS_WITH = "ends with"


class All(msgspec.Struct, frozen=True):
    """``all()``: everything."""


class Global(msgspec.Struct, frozen=True):
    """``global()``: objects without a namespace. It is rewritten where it is allowed; by itself it selects everything."""


class Has(msgspec.Struct, frozen=True):
    """``has(label)``."""

    label: str


class Compare(msgspec.Struct, frozen=True):
    """``label == "value"`` and its like. Without the label only ``!=`` is true."""

    label: str
    comparison: Comparison
    value: str


class OneOf(msgspec.Struct, frozen=True):
    """``label in {"a", "b"}``; *negate* makes it ``not in``, which is true without the label."""

    label: str
    values: frozenset[str]
    negate: bool = False


class Not(msgspec.Struct, frozen=True):
    """``!operand``."""

    operand: Node


class And(msgspec.Struct, frozen=True):
    """Two or more operands joined by ``&&``."""

    operands: tuple[Node, ...]


class Or(msgspec.Struct, frozen=True):
    """Two or more operands joined by ``||``."""

    operands: tuple[Node, ...]


Leaf: TypeAlias = All | Global | Has | Compare | OneOf
Node: TypeAlias = Leaf | Not | And | Or


def render(node: Node) -> str:
    """The canonical text of *node*."""
    match node:
        case All():
            return "all()"
        case Global():
            return "global()"
        case Has(label):
            return f"has({label})"
        case Compare(label, comparison, value):
            return f"{label} {comparison} {_quote(value)}"
        case OneOf(label, values, negate):
            return f"{label} {'not in' if negate else 'in'} {{{', '.join(map(_quote, sorted(values)))}}}"
        case Not(operand):
            return f"!{render(operand)}"
        case And(operands):
            return f"({' && '.join(map(render, operands))})"
        case Or(operands):
            return f"({' || '.join(map(render, operands))})"
        case _:
            assert_never(node)


def _quote(value: str) -> str:
    """In double quotes, unless the value holds one; the grammar has no way to write a value with both kinds."""
    return f"'{value}'" if '"' in value else f'"{value}"'


def map_leaves(node: Node, function: Callable[[Leaf], Node]) -> Node:
    """The same expression with every leaf replaced by what *function* makes of it."""
    match node:
        case Not(operand):
            return Not(map_leaves(operand, function))
        case And(operands):
            return And(tuple(map_leaves(operand, function) for operand in operands))
        case Or(operands):
            return Or(tuple(map_leaves(operand, function) for operand in operands))
        case _:
            return function(node)


def prefix_labels(node: Node, prefix: str) -> Node:
    """The same expression over labels whose names begin with *prefix*."""

    def prefixed(leaf: Leaf) -> Node:
        if isinstance(leaf, All | Global):
            return leaf
        return msgspec.structs.replace(leaf, label=prefix + leaf.label)

    return map_leaves(node, prefixed)


def all_having(node: Node, label: str) -> Node:
    """The same expression where ``all()`` means having *label*, and ``global()`` not having it."""

    def meant(leaf: Leaf) -> Node:
        match leaf:
            case All():
                return Has(label)
            case Global():
                return Not(Has(label))
            case _:
                return leaf

    return map_leaves(node, meant)


def compile_node(node: Node) -> Matcher:
    """A function that evaluates *node*; made once, so that evaluating is only calls and look-ups."""
    match node:
        case All() | Global():
            return _everything
        case Has(label):
            return lambda labels: label in labels
        case Compare(label, comparison, value):
            return _compile_comparison(label, comparison, value)
        case OneOf(label, values, True):
            return lambda labels: labels.get(label) not in values
        case OneOf(label, values):
            return lambda labels: labels.get(label) in values
        case Not(operand):
            negated = compile_node(operand)
            return lambda labels: not negated(labels)
        case And(operands):
            return _conjunction(tuple(compile_node(operand) for operand in operands))
        case Or(operands):
            return _disjunction(tuple(compile_node(operand) for operand in operands))
        case _:
            assert_never(node)


def _everything(_labels: Mapping[str, str]) -> bool:
    return True


def _compile_comparison(label: str, comparison: Comparison, value: str) -> Matcher:
    match comparison:
        case Comparison.EQUAL:
            return lambda labels: labels.get(label) == value
        case Comparison.NOT_EQUAL:
            return lambda labels: labels.get(label) != value
        case Comparison.CONTAINS:
            return lambda labels: label in labels and value in labels[label]
        case Comparison.STARTS_WITH:
            return lambda labels: label in labels and labels[label].startswith(value)
        case Comparison.ENDS_WITH:
            return lambda labels: label in labels and labels[label].endswith(value)
        case _:
            assert_never(comparison)


def _conjunction(matchers: tuple[Matcher, ...]) -> Matcher:
    # A loop, because all() over a generator costs twice as much for the usual two or three operands.
    def matches(labels: Mapping[str, str]) -> bool:
        for matcher in matchers:  # noqa: SIM110
            if not matcher(labels):
                return False
        return True

    return matches


def _disjunction(matchers: tuple[Matcher, ...]) -> Matcher:
    def matches(labels: Mapping[str, str]) -> bool:
        for matcher in matchers:  # noqa: SIM110
            if matcher(labels):
                return True
        return False

    return matches
