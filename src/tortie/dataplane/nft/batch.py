"""Deltas to batches: messages with the names of what they are about, cut so that the kernel takes each in one send.

What has to be in one batch is a ``Unit``: a chain's replacement is one, so that no packet meets half a chain; so is a map
entry's removal and return. A set's elements come in units of a bounded number.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum
from itertools import count, islice
from typing import NamedTuple, TypeAlias, TypeVar, assert_never

from tortie.dataplane.netlink.message import HEADER_SIZE, Message
from tortie.dataplane.nft import messages
from tortie.dataplane.nft.elements import Piece, element_pieces, ifname_key
from tortie.dataplane.nft.expressions import Verdict, VerdictCode
from tortie.ruleset.values import (
    ChainDelete,
    ChainReplace,
    Element,
    MapCreate,
    MapDelete,
    MapDelta,
    RulesetDelta,
    SetCreate,
    SetDelete,
    SetDelta,
)


class Step(StrEnum):
    """The three steps of a flush (``tortie.ruleset.values.Flush``)."""

    CREATE = "create"
    SWITCH = "switch"
    DELETE = "delete"


class Kind(StrEnum):
    TABLE = "table"
    CHAIN = "chain"
    SET = "set"
    MAP = "map"


class Subject(NamedTuple):
    """An object of the table."""

    kind: Kind
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


class Operation(NamedTuple):
    """One message, and what it is about."""

    message: Message
    subject: Subject
    what: str
    """What it does to the subject, for people: ``add rule "…" to``."""
    elements: tuple[Element, ...] = ()
    """Of a set, that it adds or removes, in the message's order."""
    entries: tuple[tuple[str, str], ...] = ()
    """Of a map, that it adds or removes (then without their chains), in the message's order."""


Unit: TypeAlias = tuple[Operation, ...]
"""Operations that must be in one batch."""


class Batch(NamedTuple):
    """What is sent, and committed, at once."""

    step: Step
    units: tuple[Unit, ...]

    @property
    def operations(self) -> tuple[Operation, ...]:
        return tuple(operation for unit in self.units for operation in unit)

    @property
    def size_bytes(self) -> int:
        """How long its messages are, padded."""
        return sum(map(unit_bytes, self.units))


BATCH_BYTES = 180_000
"""At which batches are cut: without root a send is bounded by net.core.wmem_max, 212,992 bytes by default."""

_ELEMENTS_PER_MESSAGE = 500
"""With at most 84 bytes each they stay within the 65,535 bytes of an attribute."""

_ADD, _REMOVE = "add", "remove"

_Item = TypeVar("_Item")


def unit_bytes(unit: Unit) -> int:
    """How long the messages are, padded."""
    return sum(HEADER_SIZE + len(operation.message.payload) + 3 & ~3 for operation in unit)


def cut(step: Step, units: Iterable[Unit], limit_bytes: int) -> Iterator[Batch]:
    """Batches of whole units, in order, each as long as the limit lets it be."""
    taken: list[Unit] = []
    size = 0
    for unit in units:
        length = unit_bytes(unit)
        if taken and size + length > limit_bytes:
            yield Batch(step, tuple(taken))
            taken, size = [], 0
        taken.append(unit)
        size += length
    if taken:
        yield Batch(step, tuple(taken))


# --- deltas to units --------------------------------------------------------------------------------------------------------


def units_of(delta: RulesetDelta, set_ids: count[int]) -> Iterator[Unit]:
    """The units that carry out a delta which ``Contents.apply`` has put into the kernel's form."""
    match delta:
        case SetCreate(declaration, elements):
            subject = Subject(Kind.SET, declaration.name)
            yield (Operation(messages.new_set(declaration, next(set_ids)), subject, "create"),)
            yield from _element_units(subject, _ADD, elements)
        case SetDelta(name, added, removed):
            subject = Subject(Kind.SET, name)
            yield from _element_units(subject, _REMOVE, removed)
            yield from _element_units(subject, _ADD, added)
        case ChainReplace():
            yield _chain_unit(delta, set_ids)
        case MapCreate(name, entries):
            yield (Operation(messages.new_map(name, next(set_ids)), Subject(Kind.MAP, name), "create"),)
            yield from _entry_units(name, entries, ())
        case MapDelta(name, entries, removed):
            yield from _entry_units(name, entries, removed)
        case SetDelete(name):
            yield (Operation(messages.delete_set(name), Subject(Kind.SET, name), "delete"),)
        case MapDelete(name):
            yield (Operation(messages.delete_set(name), Subject(Kind.MAP, name), "delete"),)
        case ChainDelete(name):
            yield (Operation(messages.delete_chain(name), Subject(Kind.CHAIN, name), "delete"),)
        case _:
            assert_never(delta)


