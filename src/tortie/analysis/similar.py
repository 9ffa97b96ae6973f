"""The word, or name, that is nearest to one that does not exist: what somebody who mistyped it will have meant."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable

_LOOKED_AT = 500
"""How many names or values are compared with a misspelt one, the most usual first: comparing is slow."""


def nearest_name(text: str, names: Iterable[str]) -> str | None:
    """Of *names* such as ``namespace/name`` the one that *text* resembles, in its own namespace if there is one; None: none does."""
    known = set(names)
    namespace, _, name = text.rpartition("/")
    same = Counter(found.rpartition("/")[2] for found in known if found.rpartition("/")[0] == namespace)
    if near := nearest(name, same):
        return f"{namespace}/{near}" if namespace else near
    elsewhere = Counter(found for found in known if found.rpartition("/")[2] == name)
    return nearest(text, elsewhere) or min(elsewhere, default=None) or nearest(text, Counter(known))


def nearest(word: str, known: Counter[str]) -> str | None:
    """What resembles *word*, in any case of letters; of several the nearest, and of these the most usual."""
    by_lower: dict[str, str] = {}
    for name in most_usual(known):
        by_lower.setdefault(name.lower(), name)
    similar = [name for name in by_lower if abs(len(name) - len(word)) <= max(2, len(word) // 3)][:_LOOKED_AT]
    close = difflib.get_close_matches(word.lower(), similar, n=1)
    return by_lower[close[0]] if close else None


def most_usual(known: Counter[str]) -> list[str]:
    """The known words, the most usual first."""
    return sorted(known, key=lambda name: (-known[name], name))
