"""Makes a document valid, by asking the checks: what a violation names is replaced until none is left.

Of a place that is named, the values are tried that its declaration allows: other words of a scalar, fewer items of a list, more
or fewer fields of a struct or other words in them, and at last nothing; then those of what the place stands in. All named places
change at once, so a hundred wrong fields take no longer than one. The same document always ends as the same.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import msgspec.inspect as mi

from tortie.model import kinds
from tortie.model.checks.endpoint import name_of
from tortie.model.codec import Document, from_document
from tortie.model.fieldpath import FieldPath
from tortie.model.kinds import Kind
from tortie.model.validation import violations
from tortie.model.walk import choices, type_info
from tortie.testing.words import words

ROUNDS = 400
"""After which a document counts as beyond repair."""

ABSENT: Any = object()
"""In place of a value: leave the place empty."""


def repaired(kind: Kind, document: Document, keep: FieldPath) -> Document | None:
    """A valid document like *document*, which is of *kind* and need only have the types declared; None if none is found.

    What is at *keep* goes only if all else has been tried.
    """
    document = copy.deepcopy(document)
    search = _Search(kind, document, keep)
    fewest = None
    for _ in range(ROUNDS):
        _name(kind, document)
        found = list(violations(kind, from_document(document, kind.struct), document))
        if not found:
            return document
        if fewest is None or len(found) < fewest:  # something was right: go on from here
            fewest = len(found)
            search.tried.clear()
        if not search.change(sorted({violation.path for violation in found}, key=_last_item_first)):
            return None
    return None


def _last_item_first(path: FieldPath) -> tuple[str, ...]:
    """Where an item is removed, those before it keep their places."""
    return tuple(f"{999_999 - part:06}" if isinstance(part, int) else part for part in path)


def _name(kind: Kind, document: Document) -> None:
    """A workload endpoint's name follows from its spec, as far as that is complete."""
    if kind is kinds.WORKLOAD_ENDPOINT:
        endpoint: Any = from_document(document, kind.struct)
        try:
            document["metadata"]["name"] = name_of(endpoint.spec)
        except ValueError:
            return


# --- one round ---------------------------------------------------------------------------------------------------------------


class _Search:
    """What has been tried since it last helped."""

    def __init__(self, kind: Kind, document: Document, keep: FieldPath) -> None:
        self._kind, self._document, self._keep = kind, document, keep
        self.tried: dict[FieldPath, Iterator[Any]] = {}
        """What is left to put in a place."""

    def change(self, paths: list[FieldPath]) -> bool:
        """Put the next value in each place that *paths* name; False if all has been tried.

        Of two places one of which is in the other only one changes, or the second change would undo the first.
        """
        changed: list[FieldPath] = []
        for path in paths:
            if any(path[: len(place)] == place for place in changed):
                continue
            place = self._change(path, changed)
            if place is not None:
                changed.append(place)
        return bool(changed)

    def _change(self, path: FieldPath, changed: list[FieldPath]) -> FieldPath | None:
        """Where no value is left for *path*, one for what it stands in; the place that got one."""
        for length in range(len(path), 0, -1):
            place = path[:length]
            if any(other[:length] == place for other in changed):
                return None
            found = _find(type_info(self._kind.struct), self._document, place)
            if found is not None and self._put_next(place, *found):
                return place
        return None

    def _put_next(self, place: FieldPath, declared: mi.Type, holder: Any, removable: bool) -> bool:
        """Put what is to be tried next in *place*, a part of *holder*; False if there is nothing left."""
        part, kept = place[-1], self._keep[: len(place)] == place
        old = _get(holder, part)
        if place not in self.tried:
            keep = self._keep[len(place) : len(place) + 1] if kept else ()
            self.tried[place] = _alternatives(declared, old, keep, removable=removable and not kept)
        value = next(self.tried[place], None)
        if value is None or (value is ABSENT and old is ABSENT):
            return False
        if value is not ABSENT:
            holder[part] = value
            return True
        del holder[part]
        if isinstance(holder, list):  # the items after it move up
            above = place[:-1]
            self.tried = {
                other: left for other, left in self.tried.items() if other[: len(above)] != above or other == above
            }
        return True


