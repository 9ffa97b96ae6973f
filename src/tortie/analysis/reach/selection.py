"""Whom policies and the peers of rules mean, as one selector over all labels that an endpoint has; and selectors over sets.

A namespace's labels have the prefix ``pcns.``, a service account's ``pcsa.`` (``tortie.verdict.scope`` says it in words). What
selects by several fields is their conjunction. A selector is tried on a whole cluster at once, as unions and cuts of sets of ends that
have a label or its value.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import assert_never

from tortie.analysis.reach.bits import of_members
from tortie.model.policy import EntityRule, GlobalNetworkPolicySpec, ServiceAccountMatch
from tortie.selectors import parse
from tortie.selectors.syntax import (
    All,
    And,
    Compare,
    Comparison,
    Global,
    Has,
    Node,
    Not,
    OneOf,
    Or,
    all_having,
    prefix_labels,
)
from tortie.verdict.names import NAMESPACE, SERVICE_ACCOUNT
from tortie.verdict.order import AnyPolicy


def governed(policy: AnyPolicy) -> Node:
    """Which endpoints *policy* governs."""
    spec = policy.spec
    if not isinstance(spec, GlobalNetworkPolicySpec):
        accounts = (_over(spec.service_account_selector, "pcsa."),) if spec.service_account_selector else ()
        return _all_of(
            (Compare(NAMESPACE, Comparison.EQUAL, policy.metadata.namespace), parse(spec.selector).node, *accounts)
        )
    # As Calico has it, either of the later selectors changes what all() means in those before it.
    all_means = NAMESPACE if spec.namespace_selector else SERVICE_ACCOUNT if spec.service_account_selector else ""
    return _all_of(
        (
            _over(spec.selector, all_means=all_means) if spec.selector else All(),
            _over(spec.namespace_selector, "pcns.", NAMESPACE) if spec.namespace_selector else All(),
            _over(spec.service_account_selector, "pcsa.", SERVICE_ACCOUNT) if spec.service_account_selector else All(),
        )
    )


def selected(peer: EntityRule, namespace: str) -> Node | None:
    """What a peer of a rule in a policy of *namespace* is limited to; None: to nothing, and then ``excepted`` counts."""
    accounts = peer.service_accounts or ServiceAccountMatch()
    selectors = (peer.selector, peer.namespace_selector, accounts.selector, accounts.names)
    if not any(selectors) and not (namespace and peer.not_selector):
        return None
    return _all_of(_limits(peer, namespace, accounts))


def _limits(peer: EntityRule, namespace: str, accounts: ServiceAccountMatch) -> Iterator[Node]:
    if peer.namespace_selector:
        yield _over(peer.namespace_selector, "pcns.", NAMESPACE)
    elif namespace:
        yield Compare(NAMESPACE, Comparison.EQUAL, namespace)
    if accounts.selector:
        yield _over(accounts.selector, "pcsa.")
    if accounts.names:
        yield OneOf(SERVICE_ACCOUNT, frozenset(accounts.names))
    yield parse(peer.selector).node
    if peer.not_selector:
        yield Not(parse(peer.not_selector).node)


def excepted(peer: EntityRule) -> Node | None:
    """What a peer's ``notSelector`` takes out; None: it has none."""
    return parse(peer.not_selector).node if peer.not_selector else None


def _all_of(nodes: Iterable[Node]) -> Node:
    needed = tuple(node for node in nodes if not isinstance(node, All))
    return All() if not needed else needed[0] if len(needed) == 1 else And(needed)


@functools.lru_cache(maxsize=4096)
def _over(text: str, prefix: str = "", all_means: str = "") -> Node:
    """The selector *text* over labels with *prefix*; ``all()`` means having the label *all_means*, if there is one."""
    node = prefix_labels(parse(text).node, prefix)
    return all_having(node, all_means) if all_means else node


def labels_of(node: Node) -> Iterator[str]:
    """The labels that *node* asks for."""
    match node:
        case Has(label) | Compare(label, _, _) | OneOf(label, _, _):
            yield label
        case Not(operand):
            yield from labels_of(operand)
        case And(operands) | Or(operands):
            for operand in operands:
                yield from labels_of(operand)
        case All() | Global():
            return
        case _:
            assert_never(node)


class LabelSets:
    """Who has which label, as sets; *labels* are everybody's, by number, ascending."""

    def __init__(self, labels: Iterable[tuple[int, Mapping[str, str]]]) -> None:
        self._having: dict[str, dict[str, list[int]]] = {}
        everybody: list[int] = []
        for number, of_one in labels:
            everybody.append(number)
            for label, value in of_one.items():
                self._having.setdefault(label, {}).setdefault(value, []).append(number)
        self.everybody = of_members(everybody)
        self._selected: dict[Node, int] = {}

    def select(self, node: Node) -> int:
        """Whom *node* selects."""
        found = self._selected.get(node)
        if found is None:
            found = self._selected[node] = self._select(node)
        return found

    def _select(self, node: Node) -> int:
        match node:
            case All() | Global():
                return self.everybody
            case Has(label):
                return self._with(label, lambda _: True)
            case Compare(label, Comparison.EQUAL, value):
                return of_members(self._having.get(label, {}).get(value, ()))
            case Compare(label, Comparison.NOT_EQUAL, value):
                return self.everybody & ~self.select(Compare(label, Comparison.EQUAL, value))
            case Compare(label, comparison, value):
                return self._with(label, _TESTS[comparison](value))
            case OneOf(label, values, negate):
                one_of = self._with(label, values.__contains__)
                return self.everybody & ~one_of if negate else one_of
            case Not(operand):
                return self.everybody & ~self.select(operand)
            case And(operands):
                return functools.reduce(int.__and__, map(self.select, operands), self.everybody)
            case Or(operands):
                return functools.reduce(int.__or__, map(self.select, operands), 0)
            case _:
                assert_never(node)

    def _with(self, label: str, test: Callable[[str], bool]) -> int:
        """Who has a value of *label* that passes. Made of numbers, since there may be as many values as there are ends."""
        by_value = self._having.get(label, {})
        return of_members(number for value, having in by_value.items() if test(value) for number in having)


_TESTS: Mapping[Comparison, Callable[[str], Callable[[str], bool]]] = {
    Comparison.CONTAINS: lambda part: lambda value: part in value,
    Comparison.STARTS_WITH: lambda part: lambda value: value.startswith(part),
    Comparison.ENDS_WITH: lambda part: lambda value: value.endswith(part),
}
