"""The answers: what one host does with a packet, and what becomes of a flow on its way over all hosts that it crosses."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from tortie.model.policy import Direction
from tortie.verdict.flow import Flow
from tortie.verdict.trace import Decision, Stage, phrase


class HostVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the first packet of a new connection gets through one host, and why."""

    node: str
    decisions: tuple[Decision, ...]
    """One for each stage that concerns the packet, in their order. Those after one that denies tell what else would have happened."""

    @property
    def allowed(self) -> bool:
        return all(decision.allowed for decision in self.decisions)

    @property
    def reason(self) -> str:
        """What denied it; for a packet that gets through what allowed it, at each stage that decided."""
        return phrase(self.decisions, "no policy applies")

    def lines(self) -> Iterator[str]:
        """The reasoning for people, stage by stage."""
        for decision in self.decisions:
            whose = f" of {decision.endpoint}" if decision.endpoint is not None else ""
            yield f"{decision.stage}{whose}"
            yield from (f"  {line}" for line in decision.lines())


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a flow's first packet is delivered, and what each host on its way decides."""

    flow: Flow
    hosts: tuple[HostVerdict, ...]
    """The source's, then the destination's; once if they are one; none where an end is outside, or a workload asks itself."""

    @property
    def allowed(self) -> bool:
        return all(host.allowed for host in self.hosts)

    @property
    def egress(self) -> Decision | None:
        """The source's own policy: a workload's, or the host endpoint's if a host sends; None where it has none."""
        return self._own(Direction.EGRESS)

    @property
    def ingress(self) -> Decision | None:
        """The destination's own policy; None where it has none."""
        return self._own(Direction.INGRESS)

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """Of all hosts, in the order of the way."""
        return tuple(decision for host in self.hosts for decision in host.decisions)

    @property
    def reason(self) -> str:
        """What denied it; for an allowed flow what allowed it, at each stage that decided."""
        return phrase(self.decisions, "no policy applies")

    @property
    def depends_on_address(self) -> bool:
        """Whether it could be another if an end that has no address yet had one."""
        return any(decision.asks_for_address for decision in self.decisions)

    def _own(self, direction: Direction) -> Decision | None:
        own = (d for d in self.decisions if d.stage is Stage.NORMAL and d.direction is direction)
        return next(own, None)
