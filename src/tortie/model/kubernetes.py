"""The Kubernetes kinds that policy is made from, as far as we read them; a stored document keeps the rest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from tortie.model.meta import Resource, Value


class LabelSelectorRequirement(Value, frozen=True, kw_only=True):
    key: str
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"]
    values: tuple[str, ...] = ()


class LabelSelector(Value, frozen=True, kw_only=True):
    """Selects objects that have every label of ``match_labels`` and meet every expression; empty selects all."""

    match_labels: Mapping[str, str] = {}
    match_expressions: tuple[LabelSelectorRequirement, ...] = ()


class IPBlock(Value, frozen=True, kw_only=True):
    cidr: str
    except_: tuple[str, ...] = msgspec.field(default=(), name="except")


class NetworkPolicyPeer(Value, frozen=True, kw_only=True):
    pod_selector: LabelSelector | None = None
    namespace_selector: LabelSelector | None = None
    """Absent: the policy's own namespace."""
    ip_block: IPBlock | None = None


class NetworkPolicyPort(Value, frozen=True, kw_only=True):
    protocol: str | None = None
    """TCP, UDP or SCTP; absent: TCP."""
    port: int | str | None = None
    """A number or the name of a container's port; absent: every port."""
    end_port: int | None = None


class NetworkPolicyIngressRule(Value, frozen=True, kw_only=True):
    from_: tuple[NetworkPolicyPeer, ...] = msgspec.field(default=(), name="from")
    """Empty: from everywhere."""
    ports: tuple[NetworkPolicyPort, ...] = ()
    """Empty: every port of every protocol."""


class NetworkPolicyEgressRule(Value, frozen=True, kw_only=True):
    to: tuple[NetworkPolicyPeer, ...] = ()
    ports: tuple[NetworkPolicyPort, ...] = ()


class NetworkPolicySpec(Value, frozen=True, kw_only=True):
    pod_selector: LabelSelector = LabelSelector()
    ingress: tuple[NetworkPolicyIngressRule, ...] = ()
    egress: tuple[NetworkPolicyEgressRule, ...] = ()
    policy_types: tuple[Literal["Ingress", "Egress"], ...] = ()
    """Empty: Ingress, and Egress too where there are egress rules."""


class NetworkPolicy(Resource, frozen=True, kw_only=True, tag="NetworkPolicy"):
    api_version: Literal["networking.k8s.io/v1"] = "networking.k8s.io/v1"
    spec: NetworkPolicySpec = NetworkPolicySpec()


class Namespace(Resource, frozen=True, kw_only=True, tag="Namespace"):
    api_version: Literal["v1"] = "v1"


class ContainerPort(Value, frozen=True, kw_only=True):
    container_port: int
    name: str = ""
    protocol: str = "TCP"
    host_port: int = 0
    host_ip: str = msgspec.field(default="", name="hostIP")


class EnvVar(Value, frozen=True, kw_only=True):
    name: str
    value: str = ""


class Container(Value, frozen=True, kw_only=True):
    name: str
    image: str = ""
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    env: tuple[EnvVar, ...] = ()
    ports: tuple[ContainerPort, ...] = ()


class PodSpec(Value, frozen=True, kw_only=True):
    containers: tuple[Container, ...] = ()
    init_containers: tuple[Container, ...] = ()
    node_name: str = ""
    """The node that runs it; empty until it is scheduled."""
    service_account_name: str = ""
    host_network: bool = False


class PodIP(Value, frozen=True, kw_only=True):
    ip: str


class PodStatus(Value, frozen=True, kw_only=True):
    phase: str = ""
    """Pending, Running, Succeeded or Failed."""
    pod_ip: str = msgspec.field(default="", name="podIP")
    pod_ips: tuple[PodIP, ...] = msgspec.field(default=(), name="podIPs")
    message: str = ""


class Pod(Resource, frozen=True, kw_only=True, tag="Pod"):
    api_version: Literal["v1"] = "v1"
    spec: PodSpec
    status: PodStatus = PodStatus()


class ServicePort(Value, frozen=True, kw_only=True):
    port: int
    name: str = ""
    protocol: str = "TCP"
    target_port: int | str | None = None
    node_port: int | None = None


class ServiceSpec(Value, frozen=True, kw_only=True):
    selector: Mapping[str, str] = {}
    ports: tuple[ServicePort, ...] = ()
    type: str = "ClusterIP"
    cluster_ip: str = msgspec.field(default="", name="clusterIP")


class Service(Resource, frozen=True, kw_only=True, tag="Service"):
    api_version: Literal["v1"] = "v1"
    spec: ServiceSpec
