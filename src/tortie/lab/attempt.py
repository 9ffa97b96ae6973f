"""One attempt to reach a port of a workload, and what may come of it: the words of ``tortie.lab.meter``."""

from __future__ import annotations

import errno
import itertools
import socket
from collections.abc import Collection, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

from tortie.lab.families import FAMILIES, FamilyName
from tortie.lab.listening import Port
from tortie.lab.namespaces import inside_network


class Outcome(StrEnum):
    """Of one attempt."""

    REACHABLE = "reachable"
    """A handshake was finished, or a datagram arrived."""
    REFUSED = "refused"
    """The destination, or a rule that rejects, said no."""
    DROPPED = "dropped"
    """No answer in time, or no arrival."""
    NO_ROUTE = "no route"
    """A router, or the source itself, knows no way."""


_OUTCOMES = {
    0: Outcome.REACHABLE,
    errno.ECONNREFUSED: Outcome.REFUSED,
    errno.ECONNRESET: Outcome.REFUSED,
    errno.EACCES: Outcome.REFUSED,
    errno.EPERM: Outcome.REFUSED,
    errno.EHOSTUNREACH: Outcome.NO_ROUTE,
    errno.ENETUNREACH: Outcome.NO_ROUTE,
}


def outcome_of(number: int) -> Outcome:
    """What an attempt came to that ended with an error number, or with 0."""
    return _OUTCOMES.get(number, Outcome.NO_ROUTE)


class Attempt(NamedTuple):
    source: str
    target: str
    address: str
    """The target's, of the family."""
    port: Port
    family: FamilyName


def attempts(
    workloads: Sequence[Mapping[str, str]],
    ports: Mapping[str, Sequence[Port]],
    pairs: Collection[tuple[str, str]] | None = None,
) -> Iterator[Attempt]:
    """Every source to every port of every other workload, in both families; or only those of *pairs* (source, target)."""
    for source in workloads:
        for target in workloads:
            if target is not source and (pairs is None or (source["name"], target["name"]) in pairs):
                for port in ports[target["name"]]:
                    for family in FAMILIES:
                        yield Attempt(source["name"], target["name"], target[family], port, family)


def sockets(batch: Sequence[Attempt], networks: Mapping[str, int], kind: int) -> Iterator[socket.socket]:
    """One that does not block for each attempt of *batch*, which is sorted by source, in the network namespace of its source."""
    for source, own in itertools.groupby(batch, key=lambda attempt: attempt.source):
        with inside_network(networks[source]):
            made = [socket.socket(FAMILIES[attempt.family], kind | socket.SOCK_NONBLOCK) for attempt in own]
        yield from made
