"""Which pairs of workloads a page measures next, so that a change is seen soon also where all of them take seconds. No I/O.

A policy changes rows and columns of the matrix: what a workload may send, or get. A round therefore takes one pair of every row and
column at a time,

    a→b b→c c→d d→a     then a→c b→d c→a d→b     then a→d …

and with each of these the row or column in which most has changed. Where all pairs fit into one round, each is all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import Literal, NamedTuple, TypeAlias

Pair: TypeAlias = tuple[str, str]
"""A source and a target."""


class _Line(NamedTuple):
    """A row of the matrix, or a column."""

    kind: Literal["row", "column"]
    name: str

    def pairs(self, names: Sequence[str]) -> list[Pair]:
        others = (name for name in names if name != self.name)
        return [(self.name, other) if self.kind == "row" else (other, self.name) for other in others]


class Rounds:
    """The order of measuring; ``changed`` is what it learns from."""

    def __init__(self, size: int) -> None:
        """*size* is how many pairs a round has, about."""
        self._size = size
        self._distance = 0
        self._suspects = Counter[_Line]()
        """How many changes were seen in each line since it was measured as a whole."""
        self._looked_at: set[_Line] = set()

    def next(self, names: Sequence[str]) -> Collection[Pair]:
        """The pairs of the next round among the workloads that there are."""
        found: dict[Pair, None] = {}
        self._looked_at.clear()
        for _ in names[1:]:
            if len(found) >= self._size:
                break
            found |= dict.fromkeys(self._one_of_each(names))
            for line, _count in self._suspects.most_common(1):
                del self._suspects[line]
                if line.name in names:
                    self._looked_at.add(line)
                    found |= dict.fromkeys(line.pairs(names))
        return found.keys()

    def changed(self, pairs: Iterable[Pair]) -> None:
        """Note what, in the round that was the last, was not as it had been before."""
        for source, target in pairs:
            lines = {_Line("row", source), _Line("column", target)}
            self._suspects.update(lines - self._looked_at)

    def _one_of_each(self, names: Sequence[str]) -> Iterable[Pair]:
        self._distance = self._distance % (len(names) - 1) + 1
        return ((name, names[(at + self._distance) % len(names)]) for at, name in enumerate(names))
