"""Of a folder only what a question can need is decoded, and the answer is that of the whole folder."""

from __future__ import annotations

import re
from pathlib import Path
from random import Random

import pytest

from tortie.analysis.cluster import filled_in
from tortie.analysis.edits.state import State
from tortie.analysis.ends import Directory, Question, UnknownEndError
from tortie.analysis.provenance import Provenance
from tortie.analysis.templates import of_a_cluster
from tortie.cli.asked_files import asked_files
from tortie.cli.errors import CommandError
from tortie.cli.manifests import read_manifests
from tortie.model.codec import decode_document, encode_document, to_document
from tortie.model.endpoint import WorkloadEndpoint
from tortie.model.yamltext import yaml_lines, yaml_text
from tortie.net import TCP, UDP
from tortie.testing.clusters import RandomCluster, random_cluster
from tortie.verdict import Cluster


def write(folder: Path, cluster: RandomCluster, rng: Random) -> None:
    """The documents, several a file, in any order."""
    texts = []
    for resource in rng.sample(cluster.resources, len(cluster.resources)):
        document = decode_document(encode_document(to_document(resource)))
        texts.append("\n".join(yaml_lines(document)) + "\n" if rng.random() < 0.5 else yaml_text(document))
    for number in range(3):
        (folder / f"{number}.yaml").write_text("---\n".join(texts[number::3]))


def ask(source: str, destination: str, port: int = 80) -> Question:
    return Question(source=source, destination=destination, protocol=TCP, destination_port=port)


def questions(rng: Random, cluster: RandomCluster) -> list[Question]:
    """Between workloads, by name or address, hosts and what is outside."""
    names = [f"{e.metadata.namespace}/{e.metadata.name}" for e in cluster.endpoints]
    addresses = [str(n.address) for e in cluster.endpoints for n in e.spec.ip_networks if n.address.family == 4]
    bare = [e.spec.pod for e in cluster.endpoints if e.spec.pod]
    ends = [*names, *addresses, *bare, *(f"host:{host}" for host in cluster.hosts), "203.0.113.9"]
    return [ask(*rng.sample(ends, 2), rng.choice((22, 53, 80, 8080))) for _ in range(6)]


@pytest.mark.parametrize("seed", range(12))
def test_the_answer_is_that_of_the_whole_folder(seed: int, tmp_path: Path) -> None:
    rng = Random(seed)
    cluster = random_cluster(rng)
    write(tmp_path, cluster, rng)
    read = read_manifests([str(tmp_path)], namespace=None, recursive=False, prepare=of_a_cluster)
    whole = filled_in({item.key: item.resource for item in read})
    oracle = Cluster.of(whole.values())
    for question in questions(rng, cluster):
        try:
            expected = [oracle.judge(named.flow) for named in Directory(whole).flows(question)]
        except UnknownEndError as error:
            with pytest.raises(UnknownEndError, match=re.escape(str(error))):
                asked_files([str(tmp_path)], question, recursive=False)
            continue
        asked = asked_files([str(tmp_path)], question, recursive=False)
        part = Cluster.of(asked.cluster.values())
        assert [part.judge(named.flow) for named in asked.flows] == expected
        assert State.of(asked.cluster, Provenance.of_documents(asked.read)).cluster == part


POD = """
apiVersion: v1
kind: Pod
metadata: {{name: {name}, namespace: {namespace}, labels: {{app: {name}}}}}
spec: {{nodeName: one, containers: [{{name: main}}]}}
status: {{podIP: {address}}}
"""
SHOP = POD.format(name="web", namespace="shop", address="10.0.0.1") + "---" + POD.format(
    name="db", namespace="shop", address="10.0.0.2"
)  # fmt: skip


IN_SHOP = ask("shop/web", "shop/db")


def decoded(tmp_path: Path, text: str, question: Question = IN_SHOP) -> set[str]:
    """Which documents were decoded of a file with SHOP and *text*."""
    (tmp_path / "cluster.yaml").write_text(f"{SHOP}---\n{text}")
    asked = asked_files([str(tmp_path)], question, recursive=False)
    return {str(item.key) for item in asked.read} - {"Pod shop/web", "Pod shop/db"}


