"""The classes of one place: their chains as they were last flushed, and the map that leads to them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tortie.calc.hoststate import PolicyId
from tortie.calc.listing import Listing
from tortie.ruleset.chains import TierGroups, class_body
from tortie.ruleset.chaintable import ChainTable
from tortie.ruleset.classes import WILDCARD, ClassContent, ClassTable
from tortie.ruleset.grouptable import GroupTable
from tortie.ruleset.mapchanges import map_changes
from tortie.ruleset.places import WORKLOAD_PLACES, Place
from tortie.ruleset.values import Flush, MapDelta


class PlaceClasses:
    """``assign``, then the groups' flush, then ``flush``: each costs what was touched."""

    def __init__(self, place: Place, groups: GroupTable) -> None:
        self.place = place
        self._groups = groups
        self._classes = ClassTable(place)
        self._chains = ChainTable(groups.stage.sets)
        self._tiers: dict[str, tuple[str, ...]] = {}
        """The tiers of which each class has a list in the groups' table."""
        self._users = Listing[str, str]()
        """The classes that jump to each group's chain."""
        self._jumps: dict[str, frozenset[str]] = {}
        self._entries: set[str] = set()
        self._stale: set[str] = set()
        self._deleted: tuple[str, ...] = ()
        self._map = MapDelta(place.map_name)

    @property
    def is_empty(self) -> bool:
        """Whether nobody is judged here."""
        return self._classes.is_empty

    @property
    def has_map(self) -> bool:
        return bool(self._entries) or self.place in WORKLOAD_PLACES

    @property
    def wildcard(self) -> str | None:
        """The chain of the interfaces without an endpoint of their own."""
        return self._classes.wildcard

    def keep(self, names: Mapping[str, str]) -> None:
        """The classes that an earlier run had for interfaces."""
        self._classes.keep(names)

    def assign(self, wanted: Mapping[str, ClassContent | None]) -> None:
        """Make each interface enforce its content from now on; None: it is gone."""
        changes = self._classes.assign(wanted)
        self._stale |= {*changes.created, *changes.changed}
        self._deleted = changes.deleted
        for name in (*changes.created, *changes.changed):
            self._set_lists(name, {tier.name: tier.policies for tier in self._classes.content(name).tiers})
        for name in changes.deleted:
            self._set_lists(name, {})
        entries = tuple(entry for entry in changes.entries if entry[0] != WILDCARD)
        self._map = MapDelta(self.place.map_name, entries, tuple(i for i in changes.removed if i != WILDCARD))

    def _set_lists(self, name: str, lists: Mapping[str, tuple[PolicyId, ...]]) -> None:
        for tier in (*self._tiers.get(name, ()), *lists):
            self._groups.set_list((name, tier), lists.get(tier, ()))
        self._tiers[name] = tuple(lists)
        if not lists:
            del self._tiers[name]

    def regrouped(self, classes: Iterable[str], passing: Iterable[str], outdated: Iterable[str]) -> None:
        """These classes jump to other groups, these groups pass as they did not, and these chains look up other sets."""
        self._stale |= {name for name in (*classes, *outdated) if name in self._chains}
        self._stale |= {name for chain in passing for name in self._users.of(chain)}

    def flush(self) -> tuple[Flush, Flush]:
        """What becomes of the classes' chains, and of the map that leads to them."""
        for name in sorted(self._stale - set(self._deleted)):
            self._compile(name)
        for name in self._deleted:
            self._chains.remove(name)
            self._use(name, frozenset())
        self._stale.clear()
        self._deleted = ()
        return self._chains.flush(), self._flush_map()

    def _compile(self, name: str) -> None:
        content = self._classes.content(name)
        tiers = [TierGroups(tier, self._groups.groups((name, tier.name))) for tier in content.tiers]
        self._chains.put(name, class_body(self.place, content, tiers, self._groups.stage))
        self._use(name, frozenset(group.chain for tier in tiers for group in tier.groups))

    def _use(self, name: str, chains: frozenset[str]) -> None:
        before = self._jumps.pop(name, frozenset())
        if chains:
            self._jumps[name] = chains
        self._users.add(name, chains - before)
        self._users.discard(name, before - chains)

    def _flush_map(self) -> Flush:
        """The map exists while it has an entry; that of a place of workloads always."""
        change, self._map = self._map, MapDelta(self.place.map_name)
        existed = self.has_map
        self._entries -= set(change.removed)
        self._entries |= {ifname for ifname, _ in change.set}
        return map_changes(change, existed=existed, exists=self.has_map)
