"""Whether a rule matches a flow; if not, why.

All criteria of a rule must hold. They are tried in a fixed order, and the first that does not hold is the reason given.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from tortie.model.policy import Action, EntityRule, Rule
from tortie.net import ICMP, ICMPV6, Address, Family, Network, Port, Protocol
from tortie.verdict.endpoint import Endpoint
from tortie.verdict.flow import Flow
from tortie.verdict.scope import excepts, is_limited, selects

_FAMILY_OF_PROTOCOL = {ICMP: Family.V4, ICMPV6: Family.V6}


def mismatch(rule: Rule, flow: Flow, namespace: str, endpoints: Sequence[Endpoint]) -> str:
    """Why *rule* of a policy of *namespace* (empty: cluster-wide, or a profile) does not match; empty if it does."""
    return next(_mismatches(rule, flow, namespace, endpoints), "")


def _mismatches(rule: Rule, flow: Flow, namespace: str, endpoints: Sequence[Endpoint]) -> Iterator[str]:
    yield from _family_mismatches(rule, flow.family)
    if rule.protocol is not None and flow.protocol != rule.protocol:
        yield f"the protocol is {flow.protocol}, not {rule.protocol}"
    if rule.not_protocol is not None and flow.protocol == rule.not_protocol:
        yield f"the protocol is {flow.protocol}"
    yield from _icmp_mismatches(rule, flow)
    source = _End("source", flow.source_address, flow.source_port, flow.protocol)
    destination = _End("destination", flow.destination_address, flow.destination_port, flow.protocol)
    yield from _end_mismatches(source, rule.source, namespace, endpoints)
    yield from _end_mismatches(destination, rule.destination, namespace, endpoints)


def _family_mismatches(rule: Rule, family: Family) -> Iterator[str]:
    """A rule may say its IP version outright, by its protocol, or by its nets: without one of the flow's it is not for it."""
    if rule.ip_version is not None and rule.ip_version != family:
        yield f"the rule is for IPv{rule.ip_version}"
    if rule.protocol is not None and _FAMILY_OF_PROTOCOL.get(rule.protocol, family) is not family:
        yield f"{rule.protocol} is not an IPv{family} protocol"
    for nets in (rule.source.nets, rule.source.not_nets, rule.destination.nets, rule.destination.not_nets):
        if nets and all(net.family is not family for net in nets):
            yield f"the rule's nets are not IPv{family}"


def _icmp_mismatches(rule: Rule, flow: Flow) -> Iterator[str]:
    for fields, negated in ((rule.icmp, False), (rule.not_icmp, True)):
        if fields is None or fields.type is None:
            continue
        if flow.icmp is None:
            yield "it is no ICMP packet"
            continue
        icmp_type, icmp_code = flow.icmp
        same = icmp_type == fields.type and fields.code in (None, icmp_code)
        if same is negated:
            yield f"the ICMP type is {icmp_type}, code {icmp_code}"


class _End(msgspec.Struct, frozen=True):
    """One end of the packet, as it is on the wire."""

    which: str
    address: Address
    port: int | None
    protocol: Protocol


def _end_mismatches(end: _End, peer: EntityRule, namespace: str, endpoints: Sequence[Endpoint]) -> Iterator[str]:
    owners = [endpoint for endpoint in endpoints if end.address in endpoint.addresses]
    if peer.nets and not _in_any(end.address, peer.nets):
        yield f"{end.which} {end.address} is in none of the nets"
    if peer.not_nets and _in_any(end.address, peer.not_nets):
        yield f"{end.which} {end.address} is in one of the notNets"
    if is_limited(peer, namespace):
        owners = [endpoint for endpoint in owners if selects(peer, namespace, endpoint)]
        if not owners:
            yield f"{end.which} {end.address} is no endpoint that the rule selects"
    elif any(excepts(peer, endpoint) for endpoint in owners):
        yield f"{end.which} {end.address} is an endpoint of the notSelector"
    # Names are looked up among the endpoints selected, and among all of them where nothing is.
    if peer.ports and not _has_any_port(end, peer.ports, owners):
        yield f"{end.which} port {end.port} is none of the ports"
    if peer.not_ports and _has_any_port(end, peer.not_ports, owners):
        yield f"{end.which} port {end.port} is one of the notPorts"


def _in_any(address: Address, nets: Iterable[Network]) -> bool:
    return any(net.contains(address) for net in nets)


def _has_any_port(end: _End, ports: Iterable[Port], owners: Sequence[Endpoint]) -> bool:
    return any(_is_port(end, port, owners) for port in ports)


def _is_port(end: _End, port: Port, owners: Sequence[Endpoint]) -> bool:
    if not end.protocol.has_ports or end.port is None:
        return False
    if port.is_named:
        return any(owner.has_port(port.name, end.protocol, end.port) for owner in owners)
    return port.contains(end.port)


def fail_closed(rule: Rule) -> Rule | None:
    """*rule*, or what stands for it where it has a criterion that packets cannot be judged by; None: nothing does.

    Those criteria are services as peers and HTTP, which are not supported yet, and numbered ports of a protocol without ports. An
    Allow or Log rule with one never matches. A Deny rule stops whatever meets its other criteria; so does a Pass rule, since
    what comes after it might allow.
    """
    judged = msgspec.structs.replace(
        rule,
        http=None,
        source=_judged_peer(rule.source, rule.protocol),
        destination=_judged_peer(rule.destination, rule.protocol),
    )
    if judged == rule:
        return rule
    return None if rule.action in (Action.ALLOW, Action.LOG) else msgspec.structs.replace(judged, action=Action.DENY)


def _judged_peer(peer: EntityRule, protocol: Protocol | None) -> EntityRule:
    numbers_mean_something = protocol is not None and protocol.has_ports
    ports, not_ports = peer.ports, peer.not_ports
    if not numbers_mean_something:
        ports = ports if all(port.is_named for port in ports) else ()
        not_ports = tuple(port for port in not_ports if port.is_named)
    return msgspec.structs.replace(peer, services=None, ports=ports, not_ports=not_ports)
