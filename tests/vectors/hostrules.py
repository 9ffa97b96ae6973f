"""Rules in Felix's field names (its protobuf) as the rules, policies and tiers of a host.

A field that is not known here is an error, not passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tortie.calc.hoststate import (
    AddressPort,
    HostPolicy,
    HostRule,
    ICMPMatch,
    IPSetId,
    Member,
    PeerMatch,
    PolicyId,
    PortRange,
    TierPolicies,
)
from tortie.model.policy import Action
from tortie.net import Address, Family, Network, Protocol

_ACTIONS = {
    "Allow": Action.ALLOW,
    "Deny": Action.DENY,
    "Pass": Action.PASS,
    "Next-Tier": Action.PASS,
    "Log": Action.LOG,
}


def _protocol(given: Mapping[str, Any]) -> Protocol:
    ((_, value),) = given["NumberOrName"].items()
    return Protocol.parse(value)


def _nets(given: list[str]) -> tuple[Network, ...]:
    return tuple(Network.parse(text, strict=False) for text in given)


def _ports(given: list[Mapping[str, int]]) -> tuple[PortRange, ...]:
    return tuple(PortRange(ports["First"], ports["Last"]) for ports in given)


def _icmp(given: Mapping[str, Any]) -> ICMPMatch:
    """``{IcmpType: 8}`` or ``{IcmpTypeCode: {Type: 8, Code: 0}}``; negated ones begin with Not."""
    ((_, value),) = given.items()
    return ICMPMatch(value["Type"], value["Code"]) if isinstance(value, dict) else ICMPMatch(value, None)


def _address_sets(given: list[str]) -> tuple[IPSetId, ...]:
    return tuple(IPSetId(f"s:{name}") for name in given)


def _port_sets(given: list[str]) -> tuple[IPSetId, ...]:
    return tuple(IPSetId(f"n:{name}") for name in given)


_RULE_FIELDS: dict[str, tuple[str, Callable[[Any], object]]] = {
    "Action": ("action", lambda given: _ACTIONS[given.title()]),
    "IpVersion": ("family", Family),
    "Protocol": ("protocol", _protocol),
    "NotProtocol": ("not_protocol", _protocol),
    "Icmp": ("icmp", _icmp),
    "NotIcmp": ("not_icmp", _icmp),
}
_PEER_FIELDS: dict[str, tuple[str, Callable[[Any], object]]] = {
    "Net": ("nets", _nets),
    "Ports": ("ports", _ports),
    "IpSetIds": ("sets", _address_sets),
    "NamedPortIpSetIds": ("port_sets", _port_sets),
    "IpPortSetIds": ("port_sets", _port_sets),
}


def host_rule(given: Mapping[str, Any]) -> HostRule:
    """A rule; KeyError for a field that is not known."""
    fields: dict[str, Any] = {}
    peers: dict[str, dict[str, Any]] = {"Src": {}, "Dst": {}}
    for name, value in given["Rule"].items():
        if name in _RULE_FIELDS:
            field, read = _RULE_FIELDS[name]
            fields[field] = read(value)
            continue
        side = name.removeprefix("Not")[:3]
        field, read = _PEER_FIELDS[name.removeprefix("Not")[3:]]
        peers[side]["not_" + field if name.startswith("Not") else field] = read(value)
    return HostRule(**fields, source=PeerMatch(**peers["Src"]), destination=PeerMatch(**peers["Dst"]))


def tiers(given: list[Mapping[str, Any]], prefix: str) -> tuple[tuple[TierPolicies, ...], dict[PolicyId, HostPolicy]]:
    """Tiers and their policies, each the same in both directions; their names begin with *prefix*."""
    policies: dict[PolicyId, HostPolicy] = {}
    found = []
    for at, tier in enumerate(given):
        ids = []
        for number, policy in enumerate(tier.get("Policies", ())):
            policy_id = PolicyId("GlobalNetworkPolicy", "", f"{prefix}-{at}-{number}")
            rules = tuple(host_rule(rule) for rule in policy.get("Rules", ()))
            policies[policy_id] = HostPolicy(tier=tier["Name"], ingress=rules, egress=rules)
            ids.append(policy_id)
        end = "Pass" if tier.get("EndAction", "").lower() == "pass" else "Deny"
        found.append(
            TierPolicies(name=tier["Name"], default_action=end, ingress=tuple(ids), egress=tuple(ids))  # type: ignore[arg-type]
        )
    return tuple(found), policies


def members(name: str, given: list[str]) -> tuple[IPSetId, frozenset[Member]]:
    """A set: of named ports if its members are ``address,protocol:port``."""
    kind = "n" if any("," in text for text in given) else "s"
    return IPSetId(f"{kind}:{name}"), frozenset(map(member, given))


def member(text: str) -> Member:
    """A network, or ``address,protocol:port``, in which the address may be a network of one."""
    network, comma, rest = text.partition(",")
    if not comma:
        return Network.parse(network, strict=False)
    protocol, _, port = rest.partition(":")
    return AddressPort(Address.parse(network.partition("/")[0]), Protocol.parse(protocol), int(port))
