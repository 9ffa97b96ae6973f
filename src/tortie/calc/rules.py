"""A rule as written → a rule as a host enforces it: selectors and port names become IP sets.

A rule with a criterion that has no meaning (numbered ports of a protocol without ports,
ports beside a service that has its own) fails closed: an Allow or Log rule is left out, so it never lets more through than was meant; a Deny
rule is kept without that criterion, so it may stop more; a Pass rule becomes such a Deny, for what follows it in other tiers
may allow. Everything else about the rule still counts. HTTP requests are not looked into: a rule about them is its other
criteria (Calico's kernel part does the same, and leaves requests to a proxy beside the workload).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeAlias

import msgspec

from tortie.calc.hoststate import HostRule, ICMPMatch, IPSetId, PeerMatch, PortRange
from tortie.calc.scoping import peer_selectors
from tortie.model.policy import Action, EntityRule, ICMPFields, Rule, ServiceMatch
from tortie.net import Family, Port, Protocol
from tortie.selectors import Selector, named_port_id, parse, unique_id


class NamedPort(NamedTuple):
    """What a named-port set collects from the endpoints of its selector."""

    name: str
    protocol: Protocol | None
    """None: of any protocol."""


class SelectorSet(NamedTuple):
    """An IP set of what a selector selects: addresses, or addresses with one of their ports."""

    id: IPSetId
    selector: Selector
    port: NamedPort | None = None


class ServiceSet(NamedTuple):
    """An IP set of the endpoints behind a service: addresses with the service's ports, or addresses alone."""

    id: IPSetId
    service: ServiceName
    has_ports: bool


class ServiceName(NamedTuple):
    namespace: str
    name: str


SetDefinition: TypeAlias = SelectorSet | ServiceSet


class ScannedRules(NamedTuple):
    """The rules of one policy or profile, and the IP sets that they refer to, by id."""

    ingress: tuple[HostRule, ...]
    egress: tuple[HostRule, ...]
    sets: dict[IPSetId, SetDefinition]


def scan_rules(ingress: Iterable[Rule], egress: Iterable[Rule], namespace: str) -> ScannedRules:
    """Resolve the rules of a policy of *namespace*, or of a cluster-wide one or a profile (empty).

    SelectorError if a selector cannot be read.
    """
    sets: dict[IPSetId, SetDefinition] = {}
    return ScannedRules(_scan_list(ingress, namespace, sets), _scan_list(egress, namespace, sets), sets)


def _scan_list(rules: Iterable[Rule], namespace: str, sets: dict[IPSetId, SetDefinition]) -> tuple[HostRule, ...]:
    scanned = []
    for written in rules:
        rule = _supported(written)
        if rule is not None:
            scanned.append(_scan_rule(rule, namespace, sets))
    return tuple(scanned)


def _scan_rule(rule: Rule, namespace: str, sets: dict[IPSetId, SetDefinition]) -> HostRule:
    return HostRule(
        action=rule.action,
        family=Family(rule.ip_version) if rule.ip_version is not None else None,
        protocol=rule.protocol,
        not_protocol=rule.not_protocol,
        icmp=_icmp_match(rule.icmp),
        not_icmp=_icmp_match(rule.not_icmp),
        source=_scan_peer(rule.source, rule.protocol, namespace, sets, has_service_ports=False),
        destination=_scan_peer(rule.destination, rule.protocol, namespace, sets, has_service_ports=True),
    )


def _icmp_match(fields: ICMPFields | None) -> ICMPMatch | None:
    return ICMPMatch(fields.type, fields.code) if fields is not None and fields.type is not None else None


