"""``load_cluster``: a cluster of files, and what it answers."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

import pytest

from projects import SHOP
from tortie.lab import packetprocess
from tortie.lab.packetprocess import PacketProcess
from tortie.pytest_plugin import UnreadableClusterError, load_cluster
from tortie.pytest_plugin.clusters import Cluster, ClusterWarning
from tortie.verdict import Flow

SERVED = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: api, namespace: shop}
spec:
  template:
    metadata: {labels: {role: api}}
    spec: {containers: [{name: main, ports: [{name: http, containerPort: 8080}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: front, namespace: shop}
spec: {selector: {role: api}, ports: [{port: 80, targetPort: http}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: api, namespace: shop}
spec:
  podSelector: {matchLabels: {role: api}}
  ingress: [{ports: [{port: 8080}]}]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "shop.yaml").write_text(SHOP)
    return tmp_path


@pytest.fixture
def shop(folder: Path) -> Cluster:
    return load_cluster(folder)


@pytest.mark.parametrize(
    ("source", "destination", "port", "allowed"),
    [
        ("shop/web", "shop/db", "tcp/5432", True),
        ("shop/web", "shop/db", "tcp/5433", False),
        ("shop/web", "shop/db", "udp/5432", False),
        ("shop/web", "shop/db", "icmp", False),
        ("shop/db", "shop/web", "icmp/8/0", True),
        ("shop/db", "shop/web", "icmpv6/128", True),
        ("shop/db", "shop/web", "sctp/80", True),
        ("shop/db", "shop/web", "47", True),
        ("web", "db", "tcp/5432", True),
        ("10.65.0.1", "fd00::2", "tcp/5432", None),
        ("10.65.0.1", "10.65.0.2", "tcp/5432", True),
        ("203.0.113.7", "shop/db", "tcp/5432", False),
        ("host:host2", "shop/db", "tcp/80", True),
        ("host:host1", "shop/db", "tcp/80", False),
        ("shop/web", "203.0.113.7", "tcp/80", True),
    ],
)
def test_answers(shop: Cluster, source: str, destination: str, port: str, allowed: bool | None) -> None:
    if allowed is None:
        with pytest.raises(ValueError, match="do not both have"):
            shop.allows(source, destination, port)
        return
    assert bool(shop.allows(source, destination, port)) is allowed
    assert bool(shop.denies(source, destination, port)) is not allowed
    assert shop.explain(source, destination, port).startswith("ALLOWED" if allowed else "DENIED")


def test_answers_are_equal_to_truth_values_and_to_each_other(shop: Cluster) -> None:
    allowed, denied = (shop.allows("web", "db", port) for port in ("tcp/5432", "tcp/80"))
    assert (allowed == True, denied == False, allowed != False, allowed == denied) == (True, True, True, False)  # noqa: E712 - what is tested
    assert (allowed == "ALLOWED", allowed == 1) == (False, False)
    assert {True: "yes", False: "no"}[denied] == "no"


def test_an_answer_holds_of_both_ip_versions_or_not_at_all(folder: Path) -> None:
    policy = """
apiVersion: projectcalico.org/v3
kind: GlobalNetworkPolicy
metadata: {name: four}
spec:
  selector: role == "web"
  types: [Ingress]
  ingress: [{action: Allow, ipVersion: 4}]
