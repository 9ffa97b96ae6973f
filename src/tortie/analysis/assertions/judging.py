"""Whether assertions hold of a cluster."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from typing import NamedTuple

from tortie.analysis.assertions.naming import Naming
from tortie.analysis.assertions.oracle import Oracle
from tortie.analysis.assertions.outcome import CounterExample, Located, Outcome
from tortie.analysis.assertions.packets import a_point, family_at, flow_at, port_text, region_of
from tortie.analysis.assertions.pairs import Found, Pairs, Wrong
from tortie.analysis.assertions.probing import Probes
from tortie.analysis.assertions.sides import Side, Sides
from tortie.analysis.cluster import KnownCluster
from tortie.analysis.ends import UnknownEndError
from tortie.analysis.reach import space
from tortie.analysis.reach.hosts import NEIGHBOUR_DISCOVERY, Hosts, hosts_as_ends
from tortie.analysis.reach.space import Region
from tortie.analysis.reach.state import Reach
from tortie.analysis.reach.universe import universe
from tortie.analysis.reach.words import Words
from tortie.model.policy import Direction
from tortie.model.policytest import Connections
from tortie.net import Address
from tortie.verdict import Cluster

_TOLD = 3
"""So many counter-examples of an assertion are told."""


def judge(cluster: KnownCluster, tests: Sequence[Located]) -> tuple[Outcome, ...]:
    """What comes of each of *tests* in *cluster*, in their order; without any, nothing is worked out."""
    if not tests:
        return ()
    judging = Judge(cluster, tests)
    return tuple(judging.outcome(test) for test in tests)


def broken(before: KnownCluster, after: KnownCluster, tests: Sequence[Located]) -> tuple[Outcome, ...]:
    """Of *tests* those that hold *before* and not *after*, as they fail then.

    What cannot be asked any more, since an end is gone, is not broken: nobody can reach it either.
    """
    failing = [outcome for outcome in judge(after, tests) if outcome.failing]
    held = judge(before, [outcome.located for outcome in failing])
    return tuple(outcome for outcome, earlier in zip(failing, held, strict=True) if earlier.passed)


class Asked(NamedTuple):
    """What an assertion is about, found in a cluster."""

    sources: Side
    destinations: Side
    region: Region


class Judge:
    """Judges assertions of one cluster; what one has asked the next need not ask again."""

    def __init__(self, cluster: KnownCluster, tests: Sequence[Located], *, all_hosts: bool = False) -> None:
        """*tests* are those that will be judged: hosts cost, and are ends only if one of them means any, or with *all_hosts*."""
        naming = Naming(cluster)
        self.cluster = Cluster.of(cluster.values())
        hosts = hosts_as_ends([self.cluster], all_hosts=True)[0] if all_hosts else _hosts(self.cluster, naming, tests)
        self.reach = Reach(universe([self.cluster], [hosts]))
        for direction in Direction:
            self.reach.book.prepare(direction, self.reach.population.present)
        self.sides = Sides(self.reach, naming, hosts)
        self.pairs = Pairs(self.reach)
        self.oracle = Oracle(self.cluster)
        self.probes = Probes(self.cluster, self.oracle, self.sides)
        contexts = self.reach.population.contexts.values()
        never = functools.reduce(space.intersection, (c.unsent for c in contexts)) if contexts else space.NOTHING
        self._unasked = space.union(never, NEIGHBOUR_DISCOVERY)
        self._words = Words(self._unasked)

    def outcome(self, located: Located) -> Outcome:
        """What comes of one assertion."""
        try:
            asked = self.asked(located)
        except UnknownEndError as error:
            return Outcome(located=located, error=str(error))
        is_allow = located.assertion.is_allow
        found = self._found(asked, is_allow=is_allow, own=False)
        if not any(each.asked for each in found):
            found = self._found(asked, is_allow=is_allow, own=True)
        count = sum(each.asked for each in found)
        if not count:
            return Outcome(located=located, error=_nothing(asked, located.assertion.connections))
        wrong = itertools.islice((wrong for each in found for wrong in each.wrong), _TOLD)
        return Outcome(
            located=located,
            asked=count,
            failing=sum(each.failing for each in found),
            counter_examples=tuple(map(self._counter_example, wrong)),
        )

    def _found(self, asked: Asked, *, is_allow: bool, own: bool) -> list[Found]:
        of_sets = self.pairs.found(*asked, is_allow=is_allow, own=own)
        return [*of_sets, self.probes.found(*asked, is_allow=is_allow, own=own)]

    def asked(self, located: Located) -> Asked:
        """What an assertion is about; UnknownEndError if that cannot be told."""
        connections = located.assertion.connections
        sources = self.sides.side(connections.sources, located.namespace)
        destinations = self.sides.side(connections.destinations, located.namespace)
        _refuse_unserved(destinations, connections.at_ports)
        return Asked(sources, destinations, region_of(connections.at_ports, self._unasked))

    def _counter_example(self, wrong: Wrong) -> CounterExample:
        at = a_point(wrong.region)
        family = family_at(at)
        flow = flow_at(at, wrong.source.ends[family], wrong.destination.ends[family])
        families = [family for family in wrong.source.ends if family in wrong.destination.ends]
        return CounterExample(
            wrong.source.name,
            wrong.destination.name,
            self._words.describe(wrong.region, families),
            port_text(at),
            self.oracle.judge(flow),
        )


def _hosts(cluster: Cluster, naming: Naming, tests: Sequence[Located]) -> Hosts:
    """The hosts that *tests* mean, as ends."""
    asked = [(test.assertion.connections, test.namespace) for test in tests]
    texts = {(text, within) for ends, within in asked for text in (*ends.sources, *ends.destinations)}
    nodes = {node for text, within in texts for node in naming.hosts(text, within)}
    if not nodes:
        return {}
    (known,) = hosts_as_ends([cluster], all_hosts=True)
    return {node: refs for node, refs in known.items() if node in nodes}


def _refuse_unserved(destinations: Side, ports: tuple[str, ...]) -> None:
    """UnknownEndError for a port that a service does not have: nothing would be asked at it."""
    for text in ports:
        end = destinations.unserved(region_of([text], space.NOTHING))
        if end is not None:
            served = ", ".join(f"{port.protocol} {port.port}" for port in end.ports or ()) or "none"
            raise UnknownEndError(f"service {end.service} has no port {text} at {end.name}; its ports: {served}")


def _nothing(asked: Asked, connections: Connections) -> str:
    """Why no packet can be asked about."""
    ends = [[*side.everybody] for side in (asked.sources, asked.destinations)]
    names = {end.name for side in ends for end in side}
    first, second = ", ".join(connections.sources), ", ".join(connections.destinations)
    if all(ends) and len(names) == 1:
        return f"{names.pop()} is both ends, and a workload always reaches itself"
    if all(isinstance(end, Address) for side in ends for each in side for end in each.ends.values()):
        return f"neither {first} nor {second} is of this cluster, so no policy judges what they send each other"
    return f"{first} and {second} have no IP version in common in which such packets can be sent"
