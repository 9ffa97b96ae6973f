"""The text of a workload's ``/etc/hosts``: the names of services, until a DNS server comes with its own issue.

Each service's name stands for the addresses of the pods behind it, in both families: ``<service>.<namespace>`` everywhere, and
``<service>`` inside its own namespace. Policy applies to the pod behind a service, at its own port, so nothing translates.
"""

from __future__ import annotations

from collections.abc import Iterable

from tortie.model.kubernetes import Pod, Service

_LOOPBACK = ("127.0.0.1 localhost", "::1 localhost")


def hosts_file(namespace: str, services: Iterable[Service], pods: Iterable[Pod]) -> str:
    """The file for a workload of *namespace*; pods without an address are left out."""
    known = sorted(pods, key=lambda pod: (pod.metadata.namespace, pod.metadata.name))
    lines = [
        f"{address} {names}"
        for service in sorted(services, key=lambda service: (service.metadata.namespace, service.metadata.name))
        for names in [_names(service, namespace)]
        for pod in known
        if _is_behind(pod, service)
        for address in _addresses(pod)
    ]
    return "".join(line + "\n" for line in (*_LOOPBACK, *lines))


def _names(service: Service, namespace: str) -> str:
    full = f"{service.metadata.name}.{service.metadata.namespace}"
    return f"{full} {service.metadata.name}" if service.metadata.namespace == namespace else full


def _is_behind(pod: Pod, service: Service) -> bool:
    """A service without a selector has no pods of its own."""
    return (
        pod.metadata.namespace == service.metadata.namespace
        and bool(service.spec.selector)
        and service.spec.selector.items() <= pod.metadata.labels.items()
    )


def _addresses(pod: Pod) -> tuple[str, ...]:
    return tuple(address.ip for address in pod.status.pod_ips)
