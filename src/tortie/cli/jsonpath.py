"""JSONPath templates as kubectl has them: text with ``{paths}`` in it, and ``{range path} … {end}`` around what repeats.

    {.metadata.name}   {.items[*].spec.order}   {.items[0:2]['metadata'].labels.example\\.com/role}   {..cidr}
    {.items[?(@.spec.order>100)].metadata.name}   {"\\n"}

A path that leads nowhere yields nothing. Source: the Kubernetes reference, "JSONPath Support".
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias

import msgspec


class JSONPathError(ValueError):
    """Text that is no template; says where and what was expected."""


Step: TypeAlias = Callable[[Any], Iterator[Any]]
"""From a value to those that a part of a path leads to."""


class Path(NamedTuple):
    """A way through a document; from the document's root if it begins with ``$``, else from where the template is."""

    steps: tuple[Step, ...]
    from_root: bool = False

    def find(self, here: Any, root: Any) -> list[Any]:
        """All that it leads to, in the document's order."""
        values = [root if self.from_root else here]
        for step in self.steps:
            values = [found for value in values for found in step(value)]
        return values


class Repeated(NamedTuple):
    """``{range path}`` and what stands before its ``{end}``."""

    path: Path
    body: tuple[str | Path | Repeated, ...]


Part: TypeAlias = str | Path | Repeated


class Template(NamedTuple):
    """A template that has been read."""

    parts: tuple[Part, ...]

    def render(self, document: Any) -> str:
        """The text for *document*; several results of one path are separated by blanks."""
        return "".join(_render(self.parts, document, document))


def parse_template(text: str) -> Template:
    """The template that *text* is; JSONPathError."""
    return Template(_Reader(text).template())


def parse_path(text: str) -> Path:
    """A path alone, with or without braces or its first dot, as custom columns have it; JSONPathError."""
    plain = text[1:-1] if text.startswith("{") and text.endswith("}") else text
    return _path(plain if plain[:1] in (".", "[", "$", "@", "") else f".{plain}")