@pytest.mark.parametrize(
    "end", ["...\n", "---\n# \u2028\n", "--- # x\r---\n"], ids=["an end", "a line separator", "a return"]
)
def test_a_text_that_is_cut_in_other_ways_is_decoded_whole(end: str, tmp_path: Path) -> None:
    other = POD.format(name="other", namespace="ops", address="10.1.0.1")
    assert decoded(tmp_path, f"{other}{end}") == {"Pod ops/other"}


def test_lines_may_end_as_on_windows(tmp_path: Path) -> None:
    other = POD.format(name="other", namespace="ops", address="10.1.0.1")
    (tmp_path / "cluster.yaml").write_bytes(f"{SHOP}---{other}".replace("\n", "\r\n").encode())
    asked = asked_files([str(tmp_path)], IN_SHOP, recursive=False)
    assert [item.key.name for item in asked.read] == ["web", "db"]


def test_another_namespaces_documents_are_not_decoded(tmp_path: Path) -> None:
    others = "---".join(POD.format(name=f"p{n}", namespace="ops", address=f"10.1.0.{n}") for n in range(5))
    policy = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: n, namespace: ops}\nspec: {}\n"
    assert decoded(tmp_path, f"{others}---\n{policy}") == set()


@pytest.mark.parametrize(
    "text",
    [
        POD.format(name="twin", namespace="ops", address="10.0.0.2"),
        "apiVersion: projectcalico.org/v3\nkind: GlobalNetworkPolicy\nmetadata: {name: g}\nspec: {}\n",
        "apiVersion: projectcalico.org/v3\nkind: NetworkSet\nmetadata: {name: s, namespace: ops}\nspec: {nets: [10.0.0.0/8]}\n",
        "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: n, namespace: ops}}\n",
        "- apiVersion: networking.k8s.io/v1\n  kind: NetworkPolicy\n  metadata: {name: n, namespace: ops}\n",
        "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: n, namespace: ops}}\n",
        'apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: n, namespace: "sh\\x6fp"}\nspec: {}\n',
        "apiVersion: projectcalico.org/v3\nKIND: GlobalNetworkPolicy\nmetadata: {name: g}\nspec:\n  {}\n",
        '"kind": GlobalNetworkPolicy\napiVersion: projectcalico.org/v3\nmetadata: {name: g}\nspec: {}\n',
        "? kind\n: GlobalNetworkPolicy\napiVersion: projectcalico.org/v3\nmetadata: {name: g}\nspec: {}\n",
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: x, namespace: no}\nspec: {}\n",
        "apiVersion: projectcalico.org/v3\nkind: GlobalNetworkPolicy # not NetworkPolicy\nmetadata: {name: g}\nspec: {}\n",
    ],
    ids=[
        "an address twice", "of the whole cluster", "a network set", "in braces", "in a list", "in an object of kind List",
        "a name in escapes", "capitals", "a quoted key", "an explicit key", "a name that YAML changes", "a comment",
    ],
)  # fmt: skip
def test_what_may_bear_on_the_ends_is_decoded(text: str, tmp_path: Path) -> None:
    assert len(decoded(tmp_path, text)) == 1


