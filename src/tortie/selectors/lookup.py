"""Which of many labelled items a selector matches, where the items stay as they are: for questions asked once, not kept.

Items and selectors meet as in ``LabelIndex``; here nothing is remembered about selectors, and who asks whether anything
matches pays for the first match only.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import TypeAlias

from tortie.selectors.clauses import Key, clauses_of
from tortie.selectors.selector import Selector

Labels: TypeAlias = Mapping[str, str]


class Lookup:
    """Labelled items, filed by label and value."""

    def __init__(self, items: Iterable[Labels]) -> None:
        self._items = list(items)
        self._filed: defaultdict[Key, list[int]] = defaultdict(list)
        for number, labels in enumerate(self._items):
            for name, value in labels.items():
                self._filed[name, value].append(number)
                self._filed[name, None].append(number)

    def matching(self, selector: Selector) -> Iterator[Labels]:
        """The items that *selector* matches, each once."""
        clauses = clauses_of(selector.node)
        if clauses:
            rarest = min(clauses, key=lambda clause: sum(len(self._filed.get(key, ())) for key in clause))
            candidates: Iterable[int] = dict.fromkeys(chain.from_iterable(self._filed.get(key, ()) for key in rarest))
        else:
            candidates = range(len(self._items))
        return (self._items[number] for number in candidates if selector.matches(self._items[number]))
