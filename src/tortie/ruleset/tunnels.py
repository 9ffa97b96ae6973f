"""The hosts' own tunnels, which no host endpoint's policy has to allow, and nobody else may speak.

While a pool of the cluster needs encapsulation, hosts send each other packets whose contents are judged by themselves: where they
go in and where they come out. So the tunnel's packets pass a host endpoint, from and to the addresses of the cluster's hosts. What
comes out is believed, so from anybody else a host takes none, whether it has host endpoints or not:

    HostUpdate ───► sets of all hosts' addresses ─► stages of the host's own traffic
    Encapsulation ► which protocols                  └► IPIP, UDP to the VXLAN port

The sets exist while encapsulation of the family is in use.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import TypeAlias

from tortie.calc.hoststate import Encapsulation, HostRemove, HostUpdate
from tortie.net import IPIP, UDP, Address, Family
from tortie.ruleset.options import Options
from tortie.ruleset.values import (
    Accept,
    Drop,
    Flush,
    Match,
    NetsMatch,
    PortsMatch,
    ProtocolMatch,
    Range,
    Rule,
    SetCreate,
    SetDeclaration,
    SetDelete,
    SetDelta,
    SetMatch,
    SetType,
    Side,
)

HOSTS = {Family.V4: "hosts4", Family.V6: "hosts6"}
"""The sets of all hosts' addresses."""

NO_TUNNELS = Encapsulation()

TunnelDelta: TypeAlias = HostUpdate | HostRemove | Encapsulation


def tunnel_rules(side: Side, used: Encapsulation, options: Options) -> Iterator[Rule]:
    """What passes between hosts; *side* is where the other host's address stands."""
    for name, family, matches in _protocols(used, options):
        for host in (SetMatch(side, family, HOSTS[family]), *_external(side, family, options)):
            yield Rule((host, *matches), (Accept(),), f"{name} between hosts")


def no_stranger_rules(used: Encapsulation, options: Options) -> Iterator[Rule]:
    """A host takes no tunnel's packets from who is none."""
    for name, family, matches in _protocols(used, options):
        stranger = SetMatch(Side.SOURCE, family, HOSTS[family], negate=True)
        others = _external(Side.SOURCE, family, options, negate=True)
        yield Rule((*matches, stranger, *others), (Drop(),), f"{name} from a stranger")


def no_tunnel_rules(options: Options) -> Iterator[Rule]:
    """A workload must not speak the hosts' tunnel protocols: what comes out of a tunnel is believed."""
    if not options.allow_vxlan_from_workloads:
        yield Rule(_vxlan(options), (Drop(),), "VXLAN from a workload")
    if not options.allow_ipip_from_workloads:
        yield Rule((ProtocolMatch(IPIP),), (Drop(),), "IPIP from a workload")


def _protocols(used: Encapsulation, options: Options) -> Iterator[tuple[str, Family, tuple[Match, ...]]]:
    """The name, family and matches of each tunnel in use."""
    if used.ipip:
        yield "IPIP", Family.V4, (ProtocolMatch(IPIP),)
    if used.vxlan:
        yield "VXLAN", Family.V4, _vxlan(options)
    if used.vxlan_v6:
        yield "VXLAN", Family.V6, _vxlan(options)


def _external(side: Side, family: Family, options: Options, *, negate: bool = False) -> list[Match]:
    """Who counts as a host without being one of the cluster; nothing if nobody does."""
    nets = tuple(net for net in options.external_nodes if net.family is family)
    return [NetsMatch(side, nets, negate)] if nets else []


def _vxlan(options: Options) -> tuple[Match, ...]:
    return ProtocolMatch(UDP), PortsMatch(Side.DESTINATION, (Range(options.vxlan_port, options.vxlan_port),))


class TunnelTable:
    """The hosts of the cluster, and how they encapsulate."""

    def __init__(self) -> None:
        self._hosts: dict[str, HostUpdate] = {}
        self._encapsulation = NO_TUNNELS
        self._members: dict[Family, frozenset[Address]] = {}
        """Of the sets, as of the last flush."""
        self._is_dirty = False

    @property
    def encapsulation(self) -> Encapsulation:
        """What pools need."""
        return self._encapsulation

    def update(self, delta: TunnelDelta) -> None:
        self._is_dirty = True
        match delta:
            case HostUpdate(node=node):
                self._hosts[node] = delta
            case HostRemove(node=node):
                self._hosts.pop(node, None)
            case Encapsulation():
                self._encapsulation = delta

    def state(self) -> Iterator[TunnelDelta]:
        """All that has been told."""
        return chain(self._hosts.values(), (self._encapsulation,))

    def flush(self) -> Flush:
        """What becomes of the sets."""
        if not self._is_dirty:
            return Flush()
        self._is_dirty = False
        before, self._members = self._members, {f: self._addresses(f) for f in _families(self._encapsulation)}
        now = self._members
        return Flush(
            tuple(SetCreate(_declaration(f), now[f]) for f in sorted(now.keys() - before.keys())),
            tuple(
                SetDelta(HOSTS[f], now[f] - before[f], before[f] - now[f])
                for f in sorted(now.keys() & before.keys())
                if now[f] != before[f]
            ),
            tuple(SetDelete(HOSTS[f]) for f in sorted(before.keys() - now.keys())),
        )

    def _addresses(self, family: Family) -> frozenset[Address]:
        found = (host.ipv4 if family is Family.V4 else host.ipv6 for host in self._hosts.values())
        return frozenset(interface.address for interface in found if interface is not None)


def _families(used: Encapsulation) -> set[Family]:
    found = {Family.V4} if used.ipip or used.vxlan else set[Family]()
    return found | ({Family.V6} if used.vxlan_v6 else set())


def _declaration(family: Family) -> SetDeclaration:
    return SetDeclaration(HOSTS[family], family, SetType.ADDRESS)
