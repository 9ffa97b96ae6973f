"""rtnetlink messages for routes, both ways (rtnetlink(7); linux/rtnetlink.h).

A route is known to the kernel by table, destination and metric. The values here are as the kernel tells them back, so that
what is listed equals what was meant: an IPv6 route without a metric has 1024, and its scope is always universe.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from enum import IntEnum
from typing import NamedTuple, NewType

from tortie.dataplane.netlink.message import (
    NLM_F_CREATE,
    NLM_F_REPLACE,
    Frame,
    Message,
    attribute,
    u32,
)
from tortie.dataplane.netlink.rtnetlink import FAMILY_NUMBER
from tortie.net import Address, Family, Network

RTM_NEWROUTE = 24
RTM_DELROUTE = 25
RTM_GETROUTE = 26

RT_TABLE_MAIN = 254
RT_SCOPE_UNIVERSE = 0
RT_SCOPE_LINK = 253
RT_SCOPE_HOST = 254
RT_SCOPE_NOWHERE = 255

RTA_DST = 1
RTA_OIF = 4
RTA_GATEWAY = 5
RTA_PRIORITY = 6
RTA_TABLE = 15
_RTNH_F_ONLINK = 4

DEFAULT_METRIC_V6 = 1024
"""IP6_RT_PRIO_USER: what the kernel makes of metric 0 in IPv6; in IPv4 zero stays zero."""

# rtmsg: family, lengths of destination and source, TOS, table, protocol, scope, type, flags
_ROUTE = struct.Struct("=BBBBBBBBI")
_ATTRIBUTE = struct.Struct("=HH")
_U32 = struct.Struct("=I")
_KEY_END = struct.Struct("=BI")  # what follows the destination's bytes in a RouteKey: prefix length and metric


class RouteType(IntEnum):
    """What becomes of the packet (linux/rtnetlink.h, RTN_…): the types that we make."""

    UNICAST = 1
    LOCAL = 2
    BLACKHOLE = 6


_KINDS = {int(RouteType.UNICAST): "", int(RouteType.LOCAL): "local ", int(RouteType.BLACKHOLE): "blackhole "}


class Hop(NamedTuple):
    """Where a route leads. Many routes share one."""

    type: int = RouteType.UNICAST
    """Of ``RouteType``, or another that we never make."""
    ifindex: int = 0
    """0 for the types that drop, and for several next hops, which we never make."""
    gateway: bytes = b""
    """The next hop's address; empty if the destination is on the link."""
    onlink: bool = False
    """Take the gateway to be on the link, whatever its address."""


RouteKey = NewType("RouteKey", bytes)
"""A route's identity within its table, destination and metric: bytes, since tens of thousands are kept and compared."""


class Route(NamedTuple):
    """A route of one table."""

    destination: Network
    metric: int
    hop: Hop

    def __str__(self) -> str:
        """As ``ip route`` would, but for the link's number instead of its name."""
        kind = _KINDS.get(self.hop.type, f"type {self.hop.type} ")
        via = f" via {Address(self.hop.gateway)}" if self.hop.gateway else ""
        dev = f" dev #{self.hop.ifindex}" if self.hop.ifindex else ""
        return f"{kind}{self.destination}{via}{dev} metric {self.metric}"


def normal_metric(family: Family, metric: int) -> int:
    """The metric under which the kernel keeps a route that is added with *metric*."""
    return metric or (DEFAULT_METRIC_V6 if family is Family.V6 else 0)


def route_key(destination: Network, metric: int) -> RouteKey:
    return RouteKey(
        destination.packed + _KEY_END.pack(destination.prefix_len, normal_metric(destination.family, metric))
    )


def keyed_route(key: RouteKey, hop: Hop) -> Route:
    """The route with this key."""
    prefix_len, metric = _KEY_END.unpack_from(key, len(key) - _KEY_END.size)
    return Route(Network(key[: -_KEY_END.size], prefix_len), metric, hop)


def replace_route(route: Route, *, protocol: int, table: int = RT_TABLE_MAIN) -> Message:
    """Add *route*, in place of one of the same table, destination and metric."""
    return Message(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, _pack(route, protocol, table, _scope(route.hop)))


def _scope(hop: Hop) -> int:
    """How far away the next hop is."""
    if hop.type == RouteType.LOCAL:
        return RT_SCOPE_HOST
    return RT_SCOPE_LINK if hop.type == RouteType.UNICAST and not hop.gateway else RT_SCOPE_UNIVERSE


def delete_route(route: Route, *, protocol: int, table: int = RT_TABLE_MAIN) -> Message:
    """Delete *route*; the kernel refuses (ESRCH) unless all of it is as given, the protocol included."""
    return Message(RTM_DELROUTE, 0, _pack(route, protocol, table, RT_SCOPE_NOWHERE))


def _pack(route: Route, protocol: int, table: int, scope: int) -> bytes:
    destination, metric, hop = route
    header = _ROUTE.pack(
        FAMILY_NUMBER[destination.family], destination.prefix_len, 0, 0, 0, protocol, scope, hop.type,
        _RTNH_F_ONLINK if hop.onlink else 0,
    )  # fmt: skip
    return (
        header
        + u32(RTA_TABLE, table)
        + attribute(RTA_DST, destination.packed)
        + u32(RTA_PRIORITY, metric)
        + (attribute(RTA_GATEWAY, hop.gateway) if hop.gateway else b"")
        + (u32(RTA_OIF, hop.ifindex) if hop.ifindex else b"")
    )


def list_routes(family: Family, *, protocol: int, table: int = RT_TABLE_MAIN) -> Message:
    """A dump of one table's routes of one protocol: on a socket with strict checking the kernel does the selecting."""
    header = _ROUTE.pack(FAMILY_NUMBER[family], 0, 0, 0, 0, protocol, 0, 0, 0)
    return Message(RTM_GETROUTE, 0, header + u32(RTA_TABLE, table))


def read_routes(frames: Iterable[Frame], family: Family, protocol: int) -> Iterator[tuple[RouteKey, Hop]]:
    """What a dump by ``list_routes`` has found; equal hops are one object."""
    wanted = FAMILY_NUMBER[family]
    anywhere = bytes(family.bits // 8)
    hops: dict[Hop, Hop] = {}
    for _type, _flags, _sequence, payload in frames:
        number, prefix_len, _source, _tos, _table, made_by, _scope, kind, flags = _ROUTE.unpack_from(payload)
        if number != wanted or made_by != protocol:
            continue
        destination, metric, ifindex, gateway = anywhere, 0, 0, b""
        at, end = _ROUTE.size, len(payload)
        while at < end:
            length, attribute_type = _ATTRIBUTE.unpack_from(payload, at)
            if attribute_type == RTA_DST:
                destination = payload[at + 4 : at + length]
            elif attribute_type == RTA_OIF:
                (ifindex,) = _U32.unpack_from(payload, at + 4)
            elif attribute_type == RTA_PRIORITY:
                (metric,) = _U32.unpack_from(payload, at + 4)
            elif attribute_type == RTA_GATEWAY:
                gateway = payload[at + 4 : at + length]
            at += (length + 3) & ~3
        # an IPv6 route that drops is listed as if through the loopback
        hop = Hop(kind, ifindex if kind == RouteType.UNICAST else 0, gateway, bool(flags & _RTNH_F_ONLINK))
        yield RouteKey(destination + _KEY_END.pack(prefix_len, metric)), hops.setdefault(hop, hop)
