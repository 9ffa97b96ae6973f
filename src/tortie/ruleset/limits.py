"""Limits on what a workload's interface may carry, whatever policy allows: sets of interfaces with a limit for each.

    pps-from, pps-to     packets a second from and to the workload; looked up before the conntrack rule, every packet counts
    conn-from, conn-to   connections; looked up after it, in the classes of those that have a limit: only new ones are judged

A set exists while an interface has such a limit. The kernel does not change the limit of an element that is there: it is taken
out and put back, and begins to count anew.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from tortie.calc.hoststate import InterfaceLimits
from tortie.ruleset.places import Place
from tortie.ruleset.values import (
    ConnectionsElement,
    Drop,
    Flush,
    InterfaceSetMatch,
    RateElement,
    Rule,
    SetCreate,
    SetDeclaration,
    SetDelete,
    SetDelta,
    SetType,
)

PACKET_RATES = {Place.WORKLOAD_EGRESS: "pps-from", Place.WORKLOAD_INGRESS: "pps-to"}
CONNECTIONS = {Place.WORKLOAD_EGRESS: "conn-from", Place.WORKLOAD_INGRESS: "conn-to"}

NO_LIMITS = InterfaceLimits()

_Limit: TypeAlias = RateElement | ConnectionsElement


def packet_limit(place: Place) -> Rule:
    """Drops what exceeds its interface's rate of packets."""
    return Rule((InterfaceSetMatch(place.interface, PACKET_RATES[place]),), (Drop(),), "too many packets")


def connection_limit(place: Place) -> Rule:
    """Drops what would be one connection of its interface too many."""
    return Rule((InterfaceSetMatch(place.interface, CONNECTIONS[place]),), (Drop(),), "too many connections")


def limits_connections(place: Place, limits: InterfaceLimits) -> bool:
    """Whether connections have a limit at a workload's place."""
    return _FIELDS[CONNECTIONS[place]].read("", limits) is not None


def _rate(field: str) -> Callable[[str, InterfaceLimits], _Limit | None]:
    def read(ifname: str, limits: InterfaceLimits) -> _Limit | None:
        rate = getattr(limits, field)
        return None if rate is None else RateElement(ifname, rate.per_second, rate.burst)

    return read


def _connections(field: str) -> Callable[[str, InterfaceLimits], _Limit | None]:
    def read(ifname: str, limits: InterfaceLimits) -> _Limit | None:
        most = getattr(limits, field)
        return None if most is None else ConnectionsElement(ifname, most)

    return read


class _Field(NamedTuple):
    type: SetType
    read: Callable[[str, InterfaceLimits], _Limit | None]


_FIELDS = {
    "pps-from": _Field(SetType.PACKET_RATE, _rate("egress_rate")),
    "pps-to": _Field(SetType.PACKET_RATE, _rate("ingress_rate")),
    "conn-from": _Field(SetType.CONNECTIONS, _connections("egress_connections")),
    "conn-to": _Field(SetType.CONNECTIONS, _connections("ingress_connections")),
}


class LimitTable:
    """The limits of all interfaces, and the sets that hold them."""

    def __init__(self) -> None:
        self._elements: dict[str, dict[str, _Limit]] = {name: {} for name in _FIELDS}
        """By set and interface, as they were flushed last."""

    def __contains__(self, set_name: str) -> bool:
        """Whether the set exists, as of the last flush."""
        return bool(self._elements[set_name])

    def flush(self, changed: dict[str, InterfaceLimits]) -> Flush:
        """What becomes of the sets if these interfaces have these limits from now on."""
        changes = [self._flush_set(name, field, changed) for name, field in _FIELDS.items()]
        return Flush(
            tuple(change for change in changes if isinstance(change, SetCreate)),
            tuple(change for change in changes if isinstance(change, SetDelta)),
            tuple(change for change in changes if isinstance(change, SetDelete)),
        )

    def _flush_set(
        self, name: str, field: _Field, changed: dict[str, InterfaceLimits]
    ) -> SetCreate | SetDelta | SetDelete | None:
        known = self._elements[name]
        wanted = {ifname: field.read(ifname, limits) for ifname, limits in changed.items()}
        wanted = {ifname: limit for ifname, limit in wanted.items() if known.get(ifname) != limit}
        if not wanted:
            return None
        existed = bool(known)
        removed = frozenset(known.pop(ifname) for ifname in wanted if ifname in known)
        known.update((ifname, limit) for ifname, limit in wanted.items() if limit is not None)
        if not known:
            return SetDelete(name)
        if not existed:
            return SetCreate(SetDeclaration(name, None, field.type), frozenset(known.values()))
        return SetDelta(name, frozenset(limit for limit in wanted.values() if limit is not None), removed)
