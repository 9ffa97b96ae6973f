"""Classes of endpoints: those under the same rules share one chain.

What an endpoint enforces in one direction is its *content*: tiers and policies in order, and the effective rules of its
profiles. Ten thousand endpoints of one content are ten thousand entries of a map and one chain.

A class gets its name when it is created, from the hash of its content then, and keeps it while all its members go to the same
new content together: a policy added to a tier replaces one chain and touches no map. So the name depends on the way, and what
is enforced does not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Literal, NamedTuple

from tortie.calc.hoststate import HostRule, PolicyId
from tortie.model.policy import Direction
from tortie.ruleset.names import class_chain, short_hash


class ClassTier(NamedTuple):
    """A tier that has an enforced policy in the direction."""

    name: str
    default_action: Literal["Deny", "Pass"]
    policies: tuple[PolicyId, ...]


class ClassContent(NamedTuple):
    """What is enforced, in one direction. The names of profiles are no part of it, only their rules."""

    tiers: tuple[ClassTier, ...]
    profile_rules: tuple[HostRule, ...]


class ClassChanges(NamedTuple):
    """What a flush does to classes and to the map that leads to them."""

    created: tuple[str, ...]
    changed: tuple[str, ...]
    """Of another content than before, under the same name."""
    deleted: tuple[str, ...]
    entries: tuple[tuple[str, str], ...]
    """(interface, chain) to set in the map."""
    removed: tuple[str, ...]
    """Interfaces to take out of the map."""
    policies: frozenset[PolicyId]
    """Policies that other classes enforce than before."""


class ClassTable:
    """The classes of one direction: which interfaces are in each, and what it enforces."""

    def __init__(self, direction: Direction) -> None:
        self._direction = direction
        self._contents: dict[str, ClassContent] = {}
        self._names: dict[ClassContent, str] = {}
        self._members: dict[str, set[str]] = {}
        self._class_of: dict[str, str] = {}
        self._users: dict[PolicyId, set[str]] = {}
        self._touched_policies: set[PolicyId] = set()

    def content(self, name: str) -> ClassContent:
        return self._contents[name]

    def users(self, policy_id: PolicyId) -> AbstractSet[str]:
        """The classes that enforce a policy."""
        return self._users.get(policy_id, frozenset())

    def assign(self, wanted: Mapping[str, ClassContent | None]) -> ClassChanges:
        """Make each interface enforce its content from now on; None: it is gone."""
        existing = set(self._contents)
        changed = self._move_whole_classes(wanted)
        entries: dict[str, str] = {}
        removed: list[str] = []
        left: set[str] = set()
        for ifname in sorted(wanted):
            before, content = self._class_of.get(ifname), wanted[ifname]
            now = self._class_for(content, existing) if content is not None else None
            if now == before:
                continue
            self._move(ifname, before, now)
            left |= {before} if before is not None else set()
            if now is not None:
                entries[ifname] = now
            else:
                removed.append(ifname)
        deleted = {name for name in left if not self._members[name]}
        for name in deleted:
            self._forget(name)
        return ClassChanges(
            created=tuple(sorted(self._contents.keys() - existing)),
            changed=tuple(sorted(changed - deleted)),
            deleted=tuple(sorted(deleted)),
            entries=tuple(sorted(entries.items())),
            removed=tuple(removed),
            policies=self._take_touched_policies(),
        )

    def _move_whole_classes(self, wanted: Mapping[str, ClassContent | None]) -> set[str]:
        """Give a class a new content in place where all its members want the same one and no other class has it."""
        targets = {name: self._common_target(name, wanted) for name in self._touched_classes(wanted)}
        moving = {name: content for name, content in targets.items() if content is not None}
        taken = {content for name, content in self._contents.items() if name not in moving}
        # All of them let go of their contents first, for one may want what another has. Those that find their content taken
        # are left without any: their members join the class that has it.
        for name in moving:
            self._set_content(name, None)
        moved = set()
        for name, content in sorted(moving.items()):
            if content not in taken:
                taken.add(content)
                moved.add(name)
                self._set_content(name, content)
        return moved

    def _touched_classes(self, wanted: Iterable[str]) -> set[str]:
        return {self._class_of[ifname] for ifname in wanted if ifname in self._class_of}

    def _common_target(self, name: str, wanted: Mapping[str, ClassContent | None]) -> ClassContent | None:
        """The one other content that all members want that do not leave; None if there is none."""
        current = self._contents[name]
        contents = {wanted.get(ifname, current) for ifname in self._members[name]} - {None}
        return contents.pop() if len(contents) == 1 and current not in contents else None

    def _class_for(self, content: ClassContent, existing: AbstractSet[str]) -> str:
        """The class of *content*, created if there is none."""
        if content not in self._names:
            name = self._free_name(content, existing)
            self._members[name] = set()
            self._set_content(name, content)
        return self._names[content]

    def _free_name(self, content: ClassContent, existing: AbstractSet[str]) -> str:
        """Not even the name of a class that this very flush deletes: its chain is there until the last step."""
        content_hash = short_hash(repr(content), 12)
        name, attempt = class_chain(content_hash, self._direction), 1
        while name in existing or name in self._contents:
            attempt += 1
            name = class_chain(f"{content_hash}-{attempt}", self._direction)
        return name

    def _set_content(self, name: str, content: ClassContent | None) -> None:
        before = self._contents.pop(name, None)
        if before is not None:
            del self._names[before]
            self._touched_policies |= _policies(before)
            for policy_id in _policies(before):
                self._users[policy_id].discard(name)
                if not self._users[policy_id]:
                    del self._users[policy_id]
        if content is not None:
            self._contents[name] = content
            self._names[content] = name
            self._touched_policies |= _policies(content)
            for policy_id in _policies(content):
                self._users.setdefault(policy_id, set()).add(name)

    def _take_touched_policies(self) -> frozenset[PolicyId]:
        touched = frozenset(self._touched_policies)
        self._touched_policies.clear()
        return touched

    def _move(self, ifname: str, before: str | None, now: str | None) -> None:
        if before is not None:
            self._members[before].discard(ifname)
            del self._class_of[ifname]
        if now is not None:
            self._members[now].add(ifname)
            self._class_of[ifname] = now

    def _forget(self, name: str) -> None:
        self._set_content(name, None)
        del self._members[name]


def _policies(content: ClassContent) -> frozenset[PolicyId]:
    return frozenset(policy_id for tier in content.tiers for policy_id in tier.policies)
