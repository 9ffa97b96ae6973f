"""What a host needs to know a cluster: from the stored documents, cold, to the whole HostState, and for one change after that.

    python bench/calculation.py [--endpoints N] [--shapes A B] [--rounds N]

Design point: 100,000 endpoints in the cluster, 100 on this host, 10,000 policies that govern them all, 2,000 IP sets; shape A has
one namespace and 2,001 distinct sets of labels, B has 20,000 namespaces and no two endpoints alike, in the order of a listing. The documents arrive as bytes
under their keys, in pages of 10,000 from a generator, and none is kept. Each shape runs in a process of its own; CPU is of the
whole process, imports included and the generator's own time not; peak is VmHWM. The garbage collector is off until the state is
complete. Other processes make CPU time vary by a third.
"""

from __future__ import annotations

import argparse
import gc
import json
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from tortie.calc import Calculation
from tortie.model.meta import HostName
from tortie.testing.memory import peak_kib

HOST = "node-0"
LOCAL = 100
POLICIES = 10_000
SETS = 2_000
NAMESPACES = 20_000
PAGE = 10_000
CHANGES = 400
ROOT = "/calico/resources/v3/projectcalico.org"

BARS = {"cpu": 3.0, "peak": 250.0, "remote": 0.3, "local": 0.3, "policy": 1.0}
REFERENCE = {
    "A": {"cpu": 1.2, "peak": 130, "remote": 0.02, "local": 0.03, "policy": 0.1},
    "B": {"cpu": 2.8, "peak": 180, "remote": 0.03, "local": 0.26, "policy": 0.3},
}
"""What a spike without models and validation needed (CPU s, MB, ms p50); Felix in Go at a like point: 6.9 s, 402 MB."""

Entry = tuple[str, bytes]


# --- The cluster ------------------------------------------------------------------------------------------------------------


def stored(kind: str, plural: str, name: str, spec: str, *, namespace: str = "", labels: str = "") -> Entry:
    where = f"{namespace}/" if namespace else ""
    more = (f',"namespace":"{namespace}"' if namespace else "") + (f',"labels":{{{labels}}}' if labels else "")
    document = (
        f'{{"kind":"{kind}","apiVersion":"projectcalico.org/v3","metadata":{{"name":"{name}",'
        f'"uid":"6f1c3d52-9b7e-4c0a-8e11-5d2f4a6b7c8d","creationTimestamp":"2026-01-01T00:00:00Z"{more}}},"spec":{spec}}}'
    )
    return f"{ROOT}/{plural}/{where}{name}", document.encode()


def endpoint(shape: str, number: int, variant: int = 0) -> Entry:
    """Number 0 to 99 are this host's; *variant* puts a remote one into another set."""
    node = HOST if number < LOCAL else f"node-{number % 500 + 1}"
    pod, ifname = f"app-{number % 300}-{number * 7919 % 0xFFFFF:05x}-{number:06x}", f"cali{number:011x}"
    own = f'"app":"x","peer":"local-{variant}"' if number < LOCAL else f'"peer":"g{(number + variant) % SETS}"'
    namespace = "default"
    if shape == "B":
        namespace = f"ns-{number // 5}"
        own += f',"name":"app-{number % 300}","pod-template-hash":"{number * 7919:010x}","tier":"t{number % 3}","version":"v{number % 7}"'
    labels = f'{own},"projectcalico.org/namespace":"{namespace}","projectcalico.org/orchestrator":"k8s"'
    spec = (
        f'{{"orchestrator":"k8s","node":"{node}","containerID":"{number:064x}","pod":"{pod}","endpoint":"eth0",'
        f'"ipNetworks":["10.{16 + (number >> 16)}.{number >> 8 & 255}.{number & 255}/32"],"interfaceName":"{ifname}",'
        f'"profiles":["kns.{namespace}","ksa.{namespace}.default"],"serviceAccountName":"default",'
        f'"mac":"0a:00:{number >> 24 & 255:02x}:{number >> 16 & 255:02x}:{number >> 8 & 255:02x}:{number & 255:02x}"}}'
    )
    name = f"{node.replace('-', '--')}-k8s-{pod.replace('-', '--')}-eth0"
    return stored("WorkloadEndpoint", "workloadendpoints", name, spec, namespace=namespace, labels=labels)


def policy(shape: str, number: int, port: int = 0) -> Entry:
    """One rule from one of the sets to one port; all of them govern all of this host's endpoints."""
    source = f"peer == 'g{number % SETS}'"
    selector = "has(app)"
    if shape == "B":
        source, selector = f"{source} && tier != 'none'", f"app in {{'x', 'y{number % 100}'}}"
    spec = (
        f'{{"tier":"default","order":{number},"selector":"{selector}","types":["Ingress"],"ingress":[{{"action":"Allow",'
        f'"protocol":"TCP","source":{{"selector":"{source}"}},"destination":{{"ports":[{port or 1024 + number % 1000}]}}}}]}}'
    )
    return stored("GlobalNetworkPolicy", "globalnetworkpolicies", f"p{number}", spec)


def namespace(number: int, shape: str, team: int = 0) -> Iterator[Entry]:
    name = f"ns-{number}" if shape == "B" else "default"
    rules = '"ingress":[{"action":"Allow","source":{},"destination":{}}],"egress":[{"action":"Allow","source":{},"destination":{}}]'
    given = f'"pcns.kubernetes.io/metadata.name":"{name}","pcns.projectcalico.org/name":"{name}","pcns.team":"t{team or number % 50}"'
    yield stored("Profile", "profiles", f"kns.{name}", f'{{{rules},"labelsToApply":{{{given}}}}}')
    account = '{"labelsToApply":{"pcsa.projectcalico.org/name":"default"}}'
    yield stored("Profile", "profiles", f"ksa.{name}.default", account)


