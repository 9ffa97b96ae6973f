"""What a lab looks like, as a value: hosts, their workloads, links and BGP sessions, from ``Lab.status``. No I/O.

fabric ── host ── workloads            a link each
   └┄┄┄┄┄┄┘└┄┄┄┄ other hosts           a session each, of both families
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from tortie.lab import layout
from tortie.routing import BGPState


class WorkloadNode(NamedTuple):
    name: str
    """``namespace/pod``."""
    addresses: tuple[str, ...]
    phase: str
    is_linked: bool
    """Whether its link to its host carries packets."""


class HostNode(NamedTuple):
    name: str
    addresses: tuple[str, ...]
    agent: str
    bird: str
    is_linked: bool
    """Whether its link to the fabric carries packets."""
    workloads: tuple[WorkloadNode, ...]


class Session(NamedTuple):
    """The BGP sessions between two speakers, one of each family."""

    ends: tuple[str, str]
    """Names of hosts, or of the fabric, which comes last."""
    established: int
    """Of how many families it is up, as both ends see it that were asked."""
    total: int

    @property
    def is_up(self) -> bool:
        return self.established == self.total


class Topology(NamedTuple):
    name: str
    hosts: tuple[HostNode, ...]
    sessions: tuple[Session, ...]
    """One for each pair that should have one, in the order of the hosts."""
    faults: tuple[str, ...]
    """What was broken on purpose, such as ``link host2``."""

    @property
    def established(self) -> int:
        """How many of all BGP sessions are up."""
        return sum(session.established for session in self.sessions)

    @property
    def total(self) -> int:
        return sum(session.total for session in self.sessions)


def topology(status: Mapping[str, Any]) -> Topology:
    """The topology of the lab that gave *status*."""
    hosts = tuple(_host(host, status["workloads"]) for host in status["hosts"])
    faults = tuple(f"{fault['kind']} {fault['name']}" for fault in status["faults"])
    return Topology(status["name"], hosts, tuple(_sessions(status["hosts"])), faults)


def _host(host: Mapping[str, Any], workloads: Iterable[Mapping[str, Any]]) -> HostNode:
    own = tuple(
        WorkloadNode(f"{w['namespace']}/{w['name']}", _addresses(w), w["phase"], w["link"] == "up")
        for w in workloads
        if w["host"] == host["name"]
    )
    return HostNode(host["name"], _addresses(host), host["agent"], host["bird"], host["link"] == "up", own)


def _addresses(node: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(address for address in (node["ipv4"], node["ipv6"]) if address)


def _sessions(hosts: Sequence[Mapping[str, Any]]) -> Iterable[Session]:
    """A full mesh, and one session of each host with the fabric. The fabric is not asked: a session has two ends."""
    seen = {host["name"]: {peer["address"]: peer["state"] for peer in host["peers"]} for host in hosts}
    fabric = {"name": layout.FABRIC, "ipv4": str(layout.FABRIC_V4), "ipv6": str(layout.FABRIC_V6)}
    for number, host in enumerate(hosts):
        for other in (*hosts[number + 1 :], fabric):
            up = 0
            for family in ("ipv4", "ipv6"):
                states = {seen[host["name"]].get(other[family])}
                if other is not fabric:
                    states.add(seen[other["name"]].get(host[family]))
                up += states == {BGPState.ESTABLISHED}
            yield Session((host["name"], other["name"]), up, 2)
