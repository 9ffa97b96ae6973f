"""Classes of endpoints: those under the same rules share one chain.

What an endpoint enforces at a place is its *content*: tiers and policies in order, the effective rules of its profiles, and
whether its connections are limited. Ten thousand endpoints of one content are ten thousand entries of a map and one chain.

A class gets its name when it is created, from the hash of its content then, and keeps it while all its members go to the same
new content together: a policy added to a tier replaces one chain and touches no map. So the name depends on the way, and what
is enforced does not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Literal, NamedTuple

from tortie.calc.hoststate import HostRule, PolicyId
from tortie.ruleset.names import short_hash
from tortie.ruleset.places import Place

WILDCARD = "*"
"""In place of an interface's name: all that have no endpoint of their own."""


class ClassTier(NamedTuple):
    """A tier that has an enforced policy in the direction."""

    name: str
    default_action: Literal["Deny", "Pass"]
    policies: tuple[PolicyId, ...]


class ClassContent:
    """What is enforced at a place. The names of profiles are no part of it, only their rules.

    Equal by value, with a hash that costs the same however many policies there are: contents of ten thousand policies are
    compared, which the interpreter does at once while the items are the same, and hardly ever hashed apart.
    """

    __slots__ = ("_hash", "limits_connections", "profile_rules", "sketch", "tiers")

    def __init__(
        self,
        tiers: tuple[ClassTier, ...],
        profile_rules: tuple[HostRule, ...] = (),
        *,
        limits_connections: bool = False,
    ) -> None:
        self.tiers = tiers
        self.profile_rules = profile_rules
        self.limits_connections = limits_connections
        # For hash and name; the policies in the middle of a list do not show in it.
        sketches = tuple((tier.name, tier.default_action, len(tier.policies), *tier.policies[:1]) for tier in tiers)
        self.sketch = repr((sketches, profile_rules, limits_connections))
        self._hash = hash(self.sketch)

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, ClassContent) or self._hash != other._hash:
            return False
        return (self.tiers, self.profile_rules, self.limits_connections) == (
            other.tiers,
            other.profile_rules,
            other.limits_connections,
        )

    def __hash__(self) -> int:
        return self._hash

    def __repr__(self) -> str:
        return f"ClassContent({self.tiers}, {self.profile_rules}, limits_connections={self.limits_connections})"


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


class ClassTable:
    """The classes of one place: which interfaces are in each, and what it enforces."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._kept: Mapping[str, str] = {}
        self._contents: dict[str, ClassContent] = {}
        self._names: dict[ClassContent, str] = {}
        self._members: dict[str, set[str]] = {}
        self._class_of: dict[str, str] = {}

    @property
    def is_empty(self) -> bool:
        """Whether no interface has a class here."""
        return not self._class_of

    @property
    def wildcard(self) -> str | None:
        """The class of the interfaces without an endpoint of their own."""
        return self._class_of.get(WILDCARD)

    def keep(self, names: Mapping[str, str]) -> None:
        """The classes that an earlier run had for interfaces: what is created next for one of these is called so again."""
        self._kept = names

    def content(self, name: str) -> ClassContent:
        return self._contents[name]

    def assign(self, wanted: Mapping[str, ClassContent | None]) -> ClassChanges:
        """Make each interface enforce its content from now on; None: it is gone."""
        existing = set(self._contents)
        changed = self._move_whole_classes(wanted)
        entries: dict[str, str] = {}
        removed: list[str] = []
        left: set[str] = set()
        for ifname in sorted(wanted):
            before, content = self._class_of.get(ifname), wanted[ifname]
            now = self._class_for(content, ifname, existing) if content is not None else None
            if now == before:
                continue
            self._move(ifname, before, now)
            left |= {before} if before is not None else set()
            if now is not None:
                entries[ifname] = now
            else:
                removed.append(ifname)
        self._kept = {}
        deleted = {name for name in left if not self._members[name]}
        for name in deleted:
            self._forget(name)
        return ClassChanges(
            created=tuple(sorted(self._contents.keys() - existing)),
            changed=tuple(sorted(changed - deleted)),
            deleted=tuple(sorted(deleted)),
            entries=tuple(sorted(entries.items())),
            removed=tuple(removed),
        )

    def _move_whole_classes(self, wanted: Mapping[str, ClassContent | None]) -> set[str]:
        """Give a class a new content in place where all its members want the same one and no other class has it."""
        asked: dict[str, list[ClassContent | None]] = {}
        for ifname, content in wanted.items():
            if ifname in self._class_of:
                asked.setdefault(self._class_of[ifname], []).append(content)
        targets = {name: self._common_target(name, contents) for name, contents in asked.items()}
        moving = {name: content for name, content in targets.items() if content is not None}
        # All of them let go of their contents first, for one may want what another has. Those that find their content taken
        # are left without any: their members join the class that has it.
        for name in moving:
            self._set_content(name, None)
        moved = set()
        for name, content in sorted(moving.items()):
            if content not in self._names:
                moved.add(name)
                self._set_content(name, content)
        return moved

    def _common_target(self, name: str, asked: Iterable[ClassContent | None]) -> ClassContent | None:
        """The one other content that all members want that do not leave; None if there is none."""
        wanted = list(asked)
        if len(wanted) < len(self._members[name]):  # the rest want what they have
            return None
        contents = {content for content in wanted if content is not None}
        return contents.pop() if len(contents) == 1 and self._contents[name] not in contents else None

    def _class_for(self, content: ClassContent, ifname: str, existing: AbstractSet[str]) -> str:
        """The class of *content*, created if there is none; *ifname* is who asks."""
        if content not in self._names:
            name = self._kept.get(ifname, "")
            if not name.startswith(self._place.prefix) or name in existing or name in self._contents:
                name = self._free_name(content, existing)
            self._members[name] = set()
            self._set_content(name, content)
        return self._names[content]

    def _free_name(self, content: ClassContent, existing: AbstractSet[str]) -> str:
        """Not even the name of a class that this very flush deletes: its chain is there until the last step."""
        first = name = f"{self._place.prefix}{short_hash(content.sketch, 12)}"
        attempt = 1
        while name in existing or name in self._contents:
            attempt += 1
            name = f"{first}-{attempt}"
        return name

    def _set_content(self, name: str, content: ClassContent | None) -> None:
        before = self._contents.pop(name, None)
        if before is not None:
            del self._names[before]
        if content is not None:
            self._contents[name] = content
            self._names[content] = name

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
