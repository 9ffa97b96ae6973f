"""In which step of a flush each key comes and goes.

Until the *switch* packets have their old verdicts, after *delete* their new ones. All changes are in the switch, and yet some keys
stay in their old set until *delete*. A batch is not atomic for a packet in flight: it looks one set up before the commit and
the next one after it. A key that moves to a set that is looked up earlier would be missed in both, and so would one that moves to
a set that the rules did not look up before. So a key is taken out of its old set only in the next batch

- if it moves to where packets find it first: the old place is not asked any more;
- if it moves to a later place of the same action. It is a rule's, for which something else now comes first: for the length of
  a batch its packets still have their old verdict.

A key that moves later and to another action goes in one batch: whoever missed it in the one set finds it in the other.

A flush that moves more than ``SWITCH_ELEMENTS`` cannot have all in one batch. Then keys come in *create*, in the order in which sets
are looked up, and go in *delete*, in the opposite order: at each moment a packet finds what it found before or what it is to find,
as far as sets alone decide (ADR 14).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple

from tortie.ruleset.flushing import SWITCH_ELEMENTS
from tortie.ruleset.runs.keysets import Key, KeySet
from tortie.ruleset.runs.owners import Moved
from tortie.ruleset.values import SetDelta


class KeySteps(NamedTuple):
    """What happens to the sets of keys that stay, and what new ones begin with."""

    first: dict[KeySet, frozenset[Key]]
    """The keys of new sets."""
    early: tuple[SetDelta, ...]
    switch: tuple[SetDelta, ...]
    late: tuple[SetDelta, ...]


def key_steps(
    moved: Iterable[Moved], created: Collection[KeySet], deleted: Collection[KeySet], limit: int = SWITCH_ELEMENTS
) -> KeySteps:
    """Put the keys that moved into steps. Those of a set that is deleted go with it."""
    added: dict[KeySet, list[Key]] = {}
    removed: dict[KeySet, list[Key]] = {}
    delayed: dict[KeySet, list[Key]] = {}
    for key, before, now in moved:
        if now is not None:
            added.setdefault(now, []).append(key)
        if before is not None and before not in deleted:
            (delayed if _is_delayed(before, now) else removed).setdefault(before, []).append(key)
    first = {key_set: frozenset(added.pop(key_set, ())) for key_set in created}
    if sum(map(len, added.values())) + sum(map(len, removed.values())) <= limit:
        return KeySteps(first, (), _deltas(added, removed), _deltas({}, delayed))
    for key_set, keys in removed.items():
        delayed.setdefault(key_set, []).extend(keys)
    return KeySteps(first, _deltas(added, {}), (), _deltas({}, delayed)[::-1])


def _is_delayed(before: KeySet, now: KeySet | None) -> bool:
    return now is not None and (now.level < before.level or now.action is before.action)


def _deltas(added: dict[KeySet, list[Key]], removed: dict[KeySet, list[Key]]) -> tuple[SetDelta, ...]:
    """In the order in which the sets are looked up."""
    return tuple(
        SetDelta(key_set.name, frozenset(added.get(key_set, ())), frozenset(removed.get(key_set, ())))
        for key_set in in_order({*added, *removed})
    )


def in_order(key_sets: Iterable[KeySet]) -> list[KeySet]:
    return sorted(key_sets, key=lambda key_set: key_set.level)
