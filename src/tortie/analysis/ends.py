"""What people call the ends of a flow: a workload, a service, a host, or an IP address.

shop/web            a pod, or another workload; a Deployment and the like in people's files; failing that, a service
service:shop/web    the workloads behind the service, each at the port where it serves the service's
web                 whatever of the cluster is called that, if only one is
host:node-1         a host itself
10.65.0.1           whoever has the address; a service if it is the service's
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import msgspec

from tortie.analysis.backends import Backend, ServedPort, backends, service_ports
from tortie.analysis.cluster import KnownCluster
from tortie.analysis.similar import nearest_name
from tortie.model.endpoint import WorkloadEndpoint
from tortie.net import FAMILY_OF_ICMP, Address, Family, Protocol
from tortie.verdict import Flow
from tortie.verdict.refs import NO_ADDRESS, End, EndpointRef, HostRef

EPHEMERAL_PORT = 49152
"""The source port that is asked about where none is said: the first of those that clients use (RFC 6335 §6)."""

HOST = "host:"
SERVICE = "service:"
"""What hosts and services are called by: any name, with this before it."""
_EXPECTED = "expected namespace/pod, namespace/service, service:NAMESPACE/NAME, a name, host:NODE or an IP address"


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


class NamedEnd(NamedTuple):
    """An end, and what it is called."""

    name: str
    """``namespace/workload``, ``host:NODE``, or an address."""
    ends: Mapping[Family, End]
    """By each IP version in which it can be asked; never empty."""
    service: str = ""
    """``namespace/name`` of the service behind which it is; empty where none was asked for."""
    ports: tuple[ServedPort, ...] | None = None
    """The service's ports, and its own behind them; None: nothing translates any."""

    def port(self, protocol: Protocol, port: int | None) -> int | None:
        """Its own port behind one that a client asks for; LookupError if the service has no such port here."""
        if self.ports is None or port is None:
            return port
        found = next((each.target for each in self.ports if (each.protocol, each.port) == (protocol, port)), None)
        if found is None:
            raise LookupError(f"service {self.service} has no port {protocol} {port} at {self.name}")
        return found


class NamedFlow(NamedTuple):
    """A flow, and what its ends are called."""

    source: NamedEnd
    destination: NamedEnd
    flow: Flow