@pytest.mark.parametrize(
    ("metadata", "is_needed"),
    [
        ("{name: allow}", True),
        ("{name: allow, labels: {namespace: ops}}", True),
        ("\n  name: allow\n  labels:\n    namespace: ops", True),
        ("{name: allow, namespace: ops}", False),
        ("\n  labels: {a: b}\n  name: allow\n  namespace: ops", False),
        ("\n    namespace: ops\n    name: allow", False),
    ],
)
def test_without_a_namespace_it_is_of_the_namespace_default(metadata: str, is_needed: bool, tmp_path: Path) -> None:
    policy = (
        f"apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {metadata}\nspec: {{podSelector: {{}}}}\n"
    )
    ends = "---".join(POD.format(name=name, namespace="default", address=f"10.2.0.{n}") for n, name in enumerate("ab"))
    needed = decoded(tmp_path, f"{ends}---\n{policy}", ask("default/a", "default/b"))
    assert ("NetworkPolicy default/allow" in needed) is is_needed


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (b"apiVersion: v1\nkind: Pod\nmetadata: {name: x\n", "bad.yaml:4:1: "),
        (b"a:\n\tb: c\n", "bad.yaml:2:1: a tab; YAML is indented with spaces"),
        (b"kind: \xff\n", "bad.yaml:1:7: not UTF-8 text: byte 0xff"),
        (b"a: b\x00\n", "bad.yaml:1:5: "),
    ],
    ids=["a bracket", "a tab", "no text", "a control character"],
)
def test_one_unreadable_file_answers_nothing_and_is_told_with_line_and_column(
    content: bytes, place: str, tmp_path: Path
) -> None:
    (tmp_path / "good.yaml").write_text(SHOP)
    (tmp_path / "bad.yaml").write_bytes(content)
    with pytest.raises(CommandError) as caught:
        asked_files([str(tmp_path)], ask("shop/web", "shop/db"), recursive=False)
    assert place in str(caught.value)


def test_a_mistake_in_what_is_needed_is_told(tmp_path: Path) -> None:
    policy = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: x, namespace: shop}\n"
    (tmp_path / "shop.yaml").write_text(f"{SHOP}---\n{policy}spec: {{podSelektor: {{}}}}\n")
    with pytest.raises(CommandError, match=r"shop.yaml:17:8: spec.podSelektor: there is no field 'podSelektor' here"):
        asked_files([str(tmp_path)], ask("shop/web", "shop/db"), recursive=False)


def test_what_is_nearest_is_looked_for_in_the_whole_folder(tmp_path: Path) -> None:
    (tmp_path / "cluster.yaml").write_text(SHOP)
    with pytest.raises(UnknownEndError, match=r"there is no pod, workload or service 'shp/db'; did you mean shop/db\?"):
        asked_files([str(tmp_path)], ask("shop/web", "shp/db"), recursive=False)


def test_a_name_without_a_namespace_is_found_wherever_it_is(tmp_path: Path) -> None:
    far = POD.format(name="far", namespace="ops", address="10.3.0.1")
    beside = POD.format(name="beside", namespace="ops", address="10.3.0.2")
    assert decoded(tmp_path, f"{far}---{beside}", ask("web", "far")) == {"Pod ops/far", "Pod ops/beside"}


def test_a_service_is_asked_for_with_all_that_is_behind_it(tmp_path: Path) -> None:
    service = "apiVersion: v1\nkind: Service\nmetadata: {name: names, namespace: ops}\nspec: {clusterIP: 10.96.0.10, selector: {app: dns}, ports: [{port: 53, protocol: UDP}]}\n"
    pods = "---".join(
        POD.format(name=f"d{n}", namespace="ops", address=f"10.4.0.{n}").replace(f"app: d{n}", "app: dns")
        for n in range(3)
    )
    (tmp_path / "cluster.yaml").write_text(f"{SHOP}---\n{service}---{pods}")
    for name in ("names", "ops/names", "10.96.0.10"):
        question = Question(source="shop/web", destination=name, protocol=UDP, destination_port=53)
        asked = asked_files([str(tmp_path)], question, recursive=False)
        assert [named.destination.name for named in asked.flows] == ["ops/d0", "ops/d1", "ops/d2"]


def test_endpoints_of_hosts_are_decoded_with_their_namespace(tmp_path: Path) -> None:
    endpoint = (
        "apiVersion: projectcalico.org/v3\nkind: WorkloadEndpoint\nmetadata: {name: one-cni-c1-eth0, namespace: shop}\n"
    )
    spec = "spec: {node: one, orchestrator: cni, containerID: c1, endpoint: eth0, interfaceName: cali1}\n"
    (tmp_path / "cluster.yaml").write_text(f"{SHOP}---\n{endpoint}{spec}")
    asked = asked_files([str(tmp_path)], ask("shop/web", "shop/c1"), recursive=False)
    assert any(isinstance(item.resource, WorkloadEndpoint) for item in asked.read)
