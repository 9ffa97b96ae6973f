"""The EndpointSlices that a cluster would make of Services and Pods: for documents that have no slices of their own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tortie.conversion import ConversionError, endpoint_of_pod
from tortie.model.kubernetes import Pod, Service, ServicePort
from tortie.model.kubernetes_endpointslice import SERVICE_LABEL, Endpoint, EndpointPort, EndpointSlice
from tortie.model.meta import ObjectMeta, Resource
from tortie.net import Address, Family


def slices_of(resources: Iterable[Resource]) -> Iterator[EndpointSlice]:
    """One slice for each service and each pod with addresses that it selects; none for services that have slices already.

    Of *resources* that have been converted: ConversionError for pods that cannot be.
    """
    resources = tuple(resources)
    pods: dict[str, list[Pod]] = {}
    for pod in resources:
        if isinstance(pod, Pod):
            pods.setdefault(pod.metadata.namespace, []).append(pod)
    sliced = {
        (found.metadata.namespace, found.metadata.labels.get(SERVICE_LABEL))
        for found in resources
        if isinstance(found, EndpointSlice)
    }
    for service in resources:
        if not isinstance(service, Service) or not service.spec.selector:
            continue
        if (service.metadata.namespace, service.metadata.name) not in sliced:
            wanted = service.spec.selector.items()
            for pod in pods.get(service.metadata.namespace, ()):
                if wanted <= pod.metadata.labels.items() and (addresses := _addresses(pod)):
                    yield _slice(service, pod, addresses[0])


def _addresses(pod: Pod) -> tuple[Address, ...]:
    """As its endpoint has them. A pod with the host's network is behind its service too, by the host's address."""
    endpoint = endpoint_of_pod(pod)
    return host_addresses(pod) if endpoint is None else tuple(n.address for n in endpoint.spec.ip_networks)


def host_addresses(pod: Pod) -> tuple[Address, ...]:
    """The addresses of a pod with the host's network, by its status. ConversionError for text that is none."""
    texts = [entry.ip for entry in pod.status.pod_ips] or [pod.status.pod_ip]
    try:
        return tuple(Address.parse(text) for text in texts if text)
    except ValueError as error:
        raise ConversionError(str(error)) from error


def _slice(service: Service, pod: Pod, address: Address) -> EndpointSlice:
    ports = [(port, number) for port in service.spec.ports if (number := _number(port, pod)) is not None]
    return EndpointSlice(
        metadata=ObjectMeta(
            name=f"{service.metadata.name}-{pod.metadata.name}",
            namespace=service.metadata.namespace,
            labels={SERVICE_LABEL: service.metadata.name},
        ),
        address_type="IPv4" if address.family is Family.V4 else "IPv6",
        endpoints=(Endpoint(addresses=(str(address),)),),
        ports=tuple(EndpointPort(name=port.name, protocol=port.protocol, port=number) for port, number in ports),
    )


def _number(port: ServicePort, pod: Pod) -> int | None:
    listed = (found for container in pod.spec.containers for found in container.ports)
    return target_number(port, ((found.name, found.protocol, found.container_port) for found in listed))


def target_number(port: ServicePort, named: Iterable[tuple[str, str, int]]) -> int | None:
    """The workload's port behind the service's, by its *named* ones (name, protocol, number); None if it has none of that name."""
    target = port.target_port or port.port
    if isinstance(target, int) or target.isdecimal():
        return int(target)
    return next((number for name, protocol, number in named if (name, protocol) == (target, port.protocol)), None)
