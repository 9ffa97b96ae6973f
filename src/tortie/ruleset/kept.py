"""What an earlier run has left in the kernel, as far as names go: so that a restarted agent calls the same things the same.

Names of classes and groups depend on the way to what they are; what they hold is compared anyway. So it is enough to know which
names there were: of a class, by an interface that had it; of a group, by one of its policies, after which it is named.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from tortie.ruleset.classes import WILDCARD
from tortie.ruleset.names import is_group_chain
from tortie.ruleset.places import Place
from tortie.ruleset.ruleset import Ruleset
from tortie.ruleset.values import Jump


class Kept(NamedTuple):
    """The names of an earlier run; by default of none."""

    classes: Mapping[Place, Mapping[str, str]] = {}
    """The class of each interface, by place."""
    groups: frozenset[str] = frozenset()

    @classmethod
    def of(cls, ruleset: Ruleset) -> Kept:
        """The names in a ruleset that was read back."""
        jumps = [
            statement.chain
            for chain in ruleset.chains.values()
            if chain.base is not None
            for rule in chain.rules
            for statement in rule.statements
            if isinstance(statement, Jump)
        ]
        classes = {place: dict(ruleset.maps.get(place.map_name, {})) for place in Place}
        for place, names in classes.items():
            names.update((WILDCARD, chain) for chain in jumps if chain.startswith(place.prefix))
        return cls(classes, frozenset(filter(is_group_chain, ruleset.chains)))
