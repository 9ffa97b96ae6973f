"""Who can reach whom: a folder of YAML to the whole answer, one question about it, and what one changed policy opens and closes.

    python bench/connectivity.py [--workloads N] [--policies N] [--endpoints N] [--rules N]

Design points: 5,000 workloads under 2,000 policies, `tortie policy connectivity -o json` from the folder to the printed answer, beside
smaller folders for which netpol-analyzer (Go) was measured; `tortie explain` of one connection of that folder, beside reading the
folder with PyYAML's C events and doing nothing with them, which is timed without its program's start; and 100,000 endpoints under 10,000 policies, no two endpoints alike, of
which one policy changes (loading is printed apart). Each in a fresh process; peak is VmHWM. Other processes make wall time vary.
"""

from __future__ import annotations

import argparse
import gc
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tortie.analysis.reach.diff import difference
from tortie.analysis.reach.states import load
from tortie.model.endpoint import WorkloadEndpoint, WorkloadEndpointSpec
from tortie.model.kinds import key_of
from tortie.model.meta import ObjectMeta, Resource
from tortie.model.policy import (
    Action,
    Direction,
    EntityRule,
    NetworkPolicy,
    NetworkPolicySpec,
    Rule,
    Tier,
    TierSpec,
)
from tortie.net import TCP, Network, Port
from tortie.testing.memory import peak_kib
from tortie.testing.resources import namespace_profile

REFERENCE = {(300, 100): "26 s", (1_000, 300): "not within 280 s, 2.2 GB"}
"""Netpol-analyzer's figures on two such cores, by workloads and policies; of its own kind of folder."""

BARS = {"answer": (10.0, "s"), "answer peak": (1024.0, "MB"), "explain": (2.0, "x"), "diff": (1.0, "s")}
NAMESPACE = 50
"""Workloads of a namespace."""
APPS = 25
TEAMS = 20


# --- a folder ----------------------------------------------------------------------------------------------------------------


