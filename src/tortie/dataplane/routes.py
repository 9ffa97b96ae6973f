"""The host's own routes: to its workloads, and whatever else is said to be ours.

A ``Driver`` (DESIGN, Contracts). Of one table it owns the routes of one protocol number, by which they are recognised after a
restart; it deletes no other. A route of somebody else's with the same destination and metric is replaced: a workload's address
is where the datastore says.

Routes name their link. While there is no link of that name, or it is down, its routes wait; they are planned when it comes up.
The kernel drops a link's routes when it goes down, but by the time we hear of it the link may be up and have routes again: what
we know of them is then in doubt, and the next plan makes sure. What always holds, as far as we have heard: a key that is not in
``_dirty`` is in the kernel as it is wanted.

The caller plans first when all that is wanted has been staged, or it would sweep away what is still to come.
"""

from __future__ import annotations

import errno
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol, TypeAlias

import msgspec

from tortie.dataplane.driver import KernelRefusedError
from tortie.dataplane.netlink.message import Frame, Message
from tortie.dataplane.netlink.route import (
    RT_TABLE_MAIN,
    Hop,
    Route,
    RouteKey,
    RouteType,
    delete_route,
    keyed_route,
    list_routes,
    read_routes,
    replace_route,
    route_key,
)
from tortie.dataplane.netlink.rtnetlink import Link
from tortie.dataplane.netlink.socket import NETLINK_ROUTE, DumpInterruptedError, NetlinkError, NetlinkSocket
from tortie.net import Address, Family, Network

ROUTE_PROTOCOL = 80
"""Whose number marks our routes, unless ``deviceRouteProtocol`` says otherwise."""

_BATCH = 256
"""Messages sent at once: without root the socket's receive buffer holds some 500 acknowledgements."""

_LISTINGS = 10
"""How often a listing is begun anew because the routes changed meanwhile."""


class RouteSet(msgspec.Struct, frozen=True, kw_only=True):
    """Wanted: packets to *destination* leave by *link*, to *gateway* if given; without a link they are dropped."""

    destination: Network
    link: str = ""
    gateway: Address | None = None
    onlink: bool = False
    """Take the gateway to be on the link, whatever its address."""
    metric: int = 0
    """Part of a route's identity; 0 is what the kernel makes of it: 0 in IPv4, 1024 in IPv6."""


class RouteUnset(msgspec.Struct, frozen=True, kw_only=True):
    """No longer wanted: the route with this destination and metric."""

    destination: Network
    metric: int = 0


RouteDelta: TypeAlias = RouteSet | RouteUnset


class RouteChange(NamedTuple):
    """One step of a plan: what the kernel has of a key, and what it is to have; None is no route."""

    key: RouteKey
    before: Hop | None
    after: Hop | None

    def __str__(self) -> str:
        if self.after:
            return f"set route {keyed_route(self.key, self.after)}"
        return f"delete route {keyed_route(self.key, self.before or Hop())}"


class KernelRoutes(Collection[Route]):
    """Routes as read back; each is decoded only when it is looked at."""

    def __init__(self, hops: Mapping[RouteKey, Hop]) -> None:
        self._hops = hops

    def __len__(self) -> int:
        return len(self._hops)

    def __iter__(self) -> Iterator[Route]:
        return (keyed_route(key, hop) for key, hop in self._hops.items())

    def __contains__(self, item: object) -> bool:
        return isinstance(item, Route) and self._hops.get(route_key(item.destination, item.metric)) == item.hop


class Netlink(Protocol):
    """What the driver needs of a ``NetlinkSocket``; a test puts a kernel of its own in its place."""

    def attempt(self, messages: Sequence[Message]) -> list[NetlinkError]: ...

    def stream(self, message: Message) -> Iterator[Frame]: ...

    def close(self) -> None: ...