def _scan_peer(
    peer: EntityRule,
    protocol: Protocol | None,
    namespace: str,
    sets: dict[IPSetId, SetDefinition],
    *,
    has_service_ports: bool,
) -> PeerMatch:
    if peer == _ANY_PEER:
        return _ANY_MATCH
    selectors = peer_selectors(peer, namespace)
    positive, negative = selectors.positive, selectors.negative
    ports, names = _split_ports(peer.ports)
    not_ports, not_names = _split_ports(peer.not_ports)
    # The members of a named-port set are within the selector already; only numbered ports leave its addresses to be asked for.
    needs_positive = positive is not None and (ports or not names)
    services = (
        [_service_set(peer.services, namespace, has_ports=has_service_ports)] if peer.services is not None else []
    )
    return PeerMatch(
        nets=peer.nets,
        not_nets=peer.not_nets,
        ports=ports,
        not_ports=not_ports,
        sets=_use(
            sets,
            [_selector_set(positive)] if positive is not None and needs_positive else [],
            [] if has_service_ports else services,
        ),
        not_sets=_use(sets, [_selector_set(negative)] if negative is not None else []),
        port_sets=_use(
            sets, [_port_set(positive, protocol, name) for name in names], services if has_service_ports else []
        ),
        # The positive selector here too: an address outside it does not match the rule whatever its ports.
        not_port_sets=_use(sets, [_port_set(positive, protocol, name) for name in not_names]),
    )


_ANY_PEER, _ANY_MATCH = EntityRule(), PeerMatch()


def _use(sets: dict[IPSetId, SetDefinition], *definitions: Sequence[SetDefinition]) -> tuple[IPSetId, ...]:
    used = {definition.id: definition for some in definitions for definition in some}
    sets.update(used)
    return tuple(used)


def _selector_set(selector: Selector) -> SelectorSet:
    return SelectorSet(IPSetId(selector.id), selector)


def _service_set(service: ServiceMatch, namespace: str, *, has_ports: bool) -> ServiceSet:
    """A service without a namespace is of the policy's own."""
    named = ServiceName(service.namespace or namespace, service.name)
    set_id = unique_id("svc" if has_ports else "svcnoport", f"{named.namespace}/{named.name}")
    return ServiceSet(IPSetId(set_id), named, has_ports)


def _port_set(positive: Selector | None, protocol: Protocol | None, name: str) -> SelectorSet:
    selector = positive if positive is not None else parse("all()")
    set_id = named_port_id(selector.id, str(protocol).lower() if protocol is not None else "any", name)
    return SelectorSet(IPSetId(set_id), selector, NamedPort(name, protocol))


def _split_ports(ports: Iterable[Port]) -> tuple[tuple[PortRange, ...], tuple[str, ...]]:
    numbered = tuple(PortRange(port.first, port.last) for port in ports if not port.is_named)
    return numbered, tuple(port.name for port in ports if port.is_named)


# --- what is not supported ------------------------------------------------------------------------------------------------


def _supported(rule: Rule) -> Rule | None:
    """*rule* if every criterion is supported, else what stands for it (module docstring); None: nothing does."""
    source = _without_unsupported(rule.source, rule.protocol, has_service_ports=False)
    destination = _without_unsupported(rule.destination, rule.protocol, has_service_ports=True)
    if source == rule.source and destination == rule.destination:
        return rule
    if rule.action in (Action.ALLOW, Action.LOG):
        return None
    return msgspec.structs.replace(rule, action=Action.DENY, source=source, destination=destination)


def _without_unsupported(peer: EntityRule, protocol: Protocol | None, *, has_service_ports: bool) -> EntityRule:
    if peer == _ANY_PEER:
        return peer
    # Named-port sets and numbered ports are alternatives; a service's ports among them would match more than was meant.
    has_both = has_service_ports and peer.services is not None and bool(peer.ports)
    wider = msgspec.structs.replace(peer, services=None) if has_both else peer
    if protocol is None or not protocol.has_ports:
        # A list that loses its numbers would match less, so all of it goes.
        if any(not port.is_named for port in wider.ports):
            wider = msgspec.structs.replace(wider, ports=())
        wider = msgspec.structs.replace(wider, not_ports=tuple(port for port in wider.not_ports if port.is_named))
    return wider
