"""Short ways to write resources in tests: only what a test is about has to be said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from tortie.conversion import interface_name, namespace, workload_endpoint
from tortie.model import kubernetes
from tortie.model.endpoint import WorkloadEndpoint
from tortie.model.meta import HostName, ObjectMeta
from tortie.model.policy import (
    Direction,
    GlobalNetworkPolicy,
    GlobalNetworkPolicySpec,
    NetworkPolicy,
    NetworkPolicySpec,
    Profile,
    ProfileSpec,
    Rule,
    Tier,
    TierSpec,
)
from tortie.net import Network


def namespace_profile(name: str, **labels: str) -> Profile:
    """The profile of a namespace with these labels: its pods may do what no policy governs."""
    return namespace(kubernetes.Namespace(metadata=ObjectMeta(name=name, labels=labels)))


def profile(
    name: str, *, ingress: Sequence[Rule] = (), egress: Sequence[Rule] = (), labels: Mapping[str, str] | None = None
) -> Profile:
    spec = ProfileSpec(ingress=tuple(ingress), egress=tuple(egress), labels_to_apply=labels or {})
    return Profile(metadata=ObjectMeta(name=name), spec=spec)


def pod_endpoint(
    where: str,
    *addresses: str,
    labels: Mapping[str, str] | None = None,
    ports: Mapping[str, tuple[int, str]] | None = None,
    account: str = "",
    node: str = "host-1",
) -> WorkloadEndpoint:
    """The endpoint of pod *where*, ``namespace/name``; *ports* maps a name to its number and protocol."""
    namespace_name, _, name = where.partition("/")
    named = (
        kubernetes.ContainerPort(name=key, container_port=number, protocol=protocol)
        for key, (number, protocol) in (ports or {}).items()
    )
    pod = kubernetes.Pod(
        metadata=ObjectMeta(name=name, namespace=namespace_name, labels=labels or {}),
        spec=kubernetes.PodSpec(
            service_account_name=account, containers=(kubernetes.Container(name="main", ports=tuple(named)),)
        ),
    )
    return workload_endpoint(
        pod,
        node=HostName(node),
        ifname=interface_name(namespace_name, name),
        mac=None,
        networks=tuple(map(Network.parse, addresses)),
    )


def tier(name: str, order: float | None = None, default_action: Literal["Deny", "Pass"] = "Deny") -> Tier:
    return Tier(metadata=ObjectMeta(name=name), spec=TierSpec(order=order, default_action=default_action))


def network_policy(
    where: str,
    *,
    selector: str = "",
    ingress: Sequence[Rule] = (),
    egress: Sequence[Rule] = (),
    types: Sequence[Direction] = (),
    order: float | None = None,
    in_tier: str = "default",
    account_selector: str = "",
) -> NetworkPolicy:
    """The policy *where*, ``namespace/name``."""
    namespace_name, _, name = where.partition("/")
    spec = NetworkPolicySpec(
        tier=in_tier,
        order=order,
        selector=selector,
        service_account_selector=account_selector,
        ingress=tuple(ingress),
        egress=tuple(egress),
        types=tuple(types),
    )
    return NetworkPolicy(metadata=ObjectMeta(name=name, namespace=namespace_name), spec=spec)


def global_network_policy(
    name: str,
    *,
    selector: str = "",
    ingress: Sequence[Rule] = (),
    egress: Sequence[Rule] = (),
    types: Sequence[Direction] = (),
    order: float | None = None,
    in_tier: str = "default",
    namespace_selector: str = "",
    account_selector: str = "",
    untracked: bool = False,
) -> GlobalNetworkPolicy:
    spec = GlobalNetworkPolicySpec(
        tier=in_tier,
        order=order,
        selector=selector,
        namespace_selector=namespace_selector,
        service_account_selector=account_selector,
        ingress=tuple(ingress),
        egress=tuple(egress),
        types=tuple(types),
        do_not_track=untracked,
        apply_on_forward=untracked,
    )
    return GlobalNetworkPolicy(metadata=ObjectMeta(name=name), spec=spec)
