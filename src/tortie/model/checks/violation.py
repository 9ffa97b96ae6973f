"""What a check says, and the few ways to say it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, TypeAlias

from tortie.model.fieldpath import FieldPath
from tortie.model.fieldvalues import suggestion


class Violation(NamedTuple):
    """A field that breaks a rule."""

    path: FieldPath
    message: str
    """The offending text, and what was expected."""
    at_door_only: bool = False
    """A limit, not a contradiction: refused when people write it, enforced where it is stored already."""
    stops_agents: bool = False
    """Calico's agents stop with it. Ours do not; but whoever asks what a cluster does should hear of it."""


Check: TypeAlias = Callable[[Any], Iterable[Violation]]


def under(path: FieldPath, violations: Iterable[Violation]) -> Iterator[Violation]:
    """*violations* of a part, as those of the whole in which the part stands at *path*."""
    return (violation._replace(path=(*path, *violation.path)) for violation in violations)


def one_of(path: FieldPath, value: str, choices: Iterable[str]) -> Iterator[Violation]:
    """*value* must be one of *choices*."""
    known = tuple(choices)
    if value not in known:
        yield Violation(path, f"{value!r} is not one of {', '.join(known)}{suggestion(value, known)}")


def at_most(path: FieldPath, items: tuple[object, ...], limit: int) -> Iterator[Violation]:
    """A list may have *limit* items."""
    if len(items) > limit:
        yield Violation(path, f"{len(items)} items are too many; at most {limit} are allowed", at_door_only=True)


def distinct(path: FieldPath, items: tuple[str, ...]) -> Iterator[Violation]:
    """A set's items must differ; one that is stored twice all the same means no more than once."""
    seen: set[str] = set()
    for index, item in enumerate(items):
        if item in seen:
            yield Violation((*path, index), f"{str(item)!r} is given twice", at_door_only=True)
        seen.add(item)
