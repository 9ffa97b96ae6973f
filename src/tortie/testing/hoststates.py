"""Random host states out of a vocabulary so small that rules hit, packets, and the deltas between two states."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

import msgspec

from tortie.calc import HostState
from tortie.calc.hoststate import (
    EndpointId,
    HostEndpointRemove,
    HostEndpointUpdate,
    HostHostEndpoint,
    HostPolicy,
    HostProfile,
    HostStateDelta,
    HostWorkloadEndpoint,
    InterfaceLimits,
    IPSetDelta,
    IPSetRemove,
    IPSetUpdate,
    PacketRate,
    PolicyId,
    PolicyRemove,
    PolicyUpdate,
    ProfileRemove,
    ProfileUpdate,
    TierPolicies,
    TiersUpdate,
    WorkloadEndpointRemove,
    WorkloadEndpointUpdate,
)
from tortie.calc.state import referenced_sets
from tortie.net import TCP, Address
from tortie.ruleset import Packet
from tortie.ruleset.interpreter import Translation
from tortie.testing.hostrules import ADDRESSES, NETS, PORTS, random_packet, random_rules, random_sets, some

INTERFACES = ("cali1", "cali2", "cali3")
PROFILES = ("kns.a", "kns.b", "ksa.c")
POLICIES = tuple(
    PolicyId(kind, namespace, name)
    for kind, namespace, name in (
        ("NetworkPolicy", "ns", "a"),
        ("NetworkPolicy", "ns", "b"),
        ("GlobalNetworkPolicy", "", "a"),
        ("GlobalNetworkPolicy", "", "c"),
    )
)
TIERS = ("first", "second")
WORKLOADS = tuple(EndpointId("ns", name) for name in ("w1", "w2", "w3", "w4"))
HOST_ENDPOINTS = tuple(EndpointId("", name) for name in ("h1", "h2", "h3", "h4"))
OUTER = {
    "eth0": frozenset(map(Address.parse, ("192.0.2.1", "fd00:9::1"))),
    "eth1": frozenset({Address.parse("192.0.2.2")}),
    "lo": frozenset({Address.parse("127.0.0.1")}),
}
"""The host's own interfaces, with their addresses."""
RATES = (None, None, PacketRate(5, 2), PacketRate(9, 3))
COUNTS = (None, None, 4, 7)
LIMIT_SETS = ("pps-from", "pps-to", "conn-from", "conn-to")

NO_STATE = HostState()

# --- random values ------------------------------------------------------------------------------------------------------------


def random_policy(rng: Random) -> HostPolicy:
    staged = rng.random() < 0.15
    return HostPolicy(tier="", ingress=random_rules(rng), egress=random_rules(rng), staged=staged)


def random_endpoint(rng: Random, policies: Mapping[PolicyId, HostPolicy]) -> HostWorkloadEndpoint:
    limits = InterfaceLimits(
        ingress_rate=rng.choice(RATES),
        egress_rate=rng.choice(RATES),
        ingress_connections=rng.choice(COUNTS),
        egress_connections=rng.choice(COUNTS),
    )
    return HostWorkloadEndpoint(
        ifname=rng.choice(INTERFACES),
        tiers=random_tiers(rng, policies),
        profiles=tuple(rng.sample(PROFILES, rng.randint(0, 2))),
        limits=limits if rng.random() < 0.3 else InterfaceLimits(),
        spoofable=some(rng, NETS),
    )


def random_host_endpoint(rng: Random, policies: Mapping[PolicyId, HostPolicy]) -> HostHostEndpoint:
    ifname = rng.choice(("", "*", "*", *OUTER, "eth9"))
    addresses = sorted(address for held in OUTER.values() for address in held)

    def maybe() -> tuple[TierPolicies, ...]:
        return random_tiers(rng, policies) if rng.random() < 0.5 else ()

    return HostHostEndpoint(
        ifname=ifname,
        expected_ips=tuple(sorted(rng.sample(addresses, rng.randint(0 if ifname else 1, 2)))),
        tiers=maybe(),
        forward_tiers=maybe(),
        untracked_tiers=maybe(),
        pre_dnat_tiers=maybe(),
        profiles=tuple(rng.sample(PROFILES, rng.randint(0, 2))),
    )


def random_tiers(rng: Random, policies: Mapping[PolicyId, HostPolicy]) -> tuple[TierPolicies, ...]:
    ids = rng.sample(sorted(policies), len(policies))
    cut = rng.randint(0, len(ids))
    return tuple(random_tier(rng, name, part) for name, part in zip(TIERS, (ids[:cut], ids[cut:]), strict=True))


def random_tier(rng: Random, name: str, ids: Sequence[PolicyId]) -> TierPolicies:
    return TierPolicies(
        name=name,
        default_action="Deny" if rng.random() < 0.5 else "Pass",
        ingress=tuple(i for i in ids if rng.random() < 0.6),
        egress=tuple(i for i in ids if rng.random() < 0.6),
    )


def random_state(rng: Random) -> HostState:
    """A state in which everything that is referred to exists, and nothing else."""
    policies = {i: random_policy(rng) for i in rng.sample(POLICIES, rng.randint(0, len(POLICIES)))}
    workloads = {i: random_endpoint(rng, policies) for i in some(rng, WORKLOADS, 4)}
    hosts = {i: random_host_endpoint(rng, policies) for i in some(rng, HOST_ENDPOINTS, 3)}
    return _with_references(rng, policies, workloads, hosts)


