"""Endpoints: the interfaces that policy governs."""

from __future__ import annotations

from typing import Literal

import msgspec

from tortie.model.meta import Resource, Value
from tortie.model.qos import QoSControls
from tortie.net import MAC, Address, Network, Protocol


class IPNAT(Value, frozen=True, kw_only=True):
    """A second address of a workload: packets to the external one are sent to the internal one."""

    internal_ip: Address = msgspec.field(name="internalIP")
    """One of the endpoint's own addresses."""
    external_ip: Address = msgspec.field(name="externalIP")
    """The address that others use, of the same IP version."""


class WorkloadEndpointPort(Value, frozen=True, kw_only=True, omit_defaults=False):
    """A port that rules can call by its name, or that is mapped to the host."""

    name: str = ""
    """What rules call it: at most 15 of ``a-z``, ``0-9`` and ``-``, with a letter. Only a mapped port may have none."""
    protocol: Protocol
    """TCP, UDP or SCTP; a rule's port by name matches only this protocol."""
    port: int
    """Its number, 1-65535."""
    host_port: int = 0
    """The port of the host that leads to it; 0 for none."""
    host_ip: str = msgspec.field(default="", name="hostIP")
    """The address of the host that ``hostPort`` is mapped at; empty for all of them."""


class WorkloadEndpointSpec(Value, frozen=True, kw_only=True):
    """Whose interface it is, and how it is connected."""

    orchestrator: str = ""
    """Who runs the workload: ``k8s``, ``cni``, ``libnetwork``, ``openstack`` or another."""
    workload: str = ""
    """The workload's name, where the orchestrator is none of ``k8s``, ``cni`` and ``libnetwork``."""
    node: str = ""
    """The node that it runs on."""
    container_id: str = msgspec.field(default="", name="containerID")
    """The container's id; for orchestrator ``cni`` a part of the name."""
    pod: str = ""
    """The pod's name; for orchestrator ``k8s`` a part of the name."""
    endpoint: str = ""
    """The interface's name inside the workload."""
    service_account_name: str = ""
    """The service account of the pod."""
    ip_networks: tuple[Network, ...] = msgspec.field(default=(), name="ipNetworks")
    """The endpoint's addresses, each a /32 or /128; it may send from no others. Without any, no policy is made for it."""
    ip_nats: tuple[IPNAT, ...] = msgspec.field(default=(), name="ipNATs")
    """Further addresses, each of which leads to one of its own."""
    ipv4_gateway: str = ""
    """The IPv4 gateway of the workload."""
    ipv6_gateway: str = ""
    """The IPv6 gateway of the workload."""
    profiles: tuple[str, ...] = ()
    """Profiles that give it labels and, in this order, judge what no policy governs. One that is missing denies."""
    interface_name: str = ""
    """The link on the host: ``cali`` and 11 hexadecimal digits for a pod; 1-15 letters, digits, ``_``, ``.`` and ``-``."""
    mac: MAC | None = None
    """The hardware address of the interface."""
    ports: tuple[WorkloadEndpointPort, ...] = ()
    """Ports with names, and ports mapped to the host."""
    allow_spoofed_source_prefixes: tuple[str, ...] = ()
    """Networks that it may send from although they are not its own."""
    qos_controls: QoSControls | None = None
    """Limits of bandwidth, packets and connections."""


class WorkloadEndpoint(Resource, frozen=True, kw_only=True, tag="WorkloadEndpoint"):
    """One network interface of a workload; its name is made of its identifiers (``endpoint_name``)."""

    api_version: Literal["projectcalico.org/v3"] = "projectcalico.org/v3"
    spec: WorkloadEndpointSpec
    """Whose interface it is, and how it is connected."""


class EndpointPort(Value, frozen=True, kw_only=True):
    """A port of a host that rules can call by its name."""

    name: str
    """What rules call it: at most 15 of ``a-z``, ``0-9`` and ``-``, with a letter."""
    protocol: Protocol
    """TCP, UDP or SCTP; a rule's port by name matches only this protocol."""
    port: int
    """Its number, 1-65535."""


class HostEndpointSpec(Value, frozen=True, kw_only=True):
    """Which interface of which host it is."""

    node: str
    """The node whose interface it is."""
    interface_name: str = ""
    """The interface, such as ``eth0``; ``*`` for all interfaces that have no host endpoint of their own. Empty: the one that
    has one of ``expectedIPs``."""
    expected_ips: tuple[Address, ...] = msgspec.field(default=(), name="expectedIPs")
    """Its addresses. Only these make it a peer that selectors in rules find."""
    profiles: tuple[str, ...] = ()
    """Profiles that give it labels and, in this order, judge what no policy governs."""
    ports: tuple[EndpointPort, ...] = ()
    """Ports with names that rules can use."""


class HostEndpoint(Resource, frozen=True, kw_only=True, tag="HostEndpoint"):
    """An interface of a host, or all of them, for policy to govern. Once it exists, what nothing allows is denied there."""

    api_version: Literal["projectcalico.org/v3"] = "projectcalico.org/v3"
    spec: HostEndpointSpec
    """Which interface of which host it is."""


_DOUBLED = "\0"
"""Stands for a doubled ``-`` while a name is taken apart: no name has it."""


class EndpointNameError(ValueError):
    """An identifier that no endpoint's name can be made of; ``identifier`` is the parameter of ``endpoint_name``."""

    def __init__(self, identifier: str, value: str) -> None:
        super().__init__(f"{value!r} cannot be part of an endpoint's name: it is empty or begins or ends with '-'")
        self.identifier = identifier


def endpoint_name(node: str, orchestrator: str, workload: str, endpoint: str) -> str:
    """The resource name of an endpoint: its segments joined by ``-``, with every ``-`` inside one doubled.

    For ``k8s`` *workload* is the pod's name, for ``cni`` the container id. EndpointNameError for a segment that is empty or
    begins or ends with ``-``.
    """
    segments = {"node": node, "orchestrator": orchestrator, "workload": workload, "endpoint": endpoint}
    for identifier, segment in segments.items():
        if not segment or segment[0] == "-" or segment[-1] == "-":
            raise EndpointNameError(identifier, segment)
    return "-".join(segment.replace("-", "--") for segment in segments.values())


def name_segments(name: str) -> tuple[str, ...]:
    """What ``endpoint_name`` has joined: node, orchestrator, workload, endpoint. More or fewer of a name that it has not made."""
    return tuple(segment.replace(_DOUBLED, "-") for segment in name.replace("--", _DOUBLED).split("-"))
