"""Which of many selectors match which of many labelled items, kept up to date as both change.

    item changes ──► candidate selectors ─┐
                                          ├─► evaluate ──► pairs that started or stopped matching
    selector changes ──► candidate items ─┘

``LinearIndex`` tries every selector on every item. ``LabelIndex`` files both under *keys*, ``(label, value)`` and
``(label, None)`` for "has the label": an item has a key for each of its labels' names and values; a selector is filed under
the keys of one clause, of which every item that it matches has at least one. Which clause is chosen decides the speed and
never the answer.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

import msgspec

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


Key: TypeAlias = tuple[str, str | None]
"""A label and its value, or None for any."""
_EVERYTHING: Key = ("", None)
"""Every item has this key; a selector without restrictions is filed under it."""


def keys_of(labels: Mapping[str, str]) -> set[Key]:
    """Everything that an item with *labels* is filed under."""
    keys: set[Key] = {_EVERYTHING}
    for label, value in labels.items():
        keys.add((label, value))
        keys.add((label, None))
    return keys


def clauses_of(selector: Selector) -> list[tuple[Key, ...]]:
    """Sets of keys; an item that matches has at least one key of each. An empty one: nothing matches."""
    clauses: list[tuple[Key, ...]] = [(_EVERYTHING,)]
    for label, restriction in sorted(selector.restrictions().items(), key=lambda entry: entry[0]):
        if restriction.present and restriction.absent:
            return [()]
        if restriction.one_of is not None:
            clauses.append(tuple((label, value) for value in sorted(restriction.one_of)))
        elif restriction.present:
            clauses.append(((label, None),))
    return clauses


class LabelIndex(Generic[Item]):
    """The fast index: a change costs in proportion to its candidates, not to all there is."""

    def __init__(self) -> None:
        self._selectors: dict[str, Selector] = {}
        self._items: dict[Item, Mapping[str, str]] = {}
        self._filed_under: dict[str, tuple[Key, ...]] = {}
        self._selectors_by_key: defaultdict[Key, set[str]] = defaultdict(set)
        self._items_by_key: defaultdict[Key, set[Item]] = defaultdict(set)
        self._selectors_of: dict[Item, set[str]] = {}
        self._items_of: dict[str, set[Item]] = {}

    def add_selector(self, selector_id: str, selector: Selector) -> MatchChanges[Item]:
        if self._selectors.get(selector_id) == selector:
            return ()
        self._unfile(selector_id)
        self._file(selector_id, selector)
        candidates = {item for key in self._filed_under[selector_id] for item in self._items_by_key.get(key, ())}
        after = {item for item in candidates if selector.matches(self._items[item])}
        return self._selector_matches(selector_id, after)

    def remove_selector(self, selector_id: str) -> MatchChanges[Item]:
        self._unfile(selector_id)
        changes = self._selector_matches(selector_id, set())
        self._items_of.pop(selector_id, None)
        return changes

    def set_item(self, item_id: Item, labels: Mapping[str, str]) -> MatchChanges[Item]:
        if self._items.get(item_id) == labels:
            return ()
        keys = keys_of(labels)
        self._refile_item(item_id, keys)
        self._items[item_id] = labels
        candidates = {selector_id for key in keys for selector_id in self._selectors_by_key.get(key, ())}
        after = {selector_id for selector_id in candidates if self._selectors[selector_id].matches(labels)}
        return self._item_matches(item_id, after)

    def remove_item(self, item_id: Item) -> MatchChanges[Item]:
        self._refile_item(item_id, set())
        self._items.pop(item_id, None)
        changes = self._item_matches(item_id, set())
        self._selectors_of.pop(item_id, None)
        return changes

    def _file(self, selector_id: str, selector: Selector) -> None:
        """Under the clause that the fewest items have, and while there are no items, that the fewest selectors use."""
        clause = min(clauses_of(selector), key=self._cost)
        self._selectors[selector_id] = selector
        self._filed_under[selector_id] = clause
        for key in clause:
            self._selectors_by_key[key].add(selector_id)

    def _cost(self, clause: tuple[Key, ...]) -> tuple[int, int]:
        items = sum(len(self._items_by_key.get(key, ())) for key in clause)
        selectors = sum(len(self._selectors_by_key.get(key, ())) for key in clause)
        # A selector under _EVERYTHING is a candidate for every item to come, so that is the last resort.
        return items, selectors if _EVERYTHING not in clause else len(self._selectors) + 1

    def _unfile(self, selector_id: str) -> None:
        self._selectors.pop(selector_id, None)
        for key in self._filed_under.pop(selector_id, ()):
            _discard(self._selectors_by_key, key, selector_id)

    def _refile_item(self, item_id: Item, keys: set[Key]) -> None:
        old = keys_of(self._items[item_id]) if item_id in self._items else set()
        for key in old - keys:
            _discard(self._items_by_key, key, item_id)
        for key in keys - old:
            self._items_by_key[key].add(item_id)

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


_Filed = TypeVar("_Filed")


def _discard(postings: defaultdict[Key, set[_Filed]], key: Key, entry: _Filed) -> None:
    """Take an entry out, and the key with its last entry: values come and go for as long as the process lives."""
    postings[key].discard(entry)
    if not postings[key]:
        del postings[key]
