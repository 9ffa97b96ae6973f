"""What a selector's match implies for single labels, so that an index can leave out what cannot match.

Restrictions are lower bounds: an object that violates one is not selected; one that meets them all may or may not be.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple, TypeAlias, assert_never

from tortie.selectors.syntax import All, And, Compare, Comparison, Global, Has, Node, Not, OneOf, Or


class LabelRestriction(NamedTuple):
    """What a match implies for one label."""

    present: bool = False
    absent: bool = False
    """Both present and absent: nothing can match."""
    one_of: frozenset[str] | None = None
    """The possible values; None where they are not limited, empty if nothing can match."""


Restrictions: TypeAlias = Mapping[str, LabelRestriction]

_NONE: Restrictions = MappingProxyType({})


def restrictions_of(node: Node) -> Restrictions:
    """The restrictions of every label that *node* limits."""
    match node:
        case Has(label):
            return {label: LabelRestriction(present=True)}
        case Compare(label, Comparison.EQUAL, value):
            return {label: LabelRestriction(present=True, one_of=frozenset((value,)))}
        case Compare(label, Comparison.CONTAINS | Comparison.STARTS_WITH | Comparison.ENDS_WITH):
            return {label: LabelRestriction(present=True)}
        case OneOf(label, values, False):
            return {label: LabelRestriction(present=True, one_of=values)}
        case Not(Has(label)):
            return {label: LabelRestriction(absent=True)}
        case And(operands):
            return functools.reduce(_both, map(restrictions_of, operands))
        case Or(operands):
            return functools.reduce(_either, map(restrictions_of, operands))
        case All() | Global() | Compare() | OneOf() | Not():
            return _NONE
        case _:
            assert_never(node)


def _both(left: Restrictions, right: Restrictions) -> Restrictions:
    merged = dict(left)
    for label, restriction in right.items():
        merged[label] = _intersection(merged.get(label, LabelRestriction()), restriction)
    return merged


def _either(left: Restrictions, right: Restrictions) -> Restrictions:
    merged = {label: _union(left[label], right[label]) for label in left.keys() & right.keys()}
    return {label: merged[label] for label in sorted(merged) if merged[label] != LabelRestriction()}


def _intersection(left: LabelRestriction, right: LabelRestriction) -> LabelRestriction:
    if left.one_of is None or right.one_of is None:
        one_of = right.one_of if left.one_of is None else left.one_of
    else:
        one_of = left.one_of & right.one_of
    return LabelRestriction(left.present or right.present, left.absent or right.absent, one_of)


def _union(left: LabelRestriction, right: LabelRestriction) -> LabelRestriction:
    one_of = None if left.one_of is None or right.one_of is None else left.one_of | right.one_of
    return LabelRestriction(left.present and right.present, left.absent and right.absent, one_of)
