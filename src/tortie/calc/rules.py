"""A rule as written → a rule as a host enforces it: selectors and port names become IP sets.

A rule with a criterion that is not supported yet (a service as peer, HTTP) or that has no meaning (numbered ports of a
protocol without ports) fails closed: an Allow or Log rule is left out, so it never lets more through than was meant; a Deny
rule is kept without that criterion, so it may stop more; a Pass rule becomes such a Deny, for what follows it in other tiers
may allow. Everything else about the rule still counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from tortie.calc.hoststate import HostRule, ICMPMatch, IPSetId, PeerMatch, PortRange
from tortie.calc.scoping import peer_selectors
from tortie.model.policy import Action, EntityRule, ICMPFields, Rule
from tortie.net import Family, Port, Protocol
from tortie.selectors import Selector, named_port_id, parse


class NamedPort(NamedTuple):
    """What a named-port set collects from the endpoints of its selector."""

    name: str
    protocol: Protocol | None
    """None: of any protocol."""


class SetDefinition(NamedTuple):
    """What an IP set's members are: the addresses of the selected endpoints, or their addresses with one of their ports."""

    id: IPSetId
    selector: Selector
    port: NamedPort | None = None


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
        source=_scan_peer(rule.source, rule.protocol, namespace, sets),
        destination=_scan_peer(rule.destination, rule.protocol, namespace, sets),
    )


def _icmp_match(fields: ICMPFields | None) -> ICMPMatch | None:
    return ICMPMatch(fields.type, fields.code) if fields is not None and fields.type is not None else None


def _scan_peer(
    peer: EntityRule, protocol: Protocol | None, namespace: str, sets: dict[IPSetId, SetDefinition]
) -> PeerMatch:
    selectors = peer_selectors(peer, namespace)
    positive, negative = selectors.positive, selectors.negative
    ports, names = _split_ports(peer.ports)
    not_ports, not_names = _split_ports(peer.not_ports)
    # The members of a named-port set are within the selector already; only numbered ports leave its addresses to be asked for.
    needs_positive = positive is not None and (ports or not names)
    return PeerMatch(
        nets=peer.nets,
        not_nets=peer.not_nets,
        ports=ports,
        not_ports=not_ports,
        sets=_use(sets, [_selector_set(positive)] if positive is not None and needs_positive else []),
        not_sets=_use(sets, [_selector_set(negative)] if negative is not None else []),
        port_sets=_use(sets, [_port_set(positive, protocol, name) for name in names]),
        # The positive selector here too: an address outside it does not match the rule whatever its ports.
        not_port_sets=_use(sets, [_port_set(positive, protocol, name) for name in not_names]),
    )


def _use(sets: dict[IPSetId, SetDefinition], definitions: Sequence[SetDefinition]) -> tuple[IPSetId, ...]:
    for definition in definitions:
        sets[definition.id] = definition
    return tuple(dict.fromkeys(definition.id for definition in definitions))


def _selector_set(selector: Selector) -> SetDefinition:
    return SetDefinition(IPSetId(selector.id), selector)


def _port_set(positive: Selector | None, protocol: Protocol | None, name: str) -> SetDefinition:
    selector = positive if positive is not None else parse("all()")
    set_id = named_port_id(selector.id, str(protocol).lower() if protocol is not None else "any", name)
    return SetDefinition(IPSetId(set_id), selector, NamedPort(name, protocol))


def _split_ports(ports: Iterable[Port]) -> tuple[tuple[PortRange, ...], tuple[str, ...]]:
    numbered = tuple(PortRange(port.first, port.last) for port in ports if not port.is_named)
    return numbered, tuple(port.name for port in ports if port.is_named)


# --- what is not supported ------------------------------------------------------------------------------------------------


def _supported(rule: Rule) -> Rule | None:
    """*rule* if every criterion is supported, else what stands for it (module docstring); None: nothing does."""
    within = msgspec.structs.replace(
        rule,
        http=None,
        source=_without_unsupported(rule.source, rule.protocol),
        destination=_without_unsupported(rule.destination, rule.protocol),
    )
    if within == rule:
        return rule
    if rule.action in (Action.ALLOW, Action.LOG):
        return None
    return msgspec.structs.replace(within, action=Action.DENY)


def _without_unsupported(peer: EntityRule, protocol: Protocol | None) -> EntityRule:
    wider = msgspec.structs.replace(peer, services=None)
    if protocol is None or not protocol.has_ports:
        # A list that loses its numbers would match less, so all of it goes.
        if any(not port.is_named for port in wider.ports):
            wider = msgspec.structs.replace(wider, ports=())
        wider = msgspec.structs.replace(wider, not_ports=tuple(port for port in wider.not_ports if port.is_named))
    return wider
