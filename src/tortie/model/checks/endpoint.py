"""Workload endpoints."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tortie.model.checks.metadata import is_port_name
from tortie.model.checks.violation import Violation, under
from tortie.model.endpoint import WorkloadEndpoint, WorkloadEndpointPort, WorkloadEndpointSpec, endpoint_name
from tortie.net import Network

_INTERFACE = re.compile(r"[a-zA-Z0-9_.-]{1,15}")


def check_endpoint(endpoint: WorkloadEndpoint) -> Iterator[Violation]:
    """A workload endpoint; its name follows from its identifiers."""
    yield from under(("spec",), check_endpoint_spec(endpoint.spec))
    try:
        expected = name_of(endpoint.spec)
    except ValueError as error:
        yield Violation(("spec",), str(error))
        return
    if endpoint.metadata.name != expected:
        yield Violation(
            ("metadata", "name"), f"{endpoint.metadata.name!r} does not fit the spec; its name is {expected}"
        )


def name_of(spec: WorkloadEndpointSpec) -> str:
    """The name that the identifiers in *spec* give; ValueError where one is missing or impossible."""
    match spec.orchestrator:
        case "k8s":
            workload = spec.pod
        case "cni":
            workload = spec.container_id
        case "libnetwork":
            workload = "libnetwork"
        case _:
            workload = spec.workload
    return endpoint_name(spec.node, spec.orchestrator, workload, spec.endpoint)


def check_endpoint_spec(spec: WorkloadEndpointSpec) -> Iterator[Violation]:
    """Interface, addresses and ports."""
    if not _INTERFACE.fullmatch(spec.interface_name):
        text = spec.interface_name
        yield Violation(
            ("interfaceName",), f"{text!r} is not an interface's name: 1-15 letters, digits, '_', '.' and '-'"
        )
    for index, network in enumerate(spec.ip_networks):
        if not network.is_host:
            yield Violation(("ipNetworks", index), f"{network} is not one address: expected a /32 or /128")
    for index, nat in enumerate(spec.ip_nats):
        if nat.internal_ip.family is not nat.external_ip.family:
            yield Violation(("ipNATs", index), f"{nat.internal_ip} and {nat.external_ip} are of different IP versions")
        if nat.internal_ip.network() not in spec.ip_networks:
            yield Violation(("ipNATs", index, "internalIP"), f"{nat.internal_ip} is not among ipNetworks")
    for index, port in enumerate(spec.ports):
        yield from under(("ports", index), _check_port(port))
    for index, text in enumerate(spec.allow_spoofed_source_prefixes):
        try:
            Network.parse(text, strict=False)
        except ValueError as error:
            yield Violation(("allowSpoofedSourcePrefixes", index), str(error))


def _check_port(port: WorkloadEndpointPort) -> Iterator[Violation]:
    if not port.protocol.has_ports:
        yield Violation(("protocol",), f"{port.protocol} has no ports; expected TCP, UDP or SCTP")
    if not 1 <= port.port <= 65535:
        yield Violation(("port",), f"{port.port} is not a port 1-65535")
    if not port.name and not port.host_port:
        yield Violation(("name",), "a port without hostPort needs a name")
    if port.name and not is_port_name(port.name):
        yield Violation(("name",), f"{port.name!r} is not a port's name: at most 15 of a-z, 0-9 and '-', with a letter")
