"""Who can reach services: the workloads behind them, and hosts that are ends, at the ports where they serve.

A client reaches a service if it reaches whoever it is sent to, and policy judges it there, after the service's address was
translated. So what counts are the ports of the EndpointSlices; what of a slice is no end is not asked about.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from tortie.analysis.reach import space
from tortie.analysis.reach.allowed import Allowed
from tortie.analysis.reach.asked import slice_addresses
from tortie.analysis.reach.state import Reach
from tortie.model.kubernetes_endpointslice import SERVICE_LABEL
from tortie.net import Address, Family, Protocol
from tortie.verdict import Endpoint
from tortie.verdict.interfaces import own_addresses


class ServiceAnswer(NamedTuple):
    """Of one port of a service, in whichever families it is served and a client has."""

    service: str
    """``namespace/name``."""
    port: str
    """Protocol and number, as the workloads serve."""
    every: int
    """The ends that reach all workloads behind it."""
    some: int
    """Those that reach some of them only."""


class _Clients(NamedTuple):
    """Of a service's port, in some families: who can ask there, and who of them reaches every workload, or some."""

    asked: int
    every: int
    some: int

    def with_(self, other: _Clients) -> _Clients:
        """In more families: every workload is reached by who reaches them in all families that it can ask in."""
        everybody = self.asked | other.asked
        every = (self.every | (everybody & ~self.asked)) & (other.every | (everybody & ~other.asked))
        return _Clients(everybody, every, self.some | other.some)


class Unlisted(NamedTuple):
    """A workload behind a service that no slice lists, since it has no address yet."""

    service: str
    protocol: Protocol
    port: int
    """Its own."""
    workload: tuple[str, str]
    """Namespace and name of its endpoint."""


class _Served(NamedTuple):
    service: str
    protocol: Protocol
    port: int
    family: Family


def services(reach: Reach, rows: Sequence[Allowed], unlisted: Iterable[Unlisted] = ()) -> tuple[ServiceAnswer, ...]:
    """The answer for every port of every service with workloads, by name and port; *rows* are those of ``Reach.rows``."""
    found: dict[tuple[str, Protocol, int], _Clients] = {}
    for served, numbers in _behind(reach, unlisted).items():
        at = space.point(served.family, served.protocol, served.port, None)
        asked = reach.population.having[served.family is Family.V6]
        clients = [_clients(reach, rows[number], number, at) & asked for number in sorted(numbers)]
        every, some = (functools.reduce(combine, clients) for combine in (int.__and__, int.__or__))
        beside = found.get(served[:3], _Clients(0, 0, 0))
        found[served[:3]] = beside.with_(_Clients(asked, every, some))
    return tuple(
        ServiceAnswer(service, f"{protocol} {port}", clients.every, clients.some & ~clients.every)
        for (service, protocol, port), clients in sorted(found.items())
    )


def _clients(reach: Reach, row: Allowed, number: int, at: int) -> int:
    """Who reaches one end at a point; a workload that is the only one of its class always reaches itself."""
    classes = reach.universe.classes
    found = 1 << number if number < len(classes) and len(classes[number].names) == 1 else 0
    for region, sources in row:
        if space.contains(region, at):
            found |= sources
    return found


def _behind(reach: Reach, unlisted: Iterable[Unlisted]) -> dict[_Served, set[int]]:
    owners: dict[Address, int] = {}
    classes: dict[tuple[str, str], int] = {}
    for number, endpoint in _numbered(reach):
        owners.update(dict.fromkeys(endpoint.addresses, number))
        classes[endpoint.namespace, endpoint.name] = number
    for number, host in reach.population.hosts.items():
        own = reach.population.cluster.nodes.get(host)
        owners.update(dict.fromkeys(own_addresses(own), number))
    found: dict[_Served, set[int]] = {}
    for piece in reach.population.cluster.policies.slices:
        name = f"{piece.metadata.namespace}/{piece.metadata.labels.get(SERVICE_LABEL, piece.metadata.name)}"
        for address in slice_addresses(piece.endpoints):
            for port in piece.ports if address in owners else ():
                if port.port is not None:
                    served = _Served(name, Protocol.parse(port.protocol), port.port, address.family)
                    found.setdefault(served, set()).add(owners[address])
    for each in unlisted:
        for family in Family:
            served = _Served(each.service, each.protocol, each.port, family)
            found.setdefault(served, set()).add(classes[each.workload])
    return found


def _numbered(reach: Reach) -> Iterator[tuple[int, Endpoint]]:
    """Every workload with the number of its class."""
    numbers = {name: number for number, found in enumerate(reach.universe.classes) for name in found.names}
    return ((numbers[name], endpoint) for name, endpoint in reach.population.named())
