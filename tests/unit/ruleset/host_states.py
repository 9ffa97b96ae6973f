"""Random host states out of a vocabulary so small that rules hit, the deltas between two of them, and a packet's fate in one.

``fate`` is the judge: a few loops over the host state itself, without chains, marks, sets or maps.
"""

from collections.abc import Mapping, Sequence
from random import Random
from typing import TypeVar

from tortie.calc import HostState
from tortie.calc.hoststate import (
    AddressPort,
    EndpointId,
    HostPolicy,
    HostProfile,
    HostRule,
    HostStateDelta,
    HostWorkloadEndpoint,
    ICMPMatch,
    IPSetDelta,
    IPSetId,
    IPSetRemove,
    IPSetUpdate,
    Member,
    PeerMatch,
    PolicyId,
    PolicyRemove,
    PolicyUpdate,
    PortRange,
    ProfileRemove,
    ProfileUpdate,
    TierPolicies,
    WorkloadEndpointRemove,
    WorkloadEndpointUpdate,
)
from tortie.calc.state import referenced_sets
from tortie.model.policy import Action
from tortie.net import ICMP, ICMPV6, SCTP, TCP, UDP, Address, Family, Network, Protocol
from tortie.ruleset import Packet
from tortie.ruleset.values import CtState

ADDRESSES = tuple(Address.parse(t) for t in ("10.0.0.1", "10.0.0.2", "10.0.1.1", "fd00::1", "fd00::2", "fd00:1::1"))
NETS = tuple(
    Network.parse(t)
    for t in ("0.0.0.0/0", "10.0.0.0/24", "10.0.0.0/30", "10.0.0.1/32", "::/0", "fd00::/64", "fd00::2/128")
)
PORTS = (80, 81, 443)
ADDRESS_SETS = tuple(IPSetId(f"s:{name}") for name in "abc")
PORT_SETS = tuple(IPSetId(f"n:{name}") for name in "pq")
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

NO_STATE = HostState()

Choice = TypeVar("Choice")


# --- random values ------------------------------------------------------------------------------------------------------------


def some(rng: Random, choices: Sequence[Choice], most: int = 2) -> tuple[Choice, ...]:
    """Often none, else up to *most* different ones."""
    return tuple(rng.sample(choices, rng.choice((0, 0, 1, most))))


PORT_RANGES = (PortRange(80, 80), PortRange(80, 81), PortRange(81, 500), PortRange(443, 443), PortRange(0, 65535))


def random_peer(rng: Random, *, numbered: bool, density: float) -> PeerMatch:
    def maybe(choices: Sequence[Choice], most: int = 2) -> tuple[Choice, ...]:
        return some(rng, choices, most) if rng.random() < density else ()

    return PeerMatch(
        nets=maybe(NETS),
        not_nets=maybe(NETS[1:4] + NETS[5:]),
        ports=maybe(PORT_RANGES, 3) if numbered else (),
        not_ports=maybe(PORT_RANGES[:4]) if numbered else (),
        sets=maybe(ADDRESS_SETS),
        not_sets=maybe(ADDRESS_SETS),
        port_sets=maybe(PORT_SETS),
        not_port_sets=maybe(PORT_SETS),
    )


def random_rule(rng: Random) -> HostRule:
    protocol = rng.choice((None, None, TCP, TCP, UDP, SCTP, ICMP, ICMPV6, Protocol(47)))
    numbered = protocol is not None and protocol.has_ports
    icmp = (None, None, None, None, ICMPMatch(8, None), ICMPMatch(8, 0), ICMPMatch(128, 1))
    # A rule with many criteria hardly ever matches, and then tests nothing that follows it.
    density = rng.choice((0.15, 0.6))
    return HostRule(
        action=rng.choice(tuple(Action)),
        family=rng.choice((None, None, None, Family.V4, Family.V6)),
        protocol=protocol,
        not_protocol=rng.choice((None, None, None, TCP, ICMP)),
        icmp=rng.choice(icmp),
        not_icmp=rng.choice(icmp),
        source=random_peer(rng, numbered=numbered, density=density),
        destination=random_peer(rng, numbered=numbered, density=density),
    )


def random_rules(rng: Random) -> tuple[HostRule, ...]:
    return tuple(random_rule(rng) for _ in range(rng.randint(0, 3)))


def random_policy(rng: Random) -> HostPolicy:
    staged = rng.random() < 0.15
    return HostPolicy(tier="", ingress=random_rules(rng), egress=random_rules(rng), staged=staged)


