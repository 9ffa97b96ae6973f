"""How much of the policies their tests try: which rules decide about a packet that a test asks about, and which never can.

A rule is *tested* if some packet of some test comes as far as the rule and it matches, be it to pass the packet on: packets that the
source's policy stops never come to the destination's. A rule is *shadowed* if whatever it matches is decided by earlier rules, or by
the end of an earlier tier, for everybody whom its policy governs; and *idle* if it matches nothing in this cluster at all. Both are
worked out for all packets between all ends, not tried. Rules of profiles, Log rules, and staged policies, which are enforced
nowhere, are not counted.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
from collections.abc import Container, Iterable, Iterator
from enum import StrEnum
from typing import NamedTuple

from tortie.analysis.assertions.deciding import Deciding, RuleRef
from tortie.analysis.assertions.judging import Asked, Judge
from tortie.analysis.assertions.outcome import Located
from tortie.analysis.assertions.pairs import Asking
from tortie.analysis.ends import UnknownEndError
from tortie.analysis.reach import allowed, space
from tortie.analysis.reach.allowed import Allowed
from tortie.analysis.reach.asked import enforced
from tortie.analysis.reach.bits import members
from tortie.analysis.reach.hosts import NEIGHBOUR_DISCOVERY, HostContext
from tortie.analysis.reach.matrix import exact
from tortie.analysis.reach.space import Region
from tortie.model.policy import Action, Direction
from tortie.verdict import Decision, Verdict
from tortie.verdict.order import reference, rules
from tortie.verdict.scope import governs

_PAIRS = 256
"""So many pairs of one test are asked about where hosts have policy of their own; of more, that policy is taken to let all through."""
_TOLD = 3
"""So many of what shadows a rule are told."""


class State(StrEnum):
    """What is known of a rule."""

    TESTED = "tested"
    UNTESTED = "untested"
    SHADOWED = "shadowed"
    IDLE = "idle"


class RuleCoverage(NamedTuple):
    """A rule, and what is known of it."""

    rule: RuleRef
    action: Action
    state: State
    shadowed_by: tuple[RuleRef | str, ...] = ()
    """What decides in its place, the first few."""


def coverage(judge: Judge, tests: Iterable[Located]) -> tuple[RuleCoverage, ...]:
    """Every rule that is enforced, in the order in which policies are asked."""
    return _Covering(judge).covered(tests)


class _Covering:
    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self._reach = judge.reach
        self._deciding = Deciding(judge.reach)
        self._workloads = judge.reach.population.present
        self._hosts = {node: 1 << number for number, node in judge.reach.population.hosts.items()}

    def covered(self, tests: Iterable[Located]) -> tuple[RuleCoverage, ...]:
        tested = self._tested(tests)
        able = self._able()
        shadows = self._shadows(able)
        found = []
        for written in self._written():
            rule = written.rule
            if rule in tested:
                state = State.TESTED
            elif rule in able or written.is_of_hosts:
                state = State.UNTESTED
            else:
                state = State.SHADOWED if rule in shadows else State.IDLE
            by = tuple(itertools.islice(shadows.get(rule, ()), _TOLD)) if state is State.SHADOWED else ()
            found.append(RuleCoverage(rule, written.action, state, by))
        return tuple(found)

    def _written(self) -> Iterator[_Written]:
        hosts = self._judge.cluster.host_endpoints
        for policy in enforced(self._judge.cluster):
            is_of_hosts = any(governs(policy, host.labels) for host in hosts)
            for direction in Direction:
                for index, rule in enumerate(rules(policy, direction)):
                    if rule.action is not Action.LOG:
                        yield _Written(RuleRef(reference(policy), direction, index), rule.action, is_of_hosts)

    # --- which are tested -----------------------------------------------------------------------------------------------------

    def _tested(self, tests: Iterable[Located]) -> set[RuleRef]:
        tested: set[RuleRef] = set()
        for test in tests:
            with contextlib.suppress(UnknownEndError):
                asked = self._judge.asked(test)
                are_known = self._try_crossing(asked, tested)
                parts = itertools.product(asked.sources.parts, asked.destinations.parts, (True, False))
                for one, other, by_source in parts:
                    self._try(Asking(one, other, by_source=by_source), asked.region, tested, are_known)
        return tested

    def _try_crossing(self, asked: Asked, tested: set[RuleRef]) -> bool:
        """Where hosts on the way have policy of their own, ask pair by pair; whether that were all such pairs."""
        pairs = list(itertools.islice(self._judge.probes.crossing(asked.sources, asked.destinations), _PAIRS + 1))
        for pair in pairs[:_PAIRS]:
            for verdict in self._judge.probes.verdicts(pair, asked.region):
                tested.update(decided_by(verdict))
        return len(pairs) <= _PAIRS

    def _try(self, asking: Asking, region: Region, tested: set[RuleRef], are_known: bool) -> None:
        """What the policies of the side that is looked at decide about: the destinations', of what the sources' let out."""
        direction = Direction.EGRESS if asking.by_source else Direction.INGRESS
        for number, required in self._judge.pairs.required(asking, region):
            if untried := self._untried(number, direction, tested, are_known):
                left = required if asking.by_source else allowed.both(required, self._sent_to(number, asking))
                came = self._come(number, direction, left)
                tested.update(rule for rule, cells in untried if _meet(cells, came))

    def _sent_to(self, number: int, asking: Asking) -> Allowed:
        return self._sent[number] if asking.are_many else self._reach.sent_to(number, asking.others.numbers)

    def _come(self, number: int, direction: Direction, cells: Allowed) -> Allowed:
        """What of *cells* comes to a workload's policy: not what its host stops before, nor what is between the two whatever policy says."""
        context, population = self._context(number), self._reach.population
        stopped, spared = context.unsent, NEIGHBOUR_DISCOVERY
        if number in population.held:
            stopped = space.union(stopped, population.held[number].dropped)
        if direction is Direction.INGRESS:
            stopped, spared = space.NOTHING if context.has_endpoints else context.invalid, space.EVERYTHING
        came = allowed.within(cells, space.complement(stopped))
        own = self._hosts.get(population.endpoints[number].node, 0)
        return allowed.without(came, allowed.within(allowed.among(came, own), spared)) if own else came

    def _untried(
        self, number: int, direction: Direction, tested: Container[object], are_known: bool
    ) -> list[tuple[RuleRef, Allowed]]:
        """The rules of which it is not known yet whether they decide about something that is asked, and about what they decide."""
        if not self._workloads >> number & 1 or (are_known and self._context(number).has_endpoints):
            return []
        return [
            (decided.by, decided.cells)
            for decided in self._deciding.of(number, direction)
            if isinstance(decided.by, RuleRef) and decided.cells and decided.by not in tested
        ]

    def _context(self, number: int) -> HostContext:
        return self._reach.population.context_of(number)

    @functools.cached_property
    def _sent(self) -> list[Allowed]:
        return self._reach.sent()

    # --- which can be -----------------------------------------------------------------------------------------------------------

    def _able(self) -> set[RuleRef]:
        """The rules that decide about something, for anybody."""
        able: set[RuleRef] = set()
        for number, direction in itertools.product(members(self._workloads), Direction):
            for decided in self._deciding.of(number, direction):
                if not isinstance(decided.by, RuleRef) or decided.by in able:
                    continue
                if self._possible(number, direction, decided.cells):
                    able.add(decided.by)
        return able

    def _shadows(self, able: Container[object]) -> dict[RuleRef, dict[RuleRef | str, None]]:
        """Of those that decide about nothing and would match something, what decides that."""
        found: dict[RuleRef, dict[RuleRef | str, None]] = {}
        for number, direction in itertools.product(members(self._workloads), Direction):
            trace = self._deciding.of(number, direction)
            for at, decided in enumerate(trace):
                if not isinstance(decided.by, RuleRef) or decided.by in able or len(found.get(decided.by, ())) >= _TOLD:
                    continue
                matching = self._possible(number, direction, decided.matching)
                if matching:
                    earlier = (each for each in trace[:at] if not each.passes or each.tier == decided.tier)
                    by = (each.by for each in earlier if _meet(each.cells, matching))
                    found.setdefault(decided.by, {}).update(dict.fromkeys(by))
        return found

    def _possible(self, number: int, direction: Direction, cells: Allowed) -> Allowed:
        """The part of *cells* that may come to a workload's policy: not in families that not both ends have, nor from itself."""
        is_alone = len(self._reach.universe.classes[number].names) == 1
        others = self._reach.population.everybody & ~(1 << number if is_alone else 0)
        cells = exact(self._reach, number, allowed.within(allowed.among(cells, others), self._reach.live))
        return self._come(number, direction, cells) if cells else cells


class _Written(NamedTuple):
    """A rule that is enforced, and whether its policy governs host endpoints, of which no set tells what can be."""

    rule: RuleRef
    action: Action
    is_of_hosts: bool


def _meet(one: Allowed, other: Allowed) -> bool:
    """Whether two sets of packets have any in common."""
    return any(ends & there and space.intersection(region, beside) for region, ends in one for beside, there in other)


def decided_by(verdict: Verdict) -> Iterator[RuleRef]:
    """The rules that matched, as far as the packet came; those that passed it on among them."""
    for decision in verdict.decisions:
        yield from matched(decision)
        if not decision.allowed:
            return


def matched(decision: Decision) -> Iterator[RuleRef]:
    """The rules of policies that matched at one stage."""
    for policy in (policy for tier in decision.tiers for policy in tier.policies if not policy.staged):
        for rule in policy.rules:
            if not rule.mismatch and rule.action is not Action.LOG:
                yield RuleRef(policy.policy, decision.direction, rule.index)
