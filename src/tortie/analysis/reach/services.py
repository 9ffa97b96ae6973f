"""Who can reach services: the workloads behind them, at the ports where they serve.

A client reaches a service if it reaches whichever workload it is sent to, and policy judges it there, after the service's address was
translated. So what counts are the ports of the EndpointSlices; what of a slice is no workload is not asked about.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tortie.analysis.reach import space
from tortie.analysis.reach.allowed import Allowed
from tortie.analysis.reach.asked import slice_addresses
from tortie.analysis.reach.state import Reach
from tortie.model.kubernetes_endpointslice import SERVICE_LABEL
from tortie.net import Address, Family, Protocol


class ServiceAnswer(NamedTuple):
    """Of one port of a service in one family."""

    service: str
    """``namespace/name``."""
    port: str
    """Protocol and number, as the workloads serve."""
    every: int
    """The ends that reach all workloads behind it."""
    some: int
    """Those that reach some of them only."""


class _Served(NamedTuple):
    service: str
    protocol: Protocol
    port: int
    family: Family


def services(reach: Reach, rows: Sequence[Allowed]) -> tuple[ServiceAnswer, ...]:
    """The answer for every port of every service with workloads, by name and port; *rows* are those of ``Reach.rows``."""
    found = []
    for served, numbers in sorted(_behind(reach).items(), key=lambda item: (*item[0][:3], item[0].family)):
        at = space.point(served.family, served.protocol, served.port, None)
        asked = reach.population.having[served.family is Family.V6]
        clients = [_clients(reach, rows[number], number, at) & asked for number in sorted(numbers)]
        every, some = clients[0], clients[0]
        for others in clients[1:]:
            every, some = every & others, some | others
        found.append(ServiceAnswer(served.service, f"{served.protocol} {served.port}", every, some & ~every))
    return tuple(dict.fromkeys(found))


def _clients(reach: Reach, row: Allowed, number: int, at: int) -> int:
    """Who reaches one workload at a point; a workload that is the only one of its class always reaches itself."""
    found = 1 << number if len(reach.universe.classes[number].names) == 1 else 0
    for region, sources in row:
        if space.contains(region, at):
            found |= sources
    return found


def _behind(reach: Reach) -> dict[_Served, set[int]]:
    owners: dict[Address, int] = {}
    for number, workloads in _named(reach):
        owners.update(dict.fromkeys(workloads, number))
    found: dict[_Served, set[int]] = {}
    for piece in reach.population.cluster.policies.slices:
        name = f"{piece.metadata.namespace}/{piece.metadata.labels.get(SERVICE_LABEL, piece.metadata.name)}"
        for address in slice_addresses(piece.endpoints):
            for port in piece.ports if address in owners else ():
                if port.port is not None:
                    served = _Served(name, Protocol.parse(port.protocol), port.port, address.family)
                    found.setdefault(served, set()).add(owners[address])
    return found


def _named(reach: Reach) -> Iterator[tuple[int, tuple[Address, ...]]]:
    """The addresses of every workload, with its class."""
    numbers = {name: number for number, found in enumerate(reach.universe.classes) for name in found.names}
    for name, endpoint in reach.population.named():
        yield numbers[name], endpoint.addresses
