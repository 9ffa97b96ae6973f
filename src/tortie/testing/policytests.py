"""Differential: what ``tortie.analysis.assertions`` says of all packets of a test at once == what the oracle says of each.

Random tests of random clusters: names, patterns, hosts, addresses and networks. The oracle is asked about every two ends that a test
means, and about one packet of each kind that rules, hosts and tunnels can tell apart, and some more. So not only must what holds and
what does not agree, but also between how many pairs, and which rules have decided. Of a network a few addresses are tried.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from random import Random
from typing import NamedTuple

from tortie.analysis.assertions import Judge, Located, Outcome
from tortie.analysis.assertions.coverage import State, coverage, decided_by, matched
from tortie.analysis.assertions.deciding import RuleRef
from tortie.analysis.assertions.naming import as_network, is_pattern
from tortie.analysis.assertions.packets import a_point, flow_at
from tortie.analysis.assertions.probing import told_apart
from tortie.analysis.cluster import KnownCluster, known
from tortie.analysis.ends import Directory, NamedEnd, UnknownEndError
from tortie.analysis.reach import space
from tortie.analysis.reach.space import Region
from tortie.model.kinds import key_of
from tortie.model.policy import Direction
from tortie.model.policytest import Connections, PolicyAssertion, Texts
from tortie.net import Address, Network
from tortie.testing.clusters import random_cluster
from tortie.testing.reachability import with_peculiar_endpoints
from tortie.testing.topology import OUTSIDE
from tortie.testing.vocabulary import PORT_NUMBERS, chance, some
from tortie.verdict import Cause, Cluster, Decision, EndpointRef, HostRef, Verdict

TESTS = 6
"""Of each cluster."""
_NETWORKS = ("0.0.0.0/0", "::/0", "10.65.0.0/24", "10.65.1.0/26", "192.0.2.0/24", "203.0.113.0/28", "fd00:65::/64")
_PATTERNS = ("*/*", "ns-a/*", "*/pod-?", "host:*", "ns-*/pod-1")
_PORTS = (
    *(f"tcp/{port}" for port in PORT_NUMBERS),
    "udp/53",
    "udp",
    "sctp/80-443",
    "icmp",
    "icmp/8",
    "icmpv6/128",
    "47",
    "4",
)


class Tried(NamedTuple):
    """What the oracle says of a test."""

    pairs: int
    failing: int
    rules: frozenset[RuleRef]
    """Those that decided."""
    is_whole: bool
    """Every end that is meant was tried: no network is."""


def run(seed: int, counts: Counter[str]) -> Iterator[str]:
    """All that differs in the random cluster of that seed, a line each."""
    return (f"TORTIE_SEED={seed} replays it: {line}" for line in _disagreements(Random(seed), counts))


def _disagreements(rng: Random, counts: Counter[str]) -> Iterator[str]:
    resources = with_peculiar_endpoints(rng, random_cluster(rng).calico())
    cluster = known({key_of(resource): resource for resource in resources}, resources)
    tests = [random_test(rng, cluster, number) for number in range(TESTS)]
    judge = Judge(cluster, tests)
    trying = _Trying(rng, cluster, judge)
    tried: list[Tried] = []
    for test in tests:
        outcome, found = judge.outcome(test), trying.tried(test)
        counts["passed" if outcome.passed else "could not be asked" if outcome.error else "failed"] += 1
        tried += [found] if found is not None else []
        yield from (f"{test.sentence}: {line}" for line in _differing(outcome, found, judge.cluster))
    yield from _uncovered(judge, tests, tried, counts)
    if chance(rng, 0.3):
        yield from _unable(rng, cluster, counts)


def random_test(rng: Random, cluster: KnownCluster, number: int) -> Located:
    """A test of *cluster*."""
    ports: Texts = () if chance(rng, 0.3) else some(rng, _PORTS, 3)
    connections = Connections(from_=_ends(rng, cluster), to=_ends(rng, cluster), ports=ports)
    assertion = PolicyAssertion(deny=connections) if chance(rng, 0.5) else PolicyAssertion(allow=connections)
    return Located(assertion, rng.choice(("ns-a", "ns-b", "")), "random", number)


def _ends(rng: Random, cluster: KnownCluster) -> Texts:
    names = Directory(cluster).workload_names
    outside = [str(address) for addresses in OUTSIDE.values() for address in addresses]
    choices = (names, names, names, _PATTERNS, [f"host:{node}" for node in cluster.nodes], _NETWORKS, outside)
    return tuple(rng.choice(rng.choice(choices)) for _ in range(rng.choice((1, 1, 2))))


# --- by the oracle ------------------------------------------------------------------------------------------------------------


class _Trying:
    """Tests of one cluster, tried packet by packet."""

    def __init__(self, rng: Random, cluster: KnownCluster, judge: Judge) -> None:
        self._rng = rng
        self._judge = judge
        self._directory = Directory(cluster)
        addresses = [address for end in judge.cluster.endpoints for address in end.addresses]
        self._addresses = (*addresses, *(address for known in cluster.nodes.values() for address in known))
        self._names = (*self._directory.workload_names, *(f"host:{node}" for node in cluster.nodes))
        ports = [space.of_ports(space.WITH_PORTS, [(port, port)]) for port in rng.sample(range(65536), 2)]
        self._kinds = space.Partition([*told_apart(judge.cluster), *ports]).parts

    def tried(self, test: Located) -> Tried | None:
        """None: it cannot be asked."""
        connections = test.assertion.connections
        try:
            sources, destinations = (
                self._named(texts, test.namespace) for texts in (connections.sources, connections.destinations)
            )
            region = self._judge.asked(test).region
        except UnknownEndError:
            return None
        pairs = list(itertools.product(sources, destinations))
        others = [pair for pair in pairs if not self._are_host_and_own(*pair)]
        asked = [verdicts for pair in others if (verdicts := list(self._verdicts(*pair, region)))]
        asked = asked or [verdicts for pair in pairs if (verdicts := list(self._verdicts(*pair, region)))]
        failing = sum(any(v.allowed is not test.assertion.is_allow for v in verdicts) for verdicts in asked)
        rules = frozenset(rule for verdicts in asked for verdict in verdicts for rule in decided_by(verdict))
        is_whole = all(as_network(text) is None for text in (*connections.sources, *connections.destinations))
        return Tried(len(asked), failing, rules, is_whole) if asked else None

    def deciding(self) -> frozenset[RuleRef]:
        """All rules that decide about anything between anybody."""
        universe = self._judge.reach.universe
        outside = (place.an_address(universe.taken) for place in universe.outside)
        ends = [end for name in (*self._names, *map(str, outside)) for end in self._directory.resolve(name)]
        verdicts = (v for pair in itertools.product(ends, ends) for v in self._verdicts(*pair, space.EVERYTHING))
        return frozenset(rule for verdict in verdicts for decision in _reached(verdict) for rule in matched(decision))

    def _are_host_and_own(self, source: NamedEnd, destination: NamedEnd) -> bool:
        sender, receiver = (next(iter(end.ends.values())) for end in (source, destination))
        if not isinstance(sender, HostRef) or not isinstance(receiver, EndpointRef):
            return False
        own = self._judge.cluster.endpoints
        return any((e.namespace, e.name, e.node) == (*receiver[:2], sender.node) for e in own)

    def _verdicts(self, source: NamedEnd, destination: NamedEnd, region: Region) -> Iterator[Verdict]:
        ends = (*source.ends.values(), *destination.ends.values())
        if source.name == destination.name or all(isinstance(end, Address) for end in ends):
            return
        for family in source.ends:
            if family in destination.ends:
                asked = space.intersection(region, space.OF_FAMILY[family])
                for part in (part for kind in self._kinds if (part := space.intersection(kind, asked))):
                    flow = flow_at(self._some(part), source.ends[family], destination.ends[family])
                    yield self._judge.cluster.judge(flow)

    def _some(self, part: Region) -> int:
        start, end = self._rng.choice(list(zip(part[::2], part[1::2], strict=True)))
        return self._rng.choice((start, end - 1, self._rng.randrange(start, end), a_point(part)))

    # --- whom texts mean --------------------------------------------------------------------------------------------------------

    def _named(self, texts: Sequence[str], namespace: str) -> list[NamedEnd]:
        found = {(end.name, *end.ends.values()): end for text in texts for end in self._meant(text, namespace)}
        return list(found.values())

    def _meant(self, text: str, namespace: str) -> Iterator[NamedEnd]:
        network = as_network(text)
        if network is not None:
            for address in self._inside(network):
                yield from self._directory.resolve(str(address))
        elif is_pattern(text):
            names = [name for name in self._names if fnmatchcase(name, text) and name.count("/") == text.count("/")]
            if not names:
                raise UnknownEndError(text)
            for name in names:
                yield from self._directory.resolve(name)
        else:
            yield from self._directory.resolve(text, namespace=namespace)

    def _inside(self, network: Network) -> Iterator[Address]:
        """Everybody's addresses in it, and some of nobody."""
        size = min(network.size, 1 << 16)
        steps = (0, size - 1, self._rng.randrange(size))
        nobody = (Address((int(network.address) + step).to_bytes(len(network.packed), "big")) for step in steps)
        yield from dict.fromkeys(address for address in (*self._addresses, *nobody) if network.contains(address))


