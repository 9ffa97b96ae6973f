"""``tortie explain``: the verdict as an exit status, what decides on both sides, and what nearly matched."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from example_manifests import DATABASE_POLICY

Tortie = Callable[..., Result]

FILES = (
    """
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
spec: {nodeName: one, containers: [{name: main}]}
status: {podIP: 10.0.0.1}
---
apiVersion: v1
kind: Pod
metadata: {name: db, namespace: shop, labels: {app: db}}
spec: {nodeName: two, containers: [{name: main}]}
status: {podIP: 10.0.0.2}
---
"""
    + DATABASE_POLICY
)


@pytest.fixture
def files(tmp_path: Path) -> str:
    path = tmp_path / "shop.yaml"
    path.write_text(FILES)
    return str(path)


def test_an_allowed_connection_exits_with_0_and_names_both_sides(tortie: Tortie, files: str) -> None:
    lines = tortie(
        "explain", "--from", "shop/web", "--to", "shop/db", "--port", "tcp/5432", "-f", files
    ).stdout.splitlines()
    assert lines[0].startswith(
        "ALLOWED  shop/one-k8s-web-eth0 (10.0.0.1) → shop/two-k8s-db-eth0 (10.0.0.2) TCP port 5432"
    )
    assert "allowed by profile kns.shop, egress rule 0" in lines[2]
    assert "allowed by tier default, NetworkPolicy shop/knp.default.db, ingress rule 0" in lines[4]


def test_a_denied_connection_exits_with_1_and_tells_what_nearly_matched(tortie: Tortie, files: str) -> None:
    arguments = ["explain", "--from", "shop/web", "--to", "shop/db", "--port", "tcp/80", "-f", files]
    printed = tortie(*arguments, status=1).stdout
    assert printed.startswith("DENIED")
    assert "denied by the default action of tier default" in printed
    assert (
        "  NetworkPolicy shop/knp.default.db, ingress rule 0 Allow: destination port 80 is none of the ports" in printed
    )


def test_verbose_shows_every_rule(tortie: Tortie, files: str) -> None:
    arguments = ["explain", "--from", "1.1.1.1", "--to", "shop/db", "--port", "tcp/80", "-f", files]
    short, whole = tortie(*arguments, status=1).stdout, tortie(*arguments, "-v", status=1).stdout
    rule = "rule 0 Allow: source 1.1.1.1 is no endpoint or network set that the rule selects"
    assert (rule in short, rule in whole) == (False, True)


def test_what_staged_policies_would_do_is_told(tortie: Tortie, files: str, tmp_path: Path) -> None:
    (tmp_path / "staged.yaml").write_text("""
apiVersion: projectcalico.org/v3
kind: StagedGlobalNetworkPolicy
metadata: {name: stop}
spec: {order: 1, selector: app == 'db', types: [Ingress], ingress: [{action: Deny}]}
""")
    arguments = [
        "--from",
        "shop/web",
        "--to",
        "shop/db",
        "--port",
        "tcp/5432",
        "-f",
        files,
        "-f",
        str(tmp_path / "staged.yaml"),
    ]
    printed = tortie("explain", *arguments).stdout
    assert (
        "with staged policies enforced: denied by tier default, StagedGlobalNetworkPolicy stop, ingress rule 0"
        in printed
    )


def test_json_says_the_same(tortie: Tortie, files: str) -> None:
    arguments = ["explain", "--from", "shop/web", "--to", "shop/db", "--port", "tcp/80", "-f", files, "-o", "json"]
    document = json.loads(tortie(*arguments, status=1).stdout)
    assert (document["from"], document["to"], document["port"], document["allowed"]) == (
        "shop/web",
        "shop/db",
        80,
        False,
    )
    assert [(host["node"], host["allowed"]) for host in document["hosts"]] == [("one", True), ("two", False)]
    assert document["nearMisses"][0]["owner"] == {
        "kind": "NetworkPolicy",
        "namespace": "shop",
        "name": "knp.default.db",
    }
    assert not document["dependsOnAddress"]


def test_against_the_datastore_nothing_is_filled_in(tortie: Tortie, tmp_path: Path) -> None:
    tortie("apply", "-f", "-", stdin=FILES + """---
apiVersion: projectcalico.org/v3
kind: WorkloadEndpoint
metadata: {name: one-cni-c1-eth0, namespace: shop}
spec: {node: one, orchestrator: cni, containerID: c1, workload: api, endpoint: eth0, interfaceName: cali1, ipNetworks: [10.0.0.3/32], profiles: [kns.shop]}
""")  # fmt: skip
    arguments = ["explain", "--from", "1.1.1.1", "--to", "shop/api", "--port", "icmp"]
    assert "denied by profile kns.shop does not exist" in tortie(*arguments, status=1).stdout
    tortie("apply", "-f", "-", stdin="{apiVersion: v1, kind: Namespace, metadata: {name: shop}}")
    assert tortie(*arguments).stdout.startswith("ALLOWED  1.1.1.1 → shop/one-cni-c1-eth0 (10.0.0.3) ICMP type 8 code 0")
    # a pod that no host has connected yet is no endpoint
    assert (
        "there is no pod"
        in tortie("explain", "--from", "shop/web", "--to", "shop/api", "--port", "icmp", status=2).stderr
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"--port": "tcp"}, "TCP needs a port"),
        ({"--port": "tcp/x"}, "expected such as tcp/443"),
        ({"--port": "tcp/80/1"}, "expected such as tcp/443"),
        ({"--port": "tcp/65536"}, "65536"),
        ({"--port": "quic/1"}, "expected such as tcp/443"),
        ({"--from": "nobody"}, "'nobody' is no end"),
        ({"--to": "host:nine"}, "there is no node 'nine'; known: one, two"),
        ({"--to": "fd00::1"}, "do not both have an IPv4 or IPv6 address"),
    ],
)
def test_a_question_that_makes_no_sense_exits_with_2(
    tortie: Tortie, files: str, change: dict[str, str], message: str
) -> None:
    options = {"--from": "shop/web", "--to": "shop/db", "--port": "tcp/80", "-f": files} | change
    result = tortie("explain", *(word for option in options.items() for word in option), status=2)
    assert message in " ".join(result.stderr.split())


def test_a_cluster_that_cannot_be_read_is_no_denial(tortie: Tortie, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("kind: Pod")
    arguments = ["explain", "--from", "shop/web", "--to", "shop/db", "--port", "tcp/80"]
    assert "apiVersion is missing" in tortie(*arguments, "-f", str(tmp_path / "bad.yaml"), status=2).stderr
    assert "nowhere" in tortie(*arguments, "-f", str(tmp_path / "nowhere"), status=2).stderr
    assert tortie(*arguments, status=2).stderr  # there is no datastore yet
