"""Which policies and profiles refer to which IP sets: a set is active while any active one does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

from tortie.calc.hoststate import IPSetId, PolicyId
from tortie.calc.rules import SelectorSet, ServiceSet, SetDefinition

Owner: TypeAlias = PolicyId | str
"""A policy, or a profile by name."""


class SetChanges(NamedTuple):
    """Sets that came into use or fell out of it."""

    selectors: tuple[SelectorSet, ...]
    services: tuple[ServiceSet, ...]
    gone_selectors: tuple[IPSetId, ...]
    gone_services: tuple[IPSetId, ...]


class SetUses:
    """The sets of each owner, and how many owners each set has."""

    def __init__(self) -> None:
        self._sets_of: dict[Owner, Mapping[IPSetId, SetDefinition]] = {}
        self._owners: Counter[IPSetId] = Counter()
        self._definitions: dict[IPSetId, SetDefinition] = {}
        self._before: dict[IPSetId, SetDefinition | None] = {}
        """Sets whose owners changed, as they were at the last ``take``."""

    @property
    def definitions(self) -> Mapping[IPSetId, SetDefinition]:
        """The sets that are in use, and what each is of."""
        return self._definitions

    def assign(self, owner: Owner, sets: Mapping[IPSetId, SetDefinition]) -> None:
        """*owner* refers to exactly *sets* from now on."""
        before = self._sets_of.pop(owner, {})
        if sets:
            self._sets_of[owner] = sets
        if before is sets:
            return
        for set_id in before.keys() ^ sets.keys():
            self._before.setdefault(set_id, self._definitions.get(set_id))
        for set_id in sets.keys() - before.keys():
            self._owners[set_id] += 1
            self._definitions[set_id] = sets[set_id]
        for set_id in before.keys() - sets.keys():
            self._owners[set_id] -= 1
            if not self._owners[set_id]:
                del self._owners[set_id], self._definitions[set_id]

    def take(self) -> SetChanges:
        """What changed since the last call."""
        new = [
            wanted
            for set_id, before in self._before.items()
            if not before and (wanted := self._definitions.get(set_id))
        ]
        gone = [before for set_id, before in self._before.items() if before and set_id not in self._definitions]
        self._before.clear()
        return SetChanges(
            tuple(wanted for wanted in new if isinstance(wanted, SelectorSet)),
            tuple(wanted for wanted in new if isinstance(wanted, ServiceSet)),
            tuple(before.id for before in gone if isinstance(before, SelectorSet)),
            tuple(before.id for before in gone if isinstance(before, ServiceSet)),
        )
