"""Whether a rule matches everything that another one matches: then the other, coming later, never decides.

Conservative: "no" may also mean that it cannot be seen from the two rules alone. Only what is equal, absent, or a number
or network within another counts; selectors count by the canonical text of what they join by ``&&``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Self, TypeVar

from tortie.model.kubernetes_cluster_policy import ClusterNetworkPolicyRule, peers_of
from tortie.model.policy import Action, EntityRule, ICMPFields, Rule, ServiceAccountMatch
from tortie.net import FAMILY_OF_ICMP, Network, Port
from tortie.selectors import SelectorError, normalise, parse
from tortie.selectors.syntax import And, render

R = TypeVar("R")


def shadowed(rules: Sequence[Rule]) -> Iterator[tuple[int, int]]:
    """Each rule that never decides, with the first one before it that matches all that it matches. Log rules only log."""
    read = [(rule, _ends(rule)) for rule in rules]
    return _shadowed(read, lambda wide, narrow: wide[0].action is not Action.LOG and _covers(*wide, *narrow))


def _shadowed(rules: Sequence[R], covering: Callable[[R, R], bool]) -> Iterator[tuple[int, int]]:
    """Each rule with the first one before it that covers it."""
    for later, rule in enumerate(rules):
        earlier = next((index for index in range(later) if covering(rules[index], rule)), None)
        if earlier is not None:
            yield later, earlier


def covers(wide: Rule, narrow: Rule) -> bool:
    """Whether every packet that *narrow* matches is matched by *wide*, as far as can be seen."""
    return _covers(wide, _ends(wide), narrow, _ends(narrow))


class _End(NamedTuple):
    """One end of a rule, its selectors read: a policy may have a thousand rules, and each is compared with each."""

    selector: frozenset[str]
    """What is asked of known endpoints, each part by its canonical text; empty: the address need not be known."""
    accounts: frozenset[str]
    """The same of the service accounts' labels."""
    names: frozenset[str]
    """Of service accounts; empty: any."""
    others: tuple[str, str]
    """The selectors that only count where they mean the same: which namespaces, and what is left out."""
    limits_peers: bool
    entity: EntityRule

    @classmethod
    def of(cls, entity: EntityRule) -> Self:
        accounts = entity.service_accounts or ServiceAccountMatch()
        selector, of_accounts = _parts(entity.selector), _parts(accounts.selector)
        others = tuple(text and normalise(text) for text in (entity.namespace_selector, entity.not_selector))
        limits_peers = any((selector, of_accounts, accounts.names, *others))
        return cls(selector, of_accounts, frozenset(accounts.names), (others[0], others[1]), limits_peers, entity)

    def covers_peers(self, narrow: _End) -> bool:
        """Whether all known endpoints that *narrow* means are meant here too."""
        if not self.limits_peers:
            return True
        names = not self.names or (bool(narrow.names) and narrow.names <= self.names)
        parts = self.selector <= narrow.selector and self.accounts <= narrow.accounts
        return names and parts and self.others == narrow.others


def _parts(text: str) -> frozenset[str]:
    """What ``&&`` joins in a selector, with ``all()``, which is part of all of them; nothing for the empty text, which asks for nothing."""
    if not text:
        return frozenset()
    try:
        node = parse(text).node
    except SelectorError:
        return frozenset((text,))
    operands = node.operands if isinstance(node, And) else (node,)
    return frozenset(("all()", *map(render, operands)))


_Ends = tuple[_End, _End]


def _ends(rule: Rule) -> _Ends:
    return _End.of(rule.source), _End.of(rule.destination)


def _covers(wide: Rule, wide_ends: _Ends, narrow: Rule, narrow_ends: _Ends) -> bool:
    return (
        wide.ip_version in (None, *_versions(narrow))
        and _covers_protocols(wide, narrow)
        and _covers_icmp(wide.icmp, narrow.icmp)
        and wide.not_icmp in (None, narrow.not_icmp)
        and wide.http in (None, narrow.http)
        and all(map(_covers_end, wide_ends, narrow_ends))
    )


def _versions(rule: Rule) -> frozenset[int]:
    """The one IP version that *rule* can match, as far as it says; empty where it may be both.

    A network anywhere in a rule limits it to its version, and so does ICMP, which is IPv4's, and ICMPv6.
    """
    nets = (net for end in (rule.source, rule.destination) for net in (*end.nets, *end.not_nets))
    versions = {net.family.value for net in nets}
    if rule.ip_version is not None:
        versions.add(rule.ip_version)
    if rule.protocol is not None and rule.protocol in FAMILY_OF_ICMP:
        versions.add(FAMILY_OF_ICMP[rule.protocol])
    return frozenset(versions if len(versions) == 1 else ())


def _covers_protocols(wide: Rule, narrow: Rule) -> bool:
    if wide.protocol not in (None, narrow.protocol):
        return False
    if wide.not_protocol in (None, narrow.not_protocol):
        return True
    return narrow.protocol not in (None, wide.not_protocol)


def _covers_icmp(wide: ICMPFields | None, narrow: ICMPFields | None) -> bool:
    if wide is None or wide.type is None:
        return True
    return narrow is not None and wide.type == narrow.type and wide.code in (None, narrow.code)


def _covers_end(wide_end: _End, narrow_end: _End) -> bool:
    if not wide_end.covers_peers(narrow_end):
        return False
    wide, narrow = wide_end.entity, narrow_end.entity
    return (
        wide.services in (None, narrow.services)
        and _covers_nets(wide.nets, narrow.nets)
        and all(any(other.contains(net) for other in narrow.not_nets) for net in wide.not_nets)
        and _covers_ports(wide.ports, narrow.ports)
        and all(_has_port(narrow.not_ports, port) for port in wide.not_ports)
    )


def _covers_nets(wide: Sequence[Network], narrow: Sequence[Network]) -> bool:
    if not wide:
        return True
    return bool(narrow) and all(any(other.contains(net) for other in wide) for net in narrow)


def _covers_ports(wide: Sequence[Port], narrow: Sequence[Port]) -> bool:
    if not wide:
        return True
    return bool(narrow) and all(_has_port(wide, port) for port in narrow)


def _has_port(ports: Sequence[Port], port: Port) -> bool:
    """Whether one of *ports* is *port*, or a range around it; a name is only itself."""
    if port.is_named:
        return port in ports
    return any(other.contains(port.first) and other.contains(port.last) for other in ports)


def shadowed_cluster_rules(rules: Sequence[ClusterNetworkPolicyRule]) -> Iterator[tuple[int, int]]:
    """The same for the rules of a ClusterNetworkPolicy, whose peers and ports count only where they are written equal."""
    return _shadowed(rules, _covers_cluster_rule)


def _covers_cluster_rule(wide: ClusterNetworkPolicyRule, narrow: ClusterNetworkPolicyRule) -> bool:
    peers, others = (peers_of(rule) for rule in (wide, narrow))
    protocols = not wide.protocols or (
        bool(narrow.protocols) and all(item in wide.protocols for item in narrow.protocols)
    )
    return protocols and bool(others) and all(peer in peers for peer in others)
