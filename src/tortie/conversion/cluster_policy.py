"""A Kubernetes ClusterNetworkPolicy as a Calico GlobalNetworkPolicy of the tier kube-admin or kube-baseline.

A rule that cannot be read fails closed, as its API asks for: an Accept is left out, and a Deny or Pass denies everything,
since what follows it might accept what it would have stopped.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import msgspec

from tortie.conversion.errors import ConversionError
from tortie.conversion.label_selector import namespace_selector, pod_selector
from tortie.conversion.names import derived_metadata
from tortie.conversion.networks import network
from tortie.conversion.ports import merged_by_protocol
from tortie.model.kubernetes import LabelSelector
from tortie.model.kubernetes_cluster_policy import (
    ClusterNetworkPolicy,
    ClusterNetworkPolicyEgressPeer,
    ClusterNetworkPolicyIngressRule,
    ClusterNetworkPolicyPeer,
    ClusterNetworkPolicyPorts,
    ClusterNetworkPolicyProtocol,
    ClusterNetworkPolicyRule,
    NamespacedPod,
    peers_of,
)
from tortie.model.policy import (
    Action,
    Direction,
    EntityRule,
    GlobalNetworkPolicy,
    GlobalNetworkPolicySpec,
    Rule,
    RuleMetadata,
)
from tortie.net import SCTP, TCP, UDP, Port, Protocol

TIERS: Mapping[str, str] = {"Admin": "kube-admin", "Baseline": "kube-baseline"}
"""Calico's tier for each of Kubernetes'."""

_ACTIONS = {"Accept": Action.ALLOW, "Deny": Action.DENY, "Pass": Action.PASS}


class ClusterConversion(NamedTuple):
    """The policy that is meant, and what of it had to be left out or closed."""

    policy: GlobalNetworkPolicy | None
    """None for a tier that does not exist: such a policy means nothing, in Calico too."""
    errors: tuple[str, ...]
    """One sentence for each rule that could not be read, with its place."""


def cluster_network_policy(source: ClusterNetworkPolicy) -> ClusterConversion:
    """The Calico policy that *source* means: ``kcnp.<tier>.<name>``, its order the priority.

    Rules of a direction come for each protocol (names of ports first) and peer. ConversionError if it cannot be told
    which pods it governs.
    """
    spec = source.spec
    if spec.tier not in TIERS:
        return ClusterConversion(None, (f"spec.tier: {spec.tier!r} is not one of {', '.join(TIERS)}",))
    errors: list[str] = []
    pods, namespaces = _subject(source)
    policy = GlobalNetworkPolicy(
        metadata=derived_metadata(f"kcnp.{spec.tier.lower()}.", source.metadata),
        spec=GlobalNetworkPolicySpec(
            tier=TIERS[spec.tier],
            order=float(spec.priority),
            selector=pods,
            namespace_selector=namespaces,
            types=_types(bool(spec.ingress), bool(spec.egress)),
            ingress=tuple(_rules(spec.ingress, "spec.ingress", errors)),
            egress=tuple(_rules(spec.egress, "spec.egress", errors)),
        ),
    )
    return ClusterConversion(policy, tuple(errors))


def _types(ingress: bool, egress: bool) -> tuple[Direction, ...]:
    """Of the rules as written: a direction is governed even if all of its rules had to be left out."""
    directions = ((Direction.INGRESS, ingress), (Direction.EGRESS, egress))
    return tuple(direction for direction, governed in directions if governed)


def _subject(source: ClusterNetworkPolicy) -> tuple[str, str]:
    subject = source.spec.subject
    try:
        if (subject.namespaces is None) == (subject.pods is None):
            raise ConversionError("expected exactly one of namespaces and pods")
        return _pods(subject.namespaces, subject.pods)
    except ConversionError as error:
        raise ConversionError(f"spec.subject: {error}") from error


def _pods(namespaces: LabelSelector | None, pods: NamespacedPod | None) -> tuple[str, str]:
    """The selectors of pods and of namespaces."""
    if pods is not None:
        return pod_selector(pods.pod_selector), namespace_selector(pods.namespace_selector)
    return pod_selector(None), namespace_selector(namespaces)


# --- rules -----------------------------------------------------------------------------------------------------------------


def _rules(rules: Iterable[ClusterNetworkPolicyRule], place: str, errors: list[str]) -> Iterator[Rule]:
    for index, rule in enumerate(rules):
        try:
            yield from _meant(rule)
        except ConversionError as error:
            yield from _closed(rule, f"{place}[{index}]", error, errors)


def _meant(rule: ClusterNetworkPolicyRule) -> list[Rule]:
    """All that one rule means, or ConversionError."""
    if not peers_of(rule):
        raise ConversionError("there is no peer; expected at least one")
    ends = [_peer(peer) for peer in peers_of(rule)]
    ports = merged_by_protocol(map(_port_of, rule.protocols)) or {None: ()}
    return [_rule(rule, end, protocol, numbers) for protocol, numbers in ports.items() for end in ends]


def _rule(rule: ClusterNetworkPolicyRule, peer: EntityRule, protocol: Protocol | None, ports: tuple[Port, ...]) -> Rule:
    if isinstance(rule, ClusterNetworkPolicyIngressRule):
        source, destination = peer, EntityRule(ports=ports)
    else:
        source, destination = EntityRule(), msgspec.structs.replace(peer, ports=ports)
    metadata = RuleMetadata(annotations={"name": rule.name}) if rule.name else None
    action = _ACTIONS[rule.action]
    return Rule(action=action, protocol=protocol, source=source, destination=destination, metadata=metadata)


def _closed(rule: ClusterNetworkPolicyRule, place: str, error: ConversionError, errors: list[str]) -> Iterator[Rule]:
    """What stands for a rule that cannot be read."""
    if rule.action == "Accept":
        errors.append(f"{place} is left out, and accepts nothing: {error}")
        return
    errors.append(f"{place} denies everything in its place: {error}")
    yield Rule(action=Action.DENY)


# --- peers and ports -------------------------------------------------------------------------------------------------------


def _peer(peer: ClusterNetworkPolicyPeer) -> EntityRule:
    given = [peer.namespaces, peer.pods]
    networks: tuple[str, ...] = ()
    if isinstance(peer, ClusterNetworkPolicyEgressPeer):
        networks = peer.networks
        if peer.nodes is not None or peer.domain_names:
            raise ConversionError("peers by nodes and domainNames are not supported")
    if sum(value is not None for value in given) + bool(networks) != 1:
        raise ConversionError("expected exactly one field in a peer, and one that is known")
    if networks:
        return EntityRule(nets=tuple(network(text, "networks") for text in networks))
    # Namespaces alone select all that they hold; Calico does not say "pods" here, so neither do we.
    if peer.pods is None:
        return EntityRule(namespace_selector=namespace_selector(peer.namespaces))
    selector, namespaces = _pods(None, peer.pods)
    return EntityRule(selector=selector, namespace_selector=namespaces)


def _port_of(item: ClusterNetworkPolicyProtocol) -> tuple[Protocol | None, Port | None]:
    """The protocol and port of one item: no protocol for a port's name, which pods give theirs, and no port for all of them."""
    given = [(protocol, ports) for protocol, ports in ((TCP, item.tcp), (UDP, item.udp), (SCTP, item.sctp)) if ports]
    if len(given) + bool(item.destination_named_port) != 1:
        raise ConversionError("protocols: expected exactly one of tcp, udp, sctp and destinationNamedPort")
    if item.destination_named_port:
        return None, Port(name=item.destination_named_port)
    ((protocol, ports),) = given
    return protocol, _port(ports)


def _port(ports: ClusterNetworkPolicyPorts) -> Port | None:
    port = ports.destination_port
    if port is None:
        return None
    if (port.range is None) == (port.number == 0):
        raise ConversionError("destinationPort: expected exactly one of number and range")
    try:
        return Port(port.number) if port.range is None else Port(port.range.start, port.range.end)
    except ValueError as error:
        raise ConversionError(f"destinationPort: {error}") from error
