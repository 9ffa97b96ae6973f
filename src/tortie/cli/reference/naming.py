"""Which kind and field the words of a command line mean, and what a kind's page and schema are called."""

from __future__ import annotations

import re
from typing import NamedTuple

from tortie.cli.reference.tree import FieldDoc, StructDoc, describe_kind
from tortie.model.fieldvalues import suggestion
from tortie.model.kinds import KINDS, Kind, find_kind


class UnknownNameError(ValueError):
    """There is no such kind or field; the text says what there is instead."""


class Place(NamedTuple):
    """A kind, or a field of it."""

    kind: Kind
    path: tuple[str, ...]
    """Field names as in files; empty for the kind itself."""
    field: FieldDoc | None
    struct: StructDoc | None
    """What is there: the kind, or what the field or each of its items holds."""


def group(kind: Kind) -> str:
    """The API group of *kind*: ``projectcalico.org``; empty for the kinds of Kubernetes' core."""
    return kind.api_version.rpartition("/")[0]


def stem(kind: Kind) -> str:
    """A name no other kind has: ``tier``, and ``networkpolicy.networking.k8s.io`` where ``networkpolicy`` is another's."""
    name = kind.name.lower()
    return name if find_kind(name) is kind else f"{name}.{group(kind)}"


def names(kind: Kind) -> tuple[str, ...]:
    """Everything that *kind* can be called on a command line, its ``stem`` first; with its group where another has the name."""
    plain = (kind.plural, *kind.short_names)
    return (stem(kind), *(name if find_kind(name) is kind else f"{name}.{group(kind)}" for name in plain))


def find_place(words: str) -> Place:
    """What ``KIND[.field]...`` means, in any case; a place as an error names it (``spec.ingress[0]``) is understood.

    UnknownNameError.
    """
    kind, names = _kind(re.sub(r"\[[^\]]*\]", "", words).split("."))
    place = Place(kind, (), None, describe_kind(kind))
    for name in names:
        place = _below(place, name)
    return place


def find_one_kind(word: str) -> Kind:
    """The kind that *word* calls; UnknownNameError."""
    kind, rest = _kind(word.split("."))
    if rest:
        raise UnknownNameError(f"{word!r} names a field; expected a kind alone, such as {word.partition('.')[0]}")
    return kind


def _kind(parts: list[str]) -> tuple[Kind, list[str]]:
    """The kind that *parts* begin with, and what follows it and its group."""
    for kind in KINDS:
        of_group = group(kind).split(".") if group(kind) else []
        given = [part.lower() for part in parts[1 : 1 + len(of_group)]]
        if of_group and given == of_group and find_kind(parts[0], kind.api_version) is not None:
            found = find_kind(parts[0], kind.api_version)
            assert found is not None
            return found, parts[1 + len(of_group) :]
    found = find_kind(parts[0])
    if found is None:
        names = [name for kind in KINDS for name in (kind.name, kind.plural, *kind.short_names)]
        known = ", ".join(sorted({kind.name for kind in KINDS}))
        raise UnknownNameError(f"{parts[0]!r} is not a kind{suggestion(parts[0], names)}; there are {known}")
    return found, parts[1:]


def _below(place: Place, name: str) -> Place:
    here = ".".join((place.kind.name, *place.path))
    if place.struct is None:
        raise UnknownNameError(f"{here} has no fields, so no {name!r}")
    field = place.struct.field(name)
    if field is None:
        known = [one.name for one in place.struct.fields]
        there_are = f"; there are {', '.join(known)}" if len(known) <= 20 else ""
        raise UnknownNameError(f"{here} has no field {name!r}{suggestion(name, known)}{there_are}")
    return Place(place.kind, (*place.path, field.name), field, field.struct)
