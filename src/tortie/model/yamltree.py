"""YAML text to a tree of nodes that remember where they stood; JSON is read too, being YAML.

Below ``tortie.model.document``: here a scalar is still the text that was written, and nothing is known of kinds and fields.
The events come from PyYAML's C parser. Aliases are expanded and merge keys merged here, both within bounds, so that
nobody above has to think of them: a tree has no cycles, and is no deeper and not much larger than what was written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

import msgspec
import yaml

MAX_DEPTH = 100
"""How deep collections may nest; the deepest Kubernetes objects have about 20 levels."""
MAX_EXPANDED = 100_000
"""How many nodes all aliases of a text may stand for together."""

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Position(NamedTuple):
    """A place in a text; the first character is line 1, column 1."""

    line: int
    column: int


class YAMLSyntaxError(ValueError):
    """The text is not YAML, or beyond the bounds; nothing after *position* was read."""

    def __init__(self, position: Position, message: str) -> None:
        super().__init__(message)
        self.position = position


class ScalarNode(NamedTuple):
    """One scalar as written, without its quotes."""

    position: Position
    text: str
    plain: bool
    """Neither quoted nor a block: the text's look decides its type."""
    tag: str
    """``!!int`` and the like in full (``tag:yaml.org,2002:int``), or one's own (``!x``); empty where there is none."""


class SequenceNode(NamedTuple):
    position: Position
    items: tuple[Node, ...]


class MappingNode(NamedTuple):
    position: Position
    entries: tuple[tuple[ScalarNode, Node], ...]
    """In the order written, duplicate keys included, then what merge keys added."""


Node: TypeAlias = ScalarNode | SequenceNode | MappingNode


class _Measured(NamedTuple):
    """A finished node, with what an alias to it costs."""

    node: Node
    size: int
    height: int


class _Open:
    """A collection whose end has not been read yet."""

    __slots__ = ("anchor", "children", "height", "is_mapping", "position", "size")

    def __init__(self, position: Position, anchor: str | None, *, is_mapping: bool) -> None:
        self.position = position
        self.anchor = anchor
        self.is_mapping = is_mapping
        self.children: list[Node] = []
        self.size = 1
        self.height = 1

    def add(self, child: _Measured) -> None:
        self.children.append(child.node)
        self.size += child.size
        self.height = max(self.height, child.height + 1)

    def close(self) -> _Measured:
        make = _mapping if self.is_mapping else _sequence
        return _Measured(make(self.position, self.children), self.size, self.height)


def documents(text: str) -> Iterator[Node]:
    """The root node of each document in *text* that has one; YAMLSyntaxError where the text cannot be read on."""
    try:
        yield from _Builder().documents(_with_whole_characters(text))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        position = Position(mark.line + 1, mark.column + 1) if mark else Position(1, 1)
        raise YAMLSyntaxError(position, _sentence(error, _character_at(text, position))) from error
    except yaml.reader.ReaderError as error:
        raise YAMLSyntaxError(
            _control_character(text), f"a character that YAML does not allow: {error.reason}"
        ) from error


def is_well_formed(text: str) -> bool:
    """Whether all of *text* is YAML: no tree is made, which takes a tenth of the time. The bounds are not looked at."""
    try:
        loader = _LOADER(_with_whole_characters(text))
        if hasattr(loader, "raw_parse"):
            loader.raw_parse()
        else:
            while loader.check_event():
                loader.get_event()
    except yaml.YAMLError:
        return False
    return True


_TWO_HALVES = re.compile(r"(?<!\\)((?:\\\\)*)\\u(d[89ab][0-9a-f]{2})\\u(d[c-f][0-9a-f]{2})", re.IGNORECASE)


def _with_whole_characters(text: str) -> str:
    """JSON writes a character beyond U+FFFF as two escapes (RFC 8259 §7), YAML as one, of two columns less.

    Where the text is no JSON, backslashes may stand for themselves.
    """
    if "\\u" not in text or not _TWO_HALVES.search(text):
        return text
    try:
        msgspec.json.decode(text, type=msgspec.Raw)
    except (msgspec.DecodeError, RecursionError):
        return text
    return _TWO_HALVES.sub(_whole, text)


def _whole(found: re.Match[str]) -> str:
    high, low = (int(half, 16) & 0x3FF for half in found.group(2, 3))
    return f"{found[1]}\\U{0x10000 + (high << 10) + low:08x}"


