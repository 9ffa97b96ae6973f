"""A group's rules as they stand in it: each part of each rule is a slot, with its place in the order and in the runs."""

from __future__ import annotations

from typing import TypeAlias

from tortie.calc.hoststate import HostRule, PolicyId
from tortie.ruleset.names import short_hash
from tortie.ruleset.runs.keysets import KeySet
from tortie.ruleset.runs.parts import Part
from tortie.ruleset.runs.shapes import RANKS, RESIDUAL_RANK
from tortie.ruleset.values import Rule

Order: TypeAlias = tuple[int, int, int]
"""Of policy, rule and part; those of policies have gaps, so that most changes renumber nothing."""

Cell: TypeAlias = tuple[int, ...]
"""A stretch of traffic: (family,), (family, protocol), or (family, protocol, port or ICMP type)."""


class PolicySlots:
    """A policy of the group."""

    __slots__ = ("is_stale", "label", "policy_id", "rules", "slots", "wanted")

    def __init__(self, policy_id: PolicyId) -> None:
        self.policy_id = policy_id
        self.label = 0
        """Its place in the order of the group; 0: it has none yet."""
        self.wanted: tuple[HostRule, ...] = ()
        """What it is to enforce."""
        self.rules: tuple[HostRule, ...] = ()
        """What its slots are made of."""
        self.slots: list[list[Slot]] = []
        """Of each rule, its parts."""
        self.is_stale = True
        """Something that its parts were made of has changed."""


class Slot:
    """A part of a rule. It is residual, or has keys in a set."""

    __slots__ = (
        "action",
        "cells",
        "compiled",
        "digest",
        "index",
        "key_set",
        "level",
        "lowest",
        "number",
        "part",
        "policy",
        "rank",
    )

    def __init__(self, policy: PolicySlots, index: int, number: int, part: Part, cells: tuple[Cell, ...]) -> None:
        self.policy = policy
        self.index = index
        """Of the rule in the policy."""
        self.number = number
        """Of the part in the rule."""
        self.part = part
        self.action = part.rule.action
        self.cells = cells
        """The traffic that it may be about."""
        self.rank = RESIDUAL_RANK if part.keys is None else part.keys.space.rank
        self.lowest = self.level = NOWHERE
        """The level that it must not be below, and where it is (``joins``)."""
        self.key_set: KeySet | None = None
        """Where its keys stand; None: it is residual, or nowhere yet."""
        self.compiled: tuple[Rule, ...] = ()
        """The kernel's rules, while it is residual."""
        self.digest = ""
        """Stands for what they are."""

    @property
    def order(self) -> Order:
        return self.policy.label, self.index, self.number

    @property
    def run(self) -> int:
        return self.level // RANKS

    @property
    def is_residual(self) -> bool:
        return self.level % RANKS == RESIDUAL_RANK

    def compile(self, rules: tuple[Rule, ...]) -> None:
        self.compiled = rules
        self.digest = short_hash(repr(rules), 16)


NOWHERE = -1
"""The level of a slot that has none yet."""
