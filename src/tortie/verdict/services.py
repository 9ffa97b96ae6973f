"""Services as peers of rules: the addresses, or addresses and ports, that their EndpointSlices list.

An endpoint counts whether it is ready or not: policy says who may talk, not who answers. A port without a number means all
ports to Kubernetes, and nothing to a rule.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator

from tortie.model.kubernetes_endpointslice import SERVICE_LABEL, EndpointSlice
from tortie.model.policy import ServiceMatch
from tortie.net import Address, Protocol


def has_address(slices: Iterable[EndpointSlice], service: ServiceMatch, namespace: str, address: Address) -> bool:
    """Whether *address* is one behind *service*; one that names no namespace is of the policy's, *namespace*."""
    return any(address in _addresses(found) for found in _slices_of(slices, service, namespace))


def has_port(
    slices: Iterable[EndpointSlice],
    service: ServiceMatch,
    namespace: str,
    address: Address,
    protocol: Protocol,
    port: int | None,
) -> bool:
    """Whether *address* serves at *port* of *protocol* as part of *service*."""
    return any(
        address in _addresses(found)
        and any(listed.port == port and Protocol.parse(listed.protocol) == protocol for listed in found.ports)
        for found in _slices_of(slices, service, namespace)
        if port is not None
    )


def _slices_of(slices: Iterable[EndpointSlice], service: ServiceMatch, namespace: str) -> Iterator[EndpointSlice]:
    for found in slices:
        named = found.metadata.namespace, found.metadata.labels.get(SERVICE_LABEL)
        if named == (service.namespace or namespace, service.name):
            yield found


def _addresses(found: EndpointSlice) -> Iterator[Address]:
    for endpoint in found.endpoints:
        for text in endpoint.addresses:
            with contextlib.suppress(ValueError):  # of a slice of names
                yield Address.parse(text)
