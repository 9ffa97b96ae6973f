"""The label that does exist and is nearest to one that does not: what somebody who mistyped it will have meant."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from tortie.analysis.existing import Population, Tally
from tortie.analysis.similar import most_usual, nearest
from tortie.selectors import Selector
from tortie.selectors.syntax import And, Compare, Comparison, Has, Node, OneOf, Or, render

_TOLD = 3
"""How many values are told where none is near."""


def shown(node: Node) -> str:
    """*node* as people write it in YAML, in single quotes."""
    text = render(node)
    if isinstance(node, And | Or):
        text = text[1:-1]
    return text if "'" in text else text.replace('"', "'")


def similar_name(label: str, name: str, population: Population, within: Selector) -> str:
    """A clause that proposes the value of *label* that resembles *name*; empty where none does."""
    near = nearest(name, population.tally(within).get(label, Counter()))
    return f"; did you mean {near!r}?" if near else ""


def hint(node: Node, populations: Sequence[Population], within: Selector) -> str:
    """A clause for whoever wrote *node*, which nothing that *within* matches has; empty where nothing is near."""
    tallies = [(population, population.tally(within)) for population in populations]
    match node:
        case Compare(label, Comparison.EQUAL, value):
            near = _nearest_value(label, (value,), tallies) or _nearest_label(label, (value,), tallies)
        case OneOf(label, values, False):
            near = _nearest_value(label, sorted(values), tallies) or _nearest_label(label, sorted(values), tallies)
        case Compare(label, Comparison.CONTAINS | Comparison.STARTS_WITH | Comparison.ENDS_WITH) | Has(label):
            near = "" if _counted(label, None, tallies) else _nearest_label(label, (), tallies)
        case _:
            near = ""
    return near


_Tallies = Sequence[tuple[Population, Tally]]


def _nearest_value(label: str, wanted: Iterable[str], tallies: _Tallies) -> str:
    known = _values(label, tallies)
    if not known:
        return ""
    for value in wanted:
        if near := nearest(value, known):
            return _did_you_mean(label, near, tallies)
    told = ", ".join(repr(value) for value in most_usual(known)[:_TOLD])
    return f"; {label} is {told}{' and others' if len(known) > _TOLD else ''} there"


def _nearest_label(label: str, wanted: Iterable[str], tallies: _Tallies) -> str:
    """A label of a similar name, with the same value if it has that; else another label that has the value."""
    names = sum(
        (Counter({name: values.total() for name, values in tally.items()}) for _, tally in tallies), Counter[str]()
    )
    near = nearest(label, names)
    candidates = [near] if near else most_usual(names)
    for value in wanted:
        for name in candidates:
            if _counted(name, value, tallies):
                return _did_you_mean(name, value, tallies)
    return f"; did you mean the label {near} ({_counted(near, None, tallies)})?" if near else ""


def _did_you_mean(label: str, value: str, tallies: _Tallies) -> str:
    label_and_value = shown(Compare(label, Comparison.EQUAL, value))
    return f"; did you mean {label_and_value} ({_counted(label, value, tallies)})?"


def _values(label: str, tallies: _Tallies) -> Counter[str]:
    return sum((tally[label] for _, tally in tallies if label in tally), Counter[str]())


def _counted(label: str, value: str | None, tallies: _Tallies) -> str:
    """``3 endpoints, 1 network set``: who has the label, and the value if there is one; empty if nobody has."""
    counts = []
    for population, tally in tallies:
        values = tally.get(label, Counter())
        number = values.total() if value is None else values[value]
        if number:
            counts.append(f"{number} {population.noun}{'' if number == 1 else 's'}")
    return ", ".join(counts)
