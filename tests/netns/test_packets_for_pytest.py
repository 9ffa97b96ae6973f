"""The fixture ``lab``, and the process behind it: answers by real packets for a program that stays where it is.

pytest ── pipe ──► process in a user and a network namespace ── packets ──► hosts, each a namespace
"""

from __future__ import annotations

import os
import signal
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from projects import SHOP, project, run
from tortie.analysis.cluster import KnownCluster, cluster_of
from tortie.analysis.ends import Directory, Question
from tortie.lab.errors import LabError, UserNamespacesOffError
from tortie.lab.packetprocess import PacketProcess
from tortie.net import TCP
from tortie.pytest_plugin import load_cluster
from tortie.pytest_plugin.clusters import Cluster
from tortie.verdict import Flow

MORE = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: new, namespace: shop}
spec: {template: {metadata: {labels: {role: web}}, spec: {containers: [{name: main}]}}}
---
apiVersion: v1
kind: Service
metadata: {name: front, namespace: shop}
spec: {selector: {role: db}, ports: [{port: 80, targetPort: 5432}]}
"""
"""Of the shop: who has no address yet, and a service."""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    folder = tmp_path_factory.mktemp("shop")
    (folder / "shop.yaml").write_text(SHOP)
    (folder / "more.yaml").write_text(MORE)
    return load_cluster(folder)


@pytest.fixture(scope="module")
def sent(shop: Cluster) -> Iterator[Cluster]:
    try:
        with shop.lab() as found:
            yield found
    except UserNamespacesOffError:
        pytest.skip("needs user namespaces, which are switched off here, or root")


@pytest.mark.parametrize(
    ("source", "destination", "port", "allowed"),
    [
        ("web", "db", "tcp/5432", True),
        ("web", "db", "tcp/80", False),
        ("new", "db", "tcp/5432", True),
        ("new", "db", "udp/5432", False),
        ("web", "front", "tcp/80", True),
        ("db", "web", "icmpv6/128", True),
        ("web", "db", "icmp", False),
        ("203.0.113.7", "db", "tcp/5432", False),
        ("203.0.113.7", "web", "sctp/5432", True),
        ("host:host2", "db", "tcp/80", True),
    ],
)
def test_real_packets_have_the_answers_of_the_policies(
    shop: Cluster, sent: Cluster, source: str, destination: str, port: str, allowed: bool
) -> None:
    assert shop.allows(source, destination, port) == allowed
    assert sent.allows(source, destination, port) == allowed
    assert sent.denies(source, destination, port) == (not allowed)


def test_the_program_stays_where_it_is(sent: Cluster) -> None:
    def place() -> list[str]:
        return [os.readlink(f"/proc/self/ns/{kind}") for kind in ("net", "user", "mnt")] + [
            str(os.sched_getaffinity(0))
        ]

    before = place()
    assert sent.allows("db", "web", "tcp/1234")
    assert place() == before


def test_a_failing_test_says_what_became_of_the_packet_and_why(pytester: pytest.Pytester, sent: Cluster) -> None:
    body = """
        def test_sent(lab):
            assert lab.allows("web", "db", "tcp/5432")
            assert lab.allows("web", "db", "tcp/80")
        """
    result = run(project(pytester, textwrap.dedent(body)))
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "E * assert DENIED web → db tcp/80",
            "E * where allows = <lab of policies>.allows",
            "*- tortie explain -*",
            "DENIED *TCP port 80",
            "*destination port 80 is none of the ports*",
        ]
    )
    result.stdout.no_fnmatch_line("*fault of Tortie*")


_WITHOUT_USER_NAMESPACES = """
import os, sys
from pathlib import Path
from tortie.lab import namespaces

uid, gid = os.geteuid(), os.getegid()
namespaces.unshare(namespaces.CLONE_NEWUSER)
Path("/proc/self/setgroups").write_text("deny")
Path("/proc/self/uid_map").write_text(f"1000 {uid} 1")
Path("/proc/self/gid_map").write_text(f"1000 {gid} 1")
Path("/proc/sys/user/max_user_namespaces").write_text("0")
os.execv(sys.executable, [sys.executable, "-m", "pytest", "-p", "no:tortie", "-p", "tortie.pytest_plugin"])
"""


def test_where_user_namespaces_are_off_a_test_says_which_setting_is_in_the_way(
    pytester: pytest.Pytester, sent: Cluster
) -> None:
    project(pytester, "def test_sent(lab):\n    assert lab\n")
    result = pytester.run(sys.executable, "-c", _WITHOUT_USER_NAMESPACES)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        ["*ERROR at setup of test_sent*", "the lab needs user namespaces*sysctl -w user.max_user_namespaces=15000*"]
    )
    result.stdout.no_fnmatch_line("*packetprocess.py*")


# --- the process -----------------------------------------------------------------------------------------------------------


def two_pods() -> tuple[KnownCluster, Flow]:
    """A cluster without policy, and a flow in it."""
    pods = [
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {}, "status": {"podIP": address}}
        for name, address in (("a", "10.65.0.1"), ("b", "10.65.0.2"))
    ]
    known = cluster_of(pods)
    question = Question(source="default/a", destination="default/b", protocol=TCP, destination_port=80)
    return known, Directory(known).flow(question)


@pytest.fixture
def process(sent: Cluster) -> Iterator[tuple[PacketProcess, Flow]]:
    known, flow = two_pods()
    with PacketProcess(known) as started:
        yield started, flow


def test_an_interrupt_from_the_terminal_is_for_the_program(process: tuple[PacketProcess, Flow]) -> None:
    started, flow = process
    os.kill(started.pid, signal.SIGINT)
    assert started.allow([flow]) == [True]


def test_a_process_that_has_ended_is_an_error_and_no_answer(process: tuple[PacketProcess, Flow]) -> None:
    started, flow = process
    os.kill(started.pid, signal.SIGKILL)
    with pytest.raises(LabError, match="ended with status -9"):
        started.allow([flow])


def test_it_ends_with_its_program(process: tuple[PacketProcess, Flow]) -> None:
    started, _ = process
    started.close()
    assert not Path(f"/proc/{started.pid}").exists()
