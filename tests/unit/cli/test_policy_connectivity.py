"""``tortie policy connectivity``: who can reach whom, of a folder or the datastore, in every form."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from click.testing import Result
from example_manifests import DATABASE_POLICY

Tortie = Callable[..., Result]

DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      volumes: []
      containers: [{name: main, resources: {limits: {cpu: 1}}, ports: [{name: http, containerPort: 8080}]}]
"""
FILES = (
    DEPLOYMENT
    + """---
apiVersion: v1
kind: Pod
metadata: {name: db, namespace: shop, labels: {app: db}}
spec: {containers: [{name: main}]}
status: {podIP: 10.0.0.2}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: left-aside, namespace: shop}
data: {x: y}
---
"""
    + DATABASE_POLICY
    + """---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  policyTypes: [Ingress, Egress]
  ingress: [{ports: [{port: http}]}]
  egress: [{to: [{podSelector: {}}]}]
"""
)
TABLE = """\
TO          FROM                          WHAT
shop/db     shop/web                      TCP 5432
shop/web    everywhere outside, shop/db   TCP 8080
0.0.0.0/0   shop/db                       all
"""


@pytest.fixture
def files(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "shop.yaml").write_text(FILES)
    return folder


def test_a_table_says_to_whom_from_whom_what(tortie: Tortie, files: Path) -> None:
    assert tortie("policy", "connectivity", "-f", str(files)).stdout == TABLE


def test_json_has_the_groups_and_what_may_pass(tortie: Tortie, files: Path) -> None:
    found = json.loads(tortie("policy", "connectivity", "-f", str(files), "-o", "json").stdout)
    assert {"from": ["shop/web"], "to": "shop/db", "packets": ["TCP 5432"]} in found["connections"]
    assert found["groups"][1] == {
        "name": "shop/web", "members": ["shop/web"], "outside": False, "host": False, "ipVersions": [4, 6],
    }  # fmt: skip


@pytest.mark.parametrize("form", ["svg", "html"])
def test_a_picture_has_a_square_for_every_pair_that_is_connected(tortie: Tortie, files: Path, form: str) -> None:
    printed = tortie("policy", "connectivity", "-f", str(files), "-o", form).stdout
    picture = printed[printed.index("<svg") : printed.index("</svg>") + len("</svg>")]
    titles = [title.text for title in ET.fromstring(picture).iter("{http://www.w3.org/2000/svg}title")]
    assert titles == [
        "shop/web → shop/db: TCP 5432",
        "shop/db → shop/web: TCP 8080",
        "0.0.0.0/0 → shop/web: TCP 8080",
        "::/0 → shop/web: TCP 8080",
        "shop/db → 0.0.0.0/0: all",
    ]


def test_a_graph_has_an_edge_for_every_pair_that_is_connected(tortie: Tortie, files: Path) -> None:
    lines = tortie("policy", "connectivity", "-f", str(files), "-o", "dot").stdout.splitlines()
    assert '  g0 [label="shop/db", tooltip="shop/db"];' in lines
    assert '  g1 -> g0 [label="TCP 5432"];' in lines
    assert (lines[0], lines[-1]) == ("digraph connectivity {", "}")


def test_markdown_is_the_table(tortie: Tortie, files: Path) -> None:
    lines = tortie("policy", "connectivity", "-f", str(files), "-o", "md").stdout.splitlines()
    assert lines[:3] == ["| to | from | what |", "|---|---|---|", "| shop/db | shop/web | TCP 5432 |"]


def test_groups_of_more_than_one_are_told(tortie: Tortie, tmp_path: Path) -> None:
    path = tmp_path / "two.yaml"
    path.write_text(FILES + "---\n" + FILES.split("---")[1].replace("name: db", "name: db-2").replace("0.2", "0.3"))
    printed = tortie("policy", "connectivity", "-f", str(path)).stdout
    assert "shop/db and 1 more   shop/web" in printed
    assert "shop/db and 1 more   shop/db, shop/db-2" in printed


def test_whom_nobody_can_reach_is_told(tortie: Tortie, files: Path) -> None:
    (files / "deny.yaml").write_text(
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: deny, namespace: alone}\n"
        "spec: {podSelector: {}, policyTypes: [Ingress, Egress]}\n---\n"
        "apiVersion: v1\nkind: Pod\nmetadata: {name: x, namespace: alone}\nspec: {containers: [{name: main}]}\n"
    )
    assert "\nalone/x     nobody\n" in "\n" + tortie("policy", "connectivity", "-f", str(files)).stdout


SERVICE = """---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: http}, {name: other, port: 81, targetPort: missing}]}
"""


