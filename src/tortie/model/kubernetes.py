"""The Kubernetes kinds that policy is made from, as far as we read them; a stored document keeps the rest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from tortie.model.meta import Resource, Value


class LabelSelectorRequirement(Value, frozen=True, kw_only=True):
    """One condition on one label."""

    key: str
    """The label's name."""
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"]
    """In and NotIn compare with ``values``; NotIn also selects what lacks the label."""
    values: tuple[str, ...] = ()
    """For In and NotIn, at least one; else none."""


class LabelSelector(Value, frozen=True, kw_only=True):
    """Selects objects that have every label of ``match_labels`` and meet every expression; empty selects all."""

    match_labels: Mapping[str, str] = {}
    """Labels that must be there with these values."""
    match_expressions: tuple[LabelSelectorRequirement, ...] = ()
    """Conditions that must all be met."""


class IPBlock(Value, frozen=True, kw_only=True):
    """A network, without parts of it."""

    cidr: str
    """A network such as ``10.0.0.0/8``."""
    except_: tuple[str, ...] = msgspec.field(default=(), name="except")
    """Networks inside ``cidr`` that are left out."""


class NetworkPolicyPeer(Value, frozen=True, kw_only=True):
    """Who may be at the other end: pods by their labels, or addresses.

    ``pod_selector`` alone selects pods of the policy's own namespace, ``namespace_selector`` alone every pod of the namespaces.
    """

    pod_selector: LabelSelector | None = None
    """Pods by their labels; empty selects all."""
    namespace_selector: LabelSelector | None = None
    """Absent: the policy's own namespace."""
    ip_block: IPBlock | None = None
    """Addresses; not together with the selectors."""


class NetworkPolicyPort(Value, frozen=True, kw_only=True):
    """Which ports of a protocol a rule allows."""

    protocol: str | None = None
    """TCP, UDP or SCTP; absent: TCP."""
    port: int | str | None = None
    """A number or the name of a container's port; absent: every port."""
    end_port: int | None = None
    """The last port of a range that begins with ``port``, which is then a number."""


class NetworkPolicyIngressRule(Value, frozen=True, kw_only=True):
    """Allows packets to the pods: from any of the peers, to any of the ports."""

    from_: tuple[NetworkPolicyPeer, ...] = msgspec.field(default=(), name="from")
    """Empty: from everywhere."""
    ports: tuple[NetworkPolicyPort, ...] = ()
    """Empty: every port of every protocol."""


class NetworkPolicyEgressRule(Value, frozen=True, kw_only=True):
    """Allows packets from the pods: to any of the peers, at any of the ports."""

    to: tuple[NetworkPolicyPeer, ...] = ()
    """Empty: to everywhere."""
    ports: tuple[NetworkPolicyPort, ...] = ()
    """Empty: every port of every protocol."""


class NetworkPolicySpec(Value, frozen=True, kw_only=True):
    """Which pods a policy governs, and what it allows them."""

    pod_selector: LabelSelector = LabelSelector()
    """The pods of the namespace that it governs; empty selects all."""
    ingress: tuple[NetworkPolicyIngressRule, ...] = ()
    """What may come in, any rule may allow it. Empty, where Ingress is governed: nothing."""
    egress: tuple[NetworkPolicyEgressRule, ...] = ()
    """What may go out, any rule may allow it. Empty, where Egress is governed: nothing."""
    policy_types: tuple[Literal["Ingress", "Egress"], ...] = ()
    """Empty: Ingress, and Egress too where there are egress rules."""


class NetworkPolicy(Resource, frozen=True, kw_only=True, tag="NetworkPolicy"):
    """Kubernetes' own policy: allows packets to and from the pods that it selects, which may then do nothing else.

    Enforced as a policy ``knp.default.<name>`` of the tier ``default``.
    """

    api_version: Literal["networking.k8s.io/v1"] = "networking.k8s.io/v1"
    spec: NetworkPolicySpec = NetworkPolicySpec()
    """What it governs, and how."""


class Namespace(Resource, frozen=True, kw_only=True, tag="Namespace"):
    """A space of names, whose labels policies select by.

    It becomes a Profile ``kns.<name>``, which gives its pods the labels, prefixed ``pcns.``.
    """

    api_version: Literal["v1"] = "v1"


class LocalObjectReference(Value, frozen=True, kw_only=True):
    """An object of the same namespace."""

    name: str = ""
    """Its name."""