def _reached(verdict: Verdict) -> Iterator[Decision]:
    """All decisions, be it that an earlier one stops the packet; but to its sender's policy nothing comes that is spoofed."""
    is_spoofed = any(decision.cause is Cause.SPOOFED for decision in verdict.decisions)
    return (each for each in verdict.decisions if not (is_spoofed and each.direction is Direction.EGRESS))


def _differing(outcome: Outcome, tried: Tried | None, cluster: Cluster) -> Iterator[str]:
    if tried is None or outcome.error:
        if (outcome.error and tried is not None) or (tried is None and not outcome.error):
            yield f"it is {'not ' if tried else ''}to be asked, but the answer is {outcome.error or outcome.passed}"
        return
    for example in outcome.counter_examples:
        if example.verdict.allowed is outcome.located.assertion.is_allow:
            yield f"{example.verdict.flow} is no counter-example"
        if example.verdict != cluster.judge(example.verdict.flow):
            yield f"of {example.verdict.flow} the oracle says otherwise with the whole cluster"
    if outcome.passed and tried.failing:
        yield f"it holds, but for {tried.failing} pairs the oracle says otherwise"
    if tried.is_whole and (outcome.asked, outcome.failing) != tried[:2]:
        yield f"{outcome.failing} of {outcome.asked} pairs fail; by the oracle {tried.failing} of {tried.pairs}"


