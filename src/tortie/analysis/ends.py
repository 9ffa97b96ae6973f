"""What people call the ends of a flow: ``namespace/pod``, ``host:NODE``, or an IP address."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from tortie.analysis.cluster import KnownCluster
from tortie.model.endpoint import WorkloadEndpoint
from tortie.net import FAMILY_OF_ICMP, Address, Family, Protocol
from tortie.verdict import Flow
from tortie.verdict.refs import NO_ADDRESS, End, EndpointRef, HostRef

EPHEMERAL_PORT = 49152
"""The source port that is asked about where none is said: the first of those that clients use (RFC 6335 §6)."""

_HOST = "host:"


class UnknownEndError(ValueError):
    """A text that names no end, or more than one."""


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """Who wants to reach whom, and how: as it was asked."""

    source: str
    destination: str
    protocol: Protocol
    destination_port: int | None = None
    source_port: int | None = None
    icmp_type: int | None = None
    icmp_code: int | None = None

    def __post_init__(self) -> None:
        check_header("port", self.destination_port, 65535)
        check_header("source port", self.source_port, 65535)
        check_header("ICMP type", self.icmp_type, 255)
        check_header("ICMP code", self.icmp_code, 255)


def check_header(what: str, number: int | None, most: int) -> None:
    """ValueError unless *number*, if there is one, fits in its field of a packet's header."""
    if number is not None and not 0 <= number <= most:
        raise ValueError(f"{number} is no {what}; expected 0-{most}")


class Directory:
    """The ends of a cluster by their names."""

    def __init__(self, cluster: KnownCluster) -> None:
        self._cluster = cluster
        self._owners = dict(_owners(cluster))

    def flow(self, question: Question) -> Flow:
        """The flow that *question* is about, in IPv4 if both ends have it. UnknownEndError, ValueError."""
        protocol, port = question.protocol, question.destination_port
        if protocol.has_ports and port is None:
            raise ValueError(f"{protocol} needs a port")
        if not protocol.has_ports and port is not None:
            raise ValueError(f"{protocol} has no ports; expected port null")
        source, destination = self.ends(question.source), self.ends(question.destination)
        families = [FAMILY_OF_ICMP[protocol]] if protocol in FAMILY_OF_ICMP else list(Family)
        common = [family for family in families if family in source and family in destination]
        if not common:
            versions = " or ".join(f"IPv{family}" for family in families)
            raise UnknownEndError(
                f"{question.source} and {question.destination} do not both have an {versions} address"
            )
        return Flow(
            source=source[common[0]],
            destination=destination[common[0]],
            protocol=protocol,
            source_port=_source_port(question),
            destination_port=port,
            icmp_type=question.icmp_type,
            icmp_code=question.icmp_code,
        )

    def ends(self, text: str) -> Mapping[Family, End]:
        """What *text* names, by IP version; UnknownEndError says what was expected."""
        if text.startswith(_HOST):
            return self._host(text.removeprefix(_HOST))
        if "/" in text:
            return self._workload(text)
        try:
            address = Address.parse(text)
        except ValueError:
            raise UnknownEndError(f"{text!r} is no end; expected namespace/pod, host:NODE or an IP address") from None
        return {address.family: self._owners.get(address, address)}

    def _host(self, node: str) -> Mapping[Family, End]:
        addresses = self._cluster.nodes.get(node)
        if addresses is None:
            known = ", ".join(sorted(self._cluster.nodes)) or "none"
            raise UnknownEndError(f"there is no node {node!r}; known: {known}")
        return {address.family: HostRef(node, address) for address in reversed(addresses or _nowhere())}

    def _workload(self, text: str) -> Mapping[Family, End]:
        if text in self._cluster.host_network:
            return self._host(self._cluster.host_network[text])
        endpoints = self._cluster.workloads.get(text, ())
        if len(endpoints) != 1:
            raise UnknownEndError(
                f"{len(endpoints)} endpoints are called {text!r}; give the name of one"
                if endpoints
                else f"there is no pod or other workload {text!r}"
            )
        return {ref.address.family: ref for ref in reversed(_refs(endpoints[0]))}


def _source_port(question: Question) -> int | None:
    if not question.protocol.has_ports:
        return None
    return EPHEMERAL_PORT if question.source_port is None else question.source_port


def lacks_address(end: End) -> bool:
    """Whether nobody knows the end's address."""
    return not isinstance(end, Address) and end.address in NO_ADDRESS.values()


def _nowhere() -> tuple[Address, ...]:
    return tuple(NO_ADDRESS.values())


def _refs(endpoint: WorkloadEndpoint) -> list[EndpointRef]:
    """By each of its addresses. One that has none is asked in both versions."""
    addresses = tuple(network.address for network in endpoint.spec.ip_networks) or _nowhere()
    return [EndpointRef(endpoint.metadata.namespace, endpoint.metadata.name, address) for address in addresses]


def _owners(cluster: KnownCluster) -> Iterable[tuple[Address, End]]:
    """Whose an address is: a packet to it goes there, whatever it was called by."""
    for node, addresses in cluster.nodes.items():
        yield from ((address, HostRef(node, address)) for address in addresses)
    for endpoint in cluster.resources.values():
        if isinstance(endpoint, WorkloadEndpoint) and endpoint.spec.ip_networks:
            yield from ((ref.address, ref) for ref in _refs(endpoint))
