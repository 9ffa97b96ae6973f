"""Workload and host endpoints.

What only says who an endpoint is (names of nodes, profiles, gateways) is refused at the door only: an endpoint that is stored
already is better governed than left out for a misspelt gateway.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from tortie.model.checks.addresses import check_interface_name, is_address
from tortie.model.checks.metadata import check_name, check_port_name, check_port_number
from tortie.model.checks.qos import check_qos_controls
from tortie.model.checks.violation import Violation, distinct, under
from tortie.model.endpoint import (
    EndpointNameError,
    EndpointPort,
    HostEndpointSpec,
    WorkloadEndpoint,
    WorkloadEndpointPort,
    WorkloadEndpointSpec,
    endpoint_name,
)
from tortie.net import Family, Network

_CONTAINER_ID = re.compile(r"[a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?")


def check_endpoint(endpoint: WorkloadEndpoint) -> Iterator[Violation]:
    """A workload endpoint; its name follows from its identifiers."""
    yield from under(("spec",), check_endpoint_spec(endpoint.spec))
    try:
        expected = name_of(endpoint.spec)
    except EndpointNameError as error:
        field = (
            _WORKLOAD_FIELDS.get(endpoint.spec.orchestrator, "workload")
            if error.identifier == "workload"
            else error.identifier
        )
        yield Violation(("spec", field), str(error))
        return
    if endpoint.metadata.name != expected:
        yield Violation(
            ("metadata", "name"), f"{endpoint.metadata.name!r} does not fit the spec; its name is {expected}"
        )


_WORKLOAD_FIELDS: Mapping[str, str] = {"k8s": "pod", "cni": "containerID"}
"""Which field says what the workload is, where it is not ``workload``."""


def name_of(spec: WorkloadEndpointSpec) -> str:
    """The name that the identifiers in *spec* give; EndpointNameError where one is missing or impossible."""
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
    """Identifiers, interface, addresses and ports."""
    yield from _check_identifiers(spec)
    yield from check_interface_name(("interfaceName",), spec.interface_name)
    for index, network in enumerate(spec.ip_networks):
        if not network.is_host:
            yield Violation(("ipNetworks", index), f"{network} is not one address: expected a /32 or /128")
    for index, nat in enumerate(spec.ip_nats):
        if nat.internal_ip.family is not nat.external_ip.family:
            yield Violation(("ipNATs", index), f"{nat.internal_ip} and {nat.external_ip} are of different IP versions")
        if nat.internal_ip.network() not in spec.ip_networks:
            yield Violation(("ipNATs", index, "internalIP"), f"{nat.internal_ip} is not among ipNetworks")
    for index, port in enumerate(spec.ports):
        yield from under(("ports", index), _check_workload_port(port))
    for index, text in enumerate(spec.allow_spoofed_source_prefixes):
        try:
            Network.parse(text, strict=False)
        except ValueError as error:
            yield Violation(("allowSpoofedSourcePrefixes", index), str(error))
    if spec.qos_controls is not None:
        yield from under(("qosControls",), check_qos_controls(spec.qos_controls))


def _check_identifiers(spec: WorkloadEndpointSpec) -> Iterator[Violation]:
    names = {
        "orchestrator": spec.orchestrator, "workload": spec.workload, "node": spec.node, "pod": spec.pod,
        "endpoint": spec.endpoint, "serviceAccountName": spec.service_account_name,
    }  # fmt: skip
    for field, name in names.items():
        if name:
            yield from check_name((field,), name, at_door_only=True)
    if spec.container_id and not _CONTAINER_ID.fullmatch(spec.container_id):
        yield Violation(
            ("containerID",),
            f"{spec.container_id!r} is not a container's id: letters, digits and '-'",
            at_door_only=True,
        )
    yield from _check_profiles(spec.profiles)
    for field, text, family in (
        ("ipv4Gateway", spec.ipv4_gateway, Family.V4),
        ("ipv6Gateway", spec.ipv6_gateway, Family.V6),
    ):
        if text and not is_address(text, family):
            yield Violation((field,), f"{text!r} is not an IPv{family} address", at_door_only=True)


def _check_profiles(profiles: tuple[str, ...]) -> Iterator[Violation]:
    for index, name in enumerate(profiles):
        yield from check_name(("profiles", index), name, at_door_only=True)


def _check_workload_port(port: WorkloadEndpointPort) -> Iterator[Violation]:
    yield from _check_port(port)
    if not port.name and not port.host_port:
        yield Violation(("name",), "a port without hostPort needs a name")
    if port.name:
        yield from check_port_name(("name",), port.name)
    if not 0 <= port.host_port <= 65535:
        yield Violation(("hostPort",), f"{port.host_port} is not a port 1-65535, or 0 for none")
    if port.host_ip and not is_address(port.host_ip):
        yield Violation(("hostIP",), f"{port.host_ip!r} is not an address", at_door_only=True)


def _check_port(port: WorkloadEndpointPort | EndpointPort) -> Iterator[Violation]:
    if not port.protocol.has_ports:
        yield Violation(("protocol",), f"{port.protocol} has no ports; expected TCP, UDP or SCTP")
    yield from check_port_number(("port",), port.port)


def check_host_endpoint_spec(spec: HostEndpointSpec) -> Iterator[Violation]:
    """A host endpoint is found by its interface or its addresses."""
    if not spec.node:
        yield Violation(("node",), "node is missing; a host endpoint belongs to one node")
    else:
        yield from check_name(("node",), spec.node, at_door_only=True)
    if not spec.interface_name and not spec.expected_ips:
        yield Violation((), "interfaceName and expectedIPs are both missing; one must say which interface is meant")
    if spec.interface_name not in ("", "*"):
        yield from check_interface_name(("interfaceName",), spec.interface_name)
    yield from distinct(("expectedIPs",), tuple(str(address) for address in spec.expected_ips))
    yield from distinct(("profiles",), spec.profiles)
    yield from _check_profiles(spec.profiles)
    for index, port in enumerate(spec.ports):
        yield from under(("ports", index), _check_port(port))
        yield from under(("ports", index), check_port_name(("name",), port.name))
