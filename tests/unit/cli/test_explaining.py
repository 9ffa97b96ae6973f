"""``tortie explain``: the verdict as an exit status, what decides on both sides, and what nearly matched."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from example_manifests import DATABASE_POLICY

from tortie.model.document import read

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
    assert lines[5] == f"    at {files}:21:5"


def test_a_denied_connection_exits_with_1_and_tells_what_nearly_matched(tortie: Tortie, files: str) -> None:
    arguments = ["explain", "--from", "shop/web", "--to", "shop/db", "--port", "tcp/80", "-f", files]
    printed = tortie(*arguments, status=1).stdout
    assert printed.startswith("DENIED")
    assert "denied by the default action of tier default" in printed
    assert (
        "  NetworkPolicy shop/knp.default.db, ingress rule 0 Allow: destination port 80 is none of the ports" in printed
    )


def test_what_decides_nearly_matches_and_would_allow_it_is_told_with_its_line(tortie: Tortie, files: str) -> None:
    arguments = ["explain", "--from", "shop/web", "--to", "shop/db", "--port", "tcp/80", "-f", files]
    lines = tortie(*arguments, status=1).stdout.splitlines()
    told = [line for line in lines if files in line]
    assert told == [
        f"    at {files}:15:1",
        f"    at {files}:21:5",
        f"  {files}:22:13: in NetworkPolicy shop/db, spec.ingress[0].ports: add {{port: 80}}",
    ]
    assert lines[lines.index("to allow it") + 1 :] == [
        told[-1],
        "  which changes no other connection of these workloads",
    ]


def in_folder(files: str, question: list[str]) -> list[str]:
    """Asked of the same files by a name without a folder before it."""
    return ["explain", *question, "-f", Path(files).name]


@pytest.mark.parametrize(
    ("ends", "port", "status"),
    [
        (("shop/web", "shop/db"), "tcp/80", 1),
        (("shop/web", "shop/db"), "tcp/5432", 0),
        (("203.0.113.7", "shop/db"), "udp/53", 1),
        (("shop/db", "203.0.113.7"), "icmp", 0),
    ],
)
def test_a_patch_makes_it_another_answer(
    tortie: Tortie, files: str, ends: tuple[str, str], port: str, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(Path(files).parent)
    question = in_folder(files, ["--from", ends[0], "--to", ends[1], "--port", port])
    patch = tortie(*question, "--patch", status=status).stdout
    subprocess.run(["git", "apply"], input=patch, text=True, check=True)
    assert Path(files).read_text() != FILES
    tortie(*question, status=1 - status)


def test_a_patch_of_a_datastore_is_what_apply_takes(tortie: Tortie) -> None:
    endpoints = [
        f"""
apiVersion: projectcalico.org/v3
kind: WorkloadEndpoint
metadata: {{name: one-k8s-{name}-eth0, namespace: shop, labels: {{app: {name}}}}}
spec: {{node: one, orchestrator: k8s, pod: {name}, endpoint: eth0, interfaceName: cali{name}, profiles: [kns.shop]}}
"""
        for name in ("web", "db")
    ]
    namespace = "{apiVersion: v1, kind: Namespace, metadata: {name: shop}}"
    tortie("apply", "-f", "-", stdin="\n---\n".join([namespace, *endpoints, DATABASE_POLICY]))
    question = ["explain", "--from", "shop/web", "--to", "shop/db", "--port", "tcp/80"]
    told = tortie(*question, status=1).stdout
    assert "    at NetworkPolicy shop/db" in told
    assert "in NetworkPolicy shop/db, spec.ingress[0].ports: add {port: 80}" in told
    tortie("apply", "-f", "-", stdin=tortie(*question, "--patch", status=1).stdout)
    assert tortie(*question).stdout.startswith("ALLOWED")


def test_what_cannot_be_patched_is_told_all_the_same(tortie: Tortie, files: str, tmp_path: Path) -> None:
    """JSON has no place for another document, and standard input is no file."""
    pods, _, _ = FILES.rpartition("---")
    items = [item.document for item in read(pods).resources]
    (tmp_path / "pods.json").write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    question = ["explain", "--from", "shop/web", "--to", "shop/db", "--port", "tcp/80"]
    assert "add a NetworkPolicy shop/deny-egress-web-db:" in tortie(*question, "-f", str(tmp_path / "pods.json")).stdout
    failed = tortie(*question, "--patch", "-f", str(tmp_path / "pods.json"), status=2).stderr
    assert (
        "pods.json: its text has no place for the edit of NetworkPolicy shop/deny-egress-web-db; do it by hand"
        in failed
    )
    failed = tortie(*question, "--patch", "-f", "-", stdin=Path(files).read_text(), status=2).stderr
    assert "standard input cannot be patched; name files with -f" in failed


def test_where_no_policy_decides_there_is_no_patch(tortie: Tortie, files: str) -> None:
    arguments = ["explain", "--from", "host:two", "--to", "shop/db", "--port", "tcp/80", "-f", files]
    assert "no change of a policy would deny it" in tortie(*arguments).stdout
    assert "no change of a policy would make it another answer" in tortie(*arguments, "--patch", status=2).stderr


def test_a_service_is_asked_for_at_every_workload_behind_it(tortie: Tortie, files: str, tmp_path: Path) -> None:
    (tmp_path / "more.yaml").write_text("""