class RouteDriver:
    """Routes of one protocol in one table, in the network namespace of the thread that opens it."""

    def __init__(
        self, *, protocol: int = ROUTE_PROTOCOL, table: int = RT_TABLE_MAIN, netlink: Netlink | None = None
    ) -> None:
        self._protocol, self._table = protocol, table
        self._netlink = netlink or NetlinkSocket(NETLINK_ROUTE)
        self._desired: dict[RouteKey, RouteSet] = {}
        self._keys_of_link: dict[str, set[RouteKey]] = {}
        self._usable: dict[str, int] = {}
        """The numbers of the links that are up."""
        self._actual: dict[RouteKey, Hop] = {}
        self._dirty: set[RouteKey] = set()
        self._doubtful: set[RouteKey] = set()
        """Of those in ``_actual``, which the kernel may have dropped."""

    def close(self) -> None:
        self._netlink.close()

    # --- what is wanted ----------------------------------------------------------------------------------------------------

    def stage(self, delta: RouteDelta) -> None:
        key = route_key(delta.destination, delta.metric)
        if before := self._desired.pop(key, None):
            keys = self._keys_of_link[before.link]
            keys.remove(key)
            if not keys:  # links are named after their workloads: empty sets would pile up
                del self._keys_of_link[before.link]
        if isinstance(delta, RouteSet):
            self._desired[key] = delta
            self._keys_of_link.setdefault(delta.link, set()).add(key)
        self._dirty.add(key)

    def link_changed(self, link: Link) -> None:
        """Take note of a link: those that wait for it are planned next, those that it has lost are planned again."""
        ifindex = link.ifindex if link.up else None
        if self._usable.get(link.name) == ifindex:
            return
        self.link_gone(link.name)
        if ifindex is not None:
            self._usable[link.name] = ifindex

    def link_gone(self, name: str) -> None:
        """Take note that a link is gone or down, and with it its routes."""
        touched = self._keys_of_link.get(name, set()) | self._dirty
        if ifindex := self._usable.pop(name, None):
            self._doubtful |= {key for key in touched if key in self._actual and self._actual[key].ifindex == ifindex}
        self._dirty = touched

    def _wanted(self, key: RouteKey) -> Hop | None:
        """What the kernel is to have of *key* now; None for a route that waits for its link."""
        route = self._desired.get(key)
        if route is None:
            return None
        if not route.link:
            return Hop(RouteType.BLACKHOLE)
        ifindex = self._usable.get(route.link)
        if ifindex is None:
            return None
        return Hop(RouteType.UNICAST, ifindex, route.gateway.packed if route.gateway else b"", route.onlink)

    # --- what is done about it ---------------------------------------------------------------------------------------------

    def plan(self) -> Sequence[tuple[RouteChange, ...]]:
        """The batches that are due: what is set first, then what is deleted, so that a new metric leaves no gap."""
        changes = [RouteChange(key, self._actual.get(key), self._wanted(key)) for key in self._dirty]
        changes = [change for change in changes if change.before != change.after or change.key in self._doubtful]
        self._dirty = {change.key for change in changes}
        changes.sort(key=lambda change: (change.after is None, len(change.key), change.key))
        return [tuple(changes[at : at + _BATCH]) for at in range(0, len(changes), _BATCH)]

    def apply(self, batch: Sequence[RouteChange]) -> None:
        """Send one batch; every route is tried. KernelRefusedError names the first that was refused; all refused stay due."""
        refusals = {
            refusal.index: refusal for refusal in self._netlink.attempt([self._message(step) for step in batch])
        }
        failed = [
            (change, refusals[index])
            for index, change in enumerate(batch)
            if not self._settle(change, refusals.get(index))
        ]
        if failed:
            change, refusal = failed[0]
            more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
            raise KernelRefusedError(refusal.errno, f"the kernel would not {change}: {refusal.strerror}{more}")

    def _message(self, change: RouteChange) -> Message:
        hop = change.after or change.before
        assert hop is not None, "a change changes something"
        make = replace_route if change.after else delete_route
        return make(keyed_route(change.key, hop), protocol=self._protocol, table=self._table)

    def _settle(self, change: RouteChange, refusal: NetlinkError | None) -> bool:
        """Remember what has become of a change; false if the kernel refused it."""
        if change.after is None:
            if refusal and refusal.errno not in (errno.ESRCH, errno.ENODEV):  # those say that it is gone already
                return False
            self._actual.pop(change.key, None)
        elif refusal is None:
            self._actual[change.key] = change.after
        elif refusal.errno in (errno.ENODEV, errno.ENETDOWN):
            self._lose(change.after.ifindex)
            return True
        else:
            return False
        self._doubtful.discard(change.key)
        if self._wanted(change.key) == self._actual.get(change.key):
            self._dirty.discard(change.key)
        return True

    def _lose(self, ifindex: int) -> None:
        """The kernel says that a link is gone or down; the event is still on its way to us, and so is that of its return."""
        for name in [name for name, number in self._usable.items() if number == ifindex]:
            self.link_gone(name)

    # --- what there is -----------------------------------------------------------------------------------------------------

    def read_back(self) -> KernelRoutes:
        """List our routes in the kernel; what is not as wanted is planned next, what nobody wants too."""
        self._actual = {**self._list(Family.V4), **self._list(Family.V6)}
        self._doubtful.clear()
        self._dirty = {key for key in self._desired if self._wanted(key) != self._actual.get(key)}
        self._dirty.update(key for key in self._actual if key not in self._desired)
        return KernelRoutes(self._actual)

    def _list(self, family: Family) -> dict[RouteKey, Hop]:
        request = list_routes(family, protocol=self._protocol, table=self._table)
        for _ in range(_LISTINGS):
            try:
                return dict(read_routes(self._netlink.stream(request), family, self._protocol))
            except DumpInterruptedError:
                continue
            except NetlinkError as error:
                if error.errno == errno.ENOENT:  # the kernel makes a table with its first route
                    return {}
                raise KernelRefusedError(error.errno, f"the kernel would not list routes: {error.strerror}") from error
        raise DumpInterruptedError("the kernel's routes change faster than they can be listed")