def test_behind_a_service_are_templates_that_have_no_address_yet(tortie: Tortie, files: Path) -> None:
    (files / "service.yaml").write_text(SERVICE)
    printed = tortie("policy", "connectivity", "-f", str(files)).stdout
    assert (
        printed
        == TABLE
        + """
SERVICE    FROM                                WHAT
shop/web   all workloads, everywhere outside   TCP 8080
"""
    )


EDGE = """---
apiVersion: projectcalico.org/v3
kind: HostEndpoint
metadata: {name: edge, labels: {edge: "yes"}}
spec: {node: host1, interfaceName: eth0, expectedIPs: [192.0.2.1]}
---
apiVersion: projectcalico.org/v3
kind: GlobalNetworkPolicy
metadata: {name: edge}
spec:
  selector: has(edge)
  types: [Ingress]
  ingress: [{action: Allow, protocol: TCP, source: {selector: app == 'db'}, destination: {ports: [443]}}]
---
apiVersion: projectcalico.org/v3
kind: FelixConfiguration
metadata: {name: default}
spec: {failsafeInboundHostPorts: [], failsafeOutboundHostPorts: []}
"""


def test_hosts_with_endpoints_are_ends_and_all_others_if_asked_for(tortie: Tortie, files: Path) -> None:
    def to_hosts(*options: str) -> list[list[str]]:
        lines = tortie("policy", "connectivity", "-f", str(files), *options).stdout.splitlines()
        return [line.split() for line in lines if line.startswith("host:")]

    assert to_hosts() == []
    (files / "edge.yaml").write_text(EDGE)
    assert to_hosts() == [["host:host1", "shop/db", "TCP", "443"]]
    from_outside = ["host:default-node", "everywhere", "outside", "all"]
    to_its_own_node = ["host:default-node", "shop/web", "ICMPv6", "type", "130-133,135-136"]
    everything = to_hosts("--hosts")
    assert from_outside in everything
    assert to_its_own_node in everything
    assert to_hosts()[0] in everything


def test_one_unreadable_file_answers_nothing_and_is_named_with_its_place(tortie: Tortie, files: Path) -> None:
    (files / "broken.yaml").write_text("apiVersion: v1\nkind: Pod\nmetadata: {name: x\nspec: {}\n")
    result = tortie("policy", "connectivity", "-f", str(files), status=1)
    assert result.stdout == ""
    assert f"Error: {files}/broken.yaml:4:5: " in result.stderr


def test_a_mistake_in_a_template_is_told_where_it_stands(tortie: Tortie, files: Path) -> None:
    (files / "bad.yaml").write_text(DEPLOYMENT.replace("containerPort: 8080", "containerPort: many"))
    result = tortie("policy", "connectivity", "-f", str(files), status=1)
    assert f"Error: {files}/bad.yaml:12:100: spec.containers[0].ports[0].containerPort: " in result.stderr


def test_a_misspelt_kind_of_policy_is_not_left_aside(tortie: Tortie, files: Path) -> None:
    (files / "bad.yaml").write_text("apiVersion: networking.k8s.io/v1\nkind: NetworkPolicies\nmetadata: {name: x}\n")
    result = tortie("policy", "connectivity", "-f", str(files), status=1)
    assert f"Error: {files}/bad.yaml:2:7: kind: 'NetworkPolicies' is not a known kind" in result.stderr


def test_without_workloads_there_is_nothing_to_tell(tortie: Tortie, tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n")
    for options in ((), ("--hosts",)):
        assert "there are no workloads" in tortie("policy", "connectivity", "-f", str(path), *options, status=1).stderr


def test_without_files_it_is_the_datastores_answer(tortie: Tortie) -> None:
    tortie("apply", "-f", "-", stdin=STORED)
    assert [line.split() for line in tortie("policy", "connectivity").stdout.splitlines()[1:]] == [
        ["shop/db", "shop/web", "TCP", "5432"],
        ["shop/web", "shop/db,", "0.0.0.0/0", "all"],
        ["0.0.0.0/0", "all", "workloads", "all"],
    ]


STORED = "\n---\n".join(
    [
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}",
        *(
            f"""
apiVersion: projectcalico.org/v3
kind: WorkloadEndpoint
metadata: {{name: node-k8s-{name}-eth0, namespace: shop, labels: {{app: {name}}}}}
spec:
  orchestrator: k8s
  node: node
  pod: {name}
  endpoint: eth0
  containerID: abc
  interfaceName: cali{name}
  ipNetworks: [10.0.0.{number}/32]
  profiles: [kns.shop]"""
            for number, name in enumerate(("web", "db"), 1)
        ),
        DATABASE_POLICY,
    ]
)
