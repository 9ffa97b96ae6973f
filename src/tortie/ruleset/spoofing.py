"""Sources that workloads may use although they are not their own (``allowSpoofedSourcePrefixes``).

    wl-spoof    from a workload's link to a chain that accepts its sources, before the reverse path is checked

Interfaces of the same sources share a chain, named after them. What it accepts goes on to the next stage: policy is asked as
always.
"""

from __future__ import annotations

from collections.abc import Mapping

from tortie.net import Family, Network
from tortie.ruleset.chaintable import ChainTable
from tortie.ruleset.mapchanges import map_changes
from tortie.ruleset.names import short_hash
from tortie.ruleset.networks import maximal
from tortie.ruleset.sets import SetTable
from tortie.ruleset.values import Accept, Flush, MapDelta, NetsMatch, Rule, Side

SPOOFERS = "wl-spoof"
"""The map from a workload's link to the chain of its sources."""


class SpoofTable:
    """Which workload may send from which sources."""

    def __init__(self, sets: SetTable) -> None:
        self._chains = ChainTable(sets)
        self._chain_of: dict[str, str] = {}
        self._users: dict[str, set[str]] = {}

    @property
    def is_empty(self) -> bool:
        """Whether no interface has such sources."""
        return not self._chain_of

    def flush(self, changed: Mapping[str, tuple[Network, ...]]) -> tuple[Flush, Flush]:
        """What becomes of the chains, and of the map that leads to them, if these interfaces have these sources from now on."""
        existed, entries, removed = not self.is_empty, [], []
        for ifname, sources in sorted(changed.items()):
            before, now = self._chain_of.get(ifname), self._chain(sources) if sources else None
            if now == before:
                continue
            if before is not None:
                del self._chain_of[ifname]
                self._users[before].discard(ifname)
            if now is None:
                removed.append(ifname)
            else:
                self._chain_of[ifname] = now
                self._users.setdefault(now, set()).add(ifname)
                self._chains.put(now, _body(sources))
                entries.append((ifname, now))
        for name in [name for name, users in self._users.items() if not users]:
            del self._users[name]
            self._chains.remove(name)
        change = MapDelta(SPOOFERS, tuple(entries), tuple(removed))
        return self._chains.flush(), map_changes(change, existed=existed, exists=not self.is_empty)

    @staticmethod
    def _chain(sources: tuple[Network, ...]) -> str:
        return f"sp-{short_hash(' '.join(map(str, sources)), 12)}"


def _body(sources: tuple[Network, ...]) -> tuple[Rule, ...]:
    by_family = [maximal(net for net in sources if net.family is family) for family in Family]
    return tuple(Rule((NetsMatch(Side.SOURCE, nets),), (Accept(),), "may be spoofed") for nets in by_family if nets)
