"""Which policies govern whom, as programs, and what those let through; every program is evaluated once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

from tortie.analysis.reach import space
from tortie.analysis.reach.bits import members
from tortie.analysis.reach.population import Population
from tortie.analysis.reach.program import Outcome, Program, Side, TierProgram, run
from tortie.analysis.reach.selection import governed
from tortie.analysis.reach.terms import CompiledRule, RuleCompiler
from tortie.model.policy import Action, Direction
from tortie.verdict.endpoint import HostInterface
from tortie.verdict.order import AnyPolicy, StagedPolicy, directions, reference, rules, stages
from tortie.verdict.refs import PolicyRef
from tortie.verdict.scope import governs
from tortie.verdict.trace import Stage

_WITHOUT_END = (Stage.UNTRACKED, Stage.PRE_DNAT)
"""Stages in which a tier that does not decide is left, whatever its default action."""


Variant: TypeAlias = tuple[int, Direction, tuple[int, ...]]
"""A program in one direction, by the identity of what is written, and which of its terms ask for the end that has it."""


class Ranked(NamedTuple):
    """A policy that decides, in the order of all."""

    tier: int
    policy: AnyPolicy


class Written(NamedTuple):
    """A program as it is written: numbers of policies in order, and names of profiles."""

    policies: tuple[int, ...]
    profiles: tuple[str, ...]


class PolicyBook:
    """All policies of one state of a cluster, compiled as they are needed."""

    def __init__(self, population: Population, source_port: int) -> None:
        self.population = population
        self._compiler = RuleCompiler(population, source_port)
        policies = population.cluster.policies
        self.tiers = policies.tiers
        self._profiles = policies.profiles
        self.ranked = tuple(
            Ranked(number, policy)
            for number, tier in enumerate(policies.tiers)
            for policy in tier.policies
            if not isinstance(policy, StagedPolicy)
        )
        self._compiled: dict[tuple[PolicyRef | str, Direction], tuple[CompiledRule, ...]] = {}
        self._programs: dict[Direction, dict[int, Written]] = {direction: {} for direction in Direction}
        self._prepared = dict.fromkeys(Direction, 0)
        self._written: dict[Written, Written] = {}
        self._made: dict[tuple[int, Direction], tuple[Program, tuple[int, ...]]] = {}
        self._outcomes: dict[Variant, Outcome] = {}
        """Both by the identity of what is written, all of which is kept: it may be long."""

    # --- workloads ----------------------------------------------------------------------------------------------------------

    def outcome(self, number: int, direction: Direction) -> Outcome:
        """What the policies of workload class *number* let through in one direction."""
        key = self.variant(number, direction)
        found = self._outcomes.get(key)
        if found is None:
            program, _ = self._program(self.program(number, direction), direction)
            side = Side(number, is_source=direction is Direction.EGRESS)
            found = self._outcomes[key] = run(program, side, self.population.everybody)
        return found

    def variant(self, number: int, direction: Direction) -> Variant:
        """What is the same for workload classes whose policies let the same through in one direction."""
        written = self.program(number, direction)
        _, asks = self._program(written, direction)
        return id(written), direction, tuple(ends >> number & 1 for ends in asks)

    def program(self, number: int, direction: Direction) -> Written:
        """The program of a workload class that is there; that of one asked for first is found with all the others."""
        found = self._programs[direction].get(number)
        if found is None:
            self.prepare(direction, self.population.present)
            found = self._programs[direction][number]
        return found

    def prepare(self, direction: Direction, among: int) -> None:
        """Find the programs of some classes. Policies that govern the same ones are handed to them together, as there may be many of both."""
        among &= ~self._prepared[direction]
        self._prepared[direction] |= among
        alike: dict[int, list[int]] = {}
        for number, (_, policy) in enumerate(self.ranked):
            is_asked = Stage.NORMAL in stages(policy) and direction in directions(policy)
            if is_asked and (classes := self.governs(policy) & among):
                alike.setdefault(classes, []).append(number)
        lists: dict[int, list[list[int]]] = {}
        for classes, together in alike.items():
            for number in members(classes):
                lists.setdefault(number, []).append(together)
        known: dict[tuple[int, ...], Written] = {}
        for number in members(among & self.population.present):
            profiles, of_class = self.population.endpoints[number].profiles, lists.get(number, [])
            key = (*(id(together) for together in of_class), id(profiles))
            written = known.get(key)
            if written is None:
                made = Written(tuple(sorted(policy for together in of_class for policy in together)), profiles)
                written = known[key] = self._written.setdefault(made, made)
            self._programs[direction][number] = written

    def governs(self, policy: AnyPolicy) -> int:
        """The workload classes that *policy* governs: where a link is another's, as it governs that one."""
        found = self.population.labels.select(governed(policy))
        for number, (holder, _) in self.population.held.items():
            found = found | 1 << number if governs(policy, holder.labels) else found & ~(1 << number)
        return found

    def _program(self, written: Written, direction: Direction) -> tuple[Program, tuple[int, ...]]:
        """A program, and for each of its rules' terms that asks about the program's own end which ends it has there."""
        found = self._made.get((id(written), direction))
        if found is None:
            tiers = tuple(self._tiers(written.policies, direction, Stage.NORMAL))
            profiles = tuple(self._profiles_of(written.profiles, direction))
            lists = [listed for tier in tiers for listed in tier.rules] + list(profiles)
            asks = dict.fromkeys(self._asks(lists, direction))
            found = self._made[id(written), direction] = Program(tiers, profiles), tuple(asks)
        return found

    def _asks(self, lists: list[tuple[CompiledRule, ...]], direction: Direction) -> Iterator[int]:
        present = self.population.present
        for term in (term for listed in lists for rule in listed for term in rule.terms):
            own = (term.sources if direction is Direction.EGRESS else term.destinations) & present
            if own != present:
                yield own

    def _tiers(self, numbers: tuple[int, ...], direction: Direction, stage: Stage) -> Iterator[TierProgram]:
        by_tier: dict[int, list[tuple[CompiledRule, ...]]] = {}
        for number in numbers:
            tier, policy = self.ranked[number]
            by_tier.setdefault(tier, []).append(self.compiled(policy, direction))
        for tier, compiled in by_tier.items():
            passes = stage in _WITHOUT_END or self.tiers[tier].default_action == "Pass"
            yield TierProgram(tuple(compiled), passes)

    def compiled(self, policy: AnyPolicy, direction: Direction) -> tuple[CompiledRule, ...]:
        key = reference(policy), direction
        if key not in self._compiled:
            written = rules(policy, direction)
            self._compiled[key] = self._compiler.compile(written, policy.metadata.namespace)
        return self._compiled[key]

    def _profiles_of(self, names: tuple[str, ...], direction: Direction) -> Iterator[tuple[CompiledRule, ...]]:
        for name in names:
            profile = self._profiles.get(name)
            if profile is None:
                return
            if (name, direction) not in self._compiled:
                self._compiled[name, direction] = self._compiler.compile(rules(profile, direction), "")
            yield self._compiled[name, direction]

    # --- host endpoints -----------------------------------------------------------------------------------------------------

    def host_program(self, endpoint: HostInterface, stage: Stage, direction: Direction) -> Program | None:
        """What a host endpoint asks at a stage; None: no policy governs it there, nor are profiles asked."""
        numbers = tuple(
            number
            for number, (_, policy) in enumerate(self.ranked)
            if stage in stages(policy) and direction in directions(policy) and governs(policy, endpoint.labels)
        )
        if stage is Stage.NORMAL:
            return Program(
                tuple(self._tiers(numbers, direction, stage)), tuple(self._profiles_of(endpoint.profiles, direction))
            )
        return Program(tuple(self._tiers(numbers, direction, stage))) if numbers else None

    # --- who decided --------------------------------------------------------------------------------------------------------

    def decider(self, side: Side, other: int, at: int) -> PolicyRef | str:
        """Whose rule decides on packets of one point between a workload class and another end.

        The name of a tier where that decides by its default action; empty where profiles decide.
        """
        direction = side.direction
        tier, is_left = -1, False
        for number in self.program(side.number, direction).policies:
            of_tier, policy = self.ranked[number]
            if of_tier != tier:
                if tier >= 0 and not is_left and self.tiers[tier].default_action != "Pass":
                    break
                tier, is_left = of_tier, False
            if is_left:
                continue
            for rule in self.compiled(policy, direction):
                if any(space.contains(t.region, at) and side.others(t) >> other & 1 for t in rule.terms):
                    if rule.action is not Action.PASS:
                        return reference(policy)
                    is_left = True
                    break
        if tier >= 0 and not is_left and self.tiers[tier].default_action != "Pass":
            return self.tiers[tier].name
        return ""
