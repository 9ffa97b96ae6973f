"""Whether a rule matches a packet; if not, why.

All criteria of a rule must hold. They are tried in a fixed order, and the first that does not hold is the reason given.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from tortie.model.kubernetes_endpointslice import EndpointSlice
from tortie.model.policy import Action, EntityRule, Rule
from tortie.net import FAMILY_OF_ICMP, Address, Family, Network, Port, Protocol
from tortie.verdict import services
from tortie.verdict.endpoint import Peer
from tortie.verdict.packet import Packet, Party, Traffic
from tortie.verdict.scope import excepts, is_limited, selects


def mismatch(rule: Rule, traffic: Traffic, namespace: str, slices: Sequence[EndpointSlice]) -> str:
    """Why *rule* of a policy of *namespace* (empty: cluster-wide, or a profile) does not match; empty if it does."""
    return next(mismatches(rule, traffic, namespace, slices), "")


def asks_for_address(rule: Rule, traffic: Traffic, namespace: str, slices: Sequence[EndpointSlice]) -> bool:
    """Whether it depends on an address that an end does not have yet whether *rule* matches: all else about it does."""
    peers = {
        party.which: msgspec.structs.replace(peer, nets=(), not_nets=())
        for party, peer in ((traffic.source, rule.source), (traffic.destination, rule.destination))
        if party.address is None and (peer.nets or peer.not_nets)
    }
    return bool(peers) and not mismatch(msgspec.structs.replace(rule, **peers), traffic, namespace, slices)


def mismatches(rule: Rule, traffic: Traffic, namespace: str, slices: Sequence[EndpointSlice]) -> Iterator[str]:
    """Every criterion of *rule* that does not hold, as a sentence; none if it matches."""
    packet = traffic.packet
    yield from _family_mismatches(rule, packet.family)
    if rule.protocol is not None and packet.protocol != rule.protocol:
        yield f"the protocol is {packet.protocol}, not {rule.protocol}"
    if rule.not_protocol is not None and packet.protocol == rule.not_protocol:
        yield f"the protocol is {packet.protocol}"
    yield from _icmp_mismatches(rule, packet)
    yield from _end_mismatches(traffic.source, packet.protocol, rule.source, namespace)
    yield from _source_service_mismatches(traffic, rule.source, namespace, slices)
    yield from _end_mismatches(traffic.destination, packet.protocol, rule.destination, namespace)
    yield from _destination_service_mismatches(traffic, rule.destination, namespace, slices)


def _family_mismatches(rule: Rule, family: Family) -> Iterator[str]:
    """A rule may say its IP version outright, by its protocol, or by its nets: without one of the packet's it is not for it."""
    if rule.ip_version is not None and rule.ip_version != family:
        yield f"the rule is for IPv{rule.ip_version}"
    if rule.protocol is not None and FAMILY_OF_ICMP.get(rule.protocol, family) is not family:
        yield f"{rule.protocol} is not an IPv{family} protocol"
    for nets in (rule.source.nets, rule.source.not_nets, rule.destination.nets, rule.destination.not_nets):
        if nets and all(net.family is not family for net in nets):
            yield f"the rule's nets are not IPv{family}"


def _icmp_mismatches(rule: Rule, packet: Packet) -> Iterator[str]:
    for fields, negated in ((rule.icmp, False), (rule.not_icmp, True)):
        if fields is None or fields.type is None:
            continue
        if packet.icmp is None:
            yield "it is no ICMP packet"
            continue
        icmp_type, icmp_code = packet.icmp
        same = icmp_type == fields.type and fields.code in (None, icmp_code)
        if same is negated:
            yield f"the ICMP type is {icmp_type}, code {icmp_code}"


# --- one end ---------------------------------------------------------------------------------------------------------------


def _end_mismatches(party: Party, protocol: Protocol, peer: EntityRule, namespace: str) -> Iterator[str]:
    owners = party.peers
    if peer.nets and not _in_any(party.address, peer.nets):
        yield f"{party} is in none of the nets"
    if peer.not_nets and _in_any(party.address, peer.not_nets):
        yield f"{party} is in one of the notNets"
    if is_limited(peer, namespace):
        owners = tuple(owner for owner in owners if selects(peer, namespace, owner.labels))
        if not owners:
            yield f"{party} is no endpoint or network set that the rule selects"
    elif any(excepts(peer, owner.labels) for owner in owners):
        yield f"{party} is an endpoint or network set of the notSelector"
    # Names are looked up among the endpoints selected, and among all of them where nothing is.
    if peer.ports and not _has_any_port(party.port, protocol, peer.ports, owners):
        yield f"{party.which} port {party.port} is none of the ports"
    if peer.not_ports and _has_any_port(party.port, protocol, peer.not_ports, owners):
        yield f"{party.which} port {party.port} is one of the notPorts"


def _in_any(address: Address | None, nets: Iterable[Network]) -> bool:
    return address is not None and any(net.contains(address) for net in nets)


def _has_any_port(number: int | None, protocol: Protocol, ports: Iterable[Port], owners: Sequence[Peer]) -> bool:
    return any(_is_port(number, protocol, port, owners) for port in ports)


def _is_port(number: int | None, protocol: Protocol, port: Port, owners: Sequence[Peer]) -> bool:
    if not protocol.has_ports or number is None:
        return False
    if port.is_named:
        return any(owner.has_port(port.name, protocol, number) for owner in owners)
    return port.contains(number)


def _source_service_mismatches(
    traffic: Traffic, peer: EntityRule, namespace: str, slices: Sequence[EndpointSlice]
) -> Iterator[str]:
    """Who comes from a service may come from any port."""
    party, service = traffic.source, peer.services
    if service is None:
        return
    if party.address is None or not services.has_address(slices, service, namespace, party.address):
        yield f"{party} is not behind the service {service.name}"


def _destination_service_mismatches(
    traffic: Traffic, peer: EntityRule, namespace: str, slices: Sequence[EndpointSlice]
) -> Iterator[str]:
    party, service, protocol = traffic.destination, peer.services, traffic.packet.protocol
    if service is None:
        return
    if party.address is None or not services.has_port(slices, service, namespace, party.address, protocol, party.port):
        yield f"{party} port {party.port} is not behind the service {service.name}"


# --- what is not supported -------------------------------------------------------------------------------------------------


def fail_closed(rule: Rule) -> Rule | None:
    """*rule*, or what stands for it where it has a criterion that means nothing; None: nothing does.

    Such are numbered ports of a protocol without ports. An Allow or Log rule with one never matches. A Deny
    rule stops whatever meets its other criteria; so does a Pass rule, since what comes after it might allow.
    HTTP requests are nobody's business here: a rule about them is its other criteria.
    """
    judged = msgspec.structs.replace(
        rule,
        source=_judged_peer(rule.source, rule.protocol),
        destination=_judged_peer(rule.destination, rule.protocol),
    )
    if judged == rule:
        return rule
    return None if rule.action in (Action.ALLOW, Action.LOG) else msgspec.structs.replace(judged, action=Action.DENY)


def _judged_peer(peer: EntityRule, protocol: Protocol | None) -> EntityRule:
    if protocol is not None and protocol.has_ports:
        return peer
    # A list that loses its numbers would match less, so all of it goes.
    ports = peer.ports if all(port.is_named for port in peer.ports) else ()
    return msgspec.structs.replace(peer, ports=ports, not_ports=tuple(port for port in peer.not_ports if port.is_named))
