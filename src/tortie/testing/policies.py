"""Random policies in which every supported feature of a rule occurs, over a vocabulary so small that rules really hit.

All of it is valid: what Calico's API refuses (numbered ports without a protocol that has them, nets of two families in one
rule, …) does not occur, because then there is nothing to agree about.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import TypeAlias, TypeVar

from tortie.model import kubernetes
from tortie.model.meta import ObjectMeta
from tortie.model.policy import (
    Action,
    Direction,
    EntityRule,
    GlobalNetworkPolicy,
    GlobalNetworkPolicySpec,
    ICMPFields,
    NetworkPolicy,
    NetworkPolicySpec,
    Profile,
    ProfileSpec,
    Rule,
    ServiceAccountMatch,
)
from tortie.net import ICMP, ICMPV6, SCTP, TCP, UDP, Family, Network, Port, Protocol

Vocabulary: TypeAlias = Mapping[str, tuple[str, ...]]
"""Label names and their possible values."""

LABELS: Vocabulary = {"app": ("web", "db", "cache"), "tier": ("front", "back"), "env": ("prod", "dev")}
"""What workloads may be labelled with."""
NAMESPACE_LABELS: Vocabulary = {"team": ("red", "blue"), "env": ("prod", "dev")}
ACCOUNTS = ("reader", "writer")
ACCOUNT_LABELS: Vocabulary = {"role": ("reader", "admin")}
PORT_NUMBERS = (53, 80, 81, 443, 8080)
PORT_NAMES = ("http", "dns", "admin")
ICMP_TYPES = {Family.V4: (8, 13), Family.V6: (128, 139)}
"""Requests only: connection tracking calls a first packet of any other type invalid, and policy never sees it."""

POLICY_NAMES = ("a9", "a10", "allow-dns", "allow.x", "allow", "b", "zz", "default.c")
"""Chosen for their order in bytes, by which ties are broken."""
ORDERS = (None, 0.0, 10.0, 10.0, 10.5, 1000.0)

Choice = TypeVar("Choice")


def chance(rng: Random, probability: float) -> bool:
    """True that often."""
    return rng.random() < probability


def some(rng: Random, choices: Sequence[Choice], most: int) -> tuple[Choice, ...]:
    """From one to *most* different choices."""
    return tuple(rng.sample(choices, rng.randint(1, min(most, len(choices)))))


# --- selectors -----------------------------------------------------------------------------------------------------------


def random_selector(rng: Random, labels: Vocabulary = LABELS, depth: int = 1) -> str:
    """A selector over *labels*: mostly one comparison, sometimes an expression of several."""
    if depth and chance(rng, 0.3):
        left, right = (random_selector(rng, labels, depth - 1) for _ in range(2))
        return rng.choice((f"{left} && {right}", f"{left} || {right}", f"!({left})", f"({left} || {right}) && {left}"))
    label = rng.choice(list(labels))
    value = rng.choice(labels[label])
    return rng.choice(
        (
            f"{label} == '{value}'",
            f"{label} == '{value}'",
            f"{label} != '{value}'",
            f"has({label})",
            f"!has({label})",
            f"{label} in {{'{value}', 'other'}}",
            f"{label} not in {{'{value}'}}",
            f"{label} starts with '{value[:1]}'",
            f"{label} ends with '{value[-2:]}'",
            f"{label} contains '{value[1:3]}'",
            "all()",
        )
    )


def _namespace_selector(rng: Random, *, in_rule: bool) -> str:
    if in_rule and chance(rng, 0.1):
        return "global()"
    return "all()" if chance(rng, 0.2) else random_selector(rng, NAMESPACE_LABELS)


# --- Calico rules ----------------------------------------------------------------------------------------------------------


def random_rule(rng: Random, nets: Sequence[Network]) -> Rule:
    """Any valid rule; *nets* are those that it may name, of both families."""
    # Half of the rules ask for little: a rule with many criteria hardly ever matches, and then tests nothing that follows it.
    density = rng.choice((0.25, 1.0))
    family = rng.choice((Family.V4, Family.V6)) if chance(rng, 0.4 * density) else None
    protocol = _protocol(rng, family) if chance(rng, 0.7 * density) else None
    if protocol in (ICMP, ICMPV6):
        family = Family.V4 if protocol == ICMP else Family.V6
    maybe_icmp = protocol in (None, ICMP, ICMPV6)
    return Rule(
        action=rng.choices((Action.ALLOW, Action.DENY, Action.PASS, Action.LOG), (55, 20, 15, 10))[0],
        ip_version=(4 if family is Family.V4 else 6) if family is not None and chance(rng, 0.5) else None,
        protocol=protocol,
        not_protocol=rng.choice((TCP, UDP, SCTP)) if protocol is None and chance(rng, 0.15) else None,
        icmp=_icmp(rng, protocol) if protocol in (ICMP, ICMPV6) and chance(rng, 0.5) else None,
        not_icmp=_icmp(rng, protocol) if maybe_icmp and chance(rng, 0.1 * density) else None,
        source=_peer(rng, nets, family, protocol, density, ports=0.05),
        destination=_peer(rng, nets, family, protocol, density, ports=0.7),
    )


def _protocol(rng: Random, family: Family | None) -> Protocol:
    icmp = {None: (ICMP, ICMPV6), Family.V4: (ICMP,), Family.V6: (ICMPV6,)}[family]
    return rng.choice((TCP, TCP, TCP, UDP, SCTP, *icmp))


def _icmp(rng: Random, protocol: Protocol | None) -> ICMPFields:
    families = {ICMP: (Family.V4,), ICMPV6: (Family.V6,)}.get(protocol or TCP, (Family.V4, Family.V6))
    return ICMPFields(type=rng.choice(ICMP_TYPES[rng.choice(families)]), code=rng.choice((None, 0, 1)))


def _peer(
    rng: Random,
    nets: Sequence[Network],
    family: Family | None,
    protocol: Protocol | None,
    density: float,
    *,
    ports: float,
) -> EntityRule:
    # All nets of a rule are of one family; a rule that is for both names nets at neither end.
    of_family = [net for net in nets if net.family is family]
    excluded = [net for net in of_family if net.prefix_len]
    return EntityRule(
        nets=some(rng, of_family, 3) if of_family and chance(rng, 0.4) else (),
        not_nets=some(rng, excluded, 2) if excluded and chance(rng, 0.25) else (),
        selector=random_selector(rng) if chance(rng, 0.3 * density) else "",
        not_selector=random_selector(rng) if chance(rng, 0.1 * density) else "",
        namespace_selector=_namespace_selector(rng, in_rule=True) if chance(rng, 0.2 * density) else "",
        service_accounts=_accounts(rng) if chance(rng, 0.08 * density) else None,
        ports=_ports(rng, protocol) if chance(rng, ports * density) else (),
        not_ports=_ports(rng, protocol) if chance(rng, 0.06 * density) else (),
    )


def _accounts(rng: Random) -> ServiceAccountMatch:
    names = some(rng, ACCOUNTS, 2) if chance(rng, 0.5) else ()
    return ServiceAccountMatch(names=names, selector="" if names else random_selector(rng, ACCOUNT_LABELS))


def _ports(rng: Random, protocol: Protocol | None) -> tuple[Port, ...]:
    named = tuple(Port(name=name) for name in some(rng, (*PORT_NAMES, "nobody"), 2))
    if protocol is None:
        return named
    if not protocol.has_ports:
        return ()
    numbered = (*(Port(number) for number in PORT_NUMBERS), Port(80, 81), Port(400, 9000))
    return some(rng, numbered + named, 3)


# --- policies ------------------------------------------------------------------------------------------------------------


def random_network_policy(
    rng: Random, name: str, namespace: str, tiers: Sequence[str], nets: Sequence[Network]
) -> NetworkPolicy:
    ingress, egress, types = _directions(rng, lambda: random_rule(rng, nets))
    spec = NetworkPolicySpec(
        tier=rng.choice(tiers),
        order=rng.choice(ORDERS),
        selector=random_selector(rng) if chance(rng, 0.6) else "",
        service_account_selector=random_selector(rng, ACCOUNT_LABELS) if chance(rng, 0.1) else "",
        ingress=ingress,
        egress=egress,
        types=types,
    )
    return NetworkPolicy(metadata=ObjectMeta(name=name, namespace=namespace), spec=spec)


def random_global_network_policy(
    rng: Random, name: str, tiers: Sequence[str], nets: Sequence[Network]
) -> GlobalNetworkPolicy:
    ingress, egress, types = _directions(rng, lambda: random_rule(rng, nets))
    untracked = chance(rng, 0.03)
    spec = GlobalNetworkPolicySpec(
        tier=rng.choice(tiers),
        order=rng.choice(ORDERS),
        selector=random_selector(rng) if chance(rng, 0.6) else "",
        namespace_selector=_namespace_selector(rng, in_rule=False) if chance(rng, 0.2) else "",
        service_account_selector=random_selector(rng, ACCOUNT_LABELS) if chance(rng, 0.1) else "",
        ingress=ingress,
        egress=egress,
        types=types,
        do_not_track=untracked,
        apply_on_forward=untracked or chance(rng, 0.1),
    )
    return GlobalNetworkPolicy(metadata=ObjectMeta(name=name), spec=spec)


def _directions(
    rng: Random, rule: Callable[[], Rule]
) -> tuple[tuple[Rule, ...], tuple[Rule, ...], tuple[Direction, ...]]:
    """Ingress rules, egress rules and types; types may be left to their default, or leave a direction's rules out."""
    ingress = tuple(rule() for _ in range(rng.choice((0, 1, 1, 2, 3))))
    egress = tuple(rule() for _ in range(rng.choice((0, 0, 1, 2))))
    types = rng.choice(((), (), (Direction.INGRESS, Direction.EGRESS), (Direction.INGRESS,), (Direction.EGRESS,)))
    return ingress, egress, types