def _uncovered(judge: Judge, tests: Sequence[Located], tried: Sequence[Tried], counts: Counter[str]) -> Iterator[str]:
    """Rules of which it is not told what the oracle has shown."""
    decided = frozenset(rule for found in tried for rule in found.rules)
    is_whole = all(found.is_whole for found in tried)
    for rule in coverage(judge, tests):
        counts[str(rule.state)] += 1
        if rule.rule in decided and rule.state is not State.TESTED:
            yield f"{rule.rule} is {rule.state}, but has decided"
        if rule.state is State.TESTED and rule.rule not in decided and is_whole:
            yield f"{rule.rule} is tested, but has decided nothing"


def _unable(rng: Random, cluster: KnownCluster, counts: Counter[str]) -> Iterator[str]:
    """Rules that are said to decide about something or nothing, when asking about everything shows the contrary."""
    judge = Judge(cluster, (), all_hosts=True)
    trying = _Trying(rng, cluster, judge)
    decided = trying.deciding()
    for rule in coverage(judge, ()):
        if rule.state in (State.SHADOWED, State.IDLE) and rule.rule in decided:
            yield f"{rule.rule} is {rule.state}, but decides"
        if rule.state is State.UNTESTED and rule.rule not in decided and not judge.cluster.host_endpoints:
            yield f"{rule.rule} decides nothing, and is said to be able to"
    counts["clusters asked about everything"] += 1
