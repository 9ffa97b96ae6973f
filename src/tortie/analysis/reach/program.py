"""What an endpoint's policies let through in one direction at one stage: first match, for all other ends and packets at once.

    undecided ─► rule ─► rule ─► ... ─► end of tier ─► next tier ─► ... ─► profiles
                  │ Allow: allowed       │ Deny: gone
                  │ Deny: gone           └ Pass: undecided again
                  └ Pass: aside till the next tier

A *program* is the ordered policies that govern an endpoint, by tier, and its profiles. Of the end whose program it is only what the
rules ask about counts, so one evaluation does for all endpoints with the same program of which no rule tells one from another.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from tortie.analysis.reach import allowed, space
from tortie.analysis.reach.allowed import Allowed
from tortie.analysis.reach.space import Region
from tortie.analysis.reach.terms import CompiledRule, Term
from tortie.model.policy import Action, Direction


class TierProgram(NamedTuple):
    """The policies of one tier that govern an endpoint; there is at least one."""

    rules: tuple[tuple[CompiledRule, ...], ...]
    """Of each of its policies, in order."""
    passes: bool
    """At its end packets go on to the next tier; else they are denied there."""


class Program(NamedTuple):
    """What is asked, in order."""

    tiers: tuple[TierProgram, ...]
    profiles: tuple[tuple[CompiledRule, ...], ...] | None = None
    """The rules of each profile, up to one that does not exist, which denies. None: at this stage profiles are not asked, and
    what no tier decides goes on."""


class Outcome(NamedTuple):
    """Of a program."""

    allowed: Allowed
    by_rule: Allowed
    """What of it a policy's Allow rule let through, and not that nothing decided."""


class Side(NamedTuple):
    """Which end of a packet has the program: its source, whose number this is, or its destination."""

    number: int
    is_source: bool

    @property
    def direction(self) -> Direction:
        """Of the program, as seen from its end."""
        return Direction.EGRESS if self.is_source else Direction.INGRESS

    def others(self, term: Term) -> int:
        """The other ends of a term, if it has this one."""
        own, others = (term.sources, term.destinations) if self.is_source else (term.destinations, term.sources)
        return others if own >> self.number & 1 else 0


class Step(NamedTuple):
    """A rule as one end sees it: what it matches, of other ends."""

    action: Action
    terms: tuple[tuple[Region, int], ...]


def steps(rules: Iterable[CompiledRule], side: Side) -> tuple[Step, ...]:
    """*rules* as *side* sees them, those left out that cannot match."""
    seen = (
        Step(rule.action, tuple((t.region, others) for t in rule.terms if (others := side.others(t)))) for rule in rules
    )
    return tuple(step for step in seen if step.terms)


class _State:
    """Which other ends are still undecided, and which allowed, by part of the line."""

    def __init__(self, regions: frozenset[Region], everybody: int) -> None:
        self._cut = space.partition(regions)
        count = len(self._cut.parts)
        self._undecided = [everybody] * count
        self._aside = [0] * count
        self._allowed = [0] * count

    def take(self, seen: Sequence[Step]) -> None:
        """Let rules match, one after the other."""
        undecided, parts_of = self._undecided, self._cut.parts_of
        for action, terms in seen:
            keep = self._allowed if action is Action.ALLOW else self._aside if action is Action.PASS else None
            for region, ends in terms:
                for part in parts_of[region]:
                    matched = undecided[part] & ends
                    if matched:
                        undecided[part] ^= matched
                        if keep is not None:
                            keep[part] |= matched

    def end_tier(self, *, passes: bool) -> None:
        """What was passed goes on; what nothing decided goes with it, or is denied."""
        if passes:
            self._undecided = [left | aside for left, aside in zip(self._undecided, self._aside, strict=True)]
        else:
            self._undecided = self._aside
        self._aside = [0] * len(self._undecided)

    def forget_passed(self) -> None:
        """A Pass in a profile has nowhere to go on to."""
        self._aside = [0] * len(self._undecided)

    def cells(self, *, with_undecided: bool) -> Allowed:
        ends = self._allowed
        if with_undecided:
            ends = [done | left for done, left in zip(ends, self._undecided, strict=True)]
        return allowed.collected(zip(self._cut.parts, ends, strict=True))


def run(program: Program, side: Side, everybody: int) -> Outcome:
    """What of all packets between *side* and *everybody* the program lets through."""
    tiers = [(tier, [steps(rules, side) for rules in tier.rules]) for tier in program.tiers]
    profiles = [steps(rules, side) for rules in program.profiles or ()]
    lists = [seen for _, of_tier in tiers for seen in of_tier] + profiles
    state = _State(frozenset(region for seen in lists for step in seen for region, _ in step.terms), everybody)
    for tier, of_tier in tiers:
        for seen in of_tier:
            state.take(seen)
        state.end_tier(passes=tier.passes)
    if program.profiles is None:
        by_rule = state.cells(with_undecided=False)
        return Outcome(state.cells(with_undecided=True), by_rule)
    for seen in profiles:
        state.take(seen)
        state.forget_passed()
    found = state.cells(with_undecided=False)
    return Outcome(found, found)
