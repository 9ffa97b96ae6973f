"""Which of many labelled items a selector matches, where the items stay as they are: for questions asked once, not kept.

Items and selectors meet as in ``LabelIndex``; here nothing is remembered about selectors, and who asks whether anything
matches pays for the first match only.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

from tortie.selectors.index import Key, clauses_of, keys_of
from tortie.selectors.selector import Selector

Labels: TypeAlias = Mapping[str, str]


class Lookup:
    """Labelled items, filed by label and value."""

    def __init__(self, items: Iterable[Labels]) -> None:
        self._filed: defaultdict[Key, list[Labels]] = defaultdict(list)
        for labels in items:
            for key in keys_of(labels):
                self._filed[key].append(labels)

    def matching(self, selector: Selector) -> Iterator[Labels]:
        """The items that *selector* matches, each once."""
        clause = min(([self._items(key) for key in clause] for clause in clauses_of(selector)), key=_size)
        return (labels for items in clause for labels in items if selector.matches(labels))

    def _items(self, key: Key) -> Sequence[Labels]:
        return self._filed.get(key, ())


def _size(clause: Sequence[Sequence[Labels]]) -> int:
    return sum(map(len, clause))