def _chain_unit(delta: ChainReplace, set_ids: count[int]) -> Unit:
    """The chain, made if it is not there, without its old rules and with the new ones."""
    subject = Subject(Kind.CHAIN, delta.name)
    operations = [
        Operation(messages.new_chain(delta.name, delta.base), subject, "create"),
        Operation(messages.flush_chain(delta.name), subject, "flush"),
    ]
    for i, rule in enumerate(delta.rules):
        what = f'add rule {i} "{rule.comment}" to' if rule.comment else f"add rule {i} to"
        operations += [Operation(m, subject, what) for m in messages.new_rule(delta.name, rule, set_ids)]
    return tuple(operations)


def _element_units(subject: Subject, what: str, elements: Iterable[Element]) -> Iterator[Unit]:
    for chunk in _chunks(elements, _ELEMENTS_PER_MESSAGE):
        yield (_elements_operation(subject, what, chunk),)


def _elements_operation(subject: Subject, what: str, elements: tuple[Element, ...]) -> Operation:
    make = messages.new_elements if what == _ADD else messages.delete_elements
    pieces = [piece for element in elements for piece in element_pieces(element)]
    return Operation(make(subject.name, pieces), subject, what, elements=elements)


def _entry_units(name: str, entries: Iterable[tuple[str, str]], removed: Iterable[str]) -> Iterator[Unit]:
    """A changed entry's removal and return share a unit; what is only removed comes last."""
    subject = Subject(Kind.MAP, name)
    going = set(removed)
    for chunk in _chunks(entries, _ELEMENTS_PER_MESSAGE):
        replaced = tuple((ifname, "") for ifname, _ in chunk if ifname in going)
        going.difference_update(ifname for ifname, _ in replaced)
        removal = (_entries_operation(subject, _REMOVE, replaced),) if replaced else ()
        yield (*removal, _entries_operation(subject, _ADD, chunk))
    for ifnames in _chunks(sorted(going), _ELEMENTS_PER_MESSAGE):
        yield (_entries_operation(subject, _REMOVE, tuple((ifname, "") for ifname in ifnames)),)


def _entries_operation(subject: Subject, what: str, entries: tuple[tuple[str, str], ...]) -> Operation:
    if what == _REMOVE:
        message = messages.delete_elements(subject.name, [Piece(ifname_key(ifname)) for ifname, _ in entries])
    else:
        verdicts = [(ifname, Verdict(VerdictCode.JUMP, chain)) for ifname, chain in entries]
        message = messages.new_elements(subject.name, [Piece(ifname_key(name), verdict=v) for name, v in verdicts])
    return Operation(message, subject, what, entries=entries)


def _chunks(items: Iterable[_Item], size: int) -> Iterator[tuple[_Item, ...]]:
    iterator = iter(items)
    while chunk := tuple(islice(iterator, size)):
        yield chunk


# --- one by one -------------------------------------------------------------------------------------------------------------


def singles(unit: Unit) -> tuple[Unit, ...]:
    """The unit cut into one for each element or entry, a changed entry's removal with its return; itself if it has but one."""
    last = unit[-1]
    if len(last.elements) > 1:
        return tuple((_elements_operation(last.subject, last.what, (element,)),) for element in last.elements)
    if len(last.entries) > 1:
        removed = {ifname for operation in unit[:-1] for ifname, _ in operation.entries}
        return tuple(
            (
                *([_entries_operation(last.subject, _REMOVE, ((entry[0], ""),))] if entry[0] in removed else []),
                _entries_operation(last.subject, last.what, (entry,)),
            )
            for entry in last.entries
        )
    return (unit,)


def describe(operation: Operation, offset: int | None) -> str:
    """What an operation does, for people; with the offset in its message that the kernel complained of, to which element."""
    names = [str(e) for e in operation.elements] or [f"{i} : jump {c}" if c else i for i, c in operation.entries]
    if operation.elements:
        repeats = [len(element_pieces(element)) for element in operation.elements]
        names = [name for name, repeat in zip(names, repeats, strict=True) for _ in range(repeat)]
    if not names:
        return f"{operation.what} {operation.subject}"
    preposition = "to" if operation.what == _ADD else "from"
    index = messages.element_index(operation.message, offset) if offset is not None else None
    named = names[index] if index is not None and index < len(names) else names[0] if len(names) == 1 else "elements"
    return f"{operation.what} {named} {preposition} {operation.subject}"
