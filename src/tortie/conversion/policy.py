"""A Kubernetes NetworkPolicy as a Calico NetworkPolicy of the default tier."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import msgspec

from tortie.conversion.errors import ConversionError
from tortie.conversion.label_selector import namespace_selector, pod_selector
from tortie.conversion.names import derived_metadata
from tortie.conversion.networks import network
from tortie.conversion.ports import ports_by_protocol
from tortie.model import kubernetes
from tortie.model.policy import Action, Direction, EntityRule, NetworkPolicy, NetworkPolicySpec, Rule
from tortie.net import Port, Protocol

NAME_PREFIX = "knp.default."
"""What the names of converted policies begin with; nobody else may use it."""

ORDER = 1000.0

_Allow = Callable[[EntityRule, Protocol | None, tuple[Port, ...]], Rule]


class Conversion(NamedTuple):
    """The policy that is meant, and what of it had to be left out."""

    policy: NetworkPolicy
    errors: tuple[str, ...]
    """One sentence for each rule that was dropped, with its place."""


def network_policy(policy: kubernetes.NetworkPolicy) -> Conversion:
    """The Calico policy that *policy* means: ``knp.default.<name>``, order 1000, in the same namespace.

    One rule for each protocol and peer. ConversionError if it cannot be told which pods it governs, or its name is too
    long.
    """
    try:
        selector = pod_selector(policy.spec.pod_selector)
    except ConversionError as error:
        raise ConversionError(f"spec.podSelector: {error}") from error
    errors: list[str] = []
    spec = NetworkPolicySpec(
        order=ORDER,
        selector=selector,
        types=_types(policy.spec),
        ingress=tuple(_ingress_rules(policy.spec.ingress, errors)),
        egress=tuple(_egress_rules(policy.spec.egress, errors)),
    )
    metadata = derived_metadata(NAME_PREFIX, policy.metadata, namespace=policy.metadata.namespace)
    return Conversion(NetworkPolicy(metadata=metadata, spec=spec), tuple(errors))


def _types(spec: kubernetes.NetworkPolicySpec) -> tuple[Direction, ...]:
    if spec.policy_types:
        return tuple(direction for direction in Direction if direction.value in spec.policy_types)
    # What the Kubernetes API server fills in when the object is created.
    return (Direction.INGRESS, Direction.EGRESS) if spec.egress else (Direction.INGRESS,)


def _ingress_rules(rules: Iterable[kubernetes.NetworkPolicyIngressRule], errors: list[str]) -> Iterator[Rule]:
    def allow(peer: EntityRule, protocol: Protocol | None, ports: tuple[Port, ...]) -> Rule:
        return Rule(action=Action.ALLOW, protocol=protocol, source=peer, destination=EntityRule(ports=ports))

    for index, rule in enumerate(rules):
        yield from _rules(rule.from_, rule.ports, allow, f"spec.ingress[{index}]", errors)


def _egress_rules(rules: Iterable[kubernetes.NetworkPolicyEgressRule], errors: list[str]) -> Iterator[Rule]:
    def allow(peer: EntityRule, protocol: Protocol | None, ports: tuple[Port, ...]) -> Rule:
        return Rule(action=Action.ALLOW, protocol=protocol, destination=msgspec.structs.replace(peer, ports=ports))

    for index, rule in enumerate(rules):
        yield from _rules(rule.to, rule.ports, allow, f"spec.egress[{index}]", errors)


def _rules(
    peers: tuple[kubernetes.NetworkPolicyPeer, ...],
    ports: tuple[kubernetes.NetworkPolicyPort, ...],
    allow: _Allow,
    place: str,
    errors: list[str],
) -> list[Rule]:
    """The rules that one Kubernetes rule means: none at all if any part of it cannot be read, and the error noted."""
    try:
        ends = [_peer(peer) for peer in peers] or [EntityRule()]
        wanted: list[tuple[Protocol | None, tuple[Port, ...]]] = [*ports_by_protocol(ports).items()] or [(None, ())]
    except ConversionError as error:
        errors.append(f"{place} is left out, and what it would allow stays denied: {error}")
        return []
    return [allow(end, protocol, numbers) for protocol, numbers in wanted for end in ends]


def _peer(peer: kubernetes.NetworkPolicyPeer) -> EntityRule:
    if peer.ip_block is None:
        return EntityRule(
            selector=pod_selector(peer.pod_selector), namespace_selector=namespace_selector(peer.namespace_selector)
        )
    if peer.pod_selector is not None or peer.namespace_selector is not None:
        raise ConversionError("a peer has an ipBlock and a selector; expected one of them")
    excepted = tuple(network(cidr, "ipBlock") for cidr in peer.ip_block.except_)
    return EntityRule(nets=(network(peer.ip_block.cidr, "ipBlock"),), not_nets=excepted)
