"""Random policies of Kubernetes' kinds: NetworkPolicy, the same staged, and ClusterNetworkPolicy."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

from tortie.model import kubernetes
from tortie.model.kubernetes_cluster_policy import (
    ClusterNetworkPolicy,
    ClusterNetworkPolicyEgressPeer,
    ClusterNetworkPolicyEgressRule,
    ClusterNetworkPolicyIngressPeer,
    ClusterNetworkPolicyIngressRule,
    ClusterNetworkPolicyPort,
    ClusterNetworkPolicyPorts,
    ClusterNetworkPolicyProtocol,
    ClusterNetworkPolicySpec,
    ClusterNetworkPolicySubject,
    NamespacedPod,
    PortRange,
)
from tortie.model.meta import ObjectMeta
from tortie.model.staged import StagedKubernetesNetworkPolicy, StagedKubernetesNetworkPolicySpec
from tortie.net import Network
from tortie.testing.vocabulary import (
    LABELS,
    NAMESPACE_LABELS,
    PORT_NAMES,
    PORT_NUMBERS,
    Vocabulary,
    chance,
    some,
)


def random_kubernetes_policy(
    rng: Random, name: str, namespace: str, nets: Sequence[Network]
) -> kubernetes.NetworkPolicy:
    spec = kubernetes.NetworkPolicySpec(**_fields(rng, nets))
    return kubernetes.NetworkPolicy(metadata=ObjectMeta(name=name, namespace=namespace), spec=spec)


def random_staged_kubernetes_policy(
    rng: Random, name: str, namespace: str, nets: Sequence[Network]
) -> StagedKubernetesNetworkPolicy:
    spec = StagedKubernetesNetworkPolicySpec(**_fields(rng, nets))
    return StagedKubernetesNetworkPolicy(metadata=ObjectMeta(name=name, namespace=namespace), spec=spec)


def _fields(rng: Random, nets: Sequence[Network]) -> dict[str, Any]:
    return {
        "pod_selector": _label_selector(rng, LABELS),
        "ingress": tuple(
            kubernetes.NetworkPolicyIngressRule(from_=_peers(rng, nets), ports=_ports(rng))
            for _ in range(rng.choice((0, 1, 1, 2)))
        ),
        "egress": tuple(
            kubernetes.NetworkPolicyEgressRule(to=_peers(rng, nets), ports=_ports(rng))
            for _ in range(rng.choice((0, 0, 1)))
        ),
        "policy_types": rng.choice(((), ("Ingress",), ("Egress",), ("Ingress", "Egress"))),
    }


def _peers(rng: Random, nets: Sequence[Network]) -> tuple[kubernetes.NetworkPolicyPeer, ...]:
    return tuple(_peer(rng, nets) for _ in range(rng.choice((0, 1, 1, 2))))


def _peer(rng: Random, nets: Sequence[Network]) -> kubernetes.NetworkPolicyPeer:
    if chance(rng, 0.3):
        net = rng.choice(nets)
        within = [str(other) for other in nets if other != net and net.contains(other)]
        except_ = some(rng, within, 1) if within and chance(rng, 0.5) else ()
        return kubernetes.NetworkPolicyPeer(ip_block=kubernetes.IPBlock(cidr=str(net), except_=except_))
    anywhere = chance(rng, 0.4)
    return kubernetes.NetworkPolicyPeer(
        pod_selector=_label_selector(rng, LABELS) if not anywhere or chance(rng, 0.5) else None,
        namespace_selector=_label_selector(rng, NAMESPACE_LABELS) if anywhere else None,
    )


def _label_selector(rng: Random, labels: Vocabulary) -> kubernetes.LabelSelector:
    key = rng.choice(list(labels))
    requirement = rng.choice(
        (
            kubernetes.LabelSelectorRequirement(key=key, operator="In", values=some(rng, labels[key], 2)),
            kubernetes.LabelSelectorRequirement(key=key, operator="NotIn", values=some(rng, labels[key], 1)),
            kubernetes.LabelSelectorRequirement(key=key, operator="Exists"),
            kubernetes.LabelSelectorRequirement(key=key, operator="DoesNotExist"),
        )
    )
    return rng.choice(
        (
            kubernetes.LabelSelector(),
            kubernetes.LabelSelector(match_labels={key: rng.choice(labels[key])}),
            kubernetes.LabelSelector(match_expressions=(requirement,)),
        )
    )


def _ports(rng: Random) -> tuple[kubernetes.NetworkPolicyPort, ...]:
    return tuple(_port(rng) for _ in range(rng.choice((0, 1, 1, 2))))


def _port(rng: Random) -> kubernetes.NetworkPolicyPort:
    protocol = rng.choice((None, "TCP", "TCP", "UDP", "SCTP"))
    number = rng.choice(PORT_NUMBERS)
    return rng.choice(
        (
            kubernetes.NetworkPolicyPort(protocol=protocol),
            kubernetes.NetworkPolicyPort(protocol=protocol, port=number),
            kubernetes.NetworkPolicyPort(protocol=protocol, port=number, end_port=number + 30),
            kubernetes.NetworkPolicyPort(protocol=protocol, port=rng.choice(PORT_NAMES)),
        )
    )


# --- ClusterNetworkPolicy ------------------------------------------------------------------------------------------------


def random_cluster_network_policy(rng: Random, name: str, nets: Sequence[Network]) -> ClusterNetworkPolicy:
    spec = ClusterNetworkPolicySpec(
        tier=rng.choice(("Admin", "Baseline")),
        priority=rng.choice((5, 10, 10, 1000)),
        subject=ClusterNetworkPolicySubject(**_pods(rng)),
        ingress=tuple(_cluster_ingress(rng) for _ in range(rng.choice((0, 1, 2)))),
        egress=tuple(_cluster_egress(rng, nets) for _ in range(rng.choice((0, 1, 2)))),
    )
    return ClusterNetworkPolicy(metadata=ObjectMeta(name=name), spec=spec)


def _pods(rng: Random) -> dict[str, Any]:
    """Pods by their namespaces alone, or by their own labels too."""
    of_namespaces = _label_selector(rng, NAMESPACE_LABELS)
    if chance(rng, 0.5):
        return {"namespaces": of_namespaces}
    return {"pods": NamespacedPod(namespace_selector=of_namespaces, pod_selector=_label_selector(rng, LABELS))}


def _cluster_ingress(rng: Random) -> ClusterNetworkPolicyIngressRule:
    peers = tuple(ClusterNetworkPolicyIngressPeer(**_pods(rng)) for _ in range(rng.randint(1, 2)))
    return ClusterNetworkPolicyIngressRule(action=_action(rng), from_=peers, protocols=_protocols(rng, may_name=True))


def _cluster_egress(rng: Random, nets: Sequence[Network]) -> ClusterNetworkPolicyEgressRule:
    """To pods, to networks, or to nodes, which nobody can judge by: then what is not an Accept denies everything."""
    action = _action(rng)
    match rng.choices(("pods", "networks", "nodes"), (6, 3, 1))[0]:
        case "pods":
            peer = ClusterNetworkPolicyEgressPeer(**_pods(rng))
        case "networks":
            peer = ClusterNetworkPolicyEgressPeer(networks=tuple(map(str, some(rng, nets, 2))))
        case _:
            peer = ClusterNetworkPolicyEgressPeer(nodes=kubernetes.LabelSelector())
    may_name = not peer.networks and peer.nodes is None
    return ClusterNetworkPolicyEgressRule(action=action, to=(peer,), protocols=_protocols(rng, may_name=may_name))


def _action(rng: Random) -> Any:
    return rng.choice(("Accept", "Accept", "Deny", "Pass"))


def _protocols(rng: Random, *, may_name: bool) -> tuple[ClusterNetworkPolicyProtocol, ...]:
    return tuple(_protocol(rng, may_name=may_name) for _ in range(rng.choice((0, 0, 1, 2))))


def _protocol(rng: Random, *, may_name: bool) -> ClusterNetworkPolicyProtocol:
    if may_name and chance(rng, 0.3):
        return ClusterNetworkPolicyProtocol(destination_named_port=rng.choice(PORT_NAMES))
    number = rng.choice(PORT_NUMBERS)
    in_range = chance(rng, 0.3)
    port = ClusterNetworkPolicyPort(
        number=0 if in_range else number, range=PortRange(start=number, end=number + 30) if in_range else None
    )
    protocol = rng.choice(("tcp", "tcp", "udp", "sctp"))
    of_protocol: dict[str, Any] = {protocol: ClusterNetworkPolicyPorts(destination_port=port)}
    return ClusterNetworkPolicyProtocol(**of_protocol)
