"""Which of many labelled items a selector matches, where the items stay as they are: for questions asked once, not kept.

Items and selectors meet as in ``LabelIndex``; here nothing is remembered about selectors, and who asks whether anything
matches pays for the first match only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias

from tortie.selectors.clauses import clauses_of
from tortie.selectors.postings import ItemPostings
from tortie.selectors.selector import Selector

Labels: TypeAlias = Mapping[str, str]


class Lookup:
    """Labelled items, filed by label and value."""

    def __init__(self, items: Iterable[Labels]) -> None:
        self._items = list(items)
        self._postings: ItemPostings[int] = ItemPostings()
        self._postings.begin({name for labels in self._items for name in labels}, ())
        for number, labels in enumerate(self._items):
            self._postings.add(number, labels)

    def matching(self, selector: Selector) -> Iterator[Labels]:
        """The items that *selector* matches, each once."""
        clauses = clauses_of(selector.node)
        candidates: Iterable[int] = range(len(self._items))
        if clauses:
            candidates = self._postings.candidates(min(clauses, key=self._postings.count))
        return (self._items[number] for number in candidates if selector.matches(self._items[number]))
