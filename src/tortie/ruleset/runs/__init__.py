"""Runs of tuple sets: a group's rules as look-ups of keys, whose cost does not grow with the rules (docs/design/ruleset.md).

    gi-…:  ip saddr . meta l4proto . th dport @…-SD4-deny drop        run 0: a look-up per shape and action
           ip saddr . meta l4proto . th dport @…-SD4-allow accept
           ip saddr @…-r…-4 jump …-r…                                 its residual: what has no keys
           ip saddr @….1-S4-allow accept                              run 1: what must come after that

``parts`` says which rules are keys, of which of the ``shapes``, ``joins`` in which run each comes, ``owners`` who has each key,
``residual`` and ``guards`` arrange the rest, ``cost`` decides what is worth it, ``steps`` moves keys without letting a packet in
flight fall between two sets.
"""

from tortie.ruleset.runs.cost import ALWAYS, AUTO, CostModel
from tortie.ruleset.runs.group import RunsGroup

__all__ = ["ALWAYS", "AUTO", "CostModel", "RunsGroup"]
