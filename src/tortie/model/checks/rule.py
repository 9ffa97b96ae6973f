"""One rule of a policy or profile, and selectors (Calico's validator and CRD rules)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tortie.model.checks.metadata import check_annotations, check_name, check_port_name
from tortie.model.checks.violation import Violation, at_most, distinct, under
from tortie.model.policy import Action, EntityRule, HTTPMatch, ICMPFields, Rule
from tortie.net import FAMILY_OF_ICMP, TCP, Family, Network, Port, Protocol
from tortie.selectors import SelectorError, parse

_GLOBAL = re.compile(r"global\s*\(")


def check_selector(field: str, text: str, *, may_be_global: bool = False) -> Iterator[Violation]:
    """A selector must parse; ``global()`` belongs only into a rule's namespaceSelector, and there alone."""
    if len(text) > 1024:
        message = f"{len(text)} characters are too many for a selector; at most 1024 are allowed"
        yield Violation((field,), message, at_door_only=True)
    try:
        parse(text)
    except SelectorError as error:
        yield Violation((field,), str(error))
    if _GLOBAL.search(text) and not (may_be_global and text.strip() == "global()"):
        expected = "stands alone" if may_be_global else "can only be a rule's namespaceSelector"
        yield Violation((field,), f"{text!r}: global() {expected}")


def check_rule(rule: Rule) -> Iterator[Violation]:
    """One rule, whatever it is part of."""
    yield from _check_protocols(rule)
    yield from _check_families(rule)
    yield from _check_icmp(rule)
    for end, entity in (("source", rule.source), ("destination", rule.destination)):
        yield from under((end,), _check_entity(entity))
        yield from under((end,), _check_ports(entity, rule.protocol))
        yield from under((end,), _check_services(entity))
    if rule.http is not None:
        yield from under(("http",), _check_http(rule, rule.http))
    if rule.metadata is not None:
        for path, message, *_ in under(("metadata", "annotations"), check_annotations(rule.metadata.annotations)):
            yield Violation(path, message, at_door_only=True)  # notes do not decide about packets


def check_direction(rule: Rule, *, egress: bool) -> Iterator[Violation]:
    """What a rule may say only in one direction of a policy."""
    there, wrong = ("destination", rule.source) if egress else ("source", rule.destination)
    if wrong.services is not None:
        here = "source" if egress else "destination"
        direction = "an egress" if egress else "an ingress"
        yield Violation((here, "services"), f"services in {direction} rule belong into its {there}")
    if egress and rule.http is not None:
        yield Violation(("http",), "an egress rule cannot match HTTP; only ingress rules can")


def _check_protocols(rule: Rule) -> Iterator[Violation]:
    for field, protocol in (("protocol", rule.protocol), ("notProtocol", rule.not_protocol)):
        if protocol is None:
            continue
        if protocol.number == 0:
            yield Violation((field,), "0 is not a protocol: a number 1-255, TCP, UDP, ICMP, ICMPv6, SCTP or UDPLite")
        family = FAMILY_OF_ICMP.get(protocol)
        if family and rule.ip_version not in (None, family):
            yield Violation((field,), f"{protocol} needs ipVersion {family}, not {rule.ip_version}")
    if rule.protocol is not None and rule.not_protocol is not None:
        yield Violation(("notProtocol",), "protocol and notProtocol exclude each other in one rule")


def _nets(rule: Rule) -> Iterator[tuple[tuple[str | int, ...], Network]]:
    for end, entity in (("source", rule.source), ("destination", rule.destination)):
        for field, nets in (("nets", entity.nets), ("notNets", entity.not_nets)):
            for index, network in enumerate(nets):
                yield (end, field, index), network


def _check_families(rule: Rule) -> Iterator[Violation]:
    """All networks of a rule are of one family, that of ipVersion and of an ICMP protocol."""
    wanted = Family(rule.ip_version) if rule.ip_version else None
    reason = "ipVersion"
    for path, network in _nets(rule):
        if wanted is None:
            wanted, reason = network.family, f"{network} before it"
        elif network.family is not wanted:
            text = f"{network} is IPv{network.family}, but {reason} says IPv{wanted}; one rule is of one family"
            # Rules converted from Kubernetes may be of both, and mean both.
            yield Violation(path, text, at_door_only=rule.ip_version is None)


def _check_icmp(rule: Rule) -> Iterator[Violation]:
    for field, icmp in (("icmp", rule.icmp), ("notICMP", rule.not_icmp)):
        if icmp is not None:
            yield from under((field,), _check_icmp_fields(icmp))
    if rule.icmp is not None and rule.protocol not in FAMILY_OF_ICMP:
        given = rule.protocol or "none"
        yield Violation(("icmp",), f"icmp needs protocol ICMP or ICMPv6, and it is {given}")