def changed_state(rng: Random, state: HostState) -> HostState:
    """*state* after a few changes: most of it stays."""
    policies = {i: p if rng.random() < 0.7 else random_policy(rng) for i, p in state.policies.items()}
    endpoints = {
        i: e if rng.random() < 0.7 else random_endpoint(rng, policies)
        for i, e in state.workload_endpoints.items()
        if rng.random() < 0.9
    }
    hosts = {i: e for i, e in state.host_endpoints.items() if rng.random() < 0.8}
    if rng.random() < 0.5:
        endpoints[rng.choice(WORKLOADS)] = random_endpoint(rng, policies)
    if rng.random() < 0.4:
        hosts[rng.choice(HOST_ENDPOINTS)] = random_host_endpoint(rng, policies)
    for endpoint_id in sorted(endpoints):
        if rng.random() < 0.2:  # other policies and nothing else
            tiers = random_tiers(rng, policies)
            endpoints[endpoint_id] = msgspec.structs.replace(endpoints[endpoint_id], tiers=tiers)
    return _with_references(rng, policies, endpoints, hosts, state)


def _with_references(
    rng: Random,
    policies: Mapping[PolicyId, HostPolicy],
    endpoints: Mapping[EndpointId, HostWorkloadEndpoint],
    hosts: Mapping[EndpointId, HostHostEndpoint],
    before: HostState = NO_STATE,
) -> HostState:
    """The profiles and sets that are referred to; as they were *before*, mostly."""
    lists = [*(e.profiles for e in endpoints.values()), *(e.profiles for e in hosts.values())]
    listed = sorted({name for names in lists for name in names})
    profiles = {
        name: before.profiles[name]
        if name in before.profiles and rng.random() < 0.8
        else HostProfile(ingress=random_rules(rng), egress=random_rules(rng))
        for name in listed
    }
    enforced: list[HostPolicy | HostProfile] = [*policies.values(), *profiles.values()]
    used = sorted({i for rules in enforced for i in referenced_sets(rules)})
    members = random_sets(rng)
    ip_sets = {i: before.ip_sets[i] if i in before.ip_sets and rng.random() < 0.5 else members[i] for i in used}
    return HostState(
        ip_sets=ip_sets, policies=policies, profiles=profiles, workload_endpoints=endpoints, host_endpoints=hosts
    )


def random_packets(rng: Random, count: int) -> list[Packet]:
    """On every path through the host."""
    return [random_way(rng, random_packet(rng, (*INTERFACES, "cali9", *OUTER, "eth0"))) for _ in range(count)]


def random_way(rng: Random, packet: Packet) -> Packet:
    """The packet forwarded, or for the host, or of the host; to a port that is always open, or for NAT to translate, or beyond limits."""
    no_ends: dict[str, Any] = {}
    ends = dict(rng.choice((no_ends, no_ends, {"out_interface": ""}, {"in_interface": ""})))
    targets = [address for address in ADDRESSES if address.family is packet.family]
    port = rng.choice(PORTS) if packet.destination_port is not None else None
    if rng.random() < 0.1:
        ends |= {"protocol": TCP, "destination_port": 22, "source_port": 179, "icmp_type": None, "icmp_code": None}
        port = 80
    return msgspec.structs.replace(
        packet,
        **ends,
        is_spoofed=rng.random() < 0.1,
        translation=Translation(rng.choice(targets), port) if rng.random() < 0.2 else None,
        over_limit=frozenset(rng.sample(LIMIT_SETS, 1)) if rng.random() < 0.2 else frozenset(),
    )


# --- deltas between two states --------------------------------------------------------------------------------------------------


def diff(old: HostState, new: HostState) -> list[HostStateDelta]:
    """Deltas from *old* to *new*, in dependency order."""
    deltas: list[HostStateDelta] = []
    for set_id, members in new.ip_sets.items():
        before = old.ip_sets.get(set_id)
        if before is None:
            deltas.append(IPSetUpdate(id=set_id, members=members))
        elif before != members:
            deltas.append(IPSetDelta(id=set_id, added=members - before, removed=before - members))
    deltas += [PolicyUpdate(id=i, policy=p) for i, p in new.policies.items() if old.policies.get(i) != p]
    deltas += [ProfileUpdate(name=n, profile=p) for n, p in new.profiles.items() if old.profiles.get(n) != p]
    changed = {i: e for i, e in new.workload_endpoints.items() if old.workload_endpoints.get(i) != e}
    deltas += [_endpoint_delta(i, old.workload_endpoints.get(i), e) for i, e in changed.items()]
    changed_hosts = {i: e for i, e in new.host_endpoints.items() if old.host_endpoints.get(i) != e}
    deltas += [HostEndpointUpdate(id=i, endpoint=e) for i, e in changed_hosts.items()]
    deltas += [HostEndpointRemove(id=i) for i in old.host_endpoints if i not in new.host_endpoints]
    deltas += [WorkloadEndpointRemove(id=i) for i in old.workload_endpoints if i not in new.workload_endpoints]
    deltas += [ProfileRemove(name=n) for n in old.profiles if n not in new.profiles]
    deltas += [PolicyRemove(id=i) for i in old.policies if i not in new.policies]
    deltas += [IPSetRemove(id=i) for i in old.ip_sets if i not in new.ip_sets]
    return deltas


def _endpoint_delta(
    endpoint_id: EndpointId, before: HostWorkloadEndpoint | None, now: HostWorkloadEndpoint
) -> HostStateDelta:
    if before is not None and msgspec.structs.replace(before, tiers=now.tiers) == now:
        return TiersUpdate(endpoints=(endpoint_id,), tiers=now.tiers)
    return WorkloadEndpointUpdate(id=endpoint_id, endpoint=now)
