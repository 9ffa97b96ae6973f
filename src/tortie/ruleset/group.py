"""A group: consecutive policies of a tier that the same classes of endpoints share, compiled behind one chain.

The classes of a stage jump to the chains of their groups, in order; how a group decides is its own matter. Two ways do the
same, packet for packet: ``linear`` (each policy's rules, one after the other) and ``runs`` (tuple sets, with a residual).

In a flush all groups come first, then ``SetTable.flush``: whoever keeps a chain, of a group or a class, has told the table by
``SetTable.refer`` which rules it has, and kernel sets exist only while some rule looks them up. What names a set that is in
``SetTable.outdated`` is compiled again before.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from tortie.calc.hoststate import HostRule, IPSetDelta, PolicyId
from tortie.model.policy import Direction
from tortie.ruleset.options import Options
from tortie.ruleset.places import Kind
from tortie.ruleset.rules import action_statements, compile_rule
from tortie.ruleset.sets import SetTable
from tortie.ruleset.values import Flush, Rule, Statement


class GroupStage(NamedTuple):
    """What all groups of one direction and one kind of place have in common."""

    direction: Direction
    kind: Kind
    sets: SetTable
    options: Options

    def statements(self, rule: HostRule) -> tuple[Statement, ...]:
        """What a rule's action does here."""
        return action_statements(rule, self.kind, self.options)

    def compile(self, rule: HostRule, comment: str) -> list[Rule]:
        """The kernel's rules that do a policy's rule."""
        return compile_rule(rule, self.statements(rule), self.sets.name, self.options.marks, comment)


class RuleOwner(NamedTuple):
    """A rule that has a tuple."""

    policy: PolicyId
    rule: int
    """Its index among the policy's."""


class TupleOwners(NamedTuple):
    """The set in which a tuple stands, and the rules that have it, in order: for the first it stands there."""

    set_name: str
    owners: tuple[RuleOwner, ...]


class Group(Protocol):
    """One group of one direction of one stage. Updates only mark; ``flush`` costs what was touched."""

    @property
    def chain(self) -> str:
        """What classes jump to; the same for the group's life."""

    @property
    def can_pass(self) -> bool:
        """Whether a rule passes: it sets the pass bit and returns, and who jumps here tests the bit after. As of the last flush."""

    @property
    def depth(self) -> int:
        """How many chains a packet may stand in below the class: the group's own, and those below it. As of the last flush."""

    def place(self, policies: Sequence[PolicyId]) -> None:
        """The group's policies are these from now on, in this order."""

    def set_rules(self, policy_id: PolicyId, rules: tuple[HostRule, ...]) -> None:
        """What a policy of the group enforces in its direction; told of each policy after it is placed."""

    def members_changed(self, delta: IPSetDelta) -> None:
        """Members came or went of a set that the group listens to (``SetTable.listen``): what ``SetTable.update`` returned."""

    def flush(self) -> Flush:
        """What leads from what was flushed last to what is wanted now."""

    def close(self) -> Flush:
        """What takes the group away."""
