"""The collector keeps out of the way, and memory does not grow all the same."""

from __future__ import annotations

import gc
import itertools
import json
import subprocess
import sys
import weakref
from collections.abc import Iterator

import pytest

from tortie.agent.garbage import Garbage


class Node:
    """Something that can be in a cycle."""

    other: Node


def cycle() -> weakref.ref[Node]:
    """Two that hold each other, and nobody else does."""
    first, second = Node(), Node()
    first.other, second.other = second, first
    return weakref.ref(first)


@pytest.fixture
def garbage() -> Iterator[Garbage]:
    """One whose clock goes on by a second each time it is read."""
    seconds = itertools.count()
    found = Garbage(lambda: float(next(seconds)))
    found.begin()
    yield found
    found.end()


def many() -> list[list[None]]:
    return [[None] for _ in range(2_000)]


def test_nothing_is_collected_before_all_is_read(garbage: Garbage) -> None:
    left = cycle()
    kept = many()
    garbage.step(idle=True)
    assert kept
    assert left() is not None
    garbage.settle()
    assert left() is None


def test_new_garbage_goes_when_there_is_nothing_else_to_do(garbage: Garbage) -> None:
    garbage.settle()
    left, kept = cycle(), many()
    garbage.step(idle=False)
    assert left() is not None
    garbage.step(idle=True)
    assert kept
    assert left() is None


def test_it_goes_though_there_is_always_something_to_do(garbage: Garbage) -> None:
    garbage.settle()
    left, kept = cycle(), [[None] for _ in range(250_000)]
    garbage.step(idle=False)
    assert kept
    assert left() is None


def test_what_was_frozen_is_found_later(garbage: Garbage) -> None:
    first, second = Node(), Node()
    garbage.settle()
    first.other, second.other = second, first
    left = weakref.ref(first)
    del first, second
    garbage.step(idle=False)
    for _ in range(2_000):
        garbage.step(idle=True)
    assert left() is None


def test_python_collects_again_when_it_ends(garbage: Garbage) -> None:
    assert not gc.isenabled()
    garbage.end()
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0


CHURN = """
import gc, json, sys
from tortie.agent.garbage import Garbage
from tortie.calc.graph import Calculation
from tortie.model.kinds import NETWORK_POLICY, WORKLOAD_ENDPOINT, ResourceKey
from tortie.ruleset import Compiler

ENDPOINTS = 400

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096

def host_of(number):
    return "host" if number % 4 == 0 else "other"

def name(number):
    return f"{host_of(number)}-k8s-w{number}-eth0"

def endpoint(number, label):
    return json.dumps({
        "apiVersion": "projectcalico.org/v3", "kind": "WorkloadEndpoint",
        "metadata": {"name": name(number), "namespace": "ns", "labels": {"app": label}},
        "spec": {"node": host_of(number), "interfaceName": f"cali{number}", "ipNetworks": [f"10.0.{number >> 8}.{number & 255}/32"],
                 "endpoint": "eth0", "orchestrator": "k8s", "pod": f"w{number}"},
    }).encode()

def policy(name, label, selector=""):
    return json.dumps({
        "apiVersion": "projectcalico.org/v3", "kind": "NetworkPolicy", "metadata": {"name": name, "namespace": "ns"},
        "spec": {"selector": selector or f"app == '{label}'", "types": ["Ingress"],
                 "ingress": [{"action": "Allow", "source": {"selector": f"app == '{label}'"}}]},
    }).encode()

calculation, compiler, garbage = Calculation("host"), Compiler(), Garbage()
garbage.begin()

def put(kind, name, value):
    problem = calculation.update_raw(ResourceKey(kind, "ns", name).path, value)
    assert problem is None, problem

def flush():
    for delta in calculation.flush():
        compiler.update(delta)
    return compiler.flush()

for each in range(20):
    put(NETWORK_POLICY, f"default.p{each}", policy(f"default.p{each}", f"v{each}"))
calculation.in_sync()
flush()
garbage.settle()
sizes, deltas = [], 0
for round in range(int(sys.argv[1])):
    for each in range(100):  # a group of policies for all, and none: what is made of it holds itself
        put(NETWORK_POLICY, f"default.all{each}", None if round % 2 else policy(f"default.all{each}", f"v{each % 20}", "all()"))
    for number in range(ENDPOINTS):
        put(WORKLOAD_ENDPOINT, name(number), None if (number + round) % 3 == 0 else endpoint(number, f"v{(number + round) % 20}"))
        if number % 40 == 0:
            deltas += sum(map(len, flush()))
            garbage.step(idle=number % 80 == 0)
    sizes.append(resident())
print(json.dumps({"deltas": deltas, "sizes": sizes, "enabled": gc.isenabled()}))
"""


def test_memory_levels_off_while_endpoints_come_and_go() -> None:
    rounds = 40
    done = subprocess.run(
        [sys.executable, "-c", CHURN, str(rounds)], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert not found["enabled"]
    assert found["deltas"] > 1_000, "the endpoints reach the rules"
    settled, last = max(found["sizes"][10:20]), max(found["sizes"][-10:])
    assert last < settled * 1.03, found["sizes"]