class Directory:
    """The ends of a cluster by their names."""

    def __init__(self, cluster: KnownCluster) -> None:
        self._cluster = cluster
        self._owners = dict(_owners(cluster))
        self._translated = dict(_service_addresses(cluster))

    # --- questions ----------------------------------------------------------------------------------------------------------

    def flow(self, question: Question) -> Flow:
        """The flow that *question* is about, in IPv4 if both ends have it. UnknownEndError, ValueError."""
        _check_port(question)
        source, destination = self.ends(question.source), self.ends(question.destination)
        return _flow(question, source, destination, question.destination_port)

    def flows(self, question: Question, *, namespace: str = "") -> tuple[NamedFlow, ...]:
        """The same for every end that ``resolve`` finds: one flow for each workload behind a service. UnknownEndError, ValueError."""
        _check_port(question)
        sources = self.resolve(question.source, namespace=namespace)
        destinations = self.resolve(question.destination, namespace=namespace)
        return tuple(
            NamedFlow(source, destination, _flow(question, source.ends, destination.ends, port))
            for destination, port in self._at_their_ports(question, destinations)
            for source in sources
        )

    def _at_their_ports(self, question: Question, ends: Iterable[NamedEnd]) -> Iterator[tuple[NamedEnd, int | None]]:
        """Where each serves the port that is asked for; UnknownEndError if one does not."""
        for end in ends:
            try:
                yield end, end.port(question.protocol, question.destination_port)
            except LookupError as error:
                service = self._cluster.services[end.service]
                known = ", ".join(f"{protocol} {port}" for protocol, port in service_ports(service)) or "none"
                raise UnknownEndError(f"{error}; its ports: {known}") from error

    # --- names ---------------------------------------------------------------------------------------------------------------

    @functools.cached_property
    def workload_names(self) -> tuple[str, ...]:
        """Every workload as ``resolve`` takes it, pods with the host's network among them, in order."""
        found = {_name(item) for item in self._cluster.resources.values() if isinstance(item, WorkloadEndpoint)}
        return tuple(sorted(found | self._cluster.host_network.keys()))

    @functools.cached_property
    def names(self) -> tuple[str, ...]:
        """Every workload and every service, in order."""
        return tuple(sorted({*self.workload_names, *self._cluster.services}))

    def resolve(self, text: str, *, namespace: str = "") -> tuple[NamedEnd, ...]:
        """Whom *text* means: several where it is a service with several workloads. UnknownEndError says what is nearest.

        A name without a namespace is first one of *namespace*, if that is given.
        """
        if text.startswith(HOST):
            return (NamedEnd(text, self._host(text.removeprefix(HOST))),)
        if text.startswith(SERVICE):
            return self._service(self._service_name(text.removeprefix(SERVICE), namespace))
        if "/" in text:
            return self._called(text)
        try:
            address = Address.parse(text)
        except ValueError:
            return self._called(self._full_name(text, namespace))
        if address in self._translated:
            return self._service(self._translated[address])
        return (self._named(address),)

    def ends(self, text: str) -> Mapping[Family, End]:
        """What *text* names, by IP version: a workload with its namespace, a host or an address. UnknownEndError."""
        if text.startswith(HOST):
            return self._host(text.removeprefix(HOST))
        if "/" in text:
            return self._workload(text)
        try:
            address = Address.parse(text)
        except ValueError:
            raise UnknownEndError(f"{text!r} is no end; expected namespace/pod, host:NODE or an IP address") from None
        return {address.family: self._owners.get(address, address)}

    def _full_name(self, name: str, namespace: str) -> str:
        """``namespace/name`` of whatever is called *name*."""
        if not name:
            raise UnknownEndError(f"{name!r} is no end; {_EXPECTED}")
        known = self.names
        if namespace and f"{namespace}/{name}" in known:
            return f"{namespace}/{name}"
        found = [full for full in known if full.rpartition("/")[2] == name]
        if len(found) > 1:
            raise UnknownEndError(f"{len(found)} are called {name!r}: {', '.join(found)}; give one with its namespace")
        if found:
            return found[0]
        near = nearest_name(f"{namespace}/{name}", known) if namespace else _nearest_bare(name, known)
        raise UnknownEndError(f"there is no pod, workload or service {name!r}; {_instead(near, _EXPECTED)}")

    def _service_name(self, text: str, namespace: str) -> str:
        known = self._cluster.services
        if "/" not in text:
            found = [name for name in known if name.rpartition("/")[2] == text]
            own = f"{namespace}/{text}"
            text = own if namespace and own in found else found[0] if len(found) == 1 else text
        if text not in known:
            near = nearest_name(text, known) if "/" in text else _nearest_bare(text, known)
            raise UnknownEndError(f"there is no service {text!r}; {_instead(near, 'expected service:NAMESPACE/NAME')}")
        return text

    def _called(self, text: str) -> tuple[NamedEnd, ...]:
        """A workload ``namespace/name``, or else a service."""
        if text not in self._cluster.workloads and text not in self._cluster.host_network:
            if text in self._cluster.services:
                return self._service(text)
            near = nearest_name(text, self.names)
            raise UnknownEndError(f"there is no pod, workload or service {text!r}; {_instead(near, _EXPECTED)}")
        return (NamedEnd(text, self._workload(text)),)

    # --- who it is -----------------------------------------------------------------------------------------------------------

    def _host(self, node: str) -> Mapping[Family, End]:
        addresses = self._cluster.nodes.get(node)
        if addresses is None:
            known = ", ".join(sorted(self._cluster.nodes)) or "none"
            near = nearest_name(node, self._cluster.nodes)
            raise UnknownEndError(f"there is no node {node!r}; {_instead(near, f'known: {known}')}")
        return {address.family: HostRef(node, address) for address in reversed(addresses or _nowhere())}

    def _workload(self, text: str) -> Mapping[Family, End]:
        if text in self._cluster.host_network:
            return self._host(self._cluster.host_network[text])
        endpoints = self._cluster.workloads.get(text, ())
        if len(endpoints) > 1:
            names = ", ".join(f"{endpoint.metadata.namespace}/{endpoint.metadata.name}" for endpoint in endpoints)
            raise UnknownEndError(f"{len(endpoints)} endpoints are called {text!r}; give the name of one: {names}")
        if not endpoints:
            near = nearest_name(text, self.workload_names)
            expected = "expected namespace/pod, host:NODE or an IP address"
            raise UnknownEndError(f"there is no pod or other workload {text!r}; {_instead(near, expected)}")
        return _by_family(endpoints[0])

    def _service(self, name: str) -> tuple[NamedEnd, ...]:
        """The workloads behind a service, each once, by name."""
        found: dict[str, NamedEnd] = {}
        for backend in backends(self._cluster, name):
            end = self._behind(backend)._replace(service=name, ports=backend.ports)
            known = found.get(end.name, end)
            ports = None if end.ports is None else tuple(dict.fromkeys((*(known.ports or ()), *end.ports)))
            found[end.name] = end._replace(ends={**known.ends, **end.ends}, ports=ports)
        if not found:
            raise UnknownEndError(f"no workload is behind service {name}: it selects none, and its slices list none")
        return tuple(found[called] for called in sorted(found))

    def _behind(self, backend: Backend) -> NamedEnd:
        if backend.endpoint is not None:
            return NamedEnd(_name(backend.endpoint), _by_family(backend.endpoint))
        return self._named(backend.addresses[0])

    def _named(self, address: Address) -> NamedEnd:
        """Whoever has an address, by that address."""
        owner = self._owners.get(address, address)
        match owner:
            case EndpointRef():
                name = f"{owner.namespace}/{owner.name}"
                endpoints = self._cluster.workloads[name]
                return NamedEnd(_name(endpoints[0]), {address.family: owner})
            case HostRef():
                return NamedEnd(f"{HOST}{owner.node}", {address.family: owner})
            case _:
                return NamedEnd(str(address), {address.family: owner})


