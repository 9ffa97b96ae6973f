"""Kubernetes' EndpointSlice, as its API server validates it."""

from __future__ import annotations

from collections.abc import Iterator

from tortie.model.checks.metadata import check_port_number, is_dns_label, is_dns_subdomain
from tortie.model.checks.violation import Violation, at_most, one_of, under
from tortie.model.kubernetes_endpointslice import Endpoint, EndpointPort, EndpointSlice
from tortie.net import Address, Family

_FAMILIES = {"IPv4": Family.V4, "IPv6": Family.V6}


def check_endpoint_slice(resource: EndpointSlice) -> Iterator[Violation]:
    """Endpoints with their addresses, and ports."""
    yield from at_most(("endpoints",), resource.endpoints, 1000)
    yield from at_most(("ports",), resource.ports, 20_000)
    for index, endpoint in enumerate(resource.endpoints):
        yield from under(("endpoints", index), _check_endpoint(endpoint, resource.address_type))
    names: set[str] = set()
    for index, port in enumerate(resource.ports):
        yield from under(("ports", index), _check_port(port))
        if port.name in names:
            yield Violation(
                ("ports", index, "name"), f"{port.name!r} is given twice; the ports of a slice differ by name"
            )
        names.add(port.name)


def _check_endpoint(endpoint: Endpoint, address_type: str) -> Iterator[Violation]:
    if not endpoint.addresses:
        yield Violation(("addresses",), "an endpoint needs an address")
    yield from at_most(("addresses",), endpoint.addresses, 100)
    for index, text in enumerate(endpoint.addresses):
        yield from under(("addresses", index), _check_address(text, address_type))
    if endpoint.hostname and not is_dns_label(endpoint.hostname):
        yield Violation(
            ("hostname",), f"{endpoint.hostname!r} is not a host's name: lower-case letters, digits and '-'"
        )
    if endpoint.node_name and not is_dns_subdomain(endpoint.node_name):
        yield Violation(("nodeName",), f"{endpoint.node_name!r} is not a node's name")


def _check_address(text: str, address_type: str) -> Iterator[Violation]:
    wanted = _FAMILIES.get(address_type)
    if wanted is None:
        if not is_dns_subdomain(text):
            yield Violation((), f"{text!r} is not a domain name, which addressType FQDN asks for")
        return
    try:
        address = Address.parse(text)
    except ValueError as error:
        yield Violation((), str(error))
        return
    if address.family is not wanted:
        yield Violation((), f"{text} is IPv{address.family}, and addressType is {address_type}")


def _check_port(port: EndpointPort) -> Iterator[Violation]:
    yield from one_of(("protocol",), port.protocol, ("TCP", "UDP", "SCTP"))
    if port.port is not None:
        yield from check_port_number(("port",), port.port)
    if port.name and not is_dns_label(port.name):
        yield Violation(("name",), f"{port.name!r} is not a port's name: lower-case letters, digits and '-'")
