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
from tortie.conversion.names import derived_name
from tortie.conversion.ports import merged_ports
from tortie.conversion.uid import derived_uid
from tortie.model.kubernetes import LabelSelector
from tortie.model.kubernetes_cluster_policy import (
    ClusterNetworkPolicy,
    ClusterNetworkPolicyEgressPeer,
    ClusterNetworkPolicyEgressRule,
    ClusterNetworkPolicyIngressPeer,
    ClusterNetworkPolicyIngressRule,
    ClusterNetworkPolicyPorts,
    ClusterNetworkPolicyProtocol,
    NamespacedPod,
)
from tortie.model.meta import ObjectMeta
from tortie.model.policy import (
    Action,
    Direction,
    EntityRule,
    GlobalNetworkPolicy,
    GlobalNetworkPolicySpec,
    Rule,
    RuleMetadata,
)
from tortie.net import SCTP, TCP, UDP, Network, Port, Protocol

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
    ingress, egress = tuple(_ingress(spec.ingress, errors)), tuple(_egress(spec.egress, errors))
    policy = GlobalNetworkPolicy(
        metadata=ObjectMeta(
            name=derived_name(f"kcnp.{spec.tier.lower()}.", source.metadata.name),
            uid=derived_uid(source.metadata.uid),
            creation_timestamp=source.metadata.creation_timestamp,
        ),
        spec=GlobalNetworkPolicySpec(
            tier=TIERS[spec.tier],
            order=float(spec.priority),
            selector=pods,
            namespace_selector=namespaces,
            types=_types(bool(spec.ingress), bool(spec.egress)),
            ingress=ingress,
            egress=egress,
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


def _ingress(rules: Iterable[ClusterNetworkPolicyIngressRule], errors: list[str]) -> Iterator[Rule]:
    for index, rule in enumerate(rules):
        try:
            ends = [_peer(peer) for peer in _some(rule.from_)]
            ports = _ports_by_protocol(rule.protocols)
        except ConversionError as error:
            yield from _closed(rule, f"spec.ingress[{index}]", error, errors)
            continue
        for protocol, numbers in ports.items():
            for end in ends:
                yield _rule(rule, protocol, source=end, destination=EntityRule(ports=numbers))


def _egress(rules: Iterable[ClusterNetworkPolicyEgressRule], errors: list[str]) -> Iterator[Rule]:
    for index, rule in enumerate(rules):
        try:
            ends = [_peer(peer) for peer in _some(rule.to)]
            ports = _ports_by_protocol(rule.protocols)
        except ConversionError as error:
            yield from _closed(rule, f"spec.egress[{index}]", error, errors)
            continue
        for protocol, numbers in ports.items():
            for end in ends:
                yield _rule(
                    rule, protocol, source=EntityRule(), destination=msgspec.structs.replace(end, ports=numbers)
                )


def _rule(
    rule: ClusterNetworkPolicyIngressRule | ClusterNetworkPolicyEgressRule,
    protocol: Protocol | None,
    *,
    source: EntityRule,
    destination: EntityRule,
) -> Rule:
    metadata = RuleMetadata(annotations={"name": rule.name}) if rule.name else None
    action = _ACTIONS[rule.action]
    return Rule(action=action, protocol=protocol, source=source, destination=destination, metadata=metadata)


def _closed(
    rule: ClusterNetworkPolicyIngressRule | ClusterNetworkPolicyEgressRule,
    place: str,
    error: ConversionError,
    errors: list[str],
) -> Iterator[Rule]:
    """What stands for a rule that cannot be read."""
    if rule.action == "Accept":
        errors.append(f"{place} is left out, and accepts nothing: {error}")
        return
    errors.append(f"{place} denies everything in its place: {error}")
    yield Rule(action=Action.DENY)


# --- peers and ports -------------------------------------------------------------------------------------------------------

_Peer = ClusterNetworkPolicyIngressPeer | ClusterNetworkPolicyEgressPeer


def _some(peers: tuple[_Peer, ...]) -> tuple[_Peer, ...]:
    if not peers:
        raise ConversionError("there is no peer; expected at least one")
    return peers


def _peer(peer: _Peer) -> EntityRule:
    given = [peer.namespaces, peer.pods]
    networks: tuple[str, ...] = ()
    if isinstance(peer, ClusterNetworkPolicyEgressPeer):
        networks = peer.networks
        if peer.nodes is not None or peer.domain_names:
            raise ConversionError("peers by nodes and domainNames are not supported")
    if sum(value is not None for value in given) + bool(networks) != 1:
        raise ConversionError("expected exactly one field in a peer, and one that is known")
    if networks:
        return EntityRule(nets=tuple(_network(text) for text in networks))
    # Namespaces alone select all that they hold; Calico does not say "pods" here, so neither do we.
    if peer.pods is None:
        return EntityRule(namespace_selector=namespace_selector(peer.namespaces))
    selector, namespaces = _pods(None, peer.pods)
    return EntityRule(selector=selector, namespace_selector=namespaces)


def _network(text: str) -> Network:
    if "/" not in text:
        raise ConversionError(f"networks: {text!r} has no prefix length; expected a network such as 10.0.0.0/8")
    try:
        return Network.parse(text, strict=False)
    except ValueError as error:
        raise ConversionError(f"networks: {error}") from error


def _ports_by_protocol(
    protocols: Iterable[ClusterNetworkPolicyProtocol],
) -> Mapping[Protocol | None, tuple[Port, ...]]:
    """Ports for each protocol, by its name's order; names of ports come first and have none, for pods give them theirs."""
    found: dict[Protocol | None, list[Port] | None] = {}
    for item in protocols:
        for protocol, port in _ports(item):
            listed = found.setdefault(protocol, [])
            if port is None:
                found[protocol] = None
            elif listed is not None:
                listed.append(port)
    if not found:
        return {None: ()}
    ordered = sorted(found, key=lambda protocol: "" if protocol is None else str(protocol))
    return {protocol: merged_ports(found[protocol] or ()) for protocol in ordered}


def _ports(item: ClusterNetworkPolicyProtocol) -> Iterator[tuple[Protocol | None, Port | None]]:
    """The port of one item, its protocol before it; None for every port."""
    given = [(protocol, ports) for protocol, ports in ((TCP, item.tcp), (UDP, item.udp), (SCTP, item.sctp)) if ports]
    if len(given) + bool(item.destination_named_port) != 1:
        raise ConversionError("protocols: expected exactly one of tcp, udp, sctp and destinationNamedPort")
    if item.destination_named_port:
        yield None, Port(name=item.destination_named_port)
    for protocol, ports in given:
        yield protocol, _port(ports)


def _port(ports: ClusterNetworkPolicyPorts) -> Port | None:
    port = ports.destination_port
    if port is None:
        return None
    try:
        if (port.range is None) == (port.number == 0):
            raise ConversionError("destinationPort: expected exactly one of number and range")
        return Port(port.number) if port.range is None else Port(port.range.start, port.range.end)
    except ConversionError:
        raise
    except ValueError as error:
        raise ConversionError(f"destinationPort: {error}") from error
