"""Kubernetes' EndpointSlice: the addresses behind a service, or some of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from tortie.model.meta import Resource, Value

SERVICE_LABEL = "kubernetes.io/service-name"
"""The label that names a slice's service."""


class EndpointConditions(Value, frozen=True, kw_only=True):
    """Whether an endpoint takes traffic."""

    ready: bool | None = None
    """It serves and is not terminating; absent counts as true."""
    serving: bool | None = None
    """It could serve, terminating or not; absent counts as ``ready``."""
    terminating: bool | None = None
    """It is being stopped; absent counts as false."""


class ObjectReference(Value, frozen=True, kw_only=True):
    """Another object, such as the pod behind an endpoint."""

    api_version: str = ""
    """Its group and version."""
    kind: str = ""
    """Its kind, such as Pod."""
    namespace: str = ""
    """Its namespace; empty for one without."""
    name: str = ""
    """Its name."""
    uid: str = ""
    """Its uid, where exactly that object is meant."""


class Endpoint(Value, frozen=True, kw_only=True):
    """One endpoint, by its addresses."""

    addresses: tuple[str, ...]
    """Of the slice's ``addressType``; 1-100, and all of them are the same endpoint."""
    conditions: EndpointConditions = EndpointConditions()
    """Whether it takes traffic."""
    hostname: str = ""
    """Its name in DNS below the service's, if it has one."""
    target_ref: ObjectReference | None = None
    """The object that it belongs to, usually a pod."""
    node_name: str = ""
    """The node that it is on."""
    zone: str = ""
    """The zone that it is in."""
    deprecated_topology: Mapping[str, str] = {}
    """Topology of the API before v1."""


class EndpointPort(Value, frozen=True, kw_only=True):
    """A port of every endpoint of a slice."""

    name: str = ""
    """Unique in the slice; empty for the only one."""
    protocol: str = "TCP"
    """TCP, UDP or SCTP."""
    port: int | None = None
    """1-65535; absent: all ports."""
    app_protocol: str = ""
    """What is spoken there, for load balancers."""


class EndpointSlice(Resource, frozen=True, kw_only=True, tag="EndpointSlice"):
    """Some endpoints of the service that the label ``kubernetes.io/service-name`` names."""

    api_version: Literal["discovery.k8s.io/v1"] = "discovery.k8s.io/v1"
    address_type: Literal["IPv4", "IPv6", "FQDN"]
    """What the addresses are."""
    endpoints: tuple[Endpoint, ...] = ()
    """At most 1000."""
    ports: tuple[EndpointPort, ...] = ()
    """At most 20000 in Kubernetes' API, in practice those of the service."""
