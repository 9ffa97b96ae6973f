"""How much one rule matches: the ends that it is for, times those that its peers mean, times the kinds of packets.

At most, and by what it says alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeAlias

from tortie.model.policy import Direction, EntityRule, Rule
from tortie.net import Address, Family, Network, Port
from tortie.verdict import Cluster, Endpoint, HostInterface
from tortie.verdict.scope import excepts, is_limited, selects

End: TypeAlias = Endpoint | HostInterface

EVERYWHERE = (1 << 32) + (1 << 128)
"""All addresses of both versions."""
ALL_PORTS = 1 << 16
_AT_MOST = 500
"""So many ends are looked at; of more, every second, third, …"""
_ICMP_TYPES = 256


class Measure:
    """Measures rules by the ends that a cluster has."""

    def __init__(self, cluster: Cluster) -> None:
        step = len(cluster.endpoints) // _AT_MOST + 1
        self.ends: Sequence[End] = (*cluster.endpoints[::step], *cluster.host_endpoints)
        self._sets = cluster.sets
        self._strangers = [peer for peer in (*cluster.sets, *cluster.host_endpoints) if peer.networks]

    def of(
        self, rule: Rule | None, namespace: str, direction: Direction, governed: Iterable[End], family: Family
    ) -> int:
        """Of a rule in a policy of *namespace* that governs some ends in one *direction*; None: there is none."""
        if rule is None:
            return 0
        own, peer = own_and_peer(rule, direction)
        # A host endpoint is asked about its host's addresses, and nobody knows all of them.
        owners = sum(not isinstance(end, Endpoint) or self._means(own, namespace, end, family) for end in governed)
        return owners * self._peers(peer, namespace, family) * _packets(rule)

    def _peers(self, peer: EntityRule, namespace: str, family: Family) -> int:
        """How many addresses are meant; of what no end has, those that are told by networks count, or all that are outside."""
        found = sum(self._means(peer, namespace, end, family) for end in self.ends)
        if is_limited(peer, namespace):
            return found + sum(_addresses(s.networks) for s in self._sets if selects(peer, namespace, s.labels))
        if peer.services is not None:
            return found
        told = _addresses(peer.nets) if peer.nets else EVERYWHERE
        without = [network for network in peer.not_nets if not peer.nets or _is_in_any(network, peer.nets)]
        excepted = [end for end in (*self.ends, *self._sets) if excepts(peer, end.labels)]
        return max(found, told - _addresses(without) - sum(_addresses(end.networks) for end in excepted))

    def _means(self, peer: EntityRule, namespace: str, end: End, family: Family) -> bool:
        """Whether an end, or whoever else has its address, is among what *peer* says, its ports left aside."""
        addresses = [network.address for network in end.networks if network.family is family]
        if end.networks and not addresses:
            return False
        if not is_limited(peer, namespace):
            found = not excepts(peer, end.labels)
        else:
            others = (stranger for stranger in self._strangers if any(map(stranger.has, addresses)))
            found = any(selects(peer, namespace, each.labels) for each in (end, *others))
        return found and (not peer.nets or _in_any(addresses, peer.nets)) and not _in_any(addresses, peer.not_nets)


def own_and_peer(rule: Rule, direction: Direction) -> tuple[EntityRule, EntityRule]:
    """What a rule says of the end that its policy governs, and of the other."""
    return (rule.destination, rule.source) if direction is Direction.INGRESS else (rule.source, rule.destination)


def _in_any(addresses: Iterable[Address], networks: Sequence[Network]) -> bool:
    return any(network.contains(address) for address in addresses for network in networks)


def _is_in_any(inner: Network, networks: Sequence[Network]) -> bool:
    return any(outer.prefix_len <= inner.prefix_len and outer.contains(inner.address) for outer in networks)


def _addresses(networks: Iterable[Network]) -> int:
    return sum(1 << network.family.bits - network.prefix_len for network in networks)


def _packets(rule: Rule) -> int:
    """How many kinds of packets: ports of protocols, types of ICMP."""
    if rule.icmp is not None and rule.icmp.type is not None:
        return 1
    ports = rule.destination.ports or rule.source.ports
    if ports:
        return sum(map(_width, ports))
    every = 3 * ALL_PORTS if rule.protocol is None else ALL_PORTS if rule.protocol.has_ports else _ICMP_TYPES
    return max(every - sum(map(_width, (*rule.destination.not_ports, *rule.source.not_ports))), 1)


def _width(port: Port) -> int:
    return 1 if port.is_named else port.last - port.first + 1