def random_profile(rng: Random, name: str, nets: Sequence[Network]) -> Profile:
    """A profile with rules of its own, and a label that its endpoints may have themselves."""
    ingress, egress, _ = _directions(rng, lambda: random_rule(rng, nets))
    labels = {"env": rng.choice(LABELS["env"])} if chance(rng, 0.5) else {}
    return Profile(
        metadata=ObjectMeta(name=name), spec=ProfileSpec(ingress=ingress, egress=egress, labels_to_apply=labels)
    )


# --- Kubernetes policies -------------------------------------------------------------------------------------------------


def random_kubernetes_policy(
    rng: Random, name: str, namespace: str, nets: Sequence[Network]
) -> kubernetes.NetworkPolicy:
    ingress = tuple(
        kubernetes.NetworkPolicyIngressRule(from_=_kubernetes_peers(rng, nets), ports=_kubernetes_ports(rng))
        for _ in range(rng.choice((0, 1, 1, 2)))
    )
    egress = tuple(
        kubernetes.NetworkPolicyEgressRule(to=_kubernetes_peers(rng, nets), ports=_kubernetes_ports(rng))
        for _ in range(rng.choice((0, 0, 1)))
    )
    spec = kubernetes.NetworkPolicySpec(
        pod_selector=_label_selector(rng, LABELS),
        ingress=ingress,
        egress=egress,
        policy_types=rng.choice(((), ("Ingress",), ("Egress",), ("Ingress", "Egress"))),
    )
    return kubernetes.NetworkPolicy(metadata=ObjectMeta(name=name, namespace=namespace), spec=spec)


def _kubernetes_peers(rng: Random, nets: Sequence[Network]) -> tuple[kubernetes.NetworkPolicyPeer, ...]:
    return tuple(_kubernetes_peer(rng, nets) for _ in range(rng.choice((0, 1, 1, 2))))


def _kubernetes_peer(rng: Random, nets: Sequence[Network]) -> kubernetes.NetworkPolicyPeer:
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


def _kubernetes_ports(rng: Random) -> tuple[kubernetes.NetworkPolicyPort, ...]:
    return tuple(_kubernetes_port(rng) for _ in range(rng.choice((0, 1, 1, 2))))


def _kubernetes_port(rng: Random) -> kubernetes.NetworkPolicyPort:
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
