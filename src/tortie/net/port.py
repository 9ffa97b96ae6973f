"""A port of a rule: a number, a range or a name (Calico's ``numorstring.Port``)."""

from __future__ import annotations

import functools
import re
from typing import Self

_NUMBER = re.compile(r"[0-9]+")
_RANGE = re.compile(r"([0-9]+):([0-9]+)")
_NAME = re.compile(r"[a-zA-Z0-9_.-]{1,128}")
_EXPECTED = "a port number 0-65535, a range such as 8000:8080, or a port's name"


@functools.total_ordering
class Port:
    """``Port(80, 80)``, ``Port(8000, 8080)`` or ``Port(name="http")``."""

    __slots__ = ("first", "last", "name")

    first: int
    last: int
    name: str
    """Empty for a number or a range; ``first`` and ``last`` are 0 for a name."""

    def __init__(self, first: int = 0, last: int | None = None, *, name: str = "") -> None:
        last = first if last is None else last
        if not 0 <= first <= last <= 65535:
            raise ValueError(f"{first if first == last else f'{first}:{last}'} is not {_EXPECTED}")
        self.first, self.last, self.name = first, last, name

    @classmethod
    def parse(cls, text: str | int) -> Self:
        """Read a number, ``first:last`` or a name; digits alone are always a number."""
        if isinstance(text, int):
            return cls(text)
        if _NUMBER.fullmatch(text):
            return cls(_number(text))
        if found := _RANGE.fullmatch(text):
            return cls(_number(found[1]), _number(found[2]))
        if _NAME.fullmatch(text):
            return cls(name=text)
        raise ValueError(f"{text!r} is not {_EXPECTED}")

    @property
    def is_named(self) -> bool:
        return self.name != ""

    def contains(self, number: int) -> bool:
        """Whether a numbered port or range covers *number*; always false for a name."""
        return not self.name and self.first <= number <= self.last

    def to_builtin(self) -> int | str:
        """The form in JSON: a number where it is one, else text."""
        return self.first if not self.name and self.first == self.last else str(self)

    def _key(self) -> tuple[str, int, int]:
        return (self.name, self.first, self.last)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Port) and self._key() == other._key()

    def __lt__(self, other: Port) -> bool:
        return self._key() < other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __str__(self) -> str:
        if self.name:
            return self.name
        return str(self.first) if self.first == self.last else f"{self.first}:{self.last}"

    def __repr__(self) -> str:
        return f"Port({str(self)!r})"


def _number(digits: str) -> int:
    """What *digits* say; ValueError for more than a port has, of which ``int`` would take only some thousands."""
    significant = digits.lstrip("0")
    if len(significant) > len("65535"):
        raise ValueError(f"{digits:.40} is not {_EXPECTED}")
    return int(significant or "0")
