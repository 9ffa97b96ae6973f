"""A group's sets of tuples: whose each key is, and what becomes of the kernel's sets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tortie.calc.hoststate import HostRule, IPSetDelta
from tortie.model.policy import Action
from tortie.ruleset.group import GroupStage, RuleOwner, TupleOwners
from tortie.ruleset.runs.keysets import Key, KeySet
from tortie.ruleset.runs.owners import Owners
from tortie.ruleset.runs.shapes import SET_TYPES, Space, look_up, set_family
from tortie.ruleset.runs.slots import Slot
from tortie.ruleset.runs.steps import in_order, key_steps
from tortie.ruleset.values import Flush, Rule, SetCreate, SetDeclaration, SetDelete


class TupleSets:
    """The slots that have keys. Every change of their sets' members is told, so that a slot leaves with the keys that it has."""

    def __init__(self, prefix: str, stage: GroupStage) -> None:
        self._prefix = prefix
        self._stage = stage
        self._owners = Owners()
        self._key_sets: dict[tuple[int, Space, Action], KeySet] = {}
        self._declared: set[KeySet] = set()
        """As of the last flush."""

    def enter(self, slot: Slot) -> None:
        slot.key_set = self._key_set(slot)
        self._owners.add(slot, self._keys(slot))

    def leave(self, slot: Slot) -> None:
        assert slot.key_set is not None
        self._owners.remove(slot, self._keys(slot))
        slot.key_set.slots -= 1
        slot.key_set = None

    def move(self, slot: Slot) -> None:
        """The slot has come to another run."""
        assert slot.key_set is not None
        self._owners.touch(slot, self._keys(slot))
        slot.key_set.slots -= 1
        slot.key_set = self._key_set(slot)

    def members_changed(self, slot: Slot, delta: IPSetDelta) -> None:
        """Members of the set of a slot's keys came or went."""
        assert slot.part.keys is not None
        self._owners.add(slot, slot.part.keys.of_members(delta.added))
        self._owners.remove(slot, slot.part.keys.of_members(delta.removed))

    def flush(self) -> Flush:
        """What becomes of the sets; those that go may only go when nothing looks them up any more."""
        self._key_sets = {which: key_set for which, key_set in self._key_sets.items() if key_set.slots}
        before, self._declared = self._declared, set(self._key_sets.values())
        deleted = before - self._declared
        steps = key_steps(self._owners.flush(), self._declared - before, deleted)
        created = (SetCreate(_declaration(key_set), steps.first[key_set]) for key_set in in_order(steps.first))
        return Flush((*created, *steps.early), steps.switch, (*steps.late, *_deletions(deleted)))

    def close(self) -> tuple[SetDelete, ...]:
        return tuple(_deletions(self._declared))

    def rules(self) -> dict[int, list[Rule]]:
        """The look-ups of each run, in order."""
        found: dict[int, list[Rule]] = {}
        for key_set in in_order(self._declared):
            matches = look_up(key_set.space, self._stage.direction, key_set.name)
            found.setdefault(key_set.run, []).append(
                Rule(matches, self._stage.statements(HostRule(action=key_set.action)))
            )
        return found

    def owners(self, key: Key, space: Space) -> TupleOwners | None:
        """The set in which a key stands, and whose it is; None: in none."""
        slots = self._owners.owners(space, key)
        key_set = slots[0].key_set if slots else None
        if key_set is None:
            return None
        return TupleOwners(key_set.name, tuple(RuleOwner(slot.policy.policy_id, slot.index) for slot in slots))

    def _key_set(self, slot: Slot) -> KeySet:
        """The set that a slot's keys belong in, with one slot more."""
        assert slot.part.keys is not None
        which = slot.run, slot.part.keys.space, slot.action
        if which not in self._key_sets:
            self._key_sets[which] = KeySet(*which, self._prefix)
        self._key_sets[which].slots += 1
        return self._key_sets[which]

    def _keys(self, slot: Slot) -> Iterator[Key]:
        """All keys of a slot, by its set's members of now."""
        keys = slot.part.keys
        assert keys is not None
        yield from keys.listed()
        if keys.set_id is not None:
            yield from keys.of_members(self._stage.sets.members(keys.set_id))


def _declaration(key_set: KeySet) -> SetDeclaration:
    return SetDeclaration(key_set.name, set_family(key_set.space), SET_TYPES[key_set.space.shape])


def _deletions(key_sets: Iterable[KeySet]) -> Iterator[SetDelete]:
    return (SetDelete(key_set.name) for key_set in in_order(key_sets))
