"""Policies whose selectors match nothing that exists: usually misspelt, sometimes early.

    policies ─► selecting: what is asked, and where ─┐
                                                     ├─► unmatched: what finds nothing, why, and what was probably meant
    everything ─► existing: who has which labels ────┘

Nothing here is wrong by itself, since what a policy waits for may come later; so it is told to who asks, and refused by nobody.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from tortie.analysis.existing import Existing, Population, meant_by
from tortie.analysis.nearest import hint, shown, similar_name
from tortie.analysis.selecting import EVERYTHING, Limit, Request, Selecting, Sort, Together, selecting
from tortie.model.fieldpath import FieldPath
from tortie.model.kinds import ResourceKey
from tortie.model.meta import Resource
from tortie.selectors import Selector
from tortie.selectors.impossible import why_impossible
from tortie.selectors.syntax import And, Compare, Comparison, Has, Node, OneOf, Or


class Unmatched(NamedTuple):
    """A selector that matches nothing."""

    path: FieldPath
    message: str
    unknown_label: bool
    """There are things that it could match, and none of them has a label that it asks for."""


def unmatched(resource: Resource, exist: Existing) -> Iterator[Unmatched]:
    """Every selector of *resource* that matches nothing of what exists; nothing for what is no policy."""
    for place in selecting(resource):
        yield from _of_place(place, exist)


def written(resources: Mapping[ResourceKey, Resource]) -> Mapping[ResourceKey, Resource]:
    """*resources* without those that exist only because another one means them."""
    derived = {key for resource in resources.values() for key in meant_by(resource)}
    return {key: resource for key, resource in resources.items() if key not in derived}


def _of_place(place: Selecting, exist: Existing) -> Iterator[Unmatched]:
    found: list[Unmatched] = []
    in_no_namespace = False
    for request in place.requests:
        # Where no namespace is selected, all else would fail with it; but it may hold a mistake of its own.
        problem = _problem(request._replace(within=Limit()) if in_no_namespace else request, exist)
        if problem is not None:
            found.append(problem)
            in_no_namespace = in_no_namespace or request.sort is Sort.NAMESPACE
    yield from found
    if not found and place.together is not None:
        yield from _conflict(place.together, exist)


def _conflict(together: Together, exist: Existing) -> Iterator[Unmatched]:
    if _any(_populations(together.sort, exist), together.wanted):
        return
    first, *others = together.fields
    what = f"all of {first}, {', '.join(others)}, though each finds something" if others else f"{first}"
    yield Unmatched(together.path, f"no {together.sort.value} matches {what}", unknown_label=False)


def _problem(request: Request, exist: Existing) -> Unmatched | None:
    populations, within = _populations(request.sort, exist), request.within.selector
    if request.of_peers is not None and _any(_populations(Sort.PEER, exist), request.of_peers):
        return None
    if not _any(populations, within):
        return Unmatched(request.path, f"there is no {request.sort.value}{request.within.words}", False)
    if _any(populations, _both(within, request.wanted)):
        return None
    blamed = _blamed(request.wanted, populations, within)
    effect = ", so it excepts nothing" if request.excepts else ""
    why = why_impossible(request.wanted)
    message = why or f"{_nobody(request, blamed)}{effect}{_elsewhere(request, blamed, populations)}"
    return Unmatched(request.path, message, why is None and isinstance(blamed, _LABELS))


_LABELS = Compare | OneOf | Has


def _nobody(request: Request, blamed: Node) -> str:
    words = request.within.words
    match blamed:
        case Compare(_, Comparison.EQUAL, name) if request.sort is Sort.ACCOUNT_NAME:
            return f"there is no service account {name!r}{words}"
        case Has(label):
            return f"no {request.sort.value}{words} has the label {label}"
        case Compare(_, Comparison.EQUAL) | OneOf(_, _, False):
            return f"no {request.sort.value}{words} has {shown(blamed)}"
        case _:
            return f"no {request.sort.value}{words} matches {shown(blamed)}"


def _elsewhere(request: Request, blamed: Node, populations: tuple[Population, ...]) -> str:
    """Where it was probably meant to find something: another label here, or the same one outside the limits."""
    if request.sort is Sort.ACCOUNT_NAME:
        assert isinstance(blamed, Compare)
        return similar_name(blamed.label, blamed.value, populations[0], request.within.selector)
    near = hint(blamed, populations, request.within.selector)
    if request.within.selector == EVERYTHING or "did you mean" in near:
        return near
    outside = sum(population.count(Selector(blamed)) for population in populations)
    return f"; {outside} elsewhere {'does' if outside == 1 else 'do'}" if outside else near


def _blamed(node: Node, populations: tuple[Population, ...], within: Selector) -> Node:
    """The part of *node* that nothing matches even alone; of alternatives the first; the whole where only together they fail."""
    match node:
        case And(operands):
            failing = (operand for operand in operands if not _any(populations, _both(within, operand)))
            first = next(failing, None)
            return node if first is None else _blamed(first, populations, within)
        case Or(operands):
            return _blamed(operands[0], populations, within)
        case _:
            return node


def _populations(sort: Sort, exist: Existing) -> tuple[Population, ...]:
    return {
        Sort.ENDPOINT: (exist.endpoints,),
        Sort.PEER: (exist.endpoints, exist.sets),
        Sort.NAMESPACE: (exist.namespaces,),
        Sort.ACCOUNT: (exist.accounts,),
        Sort.ACCOUNT_NAME: (exist.account_names,),
    }[sort]


def _any(populations: tuple[Population, ...], selector: Selector) -> bool:
    return any(population.has(selector) for population in populations)


def _both(within: Selector, node: Node) -> Selector:
    return Selector(node) if within == EVERYTHING else Selector(And((within.node, node)))
