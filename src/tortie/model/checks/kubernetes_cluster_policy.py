"""Kubernetes' ClusterNetworkPolicy, as its CRD validates it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from tortie.model.checks.kubernetes import check_label_selector
from tortie.model.checks.metadata import check_port_name, check_port_number
from tortie.model.checks.violation import Violation, at_most, distinct, one_of, under
from tortie.model.codec import Document
from tortie.model.fieldvalues import cidr_network
from tortie.model.kubernetes import LabelSelector
from tortie.model.kubernetes_cluster_policy import (
    ClusterNetworkPolicyEgressPeer,
    ClusterNetworkPolicyEgressRule,
    ClusterNetworkPolicyPeer,
    ClusterNetworkPolicyPort,
    ClusterNetworkPolicyProtocol,
    ClusterNetworkPolicyRule,
    ClusterNetworkPolicySpec,
    NamespacedPod,
    PortRange,
    peers_of,
)

TIERS = ("Admin", "Baseline")
MAX_PRIORITY = 1000

_DOMAIN_LABEL = "[a-zA-Z0-9]([-a-zA-Z0-9_]*[a-zA-Z0-9])?"
_DOMAIN_NAME = re.compile(rf"(\*\.)?({_DOMAIN_LABEL}\.)+{_DOMAIN_LABEL}\.?")


def check_cluster_policy_spec(spec: ClusterNetworkPolicySpec) -> Iterator[Violation]:
    """Order, subject and rules."""
    yield from one_of(("tier",), spec.tier, TIERS)
    if not 0 <= spec.priority <= MAX_PRIORITY:
        yield Violation(("priority",), f"{spec.priority} is not a priority 0-{MAX_PRIORITY}")
    subject = spec.subject
    yield from under(("subject",), _exactly_one({"namespaces": subject.namespaces, "pods": subject.pods}))
    yield from under(("subject",), _check_pods(subject.namespaces, subject.pods))
    yield from at_most(("ingress",), spec.ingress, 25)
    yield from at_most(("egress",), spec.egress, 25)
    for index, ingress in enumerate(spec.ingress):
        yield from under(("ingress", index), _check_rule(ingress, "from"))
    for index, egress in enumerate(spec.egress):
        yield from under(("egress", index), _check_rule(egress, "to"))
        yield from under(("egress", index), _check_egress(egress))


def check_priority_given(document: Document) -> Iterator[Violation]:
    """A priority is never implied."""
    if "priority" not in (document.get("spec") or {}):
        yield Violation(("spec", "priority"), f"priority is missing; expected 0-{MAX_PRIORITY}")


# --- rules -----------------------------------------------------------------------------------------------------------------


def _check_rule(rule: ClusterNetworkPolicyRule, field: str) -> Iterator[Violation]:
    peers = peers_of(rule)
    if len(rule.name) > 100:
        message = f"{len(rule.name)} characters are too many for a rule's name; at most 100 are allowed"
        yield Violation(("name",), message, at_door_only=True)
    if not peers:
        yield Violation((field,), f"{field} needs at least one peer; for all pods, write namespaces: {{}}")
    yield from at_most((field,), peers, 25)
    yield from at_most(("protocols",), rule.protocols, 25)
    for index, peer in enumerate(peers):
        yield from under((field, index), _check_peer(peer))
    for index, protocol in enumerate(rule.protocols):
        yield from under(("protocols", index), _check_protocol(protocol))


def _check_egress(rule: ClusterNetworkPolicyEgressRule) -> Iterator[Violation]:
    """What pods have and other peers do not; what names can do and addresses can."""
    portless = any(peer.networks or peer.nodes is not None or peer.domain_names for peer in rule.to)
    for index, protocol in enumerate(rule.protocols):
        if portless and protocol.destination_named_port:
            message = "networks, nodes and domainNames have no named ports; write the port's number"
            yield Violation(("protocols", index, "destinationNamedPort"), message)
    for index, peer in enumerate(rule.to):
        if peer.domain_names and rule.action != "Accept":
            yield Violation(("to", index, "domainNames"), f"domainNames can only be accepted, not {rule.action}")


# --- peers -----------------------------------------------------------------------------------------------------------------


def _check_peer(peer: ClusterNetworkPolicyPeer) -> Iterator[Violation]:
    given: dict[str, object] = {"namespaces": peer.namespaces, "pods": peer.pods}
    yield from _check_pods(peer.namespaces, peer.pods)
    if isinstance(peer, ClusterNetworkPolicyEgressPeer):
        given |= {"nodes": peer.nodes, "networks": peer.networks or None, "domainNames": peer.domain_names or None}
        yield from _check_outside(peer)
    yield from _exactly_one(given)


def _check_pods(namespaces: LabelSelector | None, pods: NamespacedPod | None) -> Iterator[Violation]:
    if namespaces is not None:
        yield from under(("namespaces",), check_label_selector(namespaces))
    if pods is not None:
        yield from under(("pods", "namespaceSelector"), check_label_selector(pods.namespace_selector))
        yield from under(("pods", "podSelector"), check_label_selector(pods.pod_selector))


def _check_outside(peer: ClusterNetworkPolicyEgressPeer) -> Iterator[Violation]:
    if peer.nodes is not None:
        yield from under(("nodes",), check_label_selector(peer.nodes))
    for field, items in (("networks", peer.networks), ("domainNames", peer.domain_names)):
        yield from at_most((field,), items, 25)
        yield from distinct((field,), items)
    for index, text in enumerate(peer.networks):
        try:
            cidr_network(text, strict=False)
        except ValueError as error:
            yield Violation(("networks", index), str(error))
    for index, text in enumerate(peer.domain_names):
        if not _DOMAIN_NAME.fullmatch(text):
            yield Violation(("domainNames", index), f"{text!r} is not a name such as example.com or *.example.com")


# --- ports -----------------------------------------------------------------------------------------------------------------


def _check_protocol(protocol: ClusterNetworkPolicyProtocol) -> Iterator[Violation]:
    by_name = {"tcp": protocol.tcp, "udp": protocol.udp, "sctp": protocol.sctp}
    named = protocol.destination_named_port
    yield from _exactly_one({**by_name, "destinationNamedPort": named or None})
    if named:
        yield from check_port_name(("destinationNamedPort",), named)
    for name, ports in by_name.items():
        if ports is None:
            continue
        if ports.destination_port is None:
            yield Violation((name,), f"{name} needs destinationPort")
        else:
            yield from under((name, "destinationPort"), _check_port(ports.destination_port))


def _check_port(port: ClusterNetworkPolicyPort) -> Iterator[Violation]:
    yield from _exactly_one({"number": port.number or None, "range": port.range})
    if port.number:
        yield from check_port_number(("number",), port.number)
    if port.range is not None:
        yield from under(("range",), _check_range(port.range))


def _check_range(ports: PortRange) -> Iterator[Violation]:
    for field, number in (("start", ports.start), ("end", ports.end)):
        yield from check_port_number((field,), number)
    if ports.start >= ports.end:
        yield Violation(("end",), f"{ports.end} is not greater than the range's start, {ports.start}")


def _exactly_one(fields: Mapping[str, object]) -> Iterator[Violation]:
    given = [name for name, value in fields.items() if value is not None]
    if len(given) != 1:
        found = f"{' and '.join(given)} exclude each other" if given else "nothing is given"
        yield Violation((given[1],) if given else (), f"{found}; expected one of {', '.join(fields)}")