# --- words -------------------------------------------------------------------------------------------------------------------


def _instead(near: str | None, otherwise: str) -> str:
    return f"did you mean {near}?" if near else otherwise


def _nearest_bare(name: str, known: Iterable[str]) -> str | None:
    """The full name of what a name without a namespace resembles."""
    by_name: dict[str, str] = {}
    for full in known:
        by_name.setdefault(full.rpartition("/")[2], full)
    near = nearest_name(name, by_name)
    return by_name[near] if near else None


# --- flows -------------------------------------------------------------------------------------------------------------------


def _check_port(question: Question) -> None:
    protocol, port = question.protocol, question.destination_port
    if protocol.has_ports and port is None:
        raise ValueError(f"{protocol} needs a port")
    if not protocol.has_ports and port is not None:
        raise ValueError(f"{protocol} has no ports; expected port null")


def _flow(
    question: Question, source: Mapping[Family, End], destination: Mapping[Family, End], port: int | None
) -> Flow:
    protocol = question.protocol
    families = [FAMILY_OF_ICMP[protocol]] if protocol in FAMILY_OF_ICMP else list(Family)
    common = [family for family in families if family in source and family in destination]
    if not common:
        versions = " or ".join(f"IPv{family}" for family in families)
        raise UnknownEndError(f"{question.source} and {question.destination} do not both have an {versions} address")
    return Flow(
        source=source[common[0]],
        destination=destination[common[0]],
        protocol=protocol,
        source_port=_source_port(question),
        destination_port=port,
        icmp_type=question.icmp_type,
        icmp_code=question.icmp_code,
    )


def _source_port(question: Question) -> int | None:
    if not question.protocol.has_ports:
        return None
    return EPHEMERAL_PORT if question.source_port is None else question.source_port


# --- ends --------------------------------------------------------------------------------------------------------------------


def lacks_address(end: End) -> bool:
    """Whether nobody knows the end's address."""
    return not isinstance(end, Address) and end.address in NO_ADDRESS.values()


def _nowhere() -> tuple[Address, ...]:
    return tuple(NO_ADDRESS.values())


def _name(endpoint: WorkloadEndpoint) -> str:
    """What people call it."""
    spec = endpoint.spec
    return f"{endpoint.metadata.namespace}/{spec.pod or spec.workload or spec.container_id or endpoint.metadata.name}"


def _by_family(endpoint: WorkloadEndpoint) -> Mapping[Family, End]:
    return {ref.address.family: ref for ref in reversed(_refs(endpoint))}


def _refs(endpoint: WorkloadEndpoint) -> list[EndpointRef]:
    """By each of its addresses. One that has none is asked in both versions."""
    addresses = tuple(network.address for network in endpoint.spec.ip_networks) or _nowhere()
    return [EndpointRef(endpoint.metadata.namespace, endpoint.metadata.name, address) for address in addresses]


def _owners(cluster: KnownCluster) -> Iterator[tuple[Address, End]]:
    """Whose an address is: a packet to it goes there, whatever it was called by."""
    for node, addresses in cluster.nodes.items():
        yield from ((address, HostRef(node, address)) for address in addresses)
    for endpoint in cluster.resources.values():
        if isinstance(endpoint, WorkloadEndpoint) and endpoint.spec.ip_networks:
            yield from ((ref.address, ref) for ref in _refs(endpoint))


def _service_addresses(cluster: KnownCluster) -> Iterator[tuple[Address, str]]:
    """Which addresses stand for which service."""
    for name, service in cluster.services.items():
        for text in (service.spec.cluster_ip, *service.spec.cluster_ips):
            with contextlib.suppress(ValueError):  # None, of a headless one
                yield Address.parse(text), name