def _check_icmp_fields(icmp: ICMPFields) -> Iterator[Violation]:
    if icmp.code is not None and icmp.type is None:
        yield Violation(("code",), "code needs type")
    if icmp.type is not None and not 0 <= icmp.type <= 254:
        yield Violation(("type",), f"{icmp.type} is not an ICMP type 0-254")
    if icmp.code is not None and not 0 <= icmp.code <= 255:
        yield Violation(("code",), f"{icmp.code} is not an ICMP code 0-255")


def _check_entity(entity: EntityRule) -> Iterator[Violation]:
    yield from check_selector("selector", entity.selector)
    yield from check_selector("notSelector", entity.not_selector)
    yield from check_selector("namespaceSelector", entity.namespace_selector, may_be_global=True)
    if entity.service_accounts is not None:
        yield from under(("serviceAccounts",), check_selector("selector", entity.service_accounts.selector))
        yield from distinct(("serviceAccounts", "names"), entity.service_accounts.names)
    yield from at_most(("nets",), entity.nets, 256)
    yield from at_most(("notNets",), entity.not_nets, 256)
    for index, network in enumerate(entity.not_nets):
        if network.prefix_len == 0:
            yield Violation(("notNets", index), f"{network} is every address; nothing would match")


def _check_ports(entity: EntityRule, protocol: Protocol | None) -> Iterator[Violation]:
    for field, ports in (("ports", entity.ports), ("notPorts", entity.not_ports)):
        yield from at_most((field,), ports, 50)
        for index, port in enumerate(ports):
            yield from under((field, index), _check_port(port))
        if not ports:
            continue
        if protocol is not None and not protocol.has_ports:
            yield Violation((field,), f"{protocol} has no ports; ports need protocol TCP, UDP or SCTP")
        elif protocol is None and any(not port.is_named for port in ports):
            yield Violation((field,), "port numbers need a protocol: TCP, UDP or SCTP")


def _check_port(port: Port) -> Iterator[Violation]:
    if port.is_named:
        yield from check_port_name((), port.name)
    elif port.first == 0:
        yield Violation((), f"{port} begins with 0; ports are 1-65535")


def _check_services(entity: EntityRule) -> Iterator[Violation]:
    if entity.services is None:
        return
    if not entity.services.name:
        yield Violation(("services", "name"), "services needs the name of a service")
    for field, name in (("name", entity.services.name), ("namespace", entity.services.namespace)):
        if name:
            yield from check_name(("services", field), name, at_door_only=True)
    beside = {
        "selector": entity.selector, "notSelector": entity.not_selector, "namespaceSelector": entity.namespace_selector,
        "nets": entity.nets, "notNets": entity.not_nets, "serviceAccounts": entity.service_accounts,
    }  # fmt: skip
    for field, value in beside.items():
        if value:
            yield Violation((field,), f"{field} and services exclude each other")


def check_destination_services(rule: Rule) -> Iterator[Violation]:
    """A service at the destination brings its own ports."""
    for field, ports in (("ports", rule.destination.ports), ("notPorts", rule.destination.not_ports)):
        if rule.destination.services is not None and ports:
            yield Violation(
                ("destination", field), f"{field} and services exclude each other; a service has its own ports"
            )


def _check_http(rule: Rule, http: HTTPMatch) -> Iterator[Violation]:
    if rule.action is not Action.ALLOW:
        yield Violation((), f"HTTP can be matched only by Allow rules, not {rule.action}")
    if rule.protocol not in (None, TCP):
        yield Violation((), f"HTTP needs protocol TCP or none, not {rule.protocol}")
    yield from at_most(("methods",), http.methods, 20)
    yield from distinct(("methods",), http.methods)
    yield from at_most(("paths",), http.paths, 20)
    for index, path in enumerate(http.paths):
        field, text = ("exact", path.exact) if path.exact else ("prefix", path.prefix)
        if bool(path.exact) == bool(path.prefix):
            yield Violation(("paths", index), "a path needs exactly one of exact and prefix")
        elif not text.startswith("/") or re.search(r"[?#\s]", text):
            message = f"{text!r} is not a path: it begins with '/' and has no '?', '#' or space"
            yield Violation(("paths", index, field), message)
        if len(text) > 1024:
            message = f"{len(text)} characters are too many for a path; at most 1024 are allowed"
            yield Violation(("paths", index, field), message, at_door_only=True)