class ServiceAccount(Resource, frozen=True, kw_only=True, tag="ServiceAccount"):
    """An identity that pods run under; policies select them by its name and labels.

    It becomes a Profile ``ksa.<namespace>.<name>``, which gives its pods the labels, prefixed ``pcsa.``.
    """

    api_version: Literal["v1"] = "v1"
    secrets: tuple[LocalObjectReference, ...] = ()
    """Kubernetes' own: secrets that its pods may use."""
    image_pull_secrets: tuple[LocalObjectReference, ...] = ()
    """Kubernetes' own: secrets to fetch images with."""
    automount_service_account_token: bool | None = None
    """Kubernetes' own: whether its pods get a token."""


class ContainerPort(Value, frozen=True, kw_only=True):
    """A port of a container, which rules can name."""

    container_port: int
    """The port's number, 1-65535."""
    name: str = ""
    """What rules call it."""
    protocol: str = "TCP"
    """TCP, UDP or SCTP."""
    host_port: int = 0
    """A port of the host that leads to it; 0: none."""
    host_ip: str = msgspec.field(default="", name="hostIP")
    """The host's address that ``host_port`` belongs to; empty: all."""


class EnvVar(Value, frozen=True, kw_only=True):
    """An environment variable."""

    name: str
    """Its name."""
    value: str = ""
    """Its value."""


class Container(Value, frozen=True, kw_only=True):
    """A program of a pod."""

    name: str = ""
    """Its name, unique in the pod."""
    image: str = ""
    """What it is started from; a lab has no images and starts ``command``."""
    command: tuple[str, ...] = ()
    """The program and its first arguments."""
    args: tuple[str, ...] = ()
    """More arguments."""
    env: tuple[EnvVar, ...] = ()
    """Its environment variables."""
    ports: tuple[ContainerPort, ...] = ()
    """The ports at which it listens."""


class PodSpec(Value, frozen=True, kw_only=True):
    """What a pod runs, and where."""

    containers: tuple[Container, ...] = ()
    """Its programs."""
    init_containers: tuple[Container, ...] = ()
    """Programs that run to their end before the others."""
    node_name: str = ""
    """The node that runs it; empty until it is scheduled."""
    service_account_name: str = ""
    """The identity that it runs under; empty means ``default``."""
    host_network: bool = False
    """It has no interface of its own but the host's, so that pod policy does not govern it."""


class PodIP(Value, frozen=True, kw_only=True):
    """An address of a pod."""

    ip: str
    """The address, IPv4 or IPv6."""


class PodStatus(Value, frozen=True, kw_only=True):
    """What has become of a pod."""

    phase: str = ""
    """Pending, Running, Succeeded or Failed."""
    pod_ip: str = msgspec.field(default="", name="podIP")
    """Its first address."""
    pod_ips: tuple[PodIP, ...] = msgspec.field(default=(), name="podIPs")
    """All its addresses, at most one of each family."""
    message: str = ""
    """Why it is in this phase, for people."""


class Pod(Resource, frozen=True, kw_only=True, tag="Pod"):
    """A workload: programs that share an interface. Of its fields, those that policy, addresses or the lab need are declared."""

    api_version: Literal["v1"] = "v1"
    spec: PodSpec
    """What it runs, and where."""
    status: PodStatus = PodStatus()
    """What has become of it; written by the system."""


class ServicePort(Value, frozen=True, kw_only=True):
    """A port of a service."""

    port: int
    """The service's port."""
    name: str = ""
    """Its name."""
    protocol: str = "TCP"
    """TCP, UDP or SCTP."""
    target_port: int | str | None = None
    """The pods' port, by number or name; absent: the same as ``port``."""
    node_port: int | None = None
    """The port of every host that leads to it."""


class ServiceSpec(Value, frozen=True, kw_only=True):
    """Which pods a service stands for, and at which ports."""

    selector: Mapping[str, str] = {}
    """Labels of its pods."""
    ports: tuple[ServicePort, ...] = ()
    """Its ports."""
    type: str = "ClusterIP"
    """ClusterIP, NodePort, LoadBalancer or ExternalName."""
    cluster_ip: str = msgspec.field(default="", name="clusterIP")
    """Its address inside the cluster; ``None`` for a headless service."""
    cluster_ips: tuple[str, ...] = msgspec.field(default=(), name="clusterIPs")
    """All its addresses inside the cluster, at most one of each family; the first is ``cluster_ip``."""


class Service(Resource, frozen=True, kw_only=True, tag="Service"):
    """A name and address for a set of pods."""

    api_version: Literal["v1"] = "v1"
    spec: ServiceSpec
    """Which pods it stands for, and at which ports."""
