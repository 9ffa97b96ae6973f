"""How much of the cluster an update looks at: the measure of "cost proportional to the change" that no clock can blur."""

from __future__ import annotations


class Visits:
    """Counts endpoints, sets and policies that are looked at, over all nodes of one graph."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0