def random_sets(rng: Random) -> dict[IPSetId, frozenset[Member]]:
    """Sets of single addresses, some with networks among them, and of named ports."""
    single = [address.network() for address in ADDRESSES]
    members: dict[IPSetId, frozenset[Member]] = {}
    for set_id in ADDRESS_SETS:
        choices = rng.choice((single, [*single, *NETS]))
        members[set_id] = frozenset(rng.sample(choices, rng.randint(0, len(choices) // 2)))
    for set_id in PORT_SETS:
        members[set_id] = frozenset(
            AddressPort(rng.choice(ADDRESSES), rng.choice((TCP, UDP)), rng.choice(PORTS))
            for _ in range(rng.randint(0, 8))
        )
    return members


def random_endpoint(rng: Random, policies: Mapping[PolicyId, HostPolicy]) -> HostWorkloadEndpoint:
    ids = rng.sample(sorted(policies), len(policies))
    cut = rng.randint(0, len(ids))
    return HostWorkloadEndpoint(
        ifname=rng.choice(INTERFACES),
        tiers=tuple(random_tier(rng, name, part) for name, part in zip(TIERS, (ids[:cut], ids[cut:]), strict=True)),
        profiles=tuple(rng.sample(PROFILES, rng.randint(0, 2))),
    )


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
    return _with_references(rng, policies, {i: random_endpoint(rng, policies) for i in some(rng, WORKLOADS, 4)})


def changed_state(rng: Random, state: HostState) -> HostState:
    """*state* after a few changes: most of it stays."""
    policies = {i: p if rng.random() < 0.7 else random_policy(rng) for i, p in state.policies.items()}
    endpoints = {
        i: e if rng.random() < 0.7 else random_endpoint(rng, policies)
        for i, e in state.workload_endpoints.items()
        if rng.random() < 0.9
    }
    if rng.random() < 0.5:
        endpoints[rng.choice(WORKLOADS)] = random_endpoint(rng, policies)
    return _with_references(rng, policies, endpoints, state)


def _with_references(
    rng: Random,
    policies: Mapping[PolicyId, HostPolicy],
    endpoints: Mapping[EndpointId, HostWorkloadEndpoint],
    before: HostState = NO_STATE,
) -> HostState:
    """The profiles and sets that are referred to; as they were *before*, mostly."""
    listed = sorted({name for endpoint in endpoints.values() for name in endpoint.profiles})
    profiles = {
        name: before.profiles[name]
        if name in before.profiles and rng.random() < 0.8
        else HostProfile(ingress=random_rules(rng), egress=random_rules(rng))
        for name in listed
    }
    used = sorted({i for rules_ in (*policies.values(), *profiles.values()) for i in referenced_sets(rules_)})
    members = random_sets(rng)
    ip_sets = {i: before.ip_sets[i] if i in before.ip_sets and rng.random() < 0.5 else members[i] for i in used}
    return HostState(ip_sets=ip_sets, policies=policies, profiles=profiles, workload_endpoints=endpoints)


def random_packet(rng: Random) -> Packet:
    family = rng.choice(tuple(Family))
    addresses = [address for address in ADDRESSES if address.family is family]
    its_icmp = ICMP if family is Family.V4 else ICMPV6
    protocol = rng.choice((TCP, TCP, UDP, SCTP, its_icmp, Protocol(47), Protocol(4)))
    states = (CtState.NEW, CtState.NEW, CtState.NEW, CtState.NEW, CtState.ESTABLISHED, CtState.INVALID)
    return Packet(
        source=rng.choice(addresses),
        destination=rng.choice(addresses),
        protocol=protocol,
        in_interface=rng.choice((*INTERFACES, "cali9", "eth0", "eth0")),
        out_interface=rng.choice((*INTERFACES, "cali9", "eth0", "eth0")),
        source_port=rng.choice((*PORTS, 5000)) if protocol.has_ports else None,
        destination_port=rng.choice((*PORTS, 4789)) if protocol.has_ports else None,
        icmp_type=rng.choice((8, 128, 13)) if protocol == its_icmp else None,
        icmp_code=rng.choice((0, 1)) if protocol == its_icmp else None,
        ct_state=rng.choice(states),
        mark=rng.choice((0, 0xFFFFFFFF, 0x1234)),
    )


def random_packets(rng: Random, count: int) -> list[Packet]:
    return [random_packet(rng) for _ in range(count)]


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
    deltas += [WorkloadEndpointUpdate(id=i, endpoint=e) for i, e in changed.items()]
    deltas += [WorkloadEndpointRemove(id=i) for i in old.workload_endpoints if i not in new.workload_endpoints]
    deltas += [ProfileRemove(name=n) for n in old.profiles if n not in new.profiles]
    deltas += [PolicyRemove(id=i) for i in old.policies if i not in new.policies]
    deltas += [IPSetRemove(id=i) for i in old.ip_sets if i not in new.ip_sets]
    return deltas


# --- a packet's fate ------------------------------------------------------------------------------------------------------------


def fate(state: HostState, packet: Packet) -> bool:
    """Whether the packet is forwarded."""
    if packet.ct_state is CtState.ESTABLISHED:
        return True
    return all(
        _stage(state, packet, ifname, egress=egress)
        for ifname, egress in ((packet.in_interface, True), (packet.out_interface, False))
    )


def _stage(state: HostState, packet: Packet, ifname: str, *, egress: bool) -> bool:
    if not ifname.startswith("cali"):
        return True
    claims = sorted(i for i, endpoint in state.workload_endpoints.items() if endpoint.ifname == ifname)
    if not claims or packet.ct_state is CtState.INVALID:
        return False
    endpoint = state.workload_endpoints[claims[0]]
    if egress and (packet.protocol == Protocol(4) or (packet.protocol == UDP and packet.destination_port == 4789)):
        return False
    for tier in endpoint.tiers:
        ids = [i for i in (tier.egress if egress else tier.ingress) if not state.policies[i].staged]
        policies = [state.policies[i] for i in ids]
        action = _first(state, [r for p in policies for r in (p.egress if egress else p.ingress)], packet)
        if action is None and ids:
            action = Action.DENY if tier.default_action == "Deny" else Action.PASS
        if action in (Action.ALLOW, Action.DENY):
            return action is Action.ALLOW
    profiles = [state.profiles[name] for name in endpoint.profiles]
    return _first(state, [r for p in profiles for r in (p.egress if egress else p.ingress)], packet) is Action.ALLOW


def _first(state: HostState, rules_: list[HostRule], packet: Packet) -> Action | None:
    return next((r.action for r in rules_ if r.action is not Action.LOG and matches(state, r, packet)), None)


def matches(state: HostState, rule: HostRule, packet: Packet) -> bool:
    """Whether *rule* matches *packet*, by the words of its declaration."""
    family = packet.family
    of_family = {ICMP: Family.V4, ICMPV6: Family.V6}
    its_icmp = packet.protocol == (ICMP if family is Family.V4 else ICMPV6)
    lists = [n for p in (rule.source, rule.destination) for n in (p.nets, p.not_nets) if n]
    return (
        rule.family in (None, family)
        and (
            rule.protocol is None
            or (rule.protocol == packet.protocol and of_family.get(rule.protocol, family) is family)
        )
        and rule.not_protocol != packet.protocol
        and all(any(net.family is family for net in nets) for nets in lists)
        and (rule.icmp is None or (its_icmp and _is_icmp(rule.icmp, packet)))
        and (rule.not_icmp is None or (its_icmp and not _is_icmp(rule.not_icmp, packet)))
        and _peer_matches(state, rule.source, packet.source, packet.source_port, packet)
        and _peer_matches(state, rule.destination, packet.destination, packet.destination_port, packet)
    )


def _is_icmp(match: ICMPMatch, packet: Packet) -> bool:
    return match.type == packet.icmp_type and match.code in (None, packet.icmp_code)


def _peer_matches(state: HostState, peer: PeerMatch, address: Address, port: int | None, packet: Packet) -> bool:
    def in_set(set_id: IPSetId) -> bool:
        return any(isinstance(m, Network) and m.contains(address) for m in state.ip_sets[set_id])

    def in_port_set(set_id: IPSetId) -> bool:
        return (address, packet.protocol, port) in state.ip_sets[set_id]

    def in_ranges(ranges: tuple[PortRange, ...]) -> bool:
        return port is not None and any(first <= port <= last for first, last in ranges)

    return (
        (not peer.nets or any(net.contains(address) for net in peer.nets))
        and not any(net.contains(address) for net in peer.not_nets)
        and all(map(in_set, peer.sets))
        and not any(map(in_set, peer.not_sets))
        and (not (peer.ports or peer.port_sets) or in_ranges(peer.ports) or any(map(in_port_set, peer.port_sets)))
        and not in_ranges(peer.not_ports)
        and not any(map(in_port_set, peer.not_port_sets))
    )
