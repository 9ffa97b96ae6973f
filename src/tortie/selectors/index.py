"""Which of many selectors match which of many labelled items, kept up to date as both change.

    item changes ──► SelectorFiles ──► candidate selectors ─┐
                                                            ├─► evaluate ──► pairs that started or stopped matching
    selector changes ──► ItemPostings ──► candidate items ──┘

``LinearIndex`` tries every selector on every item. ``LabelIndex`` asks the two halves of ``tortie.selectors.postings`` for
candidates first, and remembers who matches whom.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

import msgspec

from tortie.selectors.clauses import clauses_of
from tortie.selectors.postings import ItemPostings, SelectorFiles
from tortie.selectors.selector import Selector


class ItemId(Hashable, Protocol):
    """What may identify an item: hashable, and ordered so that reports are too."""

    def __lt__(self, other: Any, /) -> bool: ...


Item = TypeVar("Item", bound=ItemId)


class MatchStarted(msgspec.Struct, Generic[Item], frozen=True):
    """The item now matches the selector and did not before."""

    selector_id: str
    item_id: Item


class MatchStopped(msgspec.Struct, Generic[Item], frozen=True):
    """The item matched the selector and does not any more."""

    selector_id: str
    item_id: Item


MatchChange: TypeAlias = MatchStarted[Item] | MatchStopped[Item]
MatchChanges: TypeAlias = tuple[MatchStarted[Item] | MatchStopped[Item], ...]
"""Every pair at most once, sorted by selector and item."""


class Index(Protocol[Item]):
    """What both indexes do. Every call reports the pairs that it changed; repeating it reports none."""

    def add_selector(self, selector_id: str, selector: Selector) -> MatchChanges[Item]:
        """Know a selector from now on, or another one by this id."""

    def remove_selector(self, selector_id: str) -> MatchChanges[Item]:
        """Forget a selector; nothing happens if it is not known."""

    def set_item(self, item_id: Item, labels: Mapping[str, str]) -> MatchChanges[Item]:
        """Know an item from now on, or its new labels."""

    def remove_item(self, item_id: Item) -> MatchChanges[Item]:
        """Forget an item; nothing happens if it is not known."""


def _changes(started: Iterable[tuple[str, Item]], stopped: Iterable[tuple[str, Item]]) -> MatchChanges[Item]:
    changes: list[MatchStarted[Item] | MatchStopped[Item]] = [MatchStarted(*pair) for pair in started]
    changes += [MatchStopped(*pair) for pair in stopped]
    return tuple(sorted(changes, key=lambda change: (change.selector_id, change.item_id)))


class LinearIndex(Generic[Item]):
    """The slow, obvious index: compares all matches before and after each change."""

    def __init__(self) -> None:
        self._selectors: dict[str, Selector] = {}
        self._items: dict[Item, Mapping[str, str]] = {}

    def add_selector(self, selector_id: str, selector: Selector) -> MatchChanges[Item]:
        return self._become(self._selectors | {selector_id: selector}, self._items)

    def remove_selector(self, selector_id: str) -> MatchChanges[Item]:
        return self._become({k: v for k, v in self._selectors.items() if k != selector_id}, self._items)

    def set_item(self, item_id: Item, labels: Mapping[str, str]) -> MatchChanges[Item]:
        return self._become(self._selectors, self._items | {item_id: labels})

    def remove_item(self, item_id: Item) -> MatchChanges[Item]:
        return self._become(self._selectors, {k: v for k, v in self._items.items() if k != item_id})

    def _become(self, selectors: dict[str, Selector], items: dict[Item, Mapping[str, str]]) -> MatchChanges[Item]:
        before = self._matches()
        self._selectors, self._items = selectors, items
        after = self._matches()
        return _changes(after - before, before - after)

    def _matches(self) -> set[tuple[str, Item]]:
        return {
            (selector_id, item_id)
            for selector_id, selector in self._selectors.items()
            for item_id, labels in self._items.items()
            if selector.matches(labels)
        }


class LabelIndex(Generic[Item]):
    """The fast index: a change costs in proportion to its candidates, not to all there is."""

    def __init__(self) -> None:
        self._files = SelectorFiles()
        self._postings: ItemPostings[Item] = ItemPostings()
        self._items: dict[Item, Mapping[str, str]] = {}
        self._selectors_of: dict[Item, set[str]] = {}
        self._items_of: dict[str, set[Item]] = {}

    def add_selector(self, selector_id: str, selector: Selector) -> MatchChanges[Item]:
        if self._files.get(selector_id) == selector:
            return ()
        missing = self._postings.missing(clauses_of(selector.node))
        if missing:
            self._postings.begin(missing, self._items.items())
        clause = self._files.file(selector_id, selector, self._postings.count)
        candidates = self._items.keys() if clause is None else self._postings.candidates(clause)
        after = {item for item in candidates if selector.matches(self._items[item])}
        return self._selector_matches(selector_id, after)

    def remove_selector(self, selector_id: str) -> MatchChanges[Item]:
        self._files.discard(selector_id)
        changes = self._selector_matches(selector_id, set())
        self._items_of.pop(selector_id, None)
        return changes

    def set_item(self, item_id: Item, labels: Mapping[str, str]) -> MatchChanges[Item]:
        if self._items.get(item_id) == labels:
            return ()
        self._postings.discard(item_id, self._items.get(item_id, {}))
        self._postings.add(item_id, labels)
        self._items[item_id] = labels
        candidates = self._files.candidates(labels)
        after = {selector_id for selector_id, selector in candidates.items() if selector.matches(labels)}
        return self._item_matches(item_id, after)

    def remove_item(self, item_id: Item) -> MatchChanges[Item]:
        self._postings.discard(item_id, self._items.pop(item_id, {}))
        changes = self._item_matches(item_id, set())
        self._selectors_of.pop(item_id, None)
        return changes

    def items_of(self, selector_id: str) -> AbstractSet[Item]:
        """The items that a selector matches."""
        return self._items_of.get(selector_id, frozenset())

    def selectors_of(self, item_id: Item) -> AbstractSet[str]:
        """The selectors that match an item."""
        return self._selectors_of.get(item_id, frozenset())

    def _selector_matches(self, selector_id: str, after: set[Item]) -> MatchChanges[Item]:
        before = self._items_of.get(selector_id, set())
        for item_id in after - before:
            self._selectors_of[item_id].add(selector_id)
        for item_id in before - after:
            self._selectors_of[item_id].discard(selector_id)
        self._items_of[selector_id] = after
        return _changes(((selector_id, item) for item in after - before), ((selector_id, i) for i in before - after))

    def _item_matches(self, item_id: Item, after: set[str]) -> MatchChanges[Item]:
        before = self._selectors_of.get(item_id, set())
        for selector_id in after - before:
            self._items_of[selector_id].add(item_id)
        for selector_id in before - after:
            self._items_of[selector_id].discard(item_id)
        self._selectors_of[item_id] = after
        return _changes(((s, item_id) for s in after - before), ((s, item_id) for s in before - after))
