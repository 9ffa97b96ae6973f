"""k8s_verdicts, calico_verdicts, cnp and demos: who can reach whom, by the oracle and by rulesets in both compilations.

Each state by itself is a line of ``tortie policy query``. The states of a case with steps are also a live history: the same
hosts go from one to the next, and back.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import pytest
from vectortables import Case, Judge, Mismatch
from verdictform import FILES, State, states

from tortie.analysis.cluster import cluster_of
from tortie.analysis.ends import Directory
from tortie.analysis.engines import RulesetEngine
from tortie.cli.query import Answering
from tortie.cli.questions import question
from tortie.ruleset.options import Compilation
from tortie.verdict import Cluster

ENGINES = [
    Answering("oracle"),
    Answering("ruleset", Compilation.LINEAR),
    Answering("ruleset", Compilation.RUNS),
]


def judge(case: Case) -> None:
    found = list(states(case))
    for engine in ENGINES:
        for state in found:
            line = json.dumps({"resources": state.documents, "queries": state.queries}).encode()
            answer = engine.answer(line)
            if answer["error"] is not None:
                raise Mismatch(f"{engine} does not answer: {answer['error']}")
            _compare(state, answer["answers"], str(engine))
    if len(found) > 1:
        for compilation in (Compilation.LINEAR, Compilation.RUNS):
            _judge_history([*found, *reversed(found[:-1])], compilation)


def _judge_history(way: Sequence[State], compilation: Compilation) -> None:
    engine: RulesetEngine | None = None
    for state in way:
        known = cluster_of(state.documents)
        cluster, directory = Cluster.of(known.values()), Directory(known)
        if engine is None:
            engine = RulesetEngine(known, cluster, compilation)
        else:
            engine.become(known, cluster)
        flows = [directory.flow(question(query)) for query in state.queries]
        _compare(state, engine.allow(flows), f"live {compilation} rulesets")


def _compare(state: State, answers: Sequence[bool], who: str) -> None:
    wrong = [
        f"{query['src']} → {query['dst']} {query['protocol']} {query['port']}: expected {wanted}, found {found}"
        for query, wanted, found in zip(state.queries, state.allowed, answers, strict=True)
        if wanted is not found
    ]
    if wrong:
        raise Mismatch(f"{who}: {len(wrong)} of {len(answers)} answers are wrong, the first: {wrong[0]}")


@pytest.mark.parametrize("file", FILES)
def test_every_query_gets_its_answer_from_oracle_and_rulesets(
    run_table: Callable[[str, Judge], None], file: str
) -> None:
    run_table(file, judge)


def test_a_wrong_answer_is_found() -> None:
    state = State(documents=(), queries=({"src": "a", "dst": "b", "protocol": "TCP", "port": 1},), allowed=(True,))
    with pytest.raises(Mismatch, match="expected True, found False"):
        _compare(state, [False], "anybody")
