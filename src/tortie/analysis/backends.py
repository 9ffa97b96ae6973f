"""The workloads behind a service, and at which of their ports each of the service's ports is served.

A client that asks for a service's port comes to the port of one of these, and only that is what policy sees, for the address is
translated before. A headless service's clients ask for the workloads themselves, so their ports are the workloads'.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from tortie.analysis.cluster import KnownCluster
from tortie.analysis.slices import target_number
from tortie.model.endpoint import WorkloadEndpoint
from tortie.model.kubernetes import Service, ServicePort
from tortie.model.kubernetes_endpointslice import SERVICE_LABEL, EndpointSlice
from tortie.net import Address, Protocol

_HEADLESS = "None"


class ServedPort(NamedTuple):
    """One port of a service, and where it leads."""

    protocol: Protocol
    port: int
    """The service's."""
    target: int
    """The workload's."""


class Backend(NamedTuple):
    """What is behind a service: an endpoint by its addresses, or without any."""

    addresses: tuple[Address, ...]
    endpoint: WorkloadEndpoint | None
    """None: only the addresses are known."""
    ports: tuple[ServedPort, ...] | None
    """None: the service translates none."""


def backends(cluster: KnownCluster, name: str) -> Iterator[Backend]:
    """What is behind the service ``namespace/name``: what its slices list, and who it selects and has no address to be listed by."""
    service = cluster.services.get(name)
    listed = _listed(cluster, name)
    for address, slices in listed.items():
        yield Backend((address,), None, _served(service, slices))
    if service is not None and service.spec.selector:
        for endpoint in _selected(cluster, service):
            if not endpoint.spec.ip_networks:
                yield Backend((), endpoint, _translated(service, endpoint))


def unlisted(cluster: KnownCluster) -> Iterator[tuple[str, Protocol, int, WorkloadEndpoint]]:
    """Of all services who is selected and has no address to be listed by: the service, and a port at which the endpoint serves it."""
    by_namespace: dict[str, list[WorkloadEndpoint]] = {}
    for resource in cluster.resources.values():
        if isinstance(resource, WorkloadEndpoint) and not resource.spec.ip_networks:
            by_namespace.setdefault(resource.metadata.namespace, []).append(resource)
    for name, service in cluster.services.items():
        wanted = service.spec.selector.items()
        for endpoint in by_namespace.get(service.metadata.namespace, ()) if wanted else ():
            for port in service.spec.ports if wanted <= endpoint.metadata.labels.items() else ():
                if (target := _target(port, endpoint)) is not None:
                    yield name, Protocol.parse(port.protocol), target, endpoint


def service_ports(service: Service) -> tuple[tuple[Protocol, int], ...]:
    """The ports that clients may ask it for."""
    return tuple((Protocol.parse(port.protocol), port.port) for port in service.spec.ports)


def _is_headless(service: Service) -> bool:
    return service.spec.cluster_ip == _HEADLESS


def _listed(cluster: KnownCluster, name: str) -> Mapping[Address, list[EndpointSlice]]:
    """The addresses of its slices, and the slices of each."""
    found: dict[Address, list[EndpointSlice]] = {}
    for piece in cluster.resources.values():
        if not isinstance(piece, EndpointSlice) or piece.address_type == "FQDN":
            continue
        if f"{piece.metadata.namespace}/{piece.metadata.labels.get(SERVICE_LABEL)}" == name:
            for endpoint in piece.endpoints:
                for text in endpoint.addresses:
                    found.setdefault(Address.parse(text), []).append(piece)
    return found


def _served(service: Service | None, slices: Iterable[EndpointSlice]) -> tuple[ServedPort, ...] | None:
    """By the ports' names, which service and slice share. Of slices without a service only the workloads' ports are known."""
    if service is None or _is_headless(service):
        return None
    served = [
        ServedPort(Protocol.parse(port.protocol), port.port, target.port)
        for port in service.spec.ports
        for target in (target for piece in slices for target in piece.ports)
        if target.port is not None and (port.name, port.protocol) == (target.name, target.protocol)
    ]
    return tuple(dict.fromkeys(served))


def _selected(cluster: KnownCluster, service: Service) -> Iterator[WorkloadEndpoint]:
    wanted, namespace = service.spec.selector.items(), service.metadata.namespace
    endpoints = (resource for resource in cluster.resources.values() if isinstance(resource, WorkloadEndpoint))
    return (e for e in endpoints if e.metadata.namespace == namespace and wanted <= e.metadata.labels.items())


def _translated(service: Service, endpoint: WorkloadEndpoint) -> tuple[ServedPort, ...] | None:
    if _is_headless(service):
        return None
    ports = ((port, _target(port, endpoint)) for port in service.spec.ports)
    return tuple(
        ServedPort(Protocol.parse(port.protocol), port.port, target) for port, target in ports if target is not None
    )


def _target(port: ServicePort, endpoint: WorkloadEndpoint) -> int | None:
    named = ((own.name, str(own.protocol), own.port) for own in endpoint.spec.ports)
    return target_number(port, named)
