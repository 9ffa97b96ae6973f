"""Endpoints: the interfaces that policy governs."""

from __future__ import annotations

from typing import Literal

import msgspec

from tortie.model.meta import Resource, Value
from tortie.net import MAC, Address, Network, Protocol


class IPNAT(Value, frozen=True, kw_only=True):
    internal_ip: Address = msgspec.field(name="internalIP")
    external_ip: Address = msgspec.field(name="externalIP")


class WorkloadEndpointPort(Value, frozen=True, kw_only=True, omit_defaults=False):
    name: str = ""
    protocol: Protocol
    port: int
    host_port: int = 0
    host_ip: str = msgspec.field(default="", name="hostIP")


class WorkloadEndpointSpec(Value, frozen=True, kw_only=True):
    orchestrator: str = ""
    """``k8s``, ``cni``, ``libnetwork``, ``openstack`` or another."""
    workload: str = ""
    node: str = ""
    container_id: str = msgspec.field(default="", name="containerID")
    pod: str = ""
    endpoint: str = ""
    """The interface's name inside the workload."""
    service_account_name: str = ""
    ip_networks: tuple[Network, ...] = msgspec.field(default=(), name="ipNetworks")
    """Each a /32 or /128."""
    ip_nats: tuple[IPNAT, ...] = msgspec.field(default=(), name="ipNATs")
    ipv4_gateway: str = ""
    ipv6_gateway: str = ""
    profiles: tuple[str, ...] = ()
    interface_name: str = ""
    """The link on the host: ``cali`` and 11 hexadecimal digits."""
    mac: MAC | None = None
    ports: tuple[WorkloadEndpointPort, ...] = ()
    allow_spoofed_source_prefixes: tuple[str, ...] = ()


class WorkloadEndpoint(Resource, frozen=True, kw_only=True, tag="WorkloadEndpoint"):
    """One network interface of a workload; its name is made of its identifiers (``endpoint_name``)."""

    api_version: Literal["projectcalico.org/v3"] = "projectcalico.org/v3"
    spec: WorkloadEndpointSpec


def endpoint_name(node: str, orchestrator: str, workload: str, endpoint: str) -> str:
    """The resource name of an endpoint: its segments joined by ``-``, with every ``-`` inside one doubled.

    For ``k8s`` *workload* is the pod's name, for ``cni`` the container id. ValueError for a segment that is empty or
    begins or ends with ``-``.
    """
    segments = (node, orchestrator, workload, endpoint)
    for segment in segments:
        if not segment or segment[0] == "-" or segment[-1] == "-":
            raise ValueError(
                f"{segment!r} cannot be part of an endpoint's name: it is empty or begins or ends with '-'"
            )
    return "-".join(segment.replace("-", "--") for segment in segments)