def cluster(shape: str, endpoints: int) -> Iterator[Entry]:
    """Policies before endpoints."""
    yield stored("Tier", "tiers", "default", '{"order":1000000,"defaultAction":"Deny"}')
    for number in range(max(NAMESPACES, endpoints // 5 + 1) if shape == "B" else 1):
        yield from namespace(number, shape)
    yield from (policy(shape, number) for number in range(POLICIES))
    yield from (endpoint(shape, number) for number in range(endpoints + LOCAL))


def pages(entries: Iterator[Entry]) -> Iterator[list[Entry]]:
    while page := [entry for entry, _ in zip(entries, range(PAGE), strict=False)]:
        yield page


# --- One run, in a process of its own ------------------------------------------------------------------------------------------


def run(shape: str, endpoints: int) -> dict[str, float]:
    imports = time.process_time()
    gc.disable()  # the caller's business (docs/design/calc.md); left on, it costs shape B half as much again
    calculation = Calculation(HostName(HOST))
    making = 0.0
    source = pages(cluster(shape, endpoints))
    while True:
        started = time.process_time()
        page = next(source, None)
        making += time.process_time() - started
        if page is None:
            break
        for key, value in page:
            problem = calculation.update_raw(key, value)
            assert problem is None, problem
        del page
    fed = time.process_time() - making
    calculation.in_sync()
    deltas = calculation.flush()
    cpu = time.process_time() - making
    figures = {
        "cpu": cpu,
        "imports": imports,
        "documents": fed - imports,
        "flush": cpu - fed,
        "peak": peak_kib() / 1024,
    }
    figures["deltas"] = len(deltas)
    del deltas
    gc.freeze()
    return figures | changes(shape, endpoints, calculation)


def changes(shape: str, endpoints: int, calculation: Calculation) -> dict[str, float]:
    """Milliseconds p50 of one change of a kind, and how much of the cluster it looked at."""

    def relabelled(step: int) -> Iterator[Entry]:
        yield next(namespace(LOCAL + step if shape == "B" else 0, shape, team=1000 + step))

    steps: dict[str, Callable[[int], Iterator[Entry]]] = {
        "remote": lambda step: iter((endpoint(shape, LOCAL + step * 97 % endpoints, variant=1 + step),)),
        "local": lambda step: iter((endpoint(shape, step % LOCAL, variant=1 + step),)),
        "policy": lambda step: iter((policy(shape, step * 37 % POLICIES, port=5000 + step),)),
        "reorder": lambda step: iter((reordered(policy(shape, step * 37 % POLICIES), step),)),
        "namespace": relabelled,
    }
    figures = {}
    for name, entries in steps.items():
        count = CHANGES if name != "namespace" or shape == "B" else 3
        taken, visited = [], calculation.visited
        for step in range(count):
            made = list(entries(step))
            started = time.perf_counter()
            for key, value in made:
                calculation.update_raw(key, value)
            calculation.flush()
            taken.append((time.perf_counter() - started) * 1e3)
        figures[name] = statistics.median(taken)
        figures[f"{name} p99"] = sorted(taken)[int(0.99 * len(taken))]
        figures[f"{name} visited"] = (calculation.visited - visited) / count
    return figures


def reordered(entry: Entry, step: int) -> Entry:
    key, value = entry
    return key, re.sub(rb'"order":\d+', b'"order":%d' % (step * 101 % POLICIES), value)


# --- The table -------------------------------------------------------------------------------------------------------------------


class Row(NamedTuple):
    what: str
    figure: str
    unit: str


ROWS = (
    Row("cold: CPU", "cpu", "s"),
    Row("  of it imports", "imports", "s"),
    Row("  of it documents", "documents", "s"),
    Row("  of it the first flush", "flush", "s"),
    Row("cold: peak memory", "peak", "MB"),
    Row("change of a remote endpoint, p50", "remote", "ms"),
    Row("change of a local endpoint, p50", "local", "ms"),
    Row("change of a policy's rule, p50", "policy", "ms"),
    Row("change of a policy's order, p50", "reorder", "ms"),
    Row("change of a namespace's labels, p50", "namespace", "ms"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--endpoints", type=int, default=100_000, help="on other hosts (default: 100000)")
    parser.add_argument("--shapes", nargs="+", default=["A", "B"], choices=("A", "B"))
    parser.add_argument("--rounds", type=int, default=3, help="processes for each shape (default: 3)")
    parser.add_argument("--run", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.run:
        print(json.dumps(run(arguments.run, arguments.endpoints)))
        return
    for shape in arguments.shapes:
        command = (sys.executable, __file__, "--run", shape, "--endpoints", str(arguments.endpoints))
        runs = [
            json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
            for _ in range(arguments.rounds)
        ]
        print(f"shape {shape}: {arguments.endpoints} + {LOCAL} endpoints, {POLICIES} policies, {SETS} sets")
        for row in ROWS:
            show(shape, row, runs)


def show(shape: str, row: Row, runs: list[dict[str, float]]) -> None:
    value = statistics.median(figures[row.figure] for figures in runs)
    notes = []
    if (visited := runs[0].get(f"{row.figure} visited")) is not None:
        notes.append(
            f"p99 {statistics.median(figures[f'{row.figure} p99'] for figures in runs):.2f}, {visited:.0f} visited"
        )
    if (bar := BARS.get(row.figure)) is not None:
        notes.append(f"bar {bar:g}: {'met' if value <= bar else 'MISSED'}, reference {REFERENCE[shape][row.figure]:g}")
    print(f"  {row.what:38} {value:8.2f} {row.unit:2}  {'; '.join(notes)}")


if __name__ == "__main__":
    main()
