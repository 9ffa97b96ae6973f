"""This host's endpoints by which selectors of policies match them: those that the same ones match are one group.

A group is what policies are ordered for: a policy of a known selector is one edit of each group's lists, however many endpoints
are in it. Groups split when a selector starts or stops to match a part of one, and become one again when they are equal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from typing import TypeAlias

from tortie.calc.hoststate import EndpointId, PolicyId
from tortie.calc.resolver import Stage, TierLists

Key: TypeAlias = tuple[int, int]
SelectorsOf: TypeAlias = Callable[[EndpointId], AbstractSet[str]]
"""The texts of the selectors that match an endpoint."""


class Group:
    """Endpoints that the same selectors match, and the lists that they share."""

    def __init__(self, key: Key = (0, 0)) -> None:
        self.key = key
        """How many selectors match, and a hash of them: equal for equal ones, and hardly ever for others."""
        self.endpoints: set[EndpointId] = set()
        self.lists: dict[Stage, TierLists] = {}
        """Of the stages that somebody asked for."""
        self.pending: set[PolicyId] = set()
        """Policies that the lists have not been told of."""

    @property
    def member(self) -> EndpointId:
        """One that stands for all."""
        return next(iter(self.endpoints))

    def split(self, endpoints: Iterable[EndpointId]) -> Group:
        """Some of its endpoints as a group of their own."""
        part = Group(self.key)
        part.endpoints = set(endpoints)
        self.endpoints -= part.endpoints
        part.lists = {stage: lists.copy() for stage, lists in self.lists.items()}
        part.pending = set(self.pending)
        return part


class Groups:
    """The groups of all endpoints of this host. Between changes and ``settle`` those that are touched stand apart."""

    def __init__(self, selectors_of: SelectorsOf) -> None:
        self._selectors_of = selectors_of
        self._group_of: dict[EndpointId, Group] = {}
        self._by_key: dict[Key, list[Group]] = {}
        self._apart: set[Group] = set()
        self._fresh: set[EndpointId] = set()

    def __getitem__(self, endpoint_id: EndpointId) -> Group:
        return self._group_of[endpoint_id]

    def add(self, endpoint_id: EndpointId) -> None:
        """Know an endpoint from now on; its group is found by ``settle``."""
        if endpoint_id not in self._group_of:
            self._fresh.add(endpoint_id)

    def remove(self, endpoint_id: EndpointId) -> None:
        """Forget an endpoint; nothing happens if it is not known."""
        self._fresh.discard(endpoint_id)
        group = self._group_of.pop(endpoint_id, None)
        if group is not None:
            group.endpoints.discard(endpoint_id)
            if not group.endpoints:
                self._set_apart(group)
                self._apart.discard(group)

    def toggle(self, text: str, endpoints: Iterable[EndpointId], policies: Iterable[PolicyId], step: int) -> None:
        """A selector starts (*step* 1) or stops (-1) to match *endpoints*; *policies* have it, or had it."""
        by_group: dict[Group, set[EndpointId]] = {}
        for endpoint_id in endpoints:
            if endpoint_id in self._group_of:
                by_group.setdefault(self._group_of[endpoint_id], set()).add(endpoint_id)
        for group, part in by_group.items():
            if len(part) < len(group.endpoints):
                group = group.split(part)  # noqa: PLW2901 - from here on it is only about the part
                self._group_of.update(dict.fromkeys(part, group))
                self._apart.add(group)
            else:
                self._set_apart(group)
            group.key = (group.key[0] + step, group.key[1] ^ hash(text))
            group.pending.update(policies)

    def tell(self, endpoints: Iterable[EndpointId], policies: Iterable[PolicyId]) -> set[Group]:
        """*policies* of a selector that matches *endpoints* changed; gives the groups to which that matters."""
        affected = {self._group_of[endpoint_id] for endpoint_id in endpoints if endpoint_id in self._group_of}
        for group in affected:
            group.pending.update(policies)
        return affected

    def settle(self) -> set[Group]:
        """Find or make the groups of new endpoints, and join those that are equal now; gives all that were touched."""
        touched = {self._join(group) for group in self._apart}
        self._apart.clear()
        for endpoint_id in sorted(self._fresh):
            touched.add(self._join(self._group_for(endpoint_id)))
        self._fresh.clear()
        return touched

    def all(self) -> set[Group]:
        return {group for same_key in self._by_key.values() for group in same_key}

    def _group_for(self, endpoint_id: EndpointId) -> Group:
        texts = self._selectors_of(endpoint_id)
        hashes = 0
        for text in texts:
            hashes ^= hash(text)
        group = Group((len(texts), hashes))
        group.endpoints.add(endpoint_id)
        self._group_of[endpoint_id] = group
        return group

    def _join(self, group: Group) -> Group:
        """The registered group that *group* is, or becomes part of."""
        same_key = self._by_key.setdefault(group.key, [])
        texts = self._selectors_of(group.member)
        equal = next((other for other in same_key if self._selectors_of(other.member) == texts), None)
        if equal is None:
            same_key.append(group)
            return group
        equal.endpoints |= group.endpoints
        equal.pending |= group.pending
        self._group_of.update(dict.fromkeys(group.endpoints, equal))
        group.endpoints = set()
        return equal

    def _set_apart(self, group: Group) -> None:
        if group in self._apart:
            return
        same_key = self._by_key[group.key]
        same_key.remove(group)
        if not same_key:
            del self._by_key[group.key]
        self._apart.add(group)
