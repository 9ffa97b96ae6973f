"""The value that everyone outside this package uses: a selector that is parsed, compiled and named."""

from __future__ import annotations

import functools
from types import MappingProxyType

from tortie.selectors.errors import SelectorError
from tortie.selectors.identifiers import unique_id
from tortie.selectors.parser import parse_node
from tortie.selectors.restrictions import Restrictions, restrictions_of
from tortie.selectors.syntax import Matcher, Node, compile_node, prefix_labels, render


class Selector:
    """An expression over labels. Equal, hashed and printed by its canonical text."""

    # No __slots__: the id and the restrictions are computed when they are first asked for, and kept.

    text: str
    """The canonical text."""
    node: Node
    matches: Matcher
    """``matches(labels)``: whether an object with these labels is selected."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.text = render(node)
        self.matches = compile_node(node)

    @functools.cached_property
    def id(self) -> str:
        """``s:`` and 38 characters: the name of the IP set of what it selects."""
        return unique_id("s", self.text)

    def restrictions(self) -> Restrictions:
        """What a match implies for each label that is limited."""
        return self._restrictions

    @functools.cached_property
    def _restrictions(self) -> Restrictions:
        return MappingProxyType(dict(restrictions_of(self.node)))

    def with_prefix(self, prefix: str) -> Selector:
        """The same expression over labels whose names begin with *prefix*, such as ``pcns.`` for a namespace's labels."""
        return Selector(prefix_labels(self.node, prefix))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Selector) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"Selector({self.text!r})"


@functools.lru_cache(maxsize=65536)
def parse(text: str) -> Selector:
    """Read a selector, the empty one meaning ``all()``; SelectorError says where and why it cannot be read.

    Parsing the same text again gives the same value at the price of a look-up.
    """
    return Selector(parse_node(text))


def normalise(text: str) -> str:
    """The canonical form of *text*, or *text* itself if it cannot be read."""
    try:
        return parse(text).text
    except SelectorError:
        return text
