"""Selectors that can never match: ``a == "x" && a == "y"``.

Found by what the conjunction implies for single labels, so "no" is only "not for a reason that is seen here".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from tortie.selectors.restrictions import restrictions_of
from tortie.selectors.syntax import All, And, Compare, Comparison, Global, Has, Leaf, Node, Not, OneOf, Or, compile_node


def why_impossible(node: Node) -> str | None:
    """Why nothing can match *node*, in words about one label where it is one; None where something may."""
    return _why(_pushed_inwards(node))


def _pushed_inwards(node: Node, *, negate: bool = False) -> Node:
    """The same expression, or its negation, with only single comparisons negated (De Morgan)."""
    match node:
        case Not(operand):
            return _pushed_inwards(operand, negate=not negate)
        case And(operands) | Or(operands):
            pushed = tuple(_pushed_inwards(operand, negate=negate) for operand in operands)
            return And(pushed) if isinstance(node, And) is not negate else Or(pushed)
        case Compare(label, Comparison.NOT_EQUAL, value) if negate:
            return Compare(label, Comparison.EQUAL, value)
        case OneOf(label, values, True) if negate:
            return OneOf(label, values)
        case _:
            return Not(node) if negate else node


def _why(node: Node) -> str | None:
    match node:
        case Not(All() | Global()):
            return "it excludes everything"
        case OneOf(label, values, False) if not values:
            return f"{label} is to have one of no values"
        case And(operands):
            conjuncts = tuple(_conjuncts(operands))
            found = (_why(operand) for operand in conjuncts)
            return next((why for why in found if why), None) or _contradiction(And(conjuncts))
        case Or(operands):
            reasons = [_why(operand) for operand in operands]
            return reasons[0] if all(reasons) else None
        case _:
            return None


def _conjuncts(operands: tuple[Node, ...]) -> Iterator[Node]:
    """The operands, those of nested conjunctions among them."""
    for operand in operands:
        if isinstance(operand, And):
            yield from _conjuncts(operand.operands)
        else:
            yield operand


def _contradiction(node: And) -> str | None:
    for label, restriction in restrictions_of(node).items():
        if restriction.absent and restriction.present:
            return f"{label} is to be there and not to be there"
        if restriction.one_of is not None and not any(_may_be(node, label, value) for value in restriction.one_of):
            return f"no value of {label} fits all of it"
    return _different_ends(node)


def _different_ends(node: And) -> str | None:
    """A label that is to begin, or to end, in two ways of which neither is part of the other."""
    ends: dict[tuple[str, Comparison], str] = {}
    for operand in node.operands:
        if isinstance(operand, Compare) and operand.comparison in _FITS:
            key, fits = (operand.label, operand.comparison), _FITS[operand.comparison]
            longer, shorter = sorted((operand.value, ends.get(key, "")), key=len, reverse=True)
            if not fits(longer, shorter):
                return f"no value of {operand.label} fits all of it"
            ends[key] = longer
    return None


_FITS: Mapping[Comparison, Callable[[str, str], bool]] = {
    Comparison.STARTS_WITH: str.startswith,
    Comparison.ENDS_WITH: str.endswith,
}


def _may_be(node: And, label: str, value: str) -> bool:
    """Whether no operand about *label* alone refuses *value*."""
    labels: Mapping[str, str] = {label: value}
    return all(compile_node(operand)(labels) for operand in node.operands if _label_of(operand) == label)


def _label_of(node: Node) -> str | None:
    """The label that *node* is about, where it is one comparison, negated or not."""
    leaf: Node | Leaf = node.operand if isinstance(node, Not) else node
    return leaf.label if isinstance(leaf, Compare | OneOf | Has) else None
