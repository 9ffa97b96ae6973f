"""Rulesets without the names that depend on the way to them.

Classes of endpoints and groups of several policies keep the names of their creation, so two ways to one state give rulesets
that differ in these names, and in nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tortie.ruleset.names import is_class_chain, is_group_chain, short_hash
from tortie.ruleset.ruleset import Chain, Ruleset
from tortie.ruleset.values import Jump, Rule, Statement


def canonical(ruleset: Ruleset) -> Ruleset:
    """The same ruleset with groups, then the classes that jump to them, named by what is in them."""
    return _renamed(_renamed(ruleset, is_group_chain), is_class_chain)


def _renamed(ruleset: Ruleset, has_to: Callable[[str], bool]) -> Ruleset:
    names = {
        name: f"{name.partition('-')[0]}-{short_hash(repr(chain.rules), 12)}"
        for name, chain in ruleset.chains.items()
        if has_to(name)
    }
    return Ruleset(
        {
            names.get(name, name): Chain(_jumping(chain.rules, names), chain.base)
            for name, chain in ruleset.chains.items()
        },
        ruleset.sets,
        {
            name: {ifname: names.get(chain, chain) for ifname, chain in entries.items()}
            for name, entries in ruleset.maps.items()
        },
    )


def _jumping(rules: tuple[Rule, ...], names: Mapping[str, str]) -> tuple[Rule, ...]:
    return tuple(Rule(rule.matches, tuple(_to(s, names) for s in rule.statements), rule.comment) for rule in rules)


def _to(statement: Statement, names: Mapping[str, str]) -> Statement:
    return Jump(names.get(statement.chain, statement.chain)) if isinstance(statement, Jump) else statement
