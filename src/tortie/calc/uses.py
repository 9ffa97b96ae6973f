"""Which policies and profiles refer to which IP sets: a set is active while any active one does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TypeAlias

from tortie.calc.hoststate import IPSetId, PolicyId
from tortie.calc.rules import SetDefinition

Owner: TypeAlias = PolicyId | str
"""A policy, or a profile by name."""


class SetUses:
    """The sets of each owner, and how many owners each set has."""

    def __init__(self) -> None:
        self._sets_of: dict[Owner, Mapping[IPSetId, SetDefinition]] = {}
        self._owners: Counter[IPSetId] = Counter()
        self._definitions: dict[IPSetId, SetDefinition] = {}
        self.changed: set[IPSetId] = set()
        """Sets that gained or lost an owner, until their reader clears it."""

    def assign(self, owner: Owner, sets: Mapping[IPSetId, SetDefinition]) -> None:
        """*owner* refers to exactly *sets* from now on."""
        before = self._sets_of.pop(owner, {})
        if sets:
            self._sets_of[owner] = sets
        for set_id in sets.keys() - before.keys():
            self._owners[set_id] += 1
            self._definitions[set_id] = sets[set_id]
        for set_id in before.keys() - sets.keys():
            self._owners[set_id] -= 1
            if not self._owners[set_id]:
                del self._owners[set_id], self._definitions[set_id]
        self.changed |= before.keys() ^ sets.keys()

    def definition(self, set_id: IPSetId) -> SetDefinition | None:
        """What the set collects; None if no one refers to it."""
        return self._definitions.get(set_id)