apiVersion: v1
kind: Service
metadata: {name: data, namespace: shop}
spec: {selector: {app: db}, ports: [{port: 80, targetPort: 5432}]}
---
apiVersion: v1
kind: Pod
metadata: {name: db-2, namespace: shop, labels: {app: db}}
spec: {nodeName: two, containers: [{name: main}]}
status: {podIP: 10.0.0.3}
""")
    arguments = ["explain", "--from", "web", "--to", "data", "-f", files, "-f", str(tmp_path / "more.yaml"), "--port"]
    printed = tortie(*arguments, "tcp/80").stdout
    assert "→ shop/two-k8s-db-eth0 (10.0.0.2) TCP port 5432" in printed
    assert "likewise: shop/one-k8s-web-eth0 (10.0.0.1) → shop/two-k8s-db--2-eth0 (10.0.0.3) TCP port 5432" in printed
    document = json.loads(tortie(*arguments, "tcp/80", "-o", "json").stdout)
    assert [(each["to"], each["service"]) for each in (document, *document["others"])] == [
        ("shop/db", "shop/data"),
        ("shop/db-2", "shop/data"),
    ]
    message = "service shop/data has no port TCP 5432 at shop/db; its ports: TCP 80"
    assert message in " ".join(tortie(*arguments, "tcp/5432", status=2).stderr.split())


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
    place = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "namespace": "shop", "name": "db"}
    (origin,) = document["hosts"][1]["decisions"][0]["origins"]
    assert origin == {**place, "field": "", "file": files, "line": 15, "column": 1}
    assert document["nearMisses"][0]["origin"] == {
        **place, "field": "spec.ingress[0]", "file": files, "line": 21, "column": 5
    }  # fmt: skip
    patch = [{"op": "add", "path": "/spec/ingress/0/ports/0", "value": {"port": 80}}]
    assert document["edit"] == [{"change": place, "file": files, "line": 22, "column": 13, "patch": patch}]


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
        ({"--from": "nobody"}, "there is no pod, workload or service 'nobody'"),
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


@pytest.mark.parametrize(
    ("port", "told"),
    [
        ("47/1", "47 has no ports"),
        ("tcp/http", "'http' is not a number 0-65535"),
        ("tcp/8_0", "'8_0' is not a number 0-65535"),
        ("tcp/+80", "'+80' is not a number 0-65535"),
        ("tcp/" + "9" * 5000, "999 is not a number 0-65535"),
        ("tcp/80/1", "too many parts"),
        ("icmp/8/0/1", "too many parts"),
    ],
    ids=["no ports", "name", "underscore", "sign", "digits", "after a port", "after a code"],
)
def test_a_port_that_means_nothing_is_refused_with_what_was_expected(
    tortie: Tortie, files: str, port: str, told: str
) -> None:
    question = ["explain", "--from", "shop/web", "--to", "shop/db", "--port", port, "-f", files]
    printed = tortie(*question, status=2).stderr
    assert "expected such as tcp/443" in printed
    assert told in printed


UNSUPPORTED = """
apiVersion: policy.networking.k8s.io/v1alpha2
kind: ClusterNetworkPolicy
metadata: {name: names}
spec:
  tier: Admin
  priority: 1
  subject: {namespaces: {}}
  egress:
  - {action: Accept, to: [{domainNames: [example.com]}]}
  - {action: Deny, to: [{nodes: {matchLabels: {role: gateway}}}]}
"""


@pytest.mark.parametrize(
    ("status", "command"),
    [
        (1, ("explain", "--from", "shop/web", "--to", "shop/db", "--port", "tcp/5432")),
        (0, ("policy", "connectivity")),
        (0, ("policy", "test")),
    ],
    ids=("explain", "connectivity", "test"),
)
def test_of_a_rule_that_cannot_be_converted_is_warned_once_and_in_its_place(
    tortie: Tortie, tmp_path: Path, status: int, command: tuple[str, ...]
) -> None:
    path = tmp_path / "shop.yaml"
    path.write_text(f"{FILES}---{UNSUPPORTED}---\ntests: [{{deny: {{from: shop/web, to: shop/db}}}}]\n")
    told = tortie(*command, "-f", str(path), status=status).stderr
    assert [line for line in told.splitlines() if "egress[" in line] == [
        f"Warning: {path}:32:41: spec.egress[0].to[0].domainNames: peers by domainNames are not supported; this rule accepts nothing",
        f"Warning: {path}:33:33: spec.egress[1].to[0].nodes: peers by nodes are not supported; this rule denies everything",
    ]


def test_of_one_that_is_stored_it_is_warned_too(tortie: Tortie, tmp_path: Path) -> None:
    tortie("apply", "-f", "-", stdin=UNSUPPORTED)
    path = tmp_path / "shop.yaml"
    path.write_text(FILES)
    told = tortie("policy", "diff", "-f", str(path), status=1).stderr
    assert told.count("ClusterNetworkPolicy names: spec.egress[0] is left out, and accepts nothing") == 1