def write_folder(folder: Path, workloads: int, policies: int) -> None:
    """One file for each namespace: pods in 25 apps, each of its own version, and policies of several forms for them."""
    spaces = max(1, workloads // NAMESPACE)
    for space in range(spaces):
        documents = [namespace(space)]
        documents += [pod(space, n, n * spaces + space) for n in range(workloads // spaces)]
        documents += [policy(space, n, spaces) for n in range(policies // spaces)]
        (folder / f"ns-{space}.yaml").write_text("\n---\n".join(documents))


def namespace(space: int) -> str:
    return f"apiVersion: v1\nkind: Namespace\nmetadata: {{name: ns-{space}, labels: {{team: t{space % TEAMS}}}}}"


def pod(space: int, number: int, address: int) -> str:
    return f"""apiVersion: v1
kind: Pod
metadata:
  name: w-{number}
  namespace: ns-{space}
  labels: {{app: app-{number % APPS}, tier: {("front", "mid", "back")[number % 3]}, version: v{number}}}
spec:
  containers:
  - name: main
    ports:
    - {{name: http, containerPort: {8000 + number % 3}}}
status: {{podIP: 10.{address >> 16}.{address >> 8 & 255}.{address & 255}}}"""


def policy(space: int, number: int, spaces: int) -> str:
    at = number * spaces + space
    egress = f"""
  egress:
  - to: [{{podSelector: {{matchLabels: {{tier: back}}}}}}]
    ports: [{{port: {1000 + at % 500}}}, {{port: 5432}}]
  - to: [{{namespaceSelector: {{}}}}]
    ports: [{{port: 53, protocol: UDP}}]"""
    return f"""apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {{name: p-{number}, namespace: ns-{space}}}
spec:
  podSelector: {{matchLabels: {{app: app-{number % APPS}}}}}
  policyTypes: [{"Ingress, Egress" if number % 2 else "Ingress"}]
  ingress:
  - from:
    - podSelector: {{matchExpressions: [{{key: version, operator: In, values: [v{number}, v{number + 1}, v{number + 2}]}}]}}
    - namespaceSelector: {{matchLabels: {{team: t{(space + 3) % TEAMS}}}}}
      podSelector: {{matchLabels: {{tier: front}}}}
    ports: [{{port: {1000 + at % 500}}}, {{port: http}}]
  - from: [{{ipBlock: {{cidr: 192.168.{at % 200}.0/24, except: [192.168.{at % 200}.128/25]}}}}]
    ports: [{{port: 443}}]{egress if number % 2 else ""}"""


def whole_answer(workloads: int, policies: int) -> dict[str, float]:
    """Seconds and MB of the command, and what it printed."""
    with tempfile.TemporaryDirectory() as name:
        write_folder(Path(name), workloads, policies)
        arguments = ["policy", "connectivity", "-f", name, "-o", "json"]
        run = (
            "import sys, time; from tortie.cli.main import cli; from tortie.testing.memory import peak_kib;"
            "cli.main(sys.argv[1:], standalone_mode=False);"
            "print(peak_kib(), time.process_time(), file=sys.stderr)"
        )
        started = time.perf_counter()
        done = subprocess.run([sys.executable, "-c", run, *arguments], capture_output=True, text=True, check=True)
        taken = time.perf_counter() - started
    answer = json.loads(done.stdout)
    peak, cpu = done.stderr.split()[-2:]
    return {
        "answer": taken,
        "answer CPU": float(cpu),
        "answer peak": int(peak) / 1024,
        "groups": len(answer["groups"]),
        "connections": len(answer["connections"]),
        "bytes": len(done.stdout),
    }


# --- one question --------------------------------------------------------------------------------------------------------------

QUESTIONS = (("ns-1/w-1", "ns-2/w-2", "tcp/1000"), ("ns-2/w-3", "ns-2/w-28", "icmp"))
"""Of two namespaces, and of one; another kind of answer each."""
ROUNDS = 12
READ = """
import sys, time, yaml
from pathlib import Path
started = time.perf_counter()
events = sum(1 for file in Path(sys.argv[1]).iterdir() for _ in yaml.parse(file.read_text(), Loader=yaml.CLoader))
print(time.perf_counter() - started, events)
"""
ASK = "import sys; from tortie.cli.main import cli; cli.main(sys.argv[1:], standalone_mode=False)"


def one_question(workloads: int, policies: int) -> dict[str, float]:
    """Seconds of `tortie explain` in a fresh process, start and all, and of reading the folder; each the best of several rounds."""
    explained, read, events = [], [], 0
    with tempfile.TemporaryDirectory() as name:
        write_folder(Path(name), workloads, policies)
        for number in range(ROUNDS):
            source, destination, port = QUESTIONS[number % len(QUESTIONS)]
            arguments = ["explain", "-f", name, "--from", source, "--to", destination, "--port", port]
            started = time.perf_counter()
            done = subprocess.run([sys.executable, "-c", ASK, *arguments], capture_output=True, text=True, check=True)
            explained.append(time.perf_counter() - started)
            assert "to allow it" in done.stdout or "to deny it" in done.stdout, done.stdout
            found = subprocess.run([sys.executable, "-c", READ, name], capture_output=True, text=True, check=True)
            read.append(float(found.stdout.split()[0]))
            events = int(found.stdout.split()[1])
    # The worse of the questions, each at its best.
    worst = max(min(explained[number :: len(QUESTIONS)]) for number in range(len(QUESTIONS)))
    return {"explain s": worst, "read s": min(read), "explain": worst / min(read), "events": events}


# --- a large cluster ------------------------------------------------------------------------------------------------------------


def large_cluster(endpoints: int, policies: int) -> Iterator[Resource]:
    """No two endpoints alike."""
    yield Tier(metadata=ObjectMeta(name="default"), spec=TierSpec(order=1_000_000.0, default_action="Deny"))
    spaces = spaces_of(endpoints)
    yield from (namespace_profile(f"ns-{space}", team=f"t{space % TEAMS}") for space in range(spaces))
    yield from (workload(number, spaces) for number in range(endpoints))
    yield from (network_policy(number, spaces, port=1000 + number % 500) for number in range(policies))


def spaces_of(endpoints: int) -> int:
    return max(1, endpoints // 100)


def workload(number: int, spaces: int) -> WorkloadEndpoint:
    space = number % spaces
    own = {
        "app": f"app-{number // spaces % APPS}",
        "version": f"v{number}",
        "projectcalico.org/orchestrator": "k8s",
    }
    network = Network(bytes((10, number >> 16, number >> 8 & 255, number & 255)), 32)
    return WorkloadEndpoint(
        metadata=ObjectMeta(name=f"w-{number}", namespace=f"ns-{space}", labels=own),
        spec=WorkloadEndpointSpec(
            orchestrator="k8s", node=f"n{number % 500}", pod=f"w-{number}", endpoint="eth0", interface_name=f"cali{number}",
            ip_networks=(network,), profiles=(f"kns.ns-{space}",),
        ),
    )  # fmt: skip


def network_policy(number: int, spaces: int, port: int) -> NetworkPolicy:
    peers = (
        EntityRule(selector=f"version == 'v{number}' || app == 'app-{number % APPS}'"),
        EntityRule(selector="app == 'app-1'", namespace_selector=f"team == 't{number % TEAMS}'"),
    )
    to_port = EntityRule(ports=(Port(port),))
    rules = tuple(Rule(action=Action.ALLOW, protocol=TCP, source=peer, destination=to_port) for peer in peers)
    return NetworkPolicy(
        metadata=ObjectMeta(name=f"p-{number}", namespace=f"ns-{number % spaces}"),
        spec=NetworkPolicySpec(
            selector=f"app == 'app-{number // spaces % APPS}'", types=(Direction.INGRESS,), ingress=rules
        ),
    )


def one_change(endpoints: int, policies: int) -> dict[str, float]:
    """Seconds of loading both states, and of telling what the change opens and closes."""
    gc.disable()
    number, spaces = policies // 2, spaces_of(endpoints)
    one, other = (network_policy(number, spaces, port) for port in (1, 2))
    before = {key_of(r): r for r in large_cluster(endpoints, policies)} | {key_of(one): one}
    after = {**before, key_of(other): other}
    gc.freeze()
    started = time.perf_counter()
    states = load(before, after)
    loaded = time.perf_counter()
    changes = difference(states)
    done = time.perf_counter()
    pairs = sum(len(change.sources) * len(change.destinations) for change in changes)
    return {
        "load": loaded - started, "diff": done - loaded, "diff peak": peak_kib() / 1024, "classes": len(states.before.universe.classes),
        "changes": len(changes), "pairs": pairs,
    }  # fmt: skip


# --- what was found ----------------------------------------------------------------------------------------------------------------


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workloads", type=int, default=5_000)
    parser.add_argument("--policies", type=int, default=2_000)
    parser.add_argument("--endpoints", type=int, default=100_000)
    parser.add_argument("--rules", type=int, default=10_000)
    parser.add_argument("--only-change", action="store_true", help="measure the change in this process and print JSON")
    options = parser.parse_args()
    if options.only_change:
        print(json.dumps(one_change(options.endpoints, options.rules)))
        return
    print(
        f"{'workloads x policies':<22}{'wall s':>8}{'CPU s':>8}{'MB':>6}{'groups':>8}{'connections':>13}  netpol-analyzer"
    )
    for size in (*REFERENCE, (options.workloads, options.policies)):
        found = whole_answer(*size)
        print(
            f"{f'{size[0]:,} x {size[1]:,}':<22}{found['answer']:>8.2f}{found['answer CPU']:>8.2f}{found['answer peak']:>6.0f}"
            f"{found['groups']:>8,.0f}{found['connections']:>13,.0f}  {REFERENCE.get(size, '')}"
        )
    print(f"  the last one printed {found['bytes'] / 1e6:.1f} MB of JSON")
    show(found, ("answer", "answer peak"))
    asked = one_question(options.workloads, options.policies)
    print(
        f"one question about it: {asked['explain s']:.2f} s; its {asked['events']:,} events are read in {asked['read s']:.2f} s"
    )
    show(asked, ("explain",))
    arguments = ["--only-change", "--endpoints", str(options.endpoints), "--rules", str(options.rules)]
    done = subprocess.run([sys.executable, __file__, *arguments], capture_output=True, text=True, check=True)
    changed = json.loads(done.stdout)
    print(f"{options.endpoints:,} endpoints, {options.rules:,} policies, one of them changed")
    print(f"  {changed['classes']:,} classes; {changed['changes']:,} changes of {changed['pairs']:,} pairs")
    print(f"  {'load':<14}{changed['load']:>8.2f} s     peak {changed['diff peak']:.0f} MB")
    show(changed, ("diff",))


def show(found: dict[str, float], names: tuple[str, ...]) -> None:
    for name in names:
        bar, unit = BARS[name]
        outcome = "met" if found[name] <= bar else "MISSED"
        print(f"  {name:<14}{found[name]:>8.2f} {unit:<4}  bar {bar:.0f} {unit}: {outcome}")


if __name__ == "__main__":
    main()
