"""What a Service stands for: its cluster addresses, and the pods behind each of them. Values only.

    Frontend: policy-demo/nginx at 10.96.0.11, TCP 80  ──►  Backends: 10.65.0.1:80, 10.65.0.64:80

``proxy`` makes packets go that way, ``zone`` says at which address a name is found. Policy applies to the pod behind a service,
at the pod's own port.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

from tortie.lab import layout
from tortie.model.kubernetes import Pod, Service, ServicePort
from tortie.net import Address

HEADLESS = "None"
"""The cluster address of a service without one: its name stands for the pods themselves."""

_FIRST_FREE = 11
"""Offsets below are for services that are given their address by hand, as the cluster's DNS is."""


class Backend(NamedTuple):
    """Where a pod answers for a service."""

    address: Address
    port: int


class Frontend(NamedTuple):
    """One port of a service at one of its addresses."""

    service: str
    """``namespace/name``."""
    address: Address
    protocol: str
    """``tcp``, ``udp`` or ``sctp``."""
    port: int
    backends: tuple[Backend, ...]
    """Of the address's family, in order; empty while no pod runs behind the service."""


def frontends(services: Iterable[Service], pods: Collection[Pod]) -> tuple[Frontend, ...]:
    """Every port at every cluster address of *services*, in order."""
    return tuple(sorted(found for service in services for found in _frontends_of(service, pods)))


def pods_behind(service: Service, pods: Iterable[Pod]) -> tuple[Pod, ...]:
    """The running pods that *service* selects, by name; a service without a selector has no pods of its own."""
    chosen = (pod for pod in pods if pod.status.phase == "Running" and _selects(service, pod))
    return tuple(sorted(chosen, key=lambda pod: pod.metadata.name))


def cluster_addresses(service: Service) -> tuple[Address, ...]:
    """Its addresses inside the cluster; one that is none, or not yet given, is left out."""
    cidrs = service.spec.cluster_ips or (service.spec.cluster_ip,)
    return tuple(address for cidr in cidrs for address in _parse(cidr))


def pod_addresses(pod: Pod) -> tuple[Address, ...]:
    return tuple(address for pod_ip in pod.status.pod_ips for address in _parse(pod_ip.ip))


def needs_addresses(service: Service) -> bool:
    """Whether *service* is still to be given its cluster addresses."""
    return service.spec.type != "ExternalName" and not service.spec.cluster_ip and not service.spec.cluster_ips


def free_addresses(taken: Collection[Address]) -> tuple[Address, Address]:
    """The first pair of cluster addresses, IPv4 and IPv6 of the same offset, of which none is *taken*; LookupError."""
    for offset in range(_FIRST_FREE, layout.SERVICES_V4.size - 1):
        pair = layout.SERVICES_V4.address + offset, layout.SERVICES_V6.address + offset
        if not any(address in taken for address in pair):
            return pair
    raise LookupError(f"all addresses of {layout.SERVICES_V4} are given to services")


def _frontends_of(service: Service, pods: Iterable[Pod]) -> Iterator[Frontend]:
    name = f"{service.metadata.namespace}/{service.metadata.name}"
    behind = pods_behind(service, pods)
    for address in cluster_addresses(service):
        for port in service.spec.ports:
            backends = tuple(sorted(_backends(port, behind, address)))
            yield Frontend(name, address, port.protocol.lower(), port.port, backends)


def _backends(port: ServicePort, pods: Iterable[Pod], frontend: Address) -> Iterator[Backend]:
    for pod in pods:
        number = _target_port(port, pod)
        for address in pod_addresses(pod):
            if number is not None and address.family is frontend.family:
                yield Backend(address, number)


def _target_port(port: ServicePort, pod: Pod) -> int | None:
    """The pod's port behind a service's; None if the pod has no port of the name that is given."""
    if port.target_port is None:
        return port.port
    if isinstance(port.target_port, int):
        return port.target_port
    named = (
        found.container_port
        for container in pod.spec.containers
        for found in container.ports
        if found.name == port.target_port and found.protocol == port.protocol
    )
    return next(named, None)


def _selects(service: Service, pod: Pod) -> bool:
    return (
        pod.metadata.namespace == service.metadata.namespace
        and bool(service.spec.selector)
        and service.spec.selector.items() <= pod.metadata.labels.items()
    )


def _parse(text: str) -> Iterator[Address]:
    """The address in *text*, if it holds one: what is stored was written by people."""
    try:
        yield Address.parse(text)
    except ValueError:
        return
