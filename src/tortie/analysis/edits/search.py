"""The smallest edit that makes verdicts others: of the candidates by size the first of which the oracle says so.

Every stage of every host must let a flow through, so what is denied at two of them takes two changes, and what is allowed one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from tortie.analysis.edits.candidates import Candidates
from tortie.analysis.edits.edit import Change, Edit, Size
from tortie.analysis.edits.size import Sizing
from tortie.analysis.edits.state import State
from tortie.analysis.near import near_misses
from tortie.model.kinds import ResourceKey
from tortie.verdict import Flow, Verdict

_STEPS = 4
"""So many changes at most are made for one flow: it has two ends, and a host may ask at several stages."""
_JUDGED = 60
"""So many candidates are judged for one change."""


class _Step(NamedTuple):
    """One change, the state that it leads to, and what becomes of the flow then."""

    change: Change
    size: Size
    after: State
    verdict: Verdict


def smallest_edit(state: State, flows: Sequence[Flow], *, allow: bool) -> Edit | None:
    """What lets all *flows* through, or none; one change after the other, each the smallest.

    None if no change of policies does that: what decides is no policy, or nobody's. LookupError as ``Cluster.judge`` has it.
    """
    changes: dict[ResourceKey, Change] = {}
    size = Size(0, 0)
    for flow in flows:
        verdict = state.cluster.judge(flow)
        for _ in range(_STEPS):
            if verdict.allowed is allow:
                break
            step = _opened(state, verdict) if allow else _closed(state, verdict)
            if step is None:
                return None
            state, verdict, size = step.after, step.verdict, size.plus(step.size)
            changes[step.change.key] = _together(changes.get(step.change.key), step.change)
        if verdict.allowed is not allow:
            return None
    return Edit(tuple(changes.values()), size)


def _closed(state: State, verdict: Verdict) -> _Step | None:
    """With which any of its stages denies the flow."""
    found = (c for decision in verdict.decisions for c in Candidates(state, verdict, decision).changes(()))
    return _first(state, verdict, found, fewer_than=None)


def _opened(state: State, verdict: Verdict) -> _Step | None:
    """With which fewer stages deny the flow; looked for is what turns the first that does."""
    denied = [decision for decision in verdict.decisions if not decision.allowed]
    found = Candidates(state, verdict, denied[0]).changes(near_misses(state.cluster, verdict))
    return _first(state, verdict, found, fewer_than=len(denied))


def _first(state: State, verdict: Verdict, changes: Iterable[Change], *, fewer_than: int | None) -> _Step | None:
    """The smallest change after which that many stages deny the flow; None: any."""
    sizing = Sizing(state)
    sized = sorted((sizing.of(change), number, change) for number, change in enumerate(changes))
    for size, _, change in sized[:_JUDGED]:
        after = state.after(change)
        then = after.cluster.judge(verdict.flow)
        denied = sum(not decision.allowed for decision in then.decisions)
        if denied > 0 if fewer_than is None else denied < fewer_than:
            return _Step(change, size, after, then)
    return None


def _together(first: Change | None, second: Change) -> Change:
    """Both changes of one object, the second of which is one of what the first made."""
    if first is None:
        return second
    operations = () if first.written is None else (*first.operations, *second.operations)
    return second._replace(operations=operations, written=first.written)