"""
    (folder / "policy.yaml").write_text(policy)
    shop = load_cluster(folder)
    allowed, denied = shop.allows("db", "web", "tcp/80"), shop.denies("db", "web", "tcp/80")
    assert (bool(allowed), bool(denied)) == (False, False)
    assert repr(allowed) == "PARTLY ALLOWED db → web tcp/80"
    assert allowed.explanation.splitlines()[0].startswith("DENIED  shop/host2-k8s-db-eth0 (fd00::2)")
    assert denied.explanation.splitlines()[0].startswith("ALLOWED  shop/host2-k8s-db-eth0 (10.65.0.2)")


def test_a_service_is_asked_for_at_its_own_port(folder: Path) -> None:
    (folder / "served.yaml").write_text(SERVED)
    shop = load_cluster(folder)
    assert shop.allows("web", "front", "tcp/80")
    assert shop.denies("web", "api", "tcp/80")
    with pytest.raises(ValueError, match="service shop/front has no port TCP 81"):
        shop.allows("web", "front", "tcp/81")


def test_of_many_workloads_behind_a_service_the_first_few_are_explained(folder: Path) -> None:
    pods = "---\n".join(
        f"apiVersion: v1\nkind: Pod\nmetadata: {{name: db{number}, namespace: shop, labels: {{role: db}}}}\n"
        f"spec: {{nodeName: host2}}\nstatus: {{podIP: 10.65.1.{number}}}\n"
        for number in range(1, 7)
    )
    service = (
        "apiVersion: v1\nkind: Service\nmetadata: {name: dbs, namespace: shop}\n"
        "spec: {selector: {role: db}, ports: [{port: 80}]}\n"
    )
    (folder / "many.yaml").write_text(f"{pods}---\n{service}")
    explanation = load_cluster(folder).allows("web", "dbs", "tcp/80").explanation
    assert explanation.count("DENIED") == 3
    assert explanation.endswith("and 4 more")


@pytest.mark.parametrize(
    ("source", "destination", "port", "said"),
    [
        ("shop/wbe", "shop/db", "tcp/80", "did you mean shop/web"),
        ("shop/web", "shop/db", "tcp", "'tcp' is not one port, such as tcp/443"),
        ("shop/web", "shop/db", "tcp/80-90", "'tcp/80-90' is not one port"),
        ("shop/web", "shop/db", "tcp/70000", "tcp/70000"),
        ("shop/web", "shop/db", "http", "http"),
        ("host:nowhere", "shop/db", "tcp/80", "known: host1, host2"),
    ],
)
def test_questions_that_mean_nothing_say_what_was_expected(
    shop: Cluster, source: str, destination: str, port: str, said: str
) -> None:
    for ask in (shop.allows, shop.denies, shop.explain):
        with pytest.raises(ValueError, match=said):
            ask(source, destination, port)


def test_every_mistake_of_a_folder_is_told_at_once(folder: Path) -> None:
    (folder / "one.yaml").write_text("apiVersion: projectcalico.org/v3\nkind: Teir\n")
    (folder / "two.yaml").write_text("apiVersion: v1\nkind: Pod\nmetadata: {}\n")
    with pytest.raises(UnreadableClusterError) as caught:
        load_cluster(folder)
    assert [line.split(": ")[0] for line in str(caught.value).splitlines()] == [
        f"{folder}/one.yaml:2:7",
        f"{folder}/two.yaml:3:11",
    ]


@pytest.mark.parametrize("paths", [(), ("empty",)])
def test_a_cluster_of_nothing_is_refused(paths: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UnreadableClusterError, match="no resources were found in"):
        load_cluster(*(tmp_path / path for path in paths))


WITHOUT_MEANING = {
    "a selector that nothing matches": """
apiVersion: projectcalico.org/v3
kind: GlobalNetworkPolicy
metadata: {name: odd}
spec: {selector: role == "web" && role == "db"}
""",
    "a rule that cannot be read": """
apiVersion: policy.networking.k8s.io/v1alpha2
kind: ClusterNetworkPolicy
metadata: {name: odd}
spec:
  tier: Admin
  priority: 1
  subject: {namespaces: {}}
  egress: [{action: Accept, to: [{domainNames: [example.org]}]}]
""",
}


@pytest.mark.parametrize("text", WITHOUT_MEANING.values(), ids=WITHOUT_MEANING)
def test_a_warning_is_about_the_line_that_loads_the_cluster(text: str, folder: Path) -> None:
    (folder / "odd.yaml").write_text(text)
    with pytest.warns(ClusterWarning) as caught:
        load_cluster(folder)
    assert {warning.filename for warning in caught} == {__file__}


class _Contrary(PacketProcess):
    """A kernel that does otherwise than its policies say, which the real one is not known to do."""

    def __init__(self) -> None:
        pass

    def allow(self, flows: Sequence[Flow]) -> list[bool]:
        return [True for _ in flows]


def test_a_kernel_that_contradicts_its_policies_is_told_as_our_fault(
    shop: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packetprocess, "PacketProcess", lambda _: contextlib.nullcontext(_Contrary()))
    with shop.lab() as lab:
        allowed, denied = lab.allows("web", "db", "tcp/5432"), lab.denies("web", "db", "tcp/80")
        assert (bool(allowed), bool(denied)) == (True, False)
        assert allowed.explanation.startswith("ALLOWED")
        assert denied.explanation.splitlines()[0] == (
            "the packet was delivered, but by its policies it should be otherwise: a fault of Tortie's"
        )
