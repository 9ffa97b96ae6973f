"""Selectors that can never match: ``a == "x" && a == "y"``.

Found by what the conjunction implies for single labels, so "no" is only "not for a reason that is seen here".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tortie.selectors.restrictions import restrictions_of
from tortie.selectors.syntax import All, And, Compare, Global, Has, Leaf, Node, Not, OneOf, Or, compile_node


def why_impossible(node: Node) -> str | None:
    """Why nothing can match *node*, in words about one label where it is one; None where something may."""
    match node:
        case Not(All() | Global()):
            return "it excludes everything"
        case OneOf(label, values, False) if not values:
            return f"{label} is to have one of no values"
        case And(operands):
            conjuncts = tuple(_conjuncts(operands))
            found = (why_impossible(operand) for operand in conjuncts)
            return next((why for why in found if why), None) or _contradiction(And(conjuncts))
        case Or(operands):
            reasons = [why_impossible(operand) for operand in operands]
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
    return None


def _may_be(node: And, label: str, value: str) -> bool:
    """Whether no operand about *label* alone refuses *value*."""
    labels: Mapping[str, str] = {label: value}
    return all(compile_node(operand)(labels) for operand in node.operands if _label_of(operand) == label)


def _label_of(node: Node) -> str | None:
    """The label that *node* is about, where it is one comparison, negated or not."""
    leaf: Node | Leaf = node.operand if isinstance(node, Not) else node
    return leaf.label if isinstance(leaf, Compare | OneOf | Has) else None
