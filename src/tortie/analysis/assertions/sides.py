"""The ends of one side of an assertion, as sets that ``tortie.analysis.reach`` can be asked about, and what is left for the oracle."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import NamedTuple, TypeAlias

from tortie.analysis.assertions.naming import Naming
from tortie.analysis.assertions.packets import translated
from tortie.analysis.backends import ServedPort
from tortie.analysis.ends import NamedEnd
from tortie.analysis.reach import space
from tortie.analysis.reach.bits import of_members
from tortie.analysis.reach.hosts import Hosts
from tortie.analysis.reach.places import Place, Places
from tortie.analysis.reach.space import Region
from tortie.analysis.reach.state import Reach
from tortie.net import Address, Family, Network
from tortie.verdict import Endpoint
from tortie.verdict.refs import End, EndpointRef, HostRef

_PartKey: TypeAlias = tuple[Region, tuple[ServedPort, ...] | None]


class Part(NamedTuple):
    """Ends that are asked about in the same IP versions and at the same ports."""

    families: Region
    """In which of those that they have: all, unless they were named by an address or a network."""
    ports: tuple[ServedPort, ...] | None
    """Of the service by which they were named; None: by none."""
    numbers: int
    named: Mapping[int, tuple[NamedEnd, ...]]
    """Who of an end's number is meant, by the number."""


class Side(NamedTuple):
    """Everybody whom one side of an assertion means."""

    parts: tuple[Part, ...]
    others: tuple[NamedEnd, ...]
    """Workloads and hosts by a further address, and addresses of an IP version in which nobody has any."""

    def unserved(self, region: Region) -> NamedEnd | None:
        """Who is behind a service that has none of the ports of *region*; None: nobody."""
        return next((end for end in self.everybody if not translated(region, end.ports)), None)

    @property
    def everybody(self) -> Iterator[NamedEnd]:
        for part in self.parts:
            for named in part.named.values():
                yield from named
        yield from self.others


class Sides:
    """Makes them, for one cluster; the same texts are the same side."""

    def __init__(self, reach: Reach, naming: Naming, hosts: Hosts) -> None:
        """*hosts* are those that are ends in *reach*."""
        self._naming = naming
        self._universe = reach.universe
        self._first_outside = len(reach.universe.classes)
        numbers = {name: number for number, found in enumerate(reach.universe.classes) for name in found.names}
        self._endpoints = {(e.namespace, e.name): (numbers[name], name, e) for name, e in reach.population.named()}
        self._places = Places([*(place.network for place in reach.universe.outside), *reach.universe.own])
        self._outside = {
            place.network: number for number, place in enumerate(reach.universe.outside, self._first_outside)
        }
        first_host = self._first_outside + len(reach.universe.outside)
        self._hosts = {node: number for number, node in enumerate(reach.universe.hosts, first_host)}
        self._refs = hosts
        self._known: dict[tuple[tuple[str, ...], str], Side] = {}

    def side(self, texts: tuple[str, ...], namespace: str) -> Side:
        """Whom *texts* mean in a test of *namespace*; UnknownEndError."""
        key = texts, namespace
        if key not in self._known:
            meant = [each for text in texts for each in self._naming.meant(text, namespace)]
            self._known[key] = self._made(meant)
        return self._known[key]

    def node(self, named: NamedEnd) -> str:
        """The node that an end is on or is; empty for an address outside."""
        match next(iter(named.ends.values())):
            case EndpointRef(namespace, name):
                return self._endpoints[namespace, name][2].node
            case HostRef(node):
                return node
            case _:
                return ""

    def _made(self, meant: Iterable[NamedEnd | Network]) -> Side:
        parts: dict[_PartKey, dict[int, dict[str, NamedEnd]]] = {}
        others: dict[tuple[object, ...], NamedEnd] = {}
        for end in map(self._renamed, _ends(meant, self._inside)):
            found = self._number(end)
            if found is None:
                others[end.name, *end.ends.values(), end.ports] = end
            else:
                families, number = found
                parts.setdefault((families, end.ports), {}).setdefault(number, {})[end.name] = end
        made = (
            Part(families, ports, of_members(named), {number: tuple(who.values()) for number, who in named.items()})
            for (families, ports), named in parts.items()
        )
        return Side(tuple(made), tuple(others.values()))

    def _renamed(self, end: NamedEnd) -> NamedEnd:
        """A workload by one name, whichever of its names it was called by: so it is known to be itself."""
        first = next(iter(end.ends.values()))
        name = self._endpoints[first[:2]][1] if isinstance(first, EndpointRef) else end.name
        return end if name == end.name else end._replace(name=name)

    # --- numbers ------------------------------------------------------------------------------------------------------------

    def _number(self, end: NamedEnd) -> tuple[Region, int] | None:
        """In which families it is asked about, and the number of its class or place; None: only the oracle knows it."""
        first = next(iter(end.ends.values()))
        match first:
            case Address():
                place = self._outside.get(self._places.places[self._places.at(first)].network)
                return None if place is None else (space.EVERYTHING, place)
            case EndpointRef():
                number, _, endpoint = self._endpoints[first[:2]]
                own: Mapping[Family, End] = _refs(endpoint)
            case HostRef(node):
                number, own = self._hosts[node], self._refs[node]
        if not set(end.ends.values()) <= set(own.values()):
            return None
        if len(end.ends) == len(own):
            return space.EVERYTHING, number
        return space.union_of(space.OF_FAMILY[family] for family in end.ends), number

    # --- networks -----------------------------------------------------------------------------------------------------------

    def _inside(self, network: Network) -> Iterator[NamedEnd]:
        """Everybody in *network*: an address of each place outside, workloads, hosts."""
        for place in self._universe.outside:
            address = _an_address(place, network, self._universe.taken)
            if address is not None:
                yield NamedEnd(str(address), {network.family: address})
        for _, name, endpoint in self._endpoints.values():
            for address in endpoint.addresses:
                if network.contains(address):
                    yield NamedEnd(name, {network.family: EndpointRef(endpoint.namespace, endpoint.name, address)})
        yield from self._naming.hosts_in(network)


def _ends(meant: Iterable[NamedEnd | Network], inside: Callable[[Network], Iterator[NamedEnd]]) -> Iterator[NamedEnd]:
    for each in meant:
        if isinstance(each, Network):
            yield from inside(each)
        else:
            yield each


def _an_address(place: Place, network: Network, taken: Collection[Address]) -> Address | None:
    """One that is both in *place* and in *network*, and nobody's in the cluster."""
    if network.contains(place.network):
        return place.an_address(taken)
    if not place.network.contains(network) or any(hole.contains(network) for hole in place.holes):
        return None
    holes = tuple(hole for hole in place.holes if network.contains(hole))
    return Place(network, holes).an_address(taken)


def _refs(endpoint: Endpoint) -> Mapping[Family, End]:
    """A workload by its first address in each family that it has."""
    families = dict.fromkeys(address.family for address in endpoint.addresses) or Family
    return {family: endpoint.at(family) for family in families}
