"""What to look a selector or an item up by: clauses of keys, of which every match has at least one.

A key is ``(label, value)``, or ``(label, None)`` for "has the label". An item has a key for each of its labels' names and
values. A selector may have several clauses; which one is chosen decides the speed of an index and never its answers.
"""

from __future__ import annotations

import functools
from typing import TypeAlias, assert_never

from tortie.selectors.syntax import All, And, Compare, Comparison, Global, Has, Node, Not, OneOf, Or

Key: TypeAlias = tuple[str, str | None]
Clause: TypeAlias = tuple[Key, ...]
"""Alternatives, each once. The empty clause: nothing matches."""


@functools.lru_cache(maxsize=16384)
def clauses_of(node: Node) -> tuple[Clause, ...]:
    """Clauses that whatever matches *node* satisfies, each of them; none where nothing is known."""
    match node:
        case Compare(label, Comparison.EQUAL, value):
            return (((label, value),),)
        case OneOf(label, values, False):
            return (tuple((label, value) for value in sorted(values)),)
        case Has(label) | Compare(label, Comparison.CONTAINS | Comparison.STARTS_WITH | Comparison.ENDS_WITH):
            return (((label, None),),)
        case And(operands):
            return tuple(dict.fromkeys(clause for operand in operands for clause in clauses_of(operand)))
        case Or(operands):
            alternatives = [clauses_of(operand) for operand in operands]
            if not all(alternatives):
                return ()
            return (tuple(dict.fromkeys(key for of_one in alternatives for key in min(of_one, key=_width))),)
        case All() | Global() | Compare() | OneOf() | Not():
            return ()
        case _:
            assert_never(node)


def _width(clause: Clause) -> tuple[int, int]:
    """How much a clause lets through, before any item is known: "has the label" is wider than any values."""
    return sum(value is None for _, value in clause), len(clause)


def is_exact(node: Node) -> bool:
    """Whether an item that satisfies the clause of *node* matches, so that it need not be evaluated."""
    match node:
        case Compare(_, comparison, _):
            return comparison is Comparison.EQUAL
        case OneOf(_, _, negate):
            return not negate
        case Has():
            return True
        case _:
            return False
