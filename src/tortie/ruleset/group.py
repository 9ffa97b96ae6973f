"""A group: consecutive policies of a tier that the same classes of endpoints share, compiled behind one chain.

The classes of a stage jump to the chains of their groups, in order; how a group decides is its own matter. Two ways do the
same, packet for packet: ``linear`` (each policy's rules, one after the other) and ``runs`` (tuple sets, with a residual).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from tortie.calc.hoststate import HostRule, IPSetDelta, PolicyId
from tortie.ruleset.values import RulesetDelta


class GroupFlush(NamedTuple):
    """What a group does in each step of a flush (``values.Flush``)."""

    create: tuple[RulesetDelta, ...] = ()
    switch: tuple[RulesetDelta, ...] = ()
    delete: tuple[RulesetDelta, ...] = ()


class Group(Protocol):
    """One group of one direction of one stage. Updates only mark; ``flush`` costs what was touched."""

    @property
    def chain(self) -> str:
        """What classes jump to; the same for the group's life."""

    @property
    def can_pass(self) -> bool:
        """Whether a rule passes: it sets the pass bit and returns, and who jumps here tests the bit after. As of the last flush."""

    def place(self, policies: Sequence[PolicyId]) -> None:
        """The group's policies are these from now on, in this order."""

    def set_rules(self, policy_id: PolicyId, rules: tuple[HostRule, ...]) -> None:
        """What a policy of the group enforces in its direction."""

    def members_changed(self, delta: IPSetDelta) -> None:
        """Members of a set, which rules of the group may refer to, came or went."""

    def flush(self) -> GroupFlush:
        """What leads from what was flushed last to what is wanted now."""

    def close(self) -> GroupFlush:
        """What takes the group away."""
