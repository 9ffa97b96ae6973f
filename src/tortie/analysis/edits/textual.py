"""Operations done to a file's text, so that everything else of it stays as somebody wrote it: layout, comments, quotes.

A tree of nodes says where each begins (``tortie.model.yamltree``), not where it ends, so what is added goes before something that is
there. What comes out is read again and compared with what was meant; a text for which that fails is not changed at all.
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterator
from typing import Any

from tortie.analysis.edits.operations import Operation
from tortie.model.fieldpath import FieldPath
from tortie.model.yamltext import yaml_item_lines, yaml_line, yaml_lines
from tortie.model.yamltree import MappingNode, Node, Position, ScalarNode, SequenceNode

_OPENING, _CLOSING = "[{", "]}"
_QUOTED_OR_BRACKET = re.compile(r"""'(?:[^']|'')*'|"(?:[^"\\]|\\.)*"|[\[\]{}]""", re.DOTALL)


class _NotPossibleError(Exception):
    """The text is written in a way that this module does not know how to change."""


def edited(text: str, root: Node, operation: Operation) -> str | None:
    """*text*, which *root* was read from, after one operation on the document that begins there; None if that is not possible."""
    try:
        return _Editing(text, root).done(operation)
    except _NotPossibleError:
        return None


class _Editing:
    """One document of a text."""

    def __init__(self, text: str, root: Node) -> None:
        self._text = text
        self._root = root
        self._lines = [0, *(index + 1 for index, character in enumerate(text) if character == "\n")]

    def done(self, operation: Operation) -> str:
        *parents, last = operation.path
        parent = self._find(tuple(parents))
        if isinstance(parent, SequenceNode) and isinstance(last, int):
            if operation.op == "add":
                return self._with_item(parent, last, operation.value)
            if operation.op == "remove":
                return self._without_item(tuple(parents), parent, last)
            return self._replaced(parent.items[last], operation.value)
        if not isinstance(parent, MappingNode):
            raise _NotPossibleError
        found = [(key, value) for key, value in parent.entries if key.text == last]
        if operation.op == "remove":
            return self._without_field(parent, str(last))
        if found:
            return self._replaced(found[0][1], operation.value)
        return self._with_field(parent, str(last), operation.value)

    # --- places ------------------------------------------------------------------------------------------------------------------

    def _find(self, path: FieldPath) -> Node:
        node = self._root
        for part in path:
            if isinstance(node, SequenceNode) and isinstance(part, int) and part < len(node.items):
                node = node.items[part]
            elif isinstance(node, MappingNode) and (found := [v for key, v in node.entries if key.text == part]):
                node = found[0]
            else:
                raise _NotPossibleError
        return node

    def _offset(self, position: Position) -> int:
        return self._lines[position.line - 1] + position.column - 1

    def _start(self, node: Node) -> int:
        return self._offset(node.position)

    def _line_start(self, offset: int) -> int:
        return self._lines[bisect.bisect_right(self._lines, offset) - 1]

    def _is_flow(self, node: Node) -> bool:
        return not isinstance(node, ScalarNode) and self._text[self._start(node)] in _OPENING

    def _end(self, node: Node) -> int:
        """Where a scalar, or a collection in brackets, ends: just behind it."""
        start = self._start(node)
        if isinstance(node, ScalarNode) and node.plain:
            if not self._text.startswith(node.text, start):
                raise _NotPossibleError
            return start + len(node.text)
        return self._end_of_brackets(start)

    def _end_of_brackets(self, start: int) -> int:
        """Of what begins with a bracket or a quote."""
        depth = 0
        for found in _QUOTED_OR_BRACKET.finditer(self._text, start):
            if found[0] in _OPENING:
                depth += 1
            elif found[0] in _CLOSING:
                depth -= 1
            if depth == 0:
                return found.end()
        raise _NotPossibleError

    def _end_of_block(self, node: Node) -> int:
        """Where the last line of a block collection ends; comments and blank lines after it belong to what follows."""
        last = max(_positions(node))
        after = min((position for position in _positions(self._root) if position > last), default=None)
        if after is not None:
            end = self._line_start(self._offset(after))
        else:
            lines = self._lines[bisect.bisect_right(self._lines, self._offset(last)) :]
            marks = (line for line in lines if self._text.startswith(("---", "..."), line))
            end = next(marks, len(self._text))
        while True:
            previous = self._line_start(end - 1)
            line = self._text[previous:end].strip()
            if previous <= self._offset(last) or (line and not line.startswith("#")):
                return end
            end = previous

    # --- adding --------------------------------------------------------------------------------------------------------------------

    def _with_item(self, node: SequenceNode, index: int, value: Any) -> str:
        if not node.items or index >= len(node.items):
            raise _NotPossibleError
        if self._is_flow(node):
            return self._inserted(self._start(node.items[index]), f"{yaml_line(value)}, ")
        dash = self._dash(node.items[index])
        indent = dash - self._line_start(dash)
        if self._text[self._line_start(dash) : dash].strip():
            return self._inserted(dash, f"- {yaml_line(value)}\n{' ' * indent}")
        return self._inserted(self._line_start(dash), _indented(yaml_item_lines(value), indent))

    def _dash(self, item: Node) -> int:
        found = self._text.rfind("-", self._line_start(self._start(item)), self._start(item))
        if found < 0:
            raise _NotPossibleError
        return found

    def _with_field(self, node: MappingNode, name: str, value: Any) -> str:
        if not node.entries:
            return self._replaced(node, {name: value})
        first = self._start(node.entries[0][0])
        if self._is_flow(node):
            return self._inserted(first, f"{name}: {yaml_line(value)}, ")
        indent = first - self._line_start(first)
        rendered = _indented(yaml_lines({name: value}), indent)
        return self._inserted(first, rendered[indent:] + " " * indent)

    # --- taking away ----------------------------------------------------------------------------------------------------------------

    def _without_item(self, path: FieldPath, node: SequenceNode, index: int) -> str:
        if len(node.items) == 1:
            return self._emptied(path, node)
        item = node.items[index]
        if self._is_flow(node):
            if index + 1 < len(node.items):
                return self._cut(self._start(item), self._start(node.items[index + 1]))
            return self._cut(self._end_of_item(node.items[index - 1]), self._end_of_item(item))
        start = self._line_start(self._dash(item))
        if self._text[start : self._dash(item)].strip():
            raise _NotPossibleError
        if index + 1 < len(node.items):
            return self._cut(start, self._line_start(self._dash(node.items[index + 1])))
        return self._cut(start, self._end_of_block(item))

    def _end_of_item(self, item: Node) -> int:
        if isinstance(item, MappingNode) and not self._is_flow(item):
            raise _NotPossibleError
        return self._end(item)

    def _emptied(self, path: FieldPath, node: SequenceNode) -> str:
        """A list without its only item is an empty one."""
        if self._is_flow(node):
            return self._cut(self._start(node) + 1, self._end(node) - 1)
        parent = self._find(path[:-1])
        if not isinstance(parent, MappingNode):
            raise _NotPossibleError
        key = next(key for key, value in parent.entries if value is node)
        colon = self._text.index(":", self._start(key) + len(key.text)) + 1
        start, end = self._line_start(self._start(node)), self._end_of_block(node)
        return self._text[:colon] + " []" + self._text[colon:start] + self._text[end:]

    def _without_field(self, node: MappingNode, name: str) -> str:
        names = [key.text for key, _ in node.entries]
        if name not in names:
            raise _NotPossibleError
        if len(names) == 1:
            return self._replaced(node, {})
        index = names.index(name)
        key, value = node.entries[index]
        if index + 1 < len(names):
            return self._cut(self._start(key), self._start(node.entries[index + 1][0]))
        if self._is_flow(node):
            return self._cut(self._text.rindex(",", 0, self._start(key)), self._end_of_item(value))
        end = self._end_of_block(value)
        return self._cut(self._line_start(self._start(key)), end)

    # --- text ----------------------------------------------------------------------------------------------------------------------

    def _replaced(self, node: Node, value: Any) -> str:
        if isinstance(node, ScalarNode) and not node.plain and self._text[self._start(node)] not in "'\"":
            raise _NotPossibleError
        if not isinstance(node, ScalarNode) and not self._is_flow(node):
            raise _NotPossibleError
        return self._text[: self._start(node)] + yaml_line(value) + self._text[self._end(node) :]

    def _inserted(self, offset: int, addition: str) -> str:
        return self._text[:offset] + addition + self._text[offset:]

    def _cut(self, start: int, end: int) -> str:
        return self._text[:start] + self._text[end:]


def _positions(node: Node) -> Iterator[Position]:
    """Of a node and all in it."""
    yield node.position
    if isinstance(node, SequenceNode):
        for item in node.items:
            yield from _positions(item)
    elif isinstance(node, MappingNode):
        for key, value in node.entries:
            yield key.position
            yield from _positions(value)


def _indented(lines: list[str], indent: int) -> str:
    return "".join(f"{' ' * indent}{line}\n" for line in lines)
