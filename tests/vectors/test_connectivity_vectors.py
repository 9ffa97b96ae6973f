"""k8s_verdicts, calico_verdicts, cnp and demos by the whole answer: what may pass between two ends, looked up in it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from vectortables import Case, Judge, Mismatch
from verdictform import FILES, State, states

from tortie.analysis.cluster import cluster_of
from tortie.analysis.ends import EPHEMERAL_PORT, Directory
from tortie.analysis.reach import allowed, space
from tortie.analysis.reach.population import names_of
from tortie.analysis.reach.state import Reach
from tortie.analysis.reach.universe import universe
from tortie.cli.questions import question
from tortie.net import Address
from tortie.verdict import Cluster, EndpointRef, Flow


class Answer:
    """The whole answer about one state, to be asked by flows."""

    def __init__(self, state: State) -> None:
        known = cluster_of(state.documents)
        self.directory = Directory(known)
        cluster = Cluster.of(known.values())
        self._reach = Reach(universe([cluster]))
        self._rows = self._reach.rows()
        names = {name: number for number, found in enumerate(self._reach.universe.classes) for name in found.names}
        self._numbers = {
            (endpoint.namespace, endpoint.name): names[name]
            for name, endpoint in zip(names_of(cluster), cluster.endpoints, strict=True)
        }

    def allows(self, flow: Flow) -> bool:
        ends = [end[:2] for end in (flow.source, flow.destination) if isinstance(end, EndpointRef)]
        if len(ends) == 2 and ends[0] == ends[1]:
            return True
        source, destination = (self._number(end) for end in (flow.source, flow.destination))
        at = space.point(flow.family, flow.protocol, flow.destination_port, flow.icmp)
        return space.contains(allowed.region_of(self._rows[destination], source), at)

    def _number(self, end: object) -> int:
        if isinstance(end, EndpointRef):
            return self._numbers[end[:2]]
        assert isinstance(end, Address), f"{end} is neither a workload nor outside"
        return len(self._reach.universe.classes) + self._place(end)

    def _place(self, address: Address) -> int:
        """The smallest place outside that holds an address."""
        holding = [
            (place.network.prefix_len, number)
            for number, place in enumerate(self._reach.universe.outside)
            if place.network.contains(address)
        ]
        return max(holding)[1]


def judge(case: Case) -> None:
    for state in states(case):
        answer = Answer(state)
        for query, wanted in zip(state.queries, state.allowed, strict=True):
            flow = answer.directory.flow(question(query))
            assert flow.source_port in (EPHEMERAL_PORT, None)
            if answer.allows(flow) is not wanted:
                raise Mismatch(
                    f"{query['src']} → {query['dst']} {query['protocol']} {query['port']}: expected {wanted}"
                )


@pytest.mark.parametrize("file", FILES)
def test_every_query_is_answered_by_the_whole_matrix(run_table: Callable[[str, Judge], None], file: str) -> None:
    run_table(file, judge)
