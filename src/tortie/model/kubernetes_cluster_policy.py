"""Kubernetes' ClusterNetworkPolicy (network-policy-api v1alpha2): policy of administrators, before and after NetworkPolicies.

What its CRD refuses is refused by the checks, not by the types, where a conversion has an answer to it (an unknown tier).
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from tortie.model.kubernetes import LabelSelector
from tortie.model.meta import Resource, Value

RuleAction = Literal["Accept", "Deny", "Pass"]


class NamespacedPod(Value, frozen=True, kw_only=True):
    """Pods, by the labels of their namespaces and their own."""

    namespace_selector: LabelSelector = LabelSelector()
    """Which namespaces; empty selects all of them."""
    pod_selector: LabelSelector = LabelSelector()
    """Which pods of those namespaces; empty selects all of them."""


class ClusterNetworkPolicySubject(Value, frozen=True, kw_only=True):
    """The pods that a policy governs; exactly one field is given. Pods of the host's network are never among them."""

    namespaces: LabelSelector | None = None
    """All pods of these namespaces; an empty selector means every namespace."""
    pods: NamespacedPod | None = None
    """Some pods of some namespaces."""


class ClusterNetworkPolicyIngressPeer(Value, frozen=True, kw_only=True):
    """Where traffic comes from; exactly one field is given."""

    namespaces: LabelSelector | None = None
    """All pods of these namespaces."""
    pods: NamespacedPod | None = None
    """Some pods of some namespaces."""


class ClusterNetworkPolicyEgressPeer(Value, frozen=True, kw_only=True):
    """Where traffic goes to; exactly one field is given."""

    namespaces: LabelSelector | None = None
    """All pods of these namespaces."""
    pods: NamespacedPod | None = None
    """Some pods of some namespaces."""
    nodes: LabelSelector | None = None
    """The addresses of these nodes. Not enforced, as in Calico: such an Accept rule is left out, a Deny or Pass denies all."""
    networks: tuple[str, ...] = ()
    """IPv4 and IPv6 networks, pods' addresses included; at most 25."""
    domain_names: tuple[str, ...] = ()
    """Names such as ``example.com`` and ``*.example.com``, in Accept rules only. Not enforced, as in Calico: the rule is left out."""


class PortRange(Value, frozen=True, kw_only=True):
    """All ports from ``start`` to ``end``, both included."""

    start: int
    """The first port, 1-65535."""
    end: int
    """The last port, greater than ``start``."""


class ClusterNetworkPolicyPort(Value, frozen=True, kw_only=True):
    """One port or a range; exactly one field is given."""

    number: int = 0
    """A port, 1-65535."""
    range: PortRange | None = None
    """A range of ports."""


class ClusterNetworkPolicyPorts(Value, frozen=True, kw_only=True):
    """What is asked of packets of one protocol."""

    destination_port: ClusterNetworkPolicyPort | None = None
    """The port that they go to."""


class ClusterNetworkPolicyProtocol(Value, frozen=True, kw_only=True):
    """A protocol with its ports, or a port's name; exactly one field is given."""

    tcp: ClusterNetworkPolicyPorts | None = None
    """TCP to a port."""
    udp: ClusterNetworkPolicyPorts | None = None
    """UDP to a port."""
    sctp: ClusterNetworkPolicyPorts | None = None
    """SCTP to a port."""
    destination_named_port: str = ""
    """The name of a container's port, with the protocol that the pod gives it; not with networks, nodes or domainNames."""


class ClusterNetworkPolicyIngressRule(Value, frozen=True, kw_only=True):
    """What to do with traffic to the subject; the first rule that matches decides."""

    name: str = ""
    """For people: at most 100 characters."""
    action: RuleAction
    """Accept and Deny decide at once; Pass goes on with the next tier: NetworkPolicies, then Baseline."""
    from_: tuple[ClusterNetworkPolicyIngressPeer, ...] = msgspec.field(default=(), name="from")
    """Where it comes from, any of 1-25."""
    protocols: tuple[ClusterNetworkPolicyProtocol, ...] = ()
    """Any of at most 25; absent: all traffic."""


class ClusterNetworkPolicyEgressRule(Value, frozen=True, kw_only=True):
    """What to do with traffic from the subject; the first rule that matches decides."""

    name: str = ""
    """For people: at most 100 characters."""
    action: RuleAction
    """Accept and Deny decide at once; Pass goes on with the next tier: NetworkPolicies, then Baseline."""
    to: tuple[ClusterNetworkPolicyEgressPeer, ...] = ()
    """Where it goes to, any of 1-25."""
    protocols: tuple[ClusterNetworkPolicyProtocol, ...] = ()
    """Any of at most 25; absent: all traffic."""


ClusterNetworkPolicyPeer: TypeAlias = ClusterNetworkPolicyIngressPeer | ClusterNetworkPolicyEgressPeer
ClusterNetworkPolicyRule: TypeAlias = ClusterNetworkPolicyIngressRule | ClusterNetworkPolicyEgressRule


def peers_of(rule: ClusterNetworkPolicyRule) -> tuple[ClusterNetworkPolicyPeer, ...]:
    """The other ends of what a rule of either direction matches."""
    return rule.from_ if isinstance(rule, ClusterNetworkPolicyIngressRule) else rule.to


class ClusterNetworkPolicySpec(Value, frozen=True, kw_only=True):
    """One policy: its place in the order, its pods, its rules."""

    tier: str
    """Admin is asked before all NetworkPolicies, Baseline after them, for what none of them decides."""
    priority: int = 0
    """0-1000, must be given; in a tier, lower is earlier."""
    subject: ClusterNetworkPolicySubject
    """The pods that it governs."""
    ingress: tuple[ClusterNetworkPolicyIngressRule, ...] = ()
    """At most 25; absent: ingress traffic is left to others."""
    egress: tuple[ClusterNetworkPolicyEgressRule, ...] = ()
    """At most 25; absent: egress traffic is left to others."""


class ClusterNetworkPolicy(Resource, frozen=True, kw_only=True, tag="ClusterNetworkPolicy"):
    """An administrator's policy for pods of any namespace; it becomes a GlobalNetworkPolicy ``kcnp.<tier>.<name>``."""

    api_version: Literal["policy.networking.k8s.io/v1alpha2"] = "policy.networking.k8s.io/v1alpha2"
    spec: ClusterNetworkPolicySpec
    """Which pods, and what is allowed to and from them."""
