"""The usual workload endpoint and the usual profile, read for what every host of a cluster needs of them.

A cluster has a hundred thousand endpoints, and a host enforces some hundred of them: of all others it needs labels and
addresses. The readers here take a stored document only if it has no field beside the usual ones and all that
``stored_resource`` would check is right; then both readers say the same. Anything else is None: ask ``stored_resource``.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Mapping
from typing import Literal, NamedTuple

import msgspec

from tortie.model import kinds
from tortie.model.checks.addresses import is_interface_name
from tortie.model.checks.endpoint import check_endpoint_spec
from tortie.model.checks.metadata import is_dns_label, is_dns_subdomain, label_name_error, label_value_error
from tortie.model.codec import UNREADABLE, decode, encode_document
from tortie.model.endpoint import WorkloadEndpoint, WorkloadEndpointPort, endpoint_name
from tortie.model.policy import Profile, Rule
from tortie.model.validation import stored_resource
from tortie.net import MAC, Network

_ABSENT = msgspec.Raw(b"")


class _Usual(
    msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True, omit_defaults=True, gc=False
):
    """Base of the parts of usual documents: an unknown field is for the full reader."""


class _Metadata(_Usual, frozen=True, kw_only=True):
    name: str
    namespace: str = ""
    labels: msgspec.Raw = _ABSENT
    uid: str = ""
    creation_timestamp: str | None = None
    resource_version: str = ""


class _EndpointSpec(_Usual, frozen=True, kw_only=True):
    orchestrator: Literal["k8s"]
    node: str
    pod: str
    endpoint: str
    container_id: str = msgspec.field(default="", name="containerID")
    service_account_name: str = ""
    ip_networks: tuple[str, ...] = msgspec.field(default=(), name="ipNetworks")
    profiles: msgspec.Raw = _ABSENT
    interface_name: str = ""
    mac: str | None = None
    ports: msgspec.Raw = _ABSENT


class _Endpoint(_Usual, frozen=True, kw_only=True, tag="WorkloadEndpoint", tag_field="kind"):
    api_version: Literal["projectcalico.org/v3"] = "projectcalico.org/v3"
    metadata: _Metadata
    spec: _EndpointSpec


class _ProfileSpec(_Usual, frozen=True, kw_only=True):
    ingress: msgspec.Raw = _ABSENT
    egress: msgspec.Raw = _ABSENT
    labels_to_apply: Mapping[str, str] = {}


class _Profile(_Usual, frozen=True, kw_only=True, tag="Profile", tag_field="kind"):
    api_version: Literal["projectcalico.org/v3"] = "projectcalico.org/v3"
    metadata: _Metadata
    spec: _ProfileSpec


class LeanEndpoint(NamedTuple):
    """What is needed of an endpoint on another host. Equal labels, profiles and ports are mostly one value."""

    node: str
    labels: Mapping[str, str]
    """As written, valid."""
    orchestrator: str
    service_account_name: str
    networks: tuple[Network, ...]
    profiles: tuple[str, ...]
    ports: tuple[WorkloadEndpointPort, ...]


class LeanProfile(NamedTuple):
    """A profile whose rules are shared with all that are written alike, as those of namespaces are."""

    labels_to_apply: Mapping[str, str]
    ingress: tuple[Rule, ...]
    egress: tuple[Rule, ...]


_endpoints = msgspec.json.Decoder(_Endpoint)
_profiles = msgspec.json.Decoder(_Profile)

_UNUSUAL = (*UNREADABLE, ValueError)


def lean_endpoint(name: str, namespace: str, value: bytes) -> LeanEndpoint | None:
    """What a stored WorkloadEndpoint says, if it is a usual one, under the key of its name."""
    try:
        document = _endpoints.decode(value)
        metadata, spec = document.metadata, document.spec
        if metadata.name != name or metadata.namespace != namespace:
            return None
        if name != endpoint_name(spec.node, spec.orchestrator, spec.pod, spec.endpoint):
            return None
        if spec.mac is not None and not MAC.is_text(spec.mac):
            return None
        networks = tuple(map(_host_network, spec.ip_networks))
        labels = _labels(bytes(metadata.labels))
        profiles = _profile_names(bytes(spec.profiles))
        ports = _ports(bytes(spec.ports))
    except _UNUSUAL:
        return None
    if not (_is_named(metadata) and is_interface_name(spec.interface_name)):
        return None
    return LeanEndpoint(spec.node, labels, spec.orchestrator, spec.service_account_name, networks, profiles, ports)


def lean_profile(name: str, value: bytes) -> LeanProfile | None:
    """What a stored Profile says, if it is a usual one, under the key of its name."""
    try:
        document = _profiles.decode(value)
        ingress, egress = _rules(bytes(document.spec.ingress), bytes(document.spec.egress))
        _labels(bytes(document.metadata.labels))
    except _UNUSUAL:
        return None
    if document.metadata.name != name or document.metadata.namespace or not _is_named(document.metadata):
        return None
    return LeanProfile(document.spec.labels_to_apply, ingress, egress)


# --- parts; a ValueError says that the full reader should look -----------------------------------------------------------


def _is_named(metadata: _Metadata) -> bool:
    return is_dns_subdomain(metadata.name) and _is_namespace(metadata.namespace)


def _host_network(text: str) -> Network:
    network = Network.parse(text)
    if not network.is_host:
        raise ValueError(f"{text} is not one address")
    return network


_label_name_error = functools.lru_cache(maxsize=4096)(label_name_error)
_label_value_error = functools.lru_cache(maxsize=16384)(label_value_error)
_label_maps = msgspec.json.Decoder(dict[str, str])


@functools.lru_cache(maxsize=4096)
def _labels(raw: bytes) -> Mapping[str, str]:
    """Remembered where many pods are alike; where no two are, what is remembered is little."""
    labels = _label_maps.decode(raw) if raw else {}
    for name, value in labels.items():
        if _label_name_error(name) or _label_value_error(value):
            raise ValueError(f"{name}: {value} is not a label")
    return labels


@functools.lru_cache(maxsize=4096)
def _profile_names(raw: bytes) -> tuple[str, ...]:
    return tuple(map(sys.intern, msgspec.json.decode(raw, type=tuple[str, ...]))) if raw else ()


@functools.lru_cache(maxsize=4096)
def _ports(raw: bytes) -> tuple[WorkloadEndpointPort, ...]:
    """Read and judged with the rest of the smallest endpoint that can have them."""
    if not raw:
        return ()
    spec = {"interfaceName": "x", "ports": msgspec.Raw(raw)}
    document = encode_document({"kind": "WorkloadEndpoint", "metadata": {"name": "x"}, "spec": spec})
    endpoint = decode(document, WorkloadEndpoint)
    if any(not violation.at_door_only for violation in check_endpoint_spec(endpoint.spec)):
        raise ValueError("a port is not valid")
    return endpoint.spec.ports


@functools.lru_cache(maxsize=1024)
def _rules(ingress: bytes, egress: bytes) -> tuple[tuple[Rule, ...], tuple[Rule, ...]]:
    spec = {name: msgspec.Raw(raw) for name, raw in (("ingress", ingress), ("egress", egress)) if raw}
    document = {"kind": "Profile", "metadata": {"name": "x"}, "spec": spec}
    profile = stored_resource(kinds.ResourceKey(kinds.PROFILE, "", "x"), encode_document(document))
    assert isinstance(profile, Profile)
    return profile.spec.ingress, profile.spec.egress


@functools.lru_cache(maxsize=4096)
def _is_namespace(name: str) -> bool:
    return not name or is_dns_label(name)
