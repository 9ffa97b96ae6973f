"""Random rules of Calico's policies, in which every criterion occurs, so that rules of them really hit.

All of them are valid: what Calico's API refuses (numbered ports without a protocol that has them, nets of two families in one
rule, …) does not occur, because then there is nothing to agree about.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

import msgspec

from tortie.model.policy import (
    Action,
    Direction,
    EntityRule,
    HTTPMatch,
    ICMPFields,
    Rule,
    ServiceAccountMatch,
    ServiceMatch,
)
from tortie.net import ICMP, ICMPV6, SCTP, TCP, UDP, Family, Network, Port, Protocol
from tortie.testing.vocabulary import (
    ACCOUNT_LABELS,
    ACCOUNTS,
    ICMP_TYPES,
    PORT_NAMES,
    PORT_NUMBERS,
    SERVICES,
    chance,
    random_namespace_selector,
    random_selector,
    some,
)

UNASSIGNED = Protocol(253)
"""For experiments (RFC 3692): a protocol without ports, by its number."""

_ACTIONS = (Action.ALLOW, Action.DENY, Action.PASS, Action.LOG)


def random_rule(
    rng: Random, nets: Sequence[Network], direction: Direction, namespaces: Sequence[str] | None = None
) -> Rule:
    """Any valid rule of that direction; *nets* are those that it may name, of both families, *namespaces* those of services.

    Without *namespaces* it is a profile's, which no services occur in.
    """
    # Half of the rules ask for little: a rule with many criteria hardly ever matches, and then tests nothing that follows it.
    density = rng.choice((0.25, 1.0))
    family = rng.choice((Family.V4, Family.V6)) if chance(rng, 0.4 * density) else None
    protocol = _protocol(rng, family) if chance(rng, 0.7 * density) else None
    if protocol in (ICMP, ICMPV6):
        family = Family.V4 if protocol == ICMP else Family.V6
    maybe_icmp = protocol in (None, ICMP, ICMPV6)
    rule = Rule(
        action=rng.choices(_ACTIONS, (55, 20, 15, 10))[0],
        ip_version=(4 if family is Family.V4 else 6) if family is not None and chance(rng, 0.5) else None,
        protocol=protocol,
        not_protocol=_not_protocol(rng) if protocol is None and chance(rng, 0.15) else None,
        icmp=_icmp(rng, protocol) if protocol in (ICMP, ICMPV6) and chance(rng, 0.5) else None,
        not_icmp=_icmp(rng, protocol) if maybe_icmp and chance(rng, 0.1 * density) else None,
        source=_peer(rng, nets, family, protocol, density, ports=0.05),
        destination=_peer(rng, nets, family, protocol, density, ports=0.7),
    )
    if rule.not_icmp is not None and rule.not_protocol is not None and rule.ip_version is None:
        rule = msgspec.structs.replace(rule, not_protocol=None)  # of which family the types are could not be told
    if namespaces and chance(rng, 0.1):
        rule = _with_service(rng, rule, direction, namespaces)
    if direction is Direction.INGRESS and chance(rng, 0.02) and rule.protocol in (None, TCP):
        return msgspec.structs.replace(rule, action=Action.ALLOW, http=HTTPMatch(methods=("GET",)))
    return rule


def _protocol(rng: Random, family: Family | None) -> Protocol:
    icmp = {None: (ICMP, ICMPV6), Family.V4: (ICMP,), Family.V6: (ICMPV6,)}[family]
    return rng.choice((TCP, TCP, TCP, UDP, UDP, SCTP, UNASSIGNED, *icmp))


def _not_protocol(rng: Random) -> Protocol:
    return rng.choice((TCP, UDP, SCTP, UNASSIGNED))


def _icmp(rng: Random, protocol: Protocol | None) -> ICMPFields:
    families = {ICMP: (Family.V4,), ICMPV6: (Family.V6,)}.get(protocol or TCP, (Family.V4, Family.V6))
    return ICMPFields(type=rng.choice(ICMP_TYPES[rng.choice(families)]), code=rng.choice((None, 0, 1)))


# --- ends ----------------------------------------------------------------------------------------------------------------


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
        namespace_selector=random_namespace_selector(rng, in_rule=True) if chance(rng, 0.2 * density) else "",
        service_accounts=_accounts(rng) if chance(rng, 0.12 * density) else None,
        ports=_ports(rng, protocol) if chance(rng, ports * density) else (),
        not_ports=_ports(rng, protocol) if chance(rng, 0.06 * density) else (),
    )


def _accounts(rng: Random) -> ServiceAccountMatch:
    names = some(rng, ACCOUNTS, 2) if chance(rng, 0.5) else ()
    return ServiceAccountMatch(
        names=names, selector=random_selector(rng, ACCOUNT_LABELS) if not names or chance(rng, 0.2) else ""
    )


def _ports(rng: Random, protocol: Protocol | None) -> tuple[Port, ...]:
    named = tuple(Port(name=name) for name in some(rng, (*PORT_NAMES, "nobody"), 2))
    if protocol is None:
        return named
    if not protocol.has_ports:
        return ()
    numbered = (*(Port(number) for number in PORT_NUMBERS), Port(80, 81), Port(400, 9000))
    return some(rng, numbered + named, 3) if chance(rng, 0.6) else named


def _with_service(rng: Random, rule: Rule, direction: Direction, namespaces: Sequence[str]) -> Rule:
    """*rule* with a service at its far end, which is then described by nothing else."""
    service = ServiceMatch(name=rng.choice((*SERVICES, *SERVICES[:-1])), namespace=rng.choice(namespaces))
    far = EntityRule(services=service)
    if direction is Direction.EGRESS:
        return msgspec.structs.replace(rule, destination=far)
    kept: dict[str, Any] = {"ports": rule.source.ports, "not_ports": rule.source.not_ports}
    return msgspec.structs.replace(rule, source=msgspec.structs.replace(far, **kept))
