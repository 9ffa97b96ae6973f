"""Which rule decides about what: first match over sets, as ``reach.program`` has it, with a note of who matched what.

For a workload class and a direction: the rules of its policies in their order, each with the packets and other ends that came as far as
it and that it matches. Tiers whose end denies stand among them, for what they take never comes to a later tier.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tortie.analysis.reach import allowed, space
from tortie.analysis.reach.allowed import NOBODY, Allowed
from tortie.analysis.reach.policies import Variant
from tortie.analysis.reach.program import Side, Step, steps
from tortie.analysis.reach.state import Reach
from tortie.model.policy import Action, Direction
from tortie.verdict.order import reference
from tortie.verdict.refs import PolicyRef


class RuleRef(NamedTuple):
    """A rule of a policy."""

    policy: PolicyRef
    direction: Direction
    rule: int

    def __str__(self) -> str:
        return f"{self.policy}, {self.direction.lower()} rule {self.rule}"


class Decided(NamedTuple):
    """What a rule, or a tier's end by the tier's name, has decided."""

    by: RuleRef | str
    tier: int
    passes: bool
    """To the next tier, where others decide."""
    cells: Allowed
    """With which other ends what of the packets that came as far as this."""
    matching: Allowed
    """What it would have matched if all had come; of a tier's end, nothing."""


class Deciding:
    """Of one state of a cluster. Classes that share a program share the answer."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach
        self._known: dict[Variant, tuple[Decided, ...]] = {}

    def of(self, number: int, direction: Direction) -> tuple[Decided, ...]:
        """What the policies of a workload class decide, in their order, up to the profiles."""
        variant = self._reach.book.variant(number, direction)
        found = self._known.get(variant)
        if found is None:
            found = self._known[variant] = tuple(self._trace(number, direction))
        return found

    def _trace(self, number: int, direction: Direction) -> Iterator[Decided]:
        side = Side(number, is_source=direction is Direction.EGRESS)
        tiers = [
            (tier, [(ref, step) for policy in policies for ref, step in self._steps(policy, direction, side)])
            for tier, policies in self._by_tier(number, direction)
        ]
        left = _Left([step for _, of_tier in tiers for _, step in of_tier], self._reach.population.everybody)
        for tier, of_tier in tiers:
            for ref, step in of_tier:
                matching = allowed.of_overlapping(step.terms)
                yield Decided(ref, tier, step.action is Action.PASS, left.taken(step), matching)
            ordered = self._reach.book.tiers[tier]
            taken = left.end_tier(passes=ordered.default_action == "Pass")
            if taken:
                yield Decided(f"the default action of tier {ordered.name}", tier, False, taken, NOBODY)

    def _by_tier(self, number: int, direction: Direction) -> list[tuple[int, list[int]]]:
        by_tier: dict[int, list[int]] = {}
        for policy in self._reach.book.program(number, direction).policies:
            by_tier.setdefault(self._reach.book.ranked[policy].tier, []).append(policy)
        return list(by_tier.items())

    def _steps(self, number: int, direction: Direction, side: Side) -> Iterator[tuple[RuleRef, Step]]:
        policy = self._reach.book.ranked[number].policy
        for rule in self._reach.book.compiled(policy, direction):
            for step in steps([rule], side):
                yield RuleRef(reference(policy), direction, rule.number), step


class _Left:
    """With which other ends what is left for later rules, by part of the line."""

    def __init__(self, seen: Sequence[Step], everybody: int) -> None:
        self._cut = space.partition(frozenset(region for step in seen for region, _ in step.terms))
        self._undecided = [everybody] * len(self._cut.parts)
        self._aside = [0] * len(self._cut.parts)

    def taken(self, step: Step) -> Allowed:
        """What a rule matches of it, and so takes."""
        found = [0] * len(self._cut.parts)
        for region, ends in step.terms:
            for part in self._cut.parts_of[region]:
                matched = self._undecided[part] & ends
                self._undecided[part] ^= matched
                found[part] |= matched
        if step.action is Action.PASS:
            self._aside = [aside | matched for aside, matched in zip(self._aside, found, strict=True)]
        return self._collected(found)

    def end_tier(self, *, passes: bool) -> Allowed:
        """What was passed goes on; the rest too, or the tier's end denies it, and so takes it."""
        nothing = [0] * len(self._cut.parts)
        goes_on, taken = (self._undecided, nothing) if passes else (nothing, self._undecided)
        self._undecided = [left | aside for left, aside in zip(goes_on, self._aside, strict=True)]
        self._aside = nothing
        return self._collected(taken)

    def _collected(self, ends: Sequence[int]) -> Allowed:
        return allowed.collected(zip(self._cut.parts, ends, strict=True))
