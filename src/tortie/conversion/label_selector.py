"""Kubernetes label selectors as Calico selector text.

The text is Calico's own, byte for byte (spaces inside the braces and after ``!``, single quotes): it is what a Calico on
the same store would write, and the names of IP sets follow from it.
"""

from __future__ import annotations

from typing import assert_never

from tortie.conversion.errors import ConversionError
from tortie.model.kubernetes import LabelSelector, LabelSelectorRequirement
from tortie.selectors import SelectorError, parse

_IS_POD = "projectcalico.org/orchestrator == 'k8s'"


def pod_selector(selector: LabelSelector | None) -> str:
    """The text that selects those pods; None selects all of them, as the empty selector does. Never a host endpoint."""
    return _readable(" && ".join([_IS_POD, *_terms(selector)]))


def namespace_selector(selector: LabelSelector | None) -> str:
    """The text that selects those namespaces: empty for None, which leaves it to the policy's own namespace."""
    if selector is None:
        return ""
    return _readable(" && ".join(_terms(selector)) or "all()")


def _terms(selector: LabelSelector | None) -> list[str]:
    if selector is None:
        return []
    equalities = [f"{key} == {_quote(value)}" for key, value in sorted(selector.match_labels.items())]
    return equalities + [_term(requirement) for requirement in selector.match_expressions]


def _term(requirement: LabelSelectorRequirement) -> str:
    values = ", ".join(_quote(value) for value in requirement.values)
    match requirement.operator:
        case "In":
            return f"{requirement.key} in {{ {values} }}"
        case "NotIn":
            return f"{requirement.key} not in {{ {values} }}"
        case "Exists":
            return f"has({requirement.key})"
        case "DoesNotExist":
            return f"! has({requirement.key})"
        case _:
            assert_never(requirement.operator)


def _quote(value: str) -> str:
    if "'" in value:
        # A Kubernetes label value cannot hold a quote; unescaped, it would end the string and could widen the selector.
        raise ConversionError(f"{value!r} is not a label value: it holds a quote")
    return f"'{value}'"


def _readable(text: str) -> str:
    try:
        parse(text)
    except SelectorError as error:
        raise ConversionError(f"a label selector has a key that is not a label's name: {error}") from error
    return text
