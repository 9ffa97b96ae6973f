"""The selector language: reading it, its canonical text and identifiers, evaluating it, and an index of what matches what.

    parse("app == 'web' && has(tier)").matches({"app": "web", "tier": "front"})

The language is Calico's. ``Selector`` is a value; ``LabelIndex`` keeps, for many selectors and many labelled items, who
matches whom, and ``LinearIndex`` is its slow, obvious judge.
"""

from tortie.selectors.errors import SelectorError
from tortie.selectors.identifiers import length_limited_id, named_port_id, unique_id
from tortie.selectors.index import Index, LabelIndex, LinearIndex, MatchChange, MatchStarted, MatchStopped
from tortie.selectors.restrictions import LabelRestriction
from tortie.selectors.selector import Selector, normalise, parse

__all__ = [
    "Index",
    "LabelIndex",
    "LabelRestriction",
    "LinearIndex",
    "MatchChange",
    "MatchStarted",
    "MatchStopped",
    "Selector",
    "SelectorError",
    "length_limited_id",
    "named_port_id",
    "normalise",
    "parse",
    "unique_id",
]
