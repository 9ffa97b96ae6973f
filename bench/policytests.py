"""Tests of policies: hundreds of assertions on a large folder, from the folder to results and coverage.

    python bench/policytests.py [--workloads N] [--policies N] [--assertions N]

Design point: 5,000 workloads under 2,000 policies (the folder of ``bench/connectivity.py``), 500 assertions, a tenth of them about
whole namespaces, and two about everybody. Reading the folder is printed apart, and so is a question to the oracle, which is asked
only for counter-examples. CPU seconds.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tortie.analysis.assertions import Judge, Located
from tortie.analysis.assertions.coverage import State, coverage
from tortie.analysis.assertions.packets import flow_at
from tortie.analysis.cluster import filled_in
from tortie.analysis.ends import Directory
from tortie.analysis.reach import space
from tortie.analysis.templates import of_a_cluster
from tortie.cli.manifests import read_manifests
from tortie.model.policytest import Connections, PolicyAssertion
from tortie.net import TCP, Family
from tortie.testing.memory import peak_kib

sys.path.insert(0, str(Path(__file__).parent))
from connectivity import NAMESPACE, write_folder

BAR_S = 10.0
"""For all assertions and coverage, once the folder is read."""
_ASKED_OF_ORACLE = 20


def assertions(count: int, workloads: int) -> Iterator[Located]:
    """One pod to another, one to a namespace, a network to an app; and everybody to everybody, which cannot hold."""
    spaces = max(1, workloads // NAMESPACE)
    for number in range(count - 2):
        space, other = number % spaces, (number * 7 + 3) % spaces
        ends = Connections(
            from_=f"w-{number % NAMESPACE}", to=f"ns-{other}/w-{number * 3 % NAMESPACE}", ports="tcp/5432"
        )
        if number % 10 == 0:
            ends = Connections(from_=("203.0.113.0/24", f"ns-{other}/*"), to="w-*", ports=("tcp/22", "udp"))
        yield located(PolicyAssertion(deny=ends) if number % 2 else PolicyAssertion(allow=ends), f"ns-{space}", number)
    for number, ends in enumerate((Connections(from_="*/*", to="*/*"), Connections(from_="0.0.0.0/0", to="*/*"))):
        yield located(PolicyAssertion(deny=ends), "", count + number)


def located(assertion: PolicyAssertion, namespace: str, number: int) -> Located:
    return Located(assertion, namespace, "bench", number)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workloads", type=int, default=5_000)
    parser.add_argument("--policies", type=int, default=2_000)
    parser.add_argument("--assertions", type=int, default=500)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        write_folder(Path(name), options.workloads, options.policies)
        started = time.process_time()
        gc.disable()
        read = read_manifests([name], namespace="default", recursive=False, prepare=of_a_cluster)
        cluster = filled_in({item.key: item.resource for item in read})
        gc.enable()
        gc.freeze()
    tests = tuple(assertions(options.assertions, options.workloads))
    loaded = time.process_time()
    judge = Judge(cluster, tests)
    prepared = time.process_time()
    outcomes = [judge.outcome(test) for test in tests]
    judged = time.process_time()
    rules = coverage(judge, tests)
    done = time.process_time()
    passed, pairs = sum(outcome.passed for outcome in outcomes), sum(outcome.asked for outcome in outcomes)
    print(f"{options.workloads:,} workloads, {options.policies:,} policies, {len(tests):,} assertions")
    print(f"  {passed} hold, {len(tests) - passed} do not; {pairs:,} pairs of ends asked about")
    states = {str(state): sum(rule.state is state for rule in rules) for state in State}
    print(f"  {len(rules):,} rules: {states}")
    for what, seconds in (
        ("read", loaded - started),
        ("prepare", prepared - loaded),
        ("judge", judged - prepared),
        ("coverage", done - judged),
    ):
        print(f"  {what:<10}{seconds:>8.2f} s")
    print(f"  {'oracle':<10}{1000 * oracle_s(judge, cluster):>8.2f} ms a question")
    total = done - loaded
    print(
        f"  {'all tests':<10}{total:>8.2f} s   bar {BAR_S:.0f} s: {'met' if total <= BAR_S else 'MISSED'}   peak {peak_kib() / 1024:.0f} MB"
    )


def oracle_s(judge: Judge, cluster) -> float:
    directory = Directory(cluster)
    at = space.point(Family.V4, TCP, 5432, None)
    ends = [directory.ends(name)[Family.V4] for name in directory.workload_names[: _ASKED_OF_ORACLE + 1]]
    started = time.process_time()
    for source, destination in itertools.pairwise(ends):
        judge.cluster.judge(flow_at(at, source, destination))
    return (time.process_time() - started) / _ASKED_OF_ORACLE


if __name__ == "__main__":
    main()
