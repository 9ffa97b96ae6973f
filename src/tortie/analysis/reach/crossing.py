"""The two halves of a connection between ends: what the source's host lets out, and what the destination's host lets in.

    source's host:       pre-DNAT and forward policy of *   ─► workload's egress ─► forward policy of the uplink
    destination's host:  untracked, pre-DNAT, forward policy of the uplink ─► workload's ingress ─► forward policy of *

What stays on one host does not see its uplink. The halves are independent: a connection is possible if both let it through
(``tortie.verdict.host`` says the same of one packet). Without host endpoints all but the workloads' own policy falls away.
"""

from __future__ import annotations

from tortie.analysis.reach import allowed, space
from tortie.analysis.reach.allowed import NOBODY, Allowed, everything
from tortie.analysis.reach.bits import of_members
from tortie.analysis.reach.hosts import HostContext, failsafes
from tortie.analysis.reach.policies import PolicyBook
from tortie.analysis.reach.program import Outcome, Program, Side, run
from tortie.analysis.reach.space import Region
from tortie.model.policy import Direction
from tortie.net import Family, Network
from tortie.verdict.endpoint import HostInterface
from tortie.verdict.refs import NO_ADDRESS
from tortie.verdict.trace import Stage

INGRESS, EGRESS = Direction.INGRESS, Direction.EGRESS


