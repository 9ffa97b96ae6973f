"""Differential: what the oracle says of a packet == what the rulesets do to it that the hosts on its way would have.

    resources ──┬─► tortie.verdict ─────────────────────────────────────► allowed?
                └─► calc ─► compiler ─► ruleset, one per host and compilation ─► walked by the packet

Calculation and ruleset share no code with the oracle, save selectors and conversion. A *series* is a random cluster and what becomes of
it: the hosts go from one state to the next by updates, as agents do, in any order and in one flush or several. In one of ten, workloads
claim each other's links. Its seed says everything about it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from random import Random
from typing import NamedTuple

from tortie.analysis.hostmodel import RulesetModel, changes
from tortie.calc import Calculation
from tortie.conversion import as_calico
from tortie.model.kinds import ResourceKey
from tortie.model.meta import HostName, Resource
from tortie.model.updates import ResourceUpdate
from tortie.net import Address
from tortie.ruleset import Outcome
from tortie.ruleset.options import Compilation
from tortie.testing.clusters import RandomCluster, random_cluster
from tortie.testing.flows import Crossing, Traffic, crossings
from tortie.testing.histories import keyed, later, sharing_links
from tortie.testing.tally import Tally
from tortie.testing.topology import Topology
from tortie.testing.vocabulary import chance
from tortie.verdict import Cluster, Flow, HostVerdict

STATES, QUESTIONS = 4, 50
"""Of a series, and of each state of it."""
COMPILATIONS = (Compilation.LINEAR, Compilation.RUNS)


class Question(NamedTuple):
    """A packet, end to end or at one host between any interfaces."""

    flow: Flow | None
    crossings: tuple[Crossing, ...]


class Mismatch(NamedTuple):
    """A packet on which oracle and ruleset differ."""

    seed: int
    state: int
    crossing: Crossing
    oracle: HostVerdict
    compilation: Compilation
    outcome: Outcome

    def lines(self) -> Iterator[str]:
        yield f"TORTIE_SEED={self.seed} replays it: state {self.state}, {self.crossing.host}: {self.crossing.packet}"
        yield f"  ruleset ({self.compilation}) {self.outcome.is_accepted}: {self.outcome.rule}"
        yield f"  oracle {self.oracle.allowed}:"
        yield from (f"    {line}" for line in self.oracle.lines())


class Host:
    """A host without a kernel: one calculation, and what each compilation makes of it."""

    def __init__(self, name: HostName, interfaces: Mapping[str, frozenset[Address]]) -> None:
        self._calculation = Calculation(name)
        self._calculation.in_sync()
        self.models = {compilation: RulesetModel(compilation) for compilation in COMPILATIONS}
        for model in self.models.values():
            for ifname, addresses in interfaces.items():
                model.know(ifname, addresses)

    def take(self, updates: Sequence[ResourceUpdate]) -> None:
        for update in updates:
            self._calculation.update(as_calico(update))
        deltas = self._calculation.flush()
        for model in self.models.values():
            model.take(deltas)


def walk(model: RulesetModel, crossing: Crossing, topology: Topology) -> Outcome:
    """What the host does with the packet."""
    packet = crossing.packet
    came, goes = packet.in_interface or "", packet.out_interface or ""
    # Spoofed: no route of the host leads back over the interface by which the packet came.
    is_spoofed = bool(came) and topology.route(crossing.host, packet.source) != came
    return model.cross(packet, came, goes, is_spoofed=is_spoofed)


def run_series(seed: int, tally: Tally) -> Iterator[Mismatch]:
    """All that differs in the series of that seed."""
    rng = Random(seed)
    cluster, is_shared = random_cluster(rng, hosts=rng.choice((1, 2, 2, 2))), chance(rng, 0.1)
    hosts = {name: Host(name, cluster.topology.interfaces(name)) for name in cluster.hosts}
    before: Mapping[ResourceKey, Resource] = {}
    for number in range(STATES):
        cluster = later(rng, cluster) if number else cluster
        cluster = sharing_links(rng, cluster) if is_shared else cluster
        now = keyed(cluster.calico())
        updates = changes(before, now)
        rng.shuffle(updates)
        flushes = rng.choice((1, 1, 2, 4))
        for part in range(flushes):
            for host in hosts.values():
                host.take(updates[part::flushes])
        before = now
        yield from (found._replace(seed=seed, state=number) for found in compare(rng, cluster, hosts, tally))


def oracle_of(cluster: RandomCluster) -> Cluster:
    """The oracle, told the resources and the hosts' own interfaces."""
    topology = cluster.topology
    return Cluster.of(cluster.calico(), {name: topology.interfaces(name) for name in cluster.hosts})


def compare(rng: Random, cluster: RandomCluster, hosts: Mapping[HostName, Host], tally: Tally) -> Iterator[Mismatch]:
    """What differs in one state; seed and state are left to the caller."""
    topology, oracle = cluster.topology, oracle_of(cluster)
    views = {name: oracle.host_view(name) for name in cluster.hosts}
    tally.begin(cluster.calico())
    for question in questions(rng, cluster, QUESTIONS):
        verdicts = [views[crossing.host].judge(crossing.packet) for crossing in question.crossings]
        tally.add(question.flow, question.crossings, verdicts)
        for crossing, verdict in zip(question.crossings, verdicts, strict=True):
            for compilation, model in hosts[crossing.host].models.items():
                outcome = walk(model, crossing, topology)
                if outcome.is_accepted is not verdict.allowed:
                    yield Mismatch(0, 0, crossing, verdict, compilation, outcome)


def questions(rng: Random, cluster: RandomCluster, count: int) -> Iterator[Question]:
    traffic, topology = Traffic(rng, cluster), cluster.topology
    for _ in range(count):
        if chance(rng, 0.6):
            flow = traffic.flow()
            yield Question(flow, crossings(flow, topology))
        else:
            yield Question(None, (traffic.crossing(),))
