"""The two halves of a label index, each of which may stand alone: files of selectors, and postings of items.

    labels ──► SelectorFiles ──► selectors that may match them
    selector's clause ──► ItemPostings ──► items that it may match

Neither remembers who matches whom, and items' labels stay with their owner: with a hundred thousand items that is most of
the memory.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from typing import Generic, TypeVar

from tortie.selectors.clauses import Clause, Key, clauses_of
from tortie.selectors.selector import Selector

Item = TypeVar("Item", bound=Hashable)


class SelectorFiles:
    """Selectors by id, each filed under the keys of one clause, or for want of one among those that anything may match."""

    def __init__(self) -> None:
        self._selectors: dict[str, Selector] = {}
        self._filed_under: dict[str, Clause] = {}
        self._by_key: dict[str, dict[str | None, dict[str, Selector]]] = {}
        """By label, then value: most labels of an item are in no selector, and are then one look-up."""
        self._unfiled: dict[str, Selector] = {}

    def file(self, selector_id: str, selector: Selector, count: Callable[[Clause], int]) -> Clause | None:
        """Know a selector from now on, under the clause that *count* says is rarest; None if it has no clause."""
        self.discard(selector_id)
        self._selectors[selector_id] = selector
        clauses = clauses_of(selector.node)
        if not clauses:
            self._unfiled[selector_id] = selector
            return None
        clause = min(clauses, key=lambda clause: (count(clause), self._crowd(clause)))
        self._filed_under[selector_id] = clause
        for label, value in clause:
            self._by_key.setdefault(label, {}).setdefault(value, {})[selector_id] = selector
        return clause

    def discard(self, selector_id: str) -> None:
        """Forget a selector; nothing happens if it is not known."""
        self._selectors.pop(selector_id, None)
        self._unfiled.pop(selector_id, None)
        for label, value in self._filed_under.pop(selector_id, ()):
            del self._by_key[label][value][selector_id]
            if not self._by_key[label][value]:
                del self._by_key[label][value]
                if not self._by_key[label]:
                    del self._by_key[label]

    def get(self, selector_id: str) -> Selector | None:
        return self._selectors.get(selector_id)

    def candidates(self, labels: Mapping[str, str]) -> dict[str, Selector]:
        """Every selector that may match *labels*, by id."""
        found = dict(self._unfiled)
        by_key = self._by_key
        for label in by_key.keys() & labels.keys() if len(by_key) < len(labels) else labels:
            by_value = by_key.get(label)
            if by_value is not None:
                found.update(by_value.get(labels[label], _NO_SELECTORS))
                found.update(by_value.get(None, _NO_SELECTORS))
        return found

    def _crowd(self, clause: Clause) -> int:
        """How many selectors are filed there already: each of them is asked about every item that has the key."""
        return sum(len(self._by_key.get(label, {}).get(value, ())) for label, value in clause)

    def __len__(self) -> int:
        return len(self._selectors)


_NO_SELECTORS: dict[str, Selector] = {}


class ItemPostings(Generic[Item]):
    """Items by the values of those labels that somebody asked for; what was never asked for costs nothing."""

    def __init__(self) -> None:
        self._by_label: dict[str, dict[str, set[Item]]] = {}

    def __len__(self) -> int:
        """Of how many labels there are postings."""
        return len(self._by_label)

    def missing(self, clauses: Iterable[Clause]) -> set[str]:
        """The labels of *clauses* that there are no postings of yet."""
        return {label for clause in clauses for label, _ in clause} - self._by_label.keys()

    def begin(self, names: Iterable[str], items: Iterable[tuple[Item, Mapping[str, str]]]) -> None:
        """Keep postings of the labels *names* from now on; *items* are all that there are, with their labels."""
        begun: dict[str, dict[str, set[Item]]] = {name: {} for name in names}
        for item, labels in items:
            for name in begun.keys() & labels.keys() if len(begun) > 1 else begun:
                if name in labels:
                    begun[name].setdefault(labels[name], set()).add(item)
        self._by_label.update(begun)

    def add(self, item: Item, labels: Mapping[str, str]) -> None:
        for label, value in labels.items():
            by_value = self._by_label.get(label)
            if by_value is not None:
                by_value.setdefault(value, set()).add(item)

    def discard(self, item: Item, labels: Mapping[str, str]) -> None:
        """Take an item out; *labels* are those it was added with."""
        for label, value in labels.items():
            by_value = self._by_label.get(label)
            if by_value is not None and value in by_value:
                by_value[value].discard(item)
                if not by_value[value]:
                    # Values come and go for as long as the process lives.
                    del by_value[value]

    def count(self, clause: Clause) -> int:
        """How many items have a key of *clause*; those with several may count more than once."""
        return sum(len(items) for key in clause for items in self._with_key(key))

    def candidates(self, clause: Clause) -> set[Item]:
        """The items that have a key of *clause*."""
        return {item for key in clause for items in self._with_key(key) for item in items}

    def _with_key(self, key: Key) -> Iterator[set[Item]]:
        label, value = key
        by_value = self._by_label.get(label, {})
        if value is None:
            yield from by_value.values()
        elif value in by_value:
            yield by_value[value]