def _find(declared: mi.Type, document: Any, place: FieldPath) -> tuple[mi.Type, Any, bool] | None:
    """What is declared for *place*, what holds it, and whether it may be empty; None where it has no holder."""
    holder, removable = document, False
    for index, part in enumerate(place):
        step = _step(declared, holder, part)
        if step is None:
            return None
        declared, removable = step
        if index < len(place) - 1:
            holder = _get(holder, part)
    return declared, holder, removable


def _step(declared: mi.Type, holder: Any, part: str | int) -> tuple[mi.Type, bool] | None:
    for choice in choices(declared):
        match choice:
            case mi.StructType() if isinstance(holder, dict):
                field = next((field for field in choice.fields if field.encode_name == part), None)
                return None if field is None else (field.type, not field.required)
            case mi.DictType() if isinstance(holder, dict):
                return choice.value_type, True
            case mi.VarTupleType() if isinstance(holder, list) and isinstance(part, int) and part < len(holder):
                return choice.item_type, True
    return None


def _get(holder: Any, part: str | int) -> Any:
    try:
        return holder[part]
    except (KeyError, IndexError):
        return ABSENT


# --- what to try -----------------------------------------------------------------------------------------------------------


def _alternatives(declared: mi.Type, value: Any, keep: FieldPath, *, removable: bool) -> Iterator[Any]:
    for choice in choices(declared):
        match choice:
            case mi.StructType() if isinstance(value, dict):
                yield from _with_more(choice, value)
                if not removable:
                    yield from _with_less(choice, value, keep)
                    yield from _with_other_words(choice, value)
            case mi.VarTupleType() if isinstance(value, list):
                yield from ([copy.deepcopy(item)] for item in value if len(value) > 1)
                yield [next(_least(choice.item_type))]
            case mi.DictType() if isinstance(value, dict):
                yield from ({name: value[name] for name in value if name != dropped} for dropped in value)
            case _:
                yield from _others(list(_least(choice)), value)
    yield ABSENT if removable or value is ABSENT else copy.deepcopy(value)


def _with_more(declared: mi.StructType, value: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """One field that is absent, and all of them."""
    absent = [field for field in declared.fields if field.encode_name not in value]
    least = {field.encode_name: next(_least(field.type)) for field in absent}
    yield from ({**copy.deepcopy(value), name: copy.deepcopy(part)} for name, part in least.items())
    yield {**copy.deepcopy(value), **least}


def _with_less(declared: mi.StructType, value: dict[str, Any], keep: FieldPath) -> Iterator[dict[str, Any]]:
    for field in declared.fields:
        if field.encode_name in value and field.encode_name not in keep and not field.required:
            yield {name: copy.deepcopy(part) for name, part in value.items() if name != field.encode_name}


def _with_other_words(declared: mi.StructType, value: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Another word in one field; those first that have few."""
    scalars = [field for field in declared.fields if not isinstance(value.get(field.encode_name, ""), (dict, list))]
    choosable = sorted(
        ((field.encode_name, tuple(_least(field.type))) for field in scalars), key=lambda pair: len(pair[1])
    )
    for name, least in choosable:
        yield from ({**copy.deepcopy(value), name: copy.deepcopy(word)} for word in least)


def _others(values: list[Any], value: Any) -> Iterator[Any]:
    """*values* in turn, from the one after *value* on, so that different documents end with different ones."""
    start = values.index(value) + 1 if value in values else len(str(value))
    turned = [values[(start + index) % len(values)] for index in range(len(values))]
    yield from (copy.deepcopy(other) for other in turned if other != value or type(other) is not type(value))


def _least(declared: mi.Type) -> Iterator[Any]:
    """Values of *declared* with as little as possible in them: every word of a scalar."""
    for choice in choices(declared):
        match choice:
            case mi.StructType():
                yield {field.encode_name: next(_least(field.type)) for field in choice.fields if field.required}
            case mi.VarTupleType():
                yield from ([item] for item in _least(choice.item_type))
            case mi.DictType():
                yield {}
            case _:
                yield from words(choice)
