"""What the simple and the advanced demo promise after each step is what the oracle makes of their manifests."""

from __future__ import annotations

import pytest

from tortie.analysis.connectivity import Probe, matrix, reachable
from tortie.lab import layout
from tortie.lab.advanced import ADVANCED
from tortie.lab.demo import Demo
from tortie.lab.simple import SIMPLE
from tortie.net import Family
from tortie.testing.demos import demo_resources
from tortie.verdict import Cluster

STEPS = [
    pytest.param(demo, number, id=f"{demo.name}-{number}")
    for demo in (SIMPLE, ADVANCED)
    for number in range(1, len(demo.steps) + 1)
]


@pytest.mark.parametrize(("demo", "number"), STEPS)
@pytest.mark.parametrize("family", list(Family))
def test_the_oracle_agrees_and_every_replica_behaves_alike(demo: Demo, number: int, family: Family) -> None:
    column = demo.column("nginx")
    clients = [Probe(program.id, program.workload, program.port) for program in demo.programs]
    replicas = [Probe(workload, workload, column.port) for workload in column.workloads]
    answers = reachable(matrix(Cluster.of(demo_resources(demo, number)), [*clients, *replicas]), family)
    for client in clients:
        expected = (client.name, "nginx") in demo.steps[number - 1].reachable
        assert [(client.name, replica.name) in answers for replica in replicas] == [expected, expected]


@pytest.mark.parametrize("demo", [SIMPLE, ADVANCED], ids=lambda demo: demo.name)
def test_every_manifest_of_the_folder_is_applied_once(demo: Demo) -> None:
    manifests = [*demo.workloads, *(manifest for step in demo.steps for manifest in step.apply)]
    assert sorted(manifest.file for manifest in manifests) == sorted(item.name for item in demo.folder.iterdir())


def test_the_advanced_demo_pings_what_the_dns_server_calls_outside() -> None:
    assert ADVANCED.column("outside").url == f"icmp://{layout.OUTSIDE_NAME}"
