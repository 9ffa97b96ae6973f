"""The order of a group's policies, as numbers with gaps: most changes of the order renumber nothing."""

from __future__ import annotations

from collections.abc import Sequence

from tortie.ruleset.runs.slots import PolicySlots

_GAP = 1 << 32


def renumber(policies: Sequence[PolicySlots], start: int, stop: int) -> None:
    """Number the policies from *start* to before *stop*, which are new at their place; all of them, if there is no gap left.

    Those that are not new keep their order, so that whatever is sorted by it stays so.
    """
    low = policies[start - 1].label if start else 0
    high = policies[stop].label if stop < len(policies) else low + _GAP * (stop - start + 1)
    step = (high - low) // (stop - start + 1)
    if step < 1:
        start, stop, low, step = 0, len(policies), 0, _GAP
    for place, policy in enumerate(policies[start:stop], start=1):
        policy.label = low + place * step
