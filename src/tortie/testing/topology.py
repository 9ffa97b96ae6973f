"""Where everybody is in a random cluster, and the way of a packet through its hosts.

    workloads ── cali… ┐      ┌ eth0 ── the outside, and the other hosts
                       ├ host ┤
    lo ── the host ────┘      └ eth1 ── another part of the outside

Addresses say who is where: each host has a block for its workloads and an address of each family on either uplink, by its number.
``tortie.testing.bed`` builds the same of namespaces.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Self

from tortie.model.endpoint import WorkloadEndpoint
from tortie.model.meta import HostName
from tortie.net import Address, Family, Network
from tortie.verdict.names import LOOPBACK

UPLINKS = ("eth0", "eth1")
_LOOPBACKS = (Address.parse("127.0.0.1"), Address.parse("::1"))
_OWN_NUMBER = 254

OUTSIDE = {
    "eth0": tuple(map(Address.parse, ("192.0.2.1", "198.51.100.7", "2001:db8:1::1", "2001:db8:2::7"))),
    "eth1": tuple(map(Address.parse, ("203.0.113.9", "2001:db8:3::9"))),
}
"""Addresses of nobody in the cluster, by the uplink to which every host routes them."""
BACKYARD = (Network.parse("203.0.113.0/24"), Network.parse("2001:db8:3::/48"))
"""All that is behind ``eth1``."""


def blocks(index: int) -> tuple[Network, ...]:
    """The networks of the workloads of host number *index*, one of each family."""
    return Network.parse(f"10.65.{index}.0/24"), Network.parse(f"fd00:65:0:{index}::/64")


def workload_addresses(index: int, number: int) -> tuple[Address, ...]:
    """Those of workload *number* of host number *index*, one of each family."""
    return Address.parse(f"10.65.{index}.{number + 1}"), Address.parse(f"fd00:65:0:{index}::{number + 1}")


def own_addresses(index: int, uplink: str) -> tuple[Address, ...]:
    """Those that host number *index* itself has on *uplink*, one of each family."""
    part = 65 + UPLINKS.index(uplink)
    return Address.parse(f"10.{part}.{index}.{_OWN_NUMBER}"), Address.parse(f"fd00:{part}:0:{index}::{_OWN_NUMBER}")


def of_family(addresses: Iterable[Address], family: Family) -> tuple[Address, ...]:
    return tuple(address for address in addresses if address.family is family)


class Hop(NamedTuple):
    """A host on a packet's way. What it sends to itself leaves over loopback, and is back at once."""

    host: HostName
    in_interface: str | None
    """None: the host itself sends it."""
    out_interface: str | None
    """None: it is for the host itself."""


class Place(NamedTuple):
    """Where an address is."""

    host: HostName
    interface: str
    is_own: bool
    """The host's own, on that interface; else a workload behind it."""


class Topology:
    """Of hosts, by their numbers, and of workload endpoints."""

    def __init__(self, hosts: Sequence[HostName], places: Mapping[Address, Place]) -> None:
        self.hosts = tuple(hosts)
        self._places = dict(places)
        self._places |= {
            address: Place(host, uplink, is_own=True)
            for index, host in enumerate(hosts)
            for uplink in UPLINKS
            for address in own_addresses(index, uplink)
        }

    @classmethod
    def of(cls, hosts: Sequence[HostName], endpoints: Iterable[WorkloadEndpoint]) -> Self:
        """The *endpoints* are pods. Of several that claim one link the first by name has it; the others are nowhere."""
        links: dict[Place, WorkloadEndpoint] = {}
        for endpoint in sorted(endpoints, key=_pod, reverse=True):
            links[Place(HostName(endpoint.spec.node), endpoint.spec.interface_name, is_own=False)] = endpoint
        return cls(hosts, {net.address: place for place, pod in links.items() for net in pod.spec.ip_networks})

    def own(self, host: HostName) -> tuple[Address, ...]:
        """The addresses of the host itself."""
        return tuple(a for addresses in self.interfaces(host).values() for a in addresses if a not in _LOOPBACKS)

    def interfaces(self, host: HostName) -> dict[str, frozenset[Address]]:
        """The host's own interfaces with their addresses, as its kernel would tell."""
        index = self.hosts.index(host)
        uplinks = {uplink: frozenset(own_addresses(index, uplink)) for uplink in UPLINKS}
        return {LOOPBACK: frozenset(_LOOPBACKS), **uplinks}

    def place(self, address: Address) -> Place | None:
        """None: outside."""
        return self._places.get(address)

    def way(self, source: Address, destination: Address, origin: Place | None = None) -> tuple[Hop, ...]:
        """The hosts that a packet passes; it comes from where its source is, or, if that is not true, from *origin*.

        ValueError if it passes none.
        """
        start, end = origin or self.place(source), self.place(destination)
        if start is not None and end is not None and start.host == end.host and start.is_own and end.is_own:
            return (Hop(start.host, None, LOOPBACK),)
        hosts = list(dict.fromkeys(place.host for place in (start, end) if place is not None))
        if not hosts:
            raise ValueError(f"{source} and {destination} are both outside")
        return tuple(
            Hop(
                host,
                _at(start) if start is not None and start.host == host else self._arrives(host, source, start, end),
                _at(end) if end is not None and end.host == host else self.route(host, destination),
            )
            for host in hosts
        )

    def _arrives(self, host: HostName, source: Address, start: Place | None, end: Place | None) -> str:
        """By which uplink a packet from elsewhere comes: from another host by the one whose address it is sent to."""
        if start is None:
            return self.route(host, source)
        return end.interface if end is not None and end.is_own else UPLINKS[0]

    def route(self, host: HostName, address: Address) -> str:
        """The interface to which *host* sends what is for *address*."""
        place = self.place(address)
        if place is not None and place.host == host:
            return LOOPBACK if place.is_own else place.interface
        return UPLINKS[1] if any(network.contains(address) for network in BACKYARD) else UPLINKS[0]


def _at(place: Place) -> str | None:
    """The interface of an end's own host."""
    return None if place.is_own else place.interface


def _pod(endpoint: WorkloadEndpoint) -> str:
    return f"{endpoint.metadata.namespace}/{endpoint.spec.pod}"
