"""What host endpoints let through, stage by stage, between one end and all others (``tortie.verdict.host`` says it of one packet)."""

from __future__ import annotations

from typing import NamedTuple

from tortie.analysis.reach import allowed, space
from tortie.analysis.reach.allowed import NOBODY, Allowed, everything
from tortie.analysis.reach.hosts import HostContext, failsafes
from tortie.analysis.reach.policies import PolicyBook
from tortie.analysis.reach.program import Outcome, Program, Side, run
from tortie.model.policy import Direction
from tortie.net import Network
from tortie.verdict.endpoint import HostInterface
from tortie.verdict.refs import NO_ADDRESS
from tortie.verdict.trace import Stage

INGRESS, EGRESS = Direction.INGRESS, Direction.EGRESS


class Passed(NamedTuple):
    """What a stage makes of packets."""

    spared: Allowed
    """What an Allow rule lets through, which spares it later stages."""
    opened: Allowed
    """All that the stage does not stop."""


class HostPolicy:
    """Of one state of a cluster."""

    def __init__(self, book: PolicyBook, source_port: int) -> None:
        self._book = book
        self._population = book.population
        self._everything = everything(book.population.everybody)
        self._source_port = source_port
        self._programs: dict[tuple[str, str, Stage, Direction], Program | None] = {}

    def untracked(
        self, context: HostContext, endpoint: HostInterface | None, direction: Direction, side: Side
    ) -> Passed:
        """Of the interface's own endpoint, before connection tracking."""
        return self._at(Stage.UNTRACKED, context, (endpoint,), direction, side)

    def before_dnat(self, context: HostContext, candidates: tuple[HostInterface | None, ...], side: Side) -> Passed:
        """Of the first endpoint that has such policy."""
        return self._at(Stage.PRE_DNAT, context, candidates, INGRESS, side)

    def forward(self, endpoint: HostInterface | None, direction: Direction, side: Side) -> Allowed:
        """What it lets through of what its host forwards."""
        outcome = self._outcome(endpoint, Stage.FORWARD, direction, side) if endpoint is not None else None
        return self._everything if outcome is None else outcome.allowed

    def own(self, context: HostContext, endpoint: HostInterface | None, direction: Direction, side: Side) -> Allowed:
        """What it lets through of what its host itself sends or receives; without an endpoint everything."""
        if endpoint is None:
            return self._everything
        outcome = self._outcome(endpoint, Stage.NORMAL, direction, side)
        assert outcome is not None, "profiles are asked in this stage, whether policies govern or not"
        return allowed.either(outcome.allowed, self._failsafes(context, direction, side, Stage.NORMAL))

    def _at(
        self, stage: Stage, context: HostContext, candidates: tuple[HostInterface | None, ...], direction: Direction, side: Side
    ) -> Passed:  # fmt: skip
        """Of the first candidate that policy governs at a stage; without any nothing is stopped, and nothing spared."""
        for endpoint in candidates:
            outcome = self._outcome(endpoint, stage, direction, side) if endpoint is not None else None
            if outcome is not None:
                safe = self._failsafes(context, direction, side, stage)
                return Passed(allowed.without(outcome.by_rule, safe), allowed.either(outcome.allowed, safe))
        return Passed(NOBODY, self._everything)

    def _outcome(self, endpoint: HostInterface, stage: Stage, direction: Direction, side: Side) -> Outcome | None:
        key = endpoint.node, endpoint.name, stage, direction
        if key not in self._programs:
            self._programs[key] = self._book.host_program(endpoint, stage, direction)
        program = self._programs[key]
        return None if program is None else run(program, side, self._population.everybody)

    def _failsafes(self, context: HostContext, direction: Direction, side: Side, stage: Stage) -> Allowed:
        """What failsafes open to packets that arrive or leave; with whom, where they are limited to a network."""
        answers_from = self._source_port if stage is Stage.UNTRACKED else None
        safe = failsafes(context, inbound=direction is INGRESS, answers_from=answers_from)
        opened = [(region, self._population.everybody) for region, net in safe if net is None]
        opened += [
            (space.intersection(region, space.OF_FAMILY[net.family]), self._in(net, direction, side))
            for region, net in safe
            if net is not None
        ]
        return allowed.of_overlapping(opened)

    def _in(self, network: Network, direction: Direction, side: Side) -> int:
        """The others, where whoever is beyond the interface is in *network*: the source of what arrives, the destination of what leaves.

        Who has no address counts as the unspecified one.
        """
        inside = self._population.in_network(network)
        if network.contains(NO_ADDRESS[network.family]):
            inside |= self._population.without_address
        if side.is_source is (direction is INGRESS):
            return self._population.everybody if inside >> side.number & 1 else 0
        return inside