class Crossing:
    """Of one state of a cluster."""

    def __init__(self, book: PolicyBook, live: Region, source_port: int) -> None:
        self._book = book
        self._population = book.population
        self._everybody = book.population.everybody
        self._live = live
        self._source_port = source_port
        self._plain: dict[tuple[int, Region], Allowed] = {}
        """By outcome (they are all kept) and what is stopped besides."""
        self._local: dict[str, int] = {}
        self._host_programs: dict[tuple[str, str, Stage, Direction], Program | None] = {}

    # --- the halves ---------------------------------------------------------------------------------------------------------

    def half(self, direction: Direction, number: int) -> Allowed:
        """What workload class *number* lets through in one direction."""
        return self._egress(number) if direction is EGRESS else self._ingress(number)

    def _egress(self, number: int) -> Allowed:
        """What workload class *number* gets out of its host, to whom."""
        context = self._population.context_of(number)
        found = self._without(self._book.outcome(number, EGRESS), context.unsent)
        if not context.has_endpoints:
            return found
        side = Side(number, is_source=True)
        if context.wildcard is not None:
            found = allowed.both(found, self._before_dnat(context, (context.wildcard,), side))
            found = allowed.both(found, self._forward(context.wildcard, INGRESS, side))
        local = self._local_to(context)
        remote = allowed.among(found, self._everybody & ~local)
        leaving = [
            allowed.within(
                allowed.both(remote, self._forward(context.own(family) or context.wildcard, EGRESS, side)),
                space.OF_FAMILY[family],
            )
            for family in Family
        ]
        return allowed.either(allowed.among(found, local), *leaving)

    def _ingress(self, number: int) -> Allowed:
        """What of which sources gets through its host to workload class *number*."""
        context = self._population.context_of(number)
        outcome = self._book.outcome(number, INGRESS)
        found = self._without(outcome, context.invalid)
        if not context.has_endpoints:
            return found
        side = Side(number, is_source=False)
        leaves = self._forward(context.wildcard, EGRESS, side)
        local = self._local_to(context)
        ways = [allowed.among(found, local)]
        remote = allowed.among(outcome.allowed, self._everybody & ~local)
        valid = space.complement(context.invalid)
        for family in Family:
            tracked, untracked = self._arriving(context, family, side)
            policy = allowed.within(remote, space.intersection(self._live, space.OF_FAMILY[family]))
            ways.append(allowed.both(allowed.within(policy, valid), tracked))
            ways.append(allowed.both(policy, untracked))
        return allowed.both(allowed.either(*ways), leaves)

    def _without(self, outcome: Outcome, stopped: Region) -> Allowed:
        key = id(outcome), stopped
        found = self._plain.get(key)
        if found is None:
            open_ = space.intersection(self._live, space.complement(stopped))
            found = self._plain[key] = allowed.within(outcome.allowed, open_)
        return found

    # --- host endpoints -----------------------------------------------------------------------------------------------------

    def _local_to(self, context: HostContext) -> int:
        """The workload classes on the same host."""
        found = self._local.get(context.node)
        if found is None:
            endpoints = self._population.endpoints.items()
            there = (n for n, endpoint in endpoints if self._population.contexts[endpoint.node].node == context.node)
            found = self._local[context.node] = of_members(there)
        return found

    def _arriving(self, context: HostContext, family: Family, side: Side) -> tuple[Allowed, Allowed]:
        """What gets in over the uplink: as connection tracking knows it, and past it."""
        own, wildcard = context.own(family), context.wildcard
        allowed_untracked, opened = self._untracked(context, own, side)
        candidates = tuple(endpoint for endpoint in (own, wildcard) if endpoint is not None)
        tracked = allowed.both(opened, self._before_dnat(context, candidates, side))
        tracked = allowed.both(tracked, self._forward(own or wildcard, INGRESS, side))
        return allowed.without(tracked, allowed_untracked), allowed_untracked

    def _untracked(self, context: HostContext, own: HostInterface | None, side: Side) -> tuple[Allowed, Allowed]:
        """What an untracked Allow lets through, which spares it later stages; and all that untracked policy does not stop."""
        outcome = self._outcome(own, Stage.UNTRACKED, INGRESS, side) if own is not None else None
        if outcome is None:
            return NOBODY, everything(self._everybody)
        safe = self._failsafes(context, side, Stage.UNTRACKED)
        return allowed.without(outcome.by_rule, safe), allowed.either(outcome.allowed, safe)

    def _before_dnat(self, context: HostContext, candidates: tuple[HostInterface, ...], side: Side) -> Allowed:
        """What the first endpoint that has such policy lets through; everything if none has."""
        for endpoint in candidates:
            outcome = self._outcome(endpoint, Stage.PRE_DNAT, INGRESS, side)
            if outcome is not None:
                return allowed.either(outcome.allowed, self._failsafes(context, side, Stage.PRE_DNAT))
        return everything(self._everybody)

    def _forward(self, endpoint: HostInterface | None, direction: Direction, side: Side) -> Allowed:
        outcome = self._outcome(endpoint, Stage.FORWARD, direction, side) if endpoint is not None else None
        return everything(self._everybody) if outcome is None else outcome.allowed

    def _outcome(self, endpoint: HostInterface, stage: Stage, direction: Direction, side: Side) -> Outcome | None:
        key = endpoint.node, endpoint.name, stage, direction
        if key not in self._host_programs:
            self._host_programs[key] = self._book.host_program(endpoint, stage, direction)
        program = self._host_programs[key]
        return None if program is None else run(program, side, self._everybody)

    def _failsafes(self, context: HostContext, side: Side, stage: Stage) -> Allowed:
        """What failsafes open to packets that arrive; which sources, where they are limited to a network."""
        answers_from = self._source_port if stage is Stage.UNTRACKED else None
        safe = failsafes(context, inbound=True, answers_from=answers_from)
        opened = [(region, self._everybody) for region, net in safe if net is None]
        opened += [
            (space.intersection(region, space.OF_FAMILY[net.family]), self._sources_in(net, side))
            for region, net in safe
            if net is not None
        ]
        return allowed.of_overlapping(opened)

    def _sources_in(self, network: Network, side: Side) -> int:
        """The other ends of packets whose source is in *network*; whoever has no address sends from the unspecified one."""
        inside = self._population.in_network(network)
        if network.contains(NO_ADDRESS[network.family]):
            inside |= self._population.without_address
        if side.is_source:
            return self._everybody if inside >> side.number & 1 else 0
        return inside
