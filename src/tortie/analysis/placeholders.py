"""Addresses in place of those that endpoints do not have yet, for what can only be asked about packets: rulesets and kernels.

Whoever has no address is in no network, so a stand-in must be in none of a rule's ``nets``, and every ``notNets`` must match it:
the stand-ins are cut out of all networks that rules and network sets name. IPv4's come from the reserved 240.0.0.0/4 (RFC 1112 §4), IPv6's
from the discard-only 100::/64 (RFC 6666), which nobody has.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from tortie.analysis.cluster import KnownCluster
from tortie.model.endpoint import WorkloadEndpoint
from tortie.model.kinds import ResourceKey
from tortie.model.meta import Resource
from tortie.model.policy import EntityRule, GlobalNetworkPolicy, NetworkPolicy, Profile, Rule
from tortie.model.sets import GlobalNetworkSet, NetworkSet, networks
from tortie.model.staged import StagedGlobalNetworkPolicy, StagedNetworkPolicy
from tortie.net import Address, Family, Network

RANGES = {Family.V4: Network.parse("240.0.0.0/12"), Family.V6: Network.parse("100::/64")}
"""Where stand-ins are from: a million."""

_NOWHERE = {family: (network.address + ((1 << 20) - 1)).network() for family, network in RANGES.items()}
"""Stands for a network that was nothing but stand-ins: no list of networks may become empty, for that would mean any."""

_WITH_RULES = (NetworkPolicy, GlobalNetworkPolicy, StagedNetworkPolicy, StagedGlobalNetworkPolicy, Profile)


class StandIns(msgspec.Struct, frozen=True, kw_only=True):
    """A cluster in which everybody has an address."""

    resources: Mapping[ResourceKey, Resource]
    endpoints: Mapping[tuple[str, str], Mapping[Family, Address]]
    """The stand-ins of workload endpoints, by namespace and name."""
    nodes: Mapping[str, Mapping[Family, Address]]
    """Those of hosts."""


def stand_ins(cluster: KnownCluster) -> StandIns:
    """*cluster*, with a stand-in for each endpoint and host without an address; as it is, if there is none."""
    numbers = itertools.count(1)
    endpoints = {
        (key.namespace, key.name): _addresses(next(numbers))
        for key, resource in cluster.resources.items()
        if isinstance(resource, WorkloadEndpoint) and not resource.spec.ip_networks
    }
    nodes = {node: _addresses(next(numbers)) for node, addresses in cluster.nodes.items() if not addresses}
    if not endpoints and not nodes:
        return no_stand_ins(cluster)
    resources = {key: _with_stand_ins(key, resource, endpoints) for key, resource in cluster.resources.items()}
    return StandIns(resources=resources, endpoints=endpoints, nodes=nodes)


def no_stand_ins(cluster: KnownCluster) -> StandIns:
    """*cluster* as it is: an endpoint without an address is not there yet."""
    return StandIns(resources=cluster.resources, endpoints={}, nodes={})


def _addresses(number: int) -> Mapping[Family, Address]:
    return {family: network.address + number for family, network in RANGES.items()}


def _with_stand_ins(
    key: ResourceKey, resource: Resource, endpoints: Mapping[tuple[str, str], Mapping[Family, Address]]
) -> Resource:
    match resource:
        case WorkloadEndpoint() if (key.namespace, key.name) in endpoints:
            own = endpoints[key.namespace, key.name].values()
            spec = msgspec.structs.replace(resource.spec, ip_networks=tuple(address.network() for address in own))
            return msgspec.structs.replace(resource, spec=spec)
        case NetworkSet() | GlobalNetworkSet():
            nets = tuple(str(net) for net in _cut(networks(resource.spec)))
            return msgspec.structs.replace(resource, spec=msgspec.structs.replace(resource.spec, nets=nets))
        case _ if isinstance(resource, _WITH_RULES):
            ingress, egress = _cut_rules(resource.spec.ingress), _cut_rules(resource.spec.egress)
            spec_without = msgspec.structs.replace(resource.spec, ingress=ingress, egress=egress)
            return msgspec.structs.replace(resource, spec=spec_without)
        case _:
            return resource


# --- cutting out -----------------------------------------------------------------------------------------------------------


def _cut_rules(rules: Iterable[Rule]) -> tuple[Rule, ...]:
    return tuple(
        msgspec.structs.replace(rule, source=_cut_peer(rule.source), destination=_cut_peer(rule.destination))
        for rule in rules
    )


def _cut_peer(peer: EntityRule) -> EntityRule:
    if not peer.nets and not peer.not_nets:
        return peer
    return msgspec.structs.replace(peer, nets=_cut(peer.nets), not_nets=_cut(peer.not_nets))


def _cut(nets: Sequence[Network]) -> tuple[Network, ...]:
    return tuple(part for net in nets for part in without(net, RANGES[net.family]) or [_NOWHERE[net.family]])


def without(network: Network, hole: Network) -> list[Network]:
    """The networks that make up *network* except *hole*, which is of its family; from the smallest addresses to the largest."""
    if hole.contains(network):
        return []
    if not network.contains(hole):
        return [network]
    return sorted(_halves_beside(network, hole))


def _halves_beside(network: Network, hole: Network) -> Iterator[Network]:
    """Halve what holds the hole until it is the hole; each time the other half remains."""
    size = len(hole.packed)
    for length in range(network.prefix_len + 1, hole.prefix_len + 1):
        bit = 1 << (size * 8 - length)
        other = (int.from_bytes(hole.packed, "big") ^ bit) & ~(bit - 1)
        yield Network(other.to_bytes(size, "big"), length)