class _Builder:
    """The state of reading one text: the collections that are open, and the document's anchors."""

    def __init__(self) -> None:
        self._open: list[_Open] = []
        self._anchors: dict[str, _Measured] = {}
        self._expanded = 0

    def documents(self, text: str) -> Iterator[Node]:
        for event in yaml.parse(text, Loader=_LOADER):
            if isinstance(event, yaml.DocumentStartEvent):
                self._anchors = {}
            elif isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
                self._start(event)
            elif isinstance(event, yaml.NodeEvent | yaml.CollectionEndEvent):
                finished = self._finish(event)
                if self._open:
                    self._open[-1].add(finished)
                else:
                    yield finished.node

    def _start(self, event: yaml.CollectionStartEvent) -> None:
        position = _position(event)
        if len(self._open) >= MAX_DEPTH:
            raise YAMLSyntaxError(position, f"collections are nested more than {MAX_DEPTH} deep")
        self._open.append(_Open(position, event.anchor, is_mapping=isinstance(event, yaml.MappingStartEvent)))

    def _finish(self, event: yaml.Event) -> _Measured:
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        if isinstance(event, yaml.ScalarEvent):
            anchor = event.anchor
            plain = event.style in (None, "")
            finished = _Measured(ScalarNode(_position(event), event.value, plain, event.tag or ""), 1, 1)
        else:
            collection = self._open.pop()
            anchor = collection.anchor
            finished = collection.close()
        if anchor:
            self._anchors[anchor] = finished
        return finished

    def _alias(self, event: yaml.AliasEvent) -> _Measured:
        position = _position(event)
        known = self._anchors.get(event.anchor or "")
        if known is None:
            raise YAMLSyntaxError(
                position, f"the alias *{event.anchor} has no finished anchor &{event.anchor} before it"
            )
        self._expanded += known.size
        if self._expanded > MAX_EXPANDED or len(self._open) + known.height > MAX_DEPTH:
            raise YAMLSyntaxError(position, f"the alias *{event.anchor} makes the document too large or too deep")
        return known


def _position(event: yaml.Event) -> Position:
    mark = event.start_mark
    assert mark is not None  # every event of a parsed text has one
    return Position(mark.line + 1, mark.column + 1)


def _sequence(position: Position, children: list[Node]) -> SequenceNode:
    return SequenceNode(position, tuple(children))


def _mapping(position: Position, children: list[Node]) -> MappingNode:
    own: list[tuple[ScalarNode, Node]] = []
    merged: list[tuple[ScalarNode, Node]] = []
    for key, value in zip(children[::2], children[1::2], strict=True):
        if not isinstance(key, ScalarNode):
            raise YAMLSyntaxError(key.position, "a key must be plain text, not a collection")
        if key.plain and not key.tag and key.text == "<<":
            merged.extend(_merge_entries(value))
        else:
            own.append((key, value))
    taken = {key.text for key, _ in own}
    for key, value in merged:  # the first of several merged mappings wins, and the mapping's own keys win over all
        if key.text not in taken:
            taken.add(key.text)
            own.append((key, value))
    return MappingNode(position, tuple(own))


def _merge_entries(value: Node) -> Iterator[tuple[ScalarNode, Node]]:
    sources = value.items if isinstance(value, SequenceNode) else (value,)
    for source in sources:
        if not isinstance(source, MappingNode):
            raise YAMLSyntaxError(source.position, "'<<' merges a mapping, or a list of mappings, into this one")
        yield from source.entries


def _character_at(text: str, position: Position) -> str:
    """Lines end as YAML 1.1 has it, which is as ``splitlines`` has it but for a few controls that YAML forbids."""
    lines = text.splitlines()[position.line - 1 : position.line]
    return lines[0][position.column - 1 : position.column] if lines else ""


def _sentence(error: yaml.MarkedYAMLError, character: str) -> str:
    if character == "\t":
        return "a tab; YAML is indented with spaces"
    parts = [part for part in (error.problem, error.context) if part]
    return ", ".join(parts) or "not YAML"


def _control_character(text: str) -> Position:
    """Where the first character that YAML forbids stands; the C parser reports only an offset in its own buffer."""
    for index, character in enumerate(text):
        if yaml.reader.Reader.NON_PRINTABLE.match(character):
            before = text[:index]
            return Position(before.count("\n") + 1, index - before.rfind("\n"))
    return Position(1, 1)
