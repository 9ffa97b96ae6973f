"""How many there are of each: no count is zero, so that what is gone leaves nothing."""

from __future__ import annotations

from typing import TypeVar

_Item = TypeVar("_Item")


def count(counts: dict[_Item, int], item: _Item, step: int) -> None:
    """One *item* more, or fewer."""
    counts[item] = counts.get(item, 0) + step
    if not counts[item]:
        del counts[item]
