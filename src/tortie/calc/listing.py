"""Who lists what: the other direction of a value that names others."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from typing import Generic, TypeVar

Key = TypeVar("Key")
Item = TypeVar("Item")


class Listing(Generic[Key, Item]):
    """Items by the keys that each of them lists; nothing is kept of a key that no item lists."""

    def __init__(self) -> None:
        self._items: dict[Key, set[Item]] = {}

    def of(self, key: Key) -> AbstractSet[Item]:
        """The items that list *key*."""
        return self._items.get(key, frozenset())

    def add(self, item: Item, keys: Iterable[Key]) -> None:
        """*item* lists *keys*; one that it lists twice counts once."""
        for key in keys:
            self._items.setdefault(key, set()).add(item)

    def discard(self, item: Item, keys: Iterable[Key]) -> None:
        """*item* does not list *keys* any more."""
        for key in keys:
            listing = self._items.get(key)
            if listing is not None:
                listing.discard(item)
                if not listing:
                    del self._items[key]