def value_text(value: Any) -> str:
    """Text as it is, everything else as JSON."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _render(parts: Iterable[Part], here: Any, root: Any) -> Iterator[str]:
    for part in parts:
        match part:
            case str():
                yield part
            case Path():
                yield " ".join(map(value_text, part.find(here, root)))
            case Repeated(path, body):
                for value in path.find(here, root):
                    yield from _render(body, value, root)


# --- templates -------------------------------------------------------------------------------------------------------------

_BRACES = re.compile(r"""\{((?:[^{}"']|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')*)\}""")
_LITERAL = re.compile(r""""(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'""")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}


class _Reader:
    """Reading one template from left to right."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def template(self) -> tuple[Part, ...]:
        parts, ended = self._parts()
        if ended:
            raise JSONPathError("{end} without a {range …} before it")
        return parts

    def _parts(self) -> tuple[tuple[Part, ...], bool]:
        """Up to ``{end}``, or to the end of the text; whether it was the former."""
        parts: list[Part] = []
        while self._at < len(self._text):
            start = self._text.find("{", self._at)
            if start != self._at:
                end = len(self._text) if start < 0 else start
                parts.append(self._text[self._at : end])
                self._at = end
                continue
            inside = self._braces()
            if inside == "end":
                return tuple(parts), True
            parts.append(self._part(inside))
        return tuple(parts), False

    def _braces(self) -> str:
        found = _BRACES.match(self._text, self._at)
        if found is None:
            raise JSONPathError(f"the brace before {self._text[self._at + 1 : self._at + 20]!r} is not closed")
        self._at = found.end()
        return found[1].strip()

    def _part(self, inside: str) -> Part:
        if (literal := _literal(inside)) is not None:
            return literal
        if not inside.startswith("range "):
            return _path(inside)
        body, ended = self._parts()
        if not ended:
            raise JSONPathError(f"{{{inside}}} has no {{end}}")
        return Repeated(_path(inside.removeprefix("range ").strip()), body)


def _literal(text: str) -> str | None:
    """What stands in quotes; None: *text* is none that does."""
    found = _LITERAL.fullmatch(text)
    return _unescaped(text[1:-1]) if found else None


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[1]), text, flags=re.DOTALL)


# --- paths -----------------------------------------------------------------------------------------------------------------

_NAME = r"(?:[^.\[\]\\\s]|\\.)+"
_STEP = re.compile(
    rf"""\.\.(?P<deep>{_NAME})          # ..name
      | \.\*                            # .*
      | \.(?P<name>{_NAME})             # .name
      | \[\?\((?P<filter>(?:[^()"']|"[^"]*"|'[^']*')*)\)\]
      | \[(?P<subscript>(?:[^\]"']|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')*)\]
      | \.(?=$|\[)                      # the root itself, or a dot before a bracket
    """,
    re.VERBOSE,
)
_SLICE = re.compile(r"(-?\d+)?:(-?\d+)?(?::([1-9]\d*))?")


def _path(text: str) -> Path:
    from_root = text.startswith("$")
    rest = text[1:] if text[:1] in ("$", "@") else text
    steps: list[Step] = []
    at = 0
    while at < len(rest):
        found = _STEP.match(rest, at)
        if found is None:
            raise JSONPathError(
                f"{rest[at:]!r} in {text!r} is no part of a path; expected .name, [0], [*], [?(…)] or ..name"
            )
        if step := _step(found):
            steps.append(step)
        at = found.end()
    return Path(tuple(steps), from_root)


def _step(found: re.Match[str]) -> Step | None:
    if found["deep"] is not None:
        return _deep(_unescaped(found["deep"]))
    if found["name"] is not None:
        return _field(_unescaped(found["name"]))
    if found["filter"] is not None:
        return _filter(found["filter"].strip())
    if found["subscript"] is not None:
        return _union([_subscript(one.strip()) for one in _split(found["subscript"])])
    return _every if found[0] == ".*" else None


def _split(subscript: str) -> list[str]:
    """At commas outside quotes."""
    return re.findall(r"""(?:[^,"']|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')+""", subscript) or [""]


def _subscript(text: str) -> Step:
    if text == "*":
        return _every
    if (literal := _literal(text)) is not None:
        return _field(literal)
    if re.fullmatch(r"-?\d+", text):
        return _index(int(text))
    if found := _SLICE.fullmatch(text):
        return _slice(slice(*(int(number) if number else None for number in found.groups())))
    raise JSONPathError(f"[{text}] is no part of a path; expected [0], [-1], [0:2], [*], ['name'] or [?(@.name=='…')]")


def _union(steps: Sequence[Step]) -> Step:
    return steps[0] if len(steps) == 1 else lambda value: (found for step in steps for found in step(value))


def _field(name: str) -> Step:
    return lambda value: iter([value[name]] if isinstance(value, dict) and name in value else [])


def _index(index: int) -> Step:
    return lambda value: iter([value[index]] if isinstance(value, list) and -len(value) <= index < len(value) else [])


def _slice(part: slice) -> Step:
    return lambda value: iter(value[part] if isinstance(value, list) else [])


def _every(value: Any) -> Iterator[Any]:
    match value:
        case dict():
            yield from value.values()
        case list():
            yield from value


def _deep(name: str) -> Step:
    def step(value: Any) -> Iterator[Any]:
        if isinstance(value, dict) and name in value:
            yield value[name]
        for inner in _every(value):
            yield from step(inner)

    return step


# --- filters ---------------------------------------------------------------------------------------------------------------

_COMPARISON = re.compile(r"""(?P<left>@.*?)\s*(?:(?P<operator>==|!=|<=|>=|<|>)\s*(?P<right>.+))?""")
_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip


def _filter(text: str) -> Step:
    """The items for which a comparison holds, or which have what is named; what cannot be compared is left out."""
    found = _COMPARISON.fullmatch(text)
    if found is None:
        raise JSONPathError(f"[?({text})] is no filter; expected such as [?(@.spec.order>100)] or [?(@.status)]")
    left = _path(found["left"])
    if found["operator"] is None:
        return lambda value: (item for item in _every(value) if left.find(item, item))
    compare, right = _OPERATORS[found["operator"]], _constant(found["right"].strip())

    def holds(item: Any) -> bool:
        try:
            return any(compare(value, right) for value in left.find(item, item))
        except TypeError:
            return False

    return lambda value: (item for item in _every(value) if holds(item))


def _constant(text: str) -> Any:
    if (literal := _literal(text)) is not None:
        return literal
    try:
        return msgspec.json.decode(text.encode())
    except msgspec.DecodeError as error:
        raise JSONPathError(
            f"{text!r} is no value to compare with; expected a number, true, false, or text in quotes"
        ) from error
