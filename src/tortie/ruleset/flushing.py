"""Collecting what a flush is made of, step by step."""

from __future__ import annotations

from collections.abc import Iterable

from tortie.ruleset.values import Flush, RulesetDelta, SetDelta

SWITCH_ELEMENTS = 1000
"""Set elements that a switch may change: some 60 kB of a batch, which is cut at about 180."""


def split_members(
    deltas: Iterable[SetDelta], limit: int = SWITCH_ELEMENTS
) -> tuple[list[SetDelta], list[SetDelta], list[SetDelta]]:
    """What to do to the members of existing hash sets in *create*, in *switch* and in *delete* (``compiler``)."""
    deltas = list(deltas)
    if sum(len(delta.added) + len(delta.removed) for delta in deltas) <= limit:
        return [], deltas, []
    early = [SetDelta(delta.name, added=delta.added) for delta in deltas if delta.added]
    late = [SetDelta(delta.name, removed=delta.removed) for delta in deltas if delta.removed]
    return early, [], late


class FlushBuilder:
    """Deltas of a flush, in the order in which they are added; *delete* the other way round."""

    def __init__(self) -> None:
        self._create: list[RulesetDelta] = []
        self._switch: list[RulesetDelta] = []
        self._delete: list[tuple[RulesetDelta, ...]] = []

    def add(
        self,
        create: Iterable[RulesetDelta] = (),
        switch: Iterable[RulesetDelta] = (),
        delete: Iterable[RulesetDelta] = (),
    ) -> None:
        """Add deltas of objects that refer to those added before, and that those added later may refer to."""
        self._create += create
        self._switch += switch
        self._delete.append(tuple(delete))

    def flush(self) -> Flush:
        late_first = (delta for deltas in reversed(self._delete) for delta in deltas)
        return Flush(tuple(self._create), tuple(self._switch), tuple(late_first))
