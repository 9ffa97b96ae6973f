"""Who can reach whom: the connectivity matrix that policy means, to be held against one that was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeAlias

from tortie.analysis.ends import EPHEMERAL_PORT
from tortie.net import TCP, Family, Protocol
from tortie.verdict import Cluster, Endpoint, Flow, Verdict


class Probe(NamedTuple):
    """A workload that tries to reach all the others, and the port on which it listens to them."""

    name: str
    """What the matrix calls it; unique in it."""
    endpoint: str
    """``namespace/workload``."""
    port: int
    protocol: Protocol = TCP


class Cell(NamedTuple):
    """One connection of the matrix; source and destination are names of probes."""

    source: str
    destination: str
    family: Family


Matrix: TypeAlias = Mapping[Cell, Verdict]
"""The verdict on every connection that can be tried: both ends have an address of the family."""


def matrix(cluster: Cluster, probes: Sequence[Probe]) -> Matrix:
    """The verdict on every probe's connection to every other's port, in each family, in the order of *probes*.

    LookupError for a probe whose endpoint is not in *cluster*.
    """
    endpoints = {probe.name: cluster.endpoint(probe.endpoint) for probe in probes}
    return {
        Cell(source.name, destination.name, family): cluster.judge(
            _connection(endpoints[source.name], endpoints[destination.name], destination, family)
        )
        for source in probes
        for destination in probes
        if source != destination
        for family in Family
        if _has(endpoints[source.name], family) and _has(endpoints[destination.name], family)
    }


def reachable(answers: Matrix, family: Family) -> frozenset[tuple[str, str]]:
    """The pairs (source, destination) that are connected in *family*."""
    return frozenset(
        (cell.source, cell.destination)
        for cell, verdict in answers.items()
        if cell.family is family and verdict.allowed
    )


def _has(endpoint: Endpoint, family: Family) -> bool:
    return any(address.family is family for address in endpoint.addresses)


def _connection(source: Endpoint, destination: Endpoint, probe: Probe, family: Family) -> Flow:
    return Flow(
        source=source.at(family),
        destination=destination.at(family),
        protocol=probe.protocol,
        source_port=EPHEMERAL_PORT,
        destination_port=probe.port,
    )
