"""Who owns each key: the kernel has a key in one set, userland knows every rule that has it, in order.

The first rule decides: the key stands in the set of that rule's run and action. When it goes, the next one's. Of the sets
themselves nothing is kept here: what a set holds is what the first owners say.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Iterable, Iterator
from operator import attrgetter
from typing import TypeAlias

from tortie.ruleset.runs.keysets import Key, KeySet
from tortie.ruleset.runs.shapes import Space
from tortie.ruleset.runs.slots import Slot

Moved: TypeAlias = tuple[Key, KeySet | None, KeySet | None]
"""A key with the sets where it stood at the last flush, and where it stands now."""

_Owners: TypeAlias = Slot | tuple[Slot, ...]
"""One, or several in order. Keys that came together to the same owners have one tuple: there are many such keys."""

_order = attrgetter("order")


class Owners:
    """The owners of all keys of a group."""

    def __init__(self) -> None:
        self._spaces: dict[Space, _SpaceOwners] = {}

    def add(self, slot: Slot, keys: Iterable[Key]) -> None:
        """The slot has these keys too."""
        space = _space(slot)
        if space not in self._spaces:
            self._spaces[space] = _SpaceOwners()
        self._spaces[space].add(slot, keys)

    def remove(self, slot: Slot, keys: Iterable[Key]) -> None:
        """The slot has these keys no more."""
        self._spaces[_space(slot)].remove(slot, keys)

    def touch(self, slot: Slot, keys: Iterable[Key]) -> None:
        """The slot, which has these keys, is about to have them in another set."""
        self._spaces[_space(slot)].touch(keys)

    def owners(self, space: Space, key: Key) -> tuple[Slot, ...]:
        """The slots that have a key, in order; the first decides."""
        known = self._spaces[space].owners.get(key, ()) if space in self._spaces else ()
        return known if isinstance(known, tuple) else (known,)

    def flush(self) -> Iterator[Moved]:
        """The keys that came, went or moved since the last call."""
        for owners in self._spaces.values():
            yield from owners.flush()


class _SpaceOwners:
    """The owners of the keys of one space."""

    def __init__(self) -> None:
        self.owners: dict[Key, _Owners] = {}
        self._before: dict[Key, KeySet | None] | None = None
        """Where each key touched since the last flush stood then; None before the first: nothing stood anywhere."""

    def add(self, slot: Slot, keys: Iterable[Key]) -> None:
        owners, before = self.owners, self._before
        with_slot = _once_for_each(lambda known: _with(known, slot))
        for key in keys:
            known = owners.setdefault(key, slot)
            if known is slot:
                if before is not None:
                    before.setdefault(key, None)
                continue
            if before is not None and key not in before:
                before[key] = _key_set(known)
            owners[key] = with_slot(known)

    def remove(self, slot: Slot, keys: Iterable[Key]) -> None:
        without_slot = _once_for_each(lambda known: _without(known, slot))
        for key in keys:
            known = self.owners[key]
            if self._before is not None and key not in self._before:
                self._before[key] = _key_set(known)
            if known is slot:
                del self.owners[key]
                continue
            self.owners[key] = without_slot(known)

    def touch(self, keys: Iterable[Key]) -> None:
        if self._before is not None:
            for key in keys:
                if key not in self._before:
                    self._before[key] = _key_set(self.owners[key])

    def flush(self) -> Iterator[Moved]:
        if self._before is None:
            yield from ((key, None, _key_set(known)) for key, known in self.owners.items())
        else:
            for key, before in self._before.items():
                known = self.owners.get(key)
                now = None if known is None else _key_set(known)
                if now is not before:
                    yield key, before, now
        self._before = {}


def _space(slot: Slot) -> Space:
    assert slot.part.keys is not None
    return slot.part.keys.space


def _key_set(known: _Owners) -> KeySet | None:
    return known[0].key_set if isinstance(known, tuple) else known.key_set


def _with(known: _Owners, slot: Slot) -> _Owners:
    several = [*known] if isinstance(known, tuple) else [known]
    insort(several, slot, key=_order)
    return tuple(several)


def _without(known: _Owners, slot: Slot) -> _Owners:
    assert isinstance(known, tuple), f"{known} has these keys, not {slot}"
    at = known.index(slot)
    rest = known[:at] + known[at + 1 :]
    return rest if len(rest) > 1 else rest[0]


def _once_for_each(change: Callable[[_Owners], _Owners]) -> Callable[[_Owners], _Owners]:
    """*change*, worked out once for each object: many keys have one, and its result is one object too."""
    found: dict[int, tuple[_Owners, _Owners]] = {}

    def changed(known: _Owners) -> _Owners:
        # by identity, for to hash several costs as much as they are; the old ones are kept, so that an id stays theirs
        if id(known) not in found:
            found[id(known)] = known, change(known)
        return found[id(known)][1]

    return changed
