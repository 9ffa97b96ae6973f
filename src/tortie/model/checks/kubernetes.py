"""Kubernetes' NetworkPolicy, as its API server validates it: what it refuses must not mean something here."""

from __future__ import annotations

from collections.abc import Iterator

from tortie.model.checks.metadata import (
    check_labels,
    check_port_name,
    check_port_number,
    label_name_error,
    label_value_error,
)
from tortie.model.checks.violation import Violation, distinct, one_of, under
from tortie.model.fieldpath import FieldPath
from tortie.model.fieldvalues import cidr_network
from tortie.model.kubernetes import (
    IPBlock,
    LabelSelector,
    LabelSelectorRequirement,
    NetworkPolicyPeer,
    NetworkPolicyPort,
    NetworkPolicySpec,
    PodSpec,
)


def check_kubernetes_policy_spec(spec: NetworkPolicySpec) -> Iterator[Violation]:
    """Selectors, peers and ports of a NetworkPolicy. Its networks may have host bits."""
    yield from under(("podSelector",), check_label_selector(spec.pod_selector))
    yield from distinct(("policyTypes",), spec.policy_types)
    for index, ingress in enumerate(spec.ingress):
        yield from _check_both(("ingress", index), "from", ingress.from_, ingress.ports)
    for index, egress in enumerate(spec.egress):
        yield from _check_both(("egress", index), "to", egress.to, egress.ports)


def check_pod_spec(spec: PodSpec) -> Iterator[Violation]:
    """What every container needs. Conversion can do without, so the declaration does not ask for it."""
    for field, containers in (("containers", spec.containers), ("initContainers", spec.init_containers)):
        for index, container in enumerate(containers):
            if not container.name:
                yield Violation((field, index, "name"), "name is missing; a container needs one", at_door_only=True)


def _check_both(
    path: FieldPath, field: str, peers: tuple[NetworkPolicyPeer, ...], ports: tuple[NetworkPolicyPort, ...]
) -> Iterator[Violation]:
    for index, peer in enumerate(peers):
        yield from under((*path, field, index), _check_peer(peer))
    for index, port in enumerate(ports):
        yield from under((*path, "ports", index), _check_port(port))


def _check_peer(peer: NetworkPolicyPeer) -> Iterator[Violation]:
    selectors = (("podSelector", peer.pod_selector), ("namespaceSelector", peer.namespace_selector))
    given = [(field, selector) for field, selector in selectors if selector is not None]
    for field, selector in given:
        yield from under((field,), check_label_selector(selector))
    if peer.ip_block is not None:
        yield from under(("ipBlock",), _check_ip_block(peer.ip_block))
        if given:
            yield Violation(("ipBlock",), "ipBlock excludes podSelector and namespaceSelector")
    elif not given:
        yield Violation((), "a peer needs podSelector, namespaceSelector or ipBlock")


def _check_ip_block(block: IPBlock) -> Iterator[Violation]:
    try:
        whole = cidr_network(block.cidr, strict=False)
    except ValueError as error:
        yield Violation(("cidr",), str(error))
        return
    for index, text in enumerate(block.except_):
        try:
            part = cidr_network(text, strict=False)
        except ValueError as error:
            yield Violation(("except", index), str(error))
            continue
        if not whole.contains(part) or part == whole:
            yield Violation(("except", index), f"{text} is not a part of {block.cidr}")


def _check_port(port: NetworkPolicyPort) -> Iterator[Violation]:
    if port.protocol is not None:
        yield from one_of(("protocol",), port.protocol, ("TCP", "UDP", "SCTP"))
    match port.port:
        case int(number):
            yield from check_port_number(("port",), number)
        case str(name):
            yield from check_port_name(("port",), name)
    if port.end_port is not None:
        if not isinstance(port.port, int):
            yield Violation(("endPort",), "endPort needs a port that is a number")
        elif not port.port <= port.end_port <= 65535:
            yield Violation(("endPort",), f"{port.end_port} is not a port from {port.port} to 65535")


def check_label_selector(selector: LabelSelector) -> Iterator[Violation]:
    """Labels and expressions, as Kubernetes' API server checks them."""
    yield from under(("matchLabels",), check_labels(selector.match_labels))
    for index, requirement in enumerate(selector.match_expressions):
        yield from under(("matchExpressions", index), _check_requirement(requirement))


def _check_requirement(requirement: LabelSelectorRequirement) -> Iterator[Violation]:
    if error := label_name_error(requirement.key):
        yield Violation(("key",), error)
    for index, value in enumerate(requirement.values):
        if error := label_value_error(value):
            yield Violation(("values", index), error)
    if requirement.operator in ("In", "NotIn") and not requirement.values:
        yield Violation(("values",), f"{requirement.operator} needs values")
    if requirement.operator in ("Exists", "DoesNotExist") and requirement.values:
        yield Violation(("values",), f"{requirement.operator} takes no values")
