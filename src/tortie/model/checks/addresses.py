"""Addresses, ranges, durations and interface names in fields that hold them as text."""

from __future__ import annotations

import functools
import re
import warnings
from collections.abc import Iterable, Iterator

import msgspec
import msgspec.inspect as mi

from tortie.model.checks.violation import Violation
from tortie.model.fieldpath import FieldPath
from tortie.model.scalars import DURATION_TEXT, parse_duration
from tortie.net import Address, Family, Network

_INTERFACE = re.compile(r"[a-zA-Z0-9_.-]{1,15}")


def is_address(text: str, family: Family | None = None) -> bool:
    """Whether *text* is an address, of *family* where one is given."""
    try:
        return family in (None, Address.parse(text).family)
    except ValueError:
        return False


def check_address(path: FieldPath, text: str, family: Family | None = None) -> Iterator[Violation]:
    """*text* is an address, or empty."""
    if text and not is_address(text, family):
        yield Violation(path, f"{text!r} is not an {_name(family)} address")


def check_range(
    path: FieldPath, text: str, family: Family | None = None, *, or_address: bool = False
) -> Iterator[Violation]:
    """*text* is a range with its prefix length, or with *or_address* a bare address; host bits are cleared by who reads it."""
    try:
        network = Network.parse(text, strict=False)
    except ValueError:
        network = None
    if network is None or family not in (None, network.family) or not (or_address or "/" in text):
        example = "fd00::/8" if family is Family.V6 else "10.0.0.0/8"
        more = ", or an address" if or_address else ""
        yield Violation(path, f"{text!r} is not an {_name(family)} range such as {example}{more}")


def check_ranges(
    field: str, texts: Iterable[str], family: Family | None = None, *, or_address: bool = True
) -> Iterator[Violation]:
    """Every item of a list is a range or an address."""
    for index, text in enumerate(texts):
        yield from check_range((field, index), text, family, or_address=or_address)


def _name(family: Family | None) -> str:
    return f"IPv{family}" if family else "IP"


def is_interface_name(text: str) -> bool:
    """Whether *text* can name a network interface."""
    return _INTERFACE.fullmatch(text) is not None


def check_interface_name(path: FieldPath, text: str) -> Iterator[Violation]:
    """*text* can name a network interface."""
    if not is_interface_name(text):
        yield Violation(path, f"{text!r} is not an interface's name: 1-15 letters, digits, '_', '.' and '-'")


_ONLY_GO = (
    (re.compile(r"\(\?[imsU-]+\)"), ""),
    (re.compile(r"\\p\{\^?\w+\}|\\[pP]\w"), r"\\w"),
    (re.compile(r"\\z"), r"\\Z"),
)
"""What Go's regular expressions (RE2) have and Python's do not, and what is read in its place: only validity is asked for."""


def check_regex(path: FieldPath, text: str) -> Iterator[Violation]:
    """*text* is a regular expression, as Go has them."""
    plain = text
    for pattern, replacement in _ONLY_GO:
        plain = pattern.sub(replacement, plain)
    try:
        with warnings.catch_warnings(action="ignore"):  # of [[:alpha:]], which is fine in Go
            re.compile(plain)
    except re.error as error:
        yield Violation(path, f"{text!r} is not a regular expression: {error}")


def check_durations(part: msgspec.Struct) -> Iterator[Violation]:
    """Every duration among the fields of *part* is one; the door's reader has seen to that already, the store has no reader."""
    for field, name in _duration_fields(type(part)):
        text = getattr(part, field)
        if not text:
            continue
        try:
            parse_duration(text)
        except ValueError as error:
            yield Violation((name,), str(error))


@functools.cache
def _duration_fields(struct: type[msgspec.Struct]) -> tuple[tuple[str, str], ...]:
    declared = mi.type_info(struct)
    assert isinstance(declared, mi.StructType)
    return tuple((field.name, field.encode_name) for field in declared.fields if _is_duration(field.type))


def _is_duration(declared: mi.Type) -> bool:
    if isinstance(declared, mi.UnionType):
        return any(_is_duration(choice) for choice in declared.types)
    return isinstance(declared, mi.Metadata) and declared.extra == DURATION_TEXT
