"""``tortie datastore``: init, lock, status, backup, export and import, and Calico's form of the last two."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
import yaml
from click.testing import Result

from tortie.cli.datastore_migrate import KINDS
from tortie.datastore.sqlite import Retention, SQLiteStore
from tortie.datastore.transfer import CLUSTER_KEY

Tortie = Callable[..., Result]

POLICIES = """\
apiVersion: projectcalico.org/v3
kind: Tier
metadata: {name: security}
spec: {order: 10}
---
apiVersion: projectcalico.org/v3
kind: GlobalNetworkPolicy
metadata: {name: security.deny, labels: {"no": "yes"}}
spec: {tier: security, selector: all(), types: [Ingress]}
---
apiVersion: projectcalico.org/v3
kind: NetworkSet
metadata: {name: office, namespace: prod}
spec: {nets: [10.0.0.0/8]}
---
apiVersion: projectcalico.org/v3
kind: IPPool
metadata: {name: p}
spec: {cidr: 10.0.0.0/16}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: default-deny, namespace: prod}
spec: {podSelector: {}}
"""

BLOCK = "/calico/ipam/v2/assignment/ipv4/block/10.0.0.0-26"
IPAM = {
    BLOCK: b'{"cidr":"10.0.0.0/26","affinity":"host:h1","allocations":[null,0],"unknown":{"a":1}}',
    "/calico/ipam/v2/host/h1/ipv4/block/10.0.0.0-26": b"",
    "/calico/ipam/v2/virtual/v1/ipv4/block/10.0.1.0-26": b'{"state":"confirmed","deleted":false}',
    "/calico/ipam/v2/handle/k8s-pod-network.1%2f2": b'{"block":{"10.0.0.0/26":1},"deleted":false}',
    "/calico/ipam/v2/config": b'{"strict_affinity":true,"auto_allocate_blocks":true}',
}


def document(store: SQLiteStore, key: str) -> dict[str, object]:
    return msgspec.json.decode(store.get(key).value, type=dict[str, object])


def content(store: SQLiteStore) -> dict[str, bytes]:
    return {entry.key: entry.value for entry in store.list("").entries}


def plain(store: SQLiteStore) -> dict[str, object]:
    """All values as JSON, without what is new with each object."""
    found = {key: msgspec.json.decode(value or b"{}") for key, value in content(store).items()}
    for value in found.values():
        for name in ("uid", "creationTimestamp"):
            value.get("metadata", {}).pop(name, None)
    return found


@pytest.fixture
def other(tmp_path: Path) -> str:
    return f"sqlite://{tmp_path}/other/tortie.db"


# --- init, lock, status ----------------------------------------------------------------------------------------------------


def test_init_makes_what_every_cluster_has_and_changes_nothing_later(tortie: Tortie, store: SQLiteStore) -> None:
    assert tortie("datastore", "init").stdout.splitlines() == [
        "clusterinformation.projectcalico.org/default created", "tier.projectcalico.org/default created",
        "tier.projectcalico.org/kube-admin created", "tier.projectcalico.org/kube-baseline created",
    ]  # fmt: skip
    spec = document(store, CLUSTER_KEY)["spec"]
    assert isinstance(spec, dict)
    assert spec["datastoreReady"] is True
    assert len(spec["clusterGUID"]) == 32
    assert int(spec["clusterGUID"], 16)
    before = content(store)
    assert "is set up already" in tortie("datastore", "init").stdout
    assert content(store) == before


def test_init_completes_a_cluster_of_calicos_and_keeps_what_it_says(tortie: Tortie, store: SQLiteStore) -> None:
    spec = {"clusterType": "k8s,bgp", "calicoVersion": "v3.30.0", "clusterGUID": "abc", "variant": "Calico"}
    store.create(CLUSTER_KEY, msgspec.json.encode({"metadata": {"name": "default"}, "spec": spec, "x": 1}))
    tortie("datastore", "init")
    assert document(store, CLUSTER_KEY) == {
        "metadata": {"name": "default"},
        "spec": {**spec, "datastoreReady": True},
        "x": 1,
    }


def test_lock_and_unlock_change_one_field(tortie: Tortie, store: SQLiteStore) -> None:
    assert "run `tortie datastore init` first" in tortie("datastore", "lock", status=1).stderr
    value = {"metadata": {"name": "default"}, "spec": {"datastoreReady": True, "new": [1]}, "status": {}}
    store.create(CLUSTER_KEY, msgspec.json.encode(value))
    for command, ready in (
        (["lock"], False),
        (["unlock"], True),
        (["migrate", "lock"], False),
        (["migrate", "unlock"], True),
    ):
        tortie("datastore", *command)
        assert document(store, CLUSTER_KEY) == {**value, "spec": {"datastoreReady": ready, "new": [1]}}


def test_status_says_what_is_there(tortie: Tortie, database: Path) -> None:
    assert "there is no datastore at" in tortie("datastore", "status", status=1).stderr
    tortie("datastore", "init", "--keep-revisions", "50", "--keep-hours", "1.5")
    printed = tortie("datastore", "status").stdout
    assert f"datastore   sqlite://{database}\n" in printed
    assert "ready       yes\n" in printed
    assert "keeps       50 revisions, for 1.5 h\n" in printed
    tortie("datastore", "lock")
    found = json.loads(tortie("datastore", "status", "-o", "json").stdout)
    assert (found["ready"], found["resources"], found["keeps"]) == (False, 4, {"revisions": 50, "age_s": 5400})


def test_how_much_is_kept_stays_as_it_was_set(tortie: Tortie, store: SQLiteStore) -> None:
    tortie("datastore", "init", "--keep-revisions", "50")
    tortie("datastore", "init", "--keep-hours", "2")
    tortie("datastore", "init")
    assert store.retention() == Retention(50, 7200)


# --- backup, export, import ------------------------------------------------------------------------------------------------


def test_a_backup_is_a_store(tortie: Tortie, store: SQLiteStore, tmp_path: Path) -> None:
    tortie("apply", "-f", "-", stdin=POLICIES)
    tortie("datastore", "backup", f"{tmp_path}/copy.db")
    with SQLiteStore.open(tmp_path / "copy.db") as copy:
        assert content(copy) == content(store)
    assert f"{tmp_path}/copy.db: File exists" in tortie("datastore", "backup", f"{tmp_path}/copy.db", status=1).stderr


def test_a_backup_is_restored_over_what_came_later_only_if_that_is_meant(
    tortie: Tortie, store: SQLiteStore, tmp_path: Path
) -> None:
    backup = f"{tmp_path}/copy.db"
    tortie("apply", "-f", "-", stdin=POLICIES)
    before = content(store)
    tortie("datastore", "backup", backup)
    tortie("delete", "networkset", "office", "-n", "prod")
    assert "is not empty: /calico/" in tortie("datastore", "restore", backup, status=1).stderr
    done = tortie("datastore", "restore", backup, "--overwrite")
    assert done.stdout.startswith("1 keys written and 0 deleted")
    assert content(store) == before
    tortie("--datastore", f"sqlite://{tmp_path}/new.db", "datastore", "restore", backup)
    with SQLiteStore.open(tmp_path / "new.db") as new:
        assert content(new) == before


@pytest.mark.parametrize(
    ("url", "instead"), [("lab://demo", "tortie datastore export"), ("etcd://localhost", "etcdctl snapshot save")]
)
def test_what_cannot_be_backed_up_so_says_how_it_is_done(tortie: Tortie, url: str, instead: str) -> None:
    assert instead in tortie("--datastore", url, "datastore", "backup", "x", status=1).stderr


@pytest.mark.parametrize(
    ("url", "instead"), [("lab://demo", "tortie datastore export"), ("etcd://localhost", "etcdctl snapshot restore")]
)
def test_what_cannot_be_restored_so_says_how_it_is_done(tortie: Tortie, url: str, instead: str) -> None:
    assert instead in tortie("--datastore", url, "datastore", "restore", "x", status=1).stderr


@pytest.mark.parametrize("by", ["file", "pipe"])
def test_a_site_moves_whole(tortie: Tortie, store: SQLiteStore, tmp_path: Path, other: str, by: str) -> None:
    tortie("datastore", "init")
    tortie("apply", "-f", "-", stdin=POLICIES)
    for key, value in IPAM.items():
        store.create(key, value)
    if by == "file":
        tortie("datastore", "export", "-o", f"{tmp_path}/site")
        assert (tmp_path / "site").stat().st_mode & 0o777 == 0o600
        done = tortie("--datastore", other, "datastore", "import", f"{tmp_path}/site")
    else:
        done = tortie(
            "--datastore", other, "datastore", "import", "-", stdin=tortie("datastore", "export").stdout_bytes
        )
    assert done.stdout == f"{len(content(store))} keys imported into {other}\n"
    with SQLiteStore.open(tmp_path / "other" / "tortie.db") as target:
        assert content(target) == content(store)


def test_an_export_overwrites_no_file_and_leaves_none_that_is_not_whole(tortie: Tortie, tmp_path: Path) -> None:
    (tmp_path / "site").write_text("mine")
    assert "File exists" in tortie("datastore", "export", "-o", f"{tmp_path}/site", status=1).stderr
    assert (tmp_path / "site").read_text() == "mine"
    assert "there is no datastore" in tortie("datastore", "export", "-o", f"{tmp_path}/other", status=1).stderr
    assert not (tmp_path / "other").exists()


def test_an_import_into_what_is_not_empty_must_be_meant(tortie: Tortie, tmp_path: Path, other: str) -> None:
    tortie("datastore", "init")
    tortie("datastore", "export", "-o", f"{tmp_path}/site")
    tortie("--datastore", other, "apply", "-f", "-", stdin=POLICIES)
    refused = tortie("--datastore", other, "datastore", "import", f"{tmp_path}/site", status=1).stderr
    assert refused.startswith(f"Error: {tmp_path}/site: the target is not empty: ")
    tortie("--datastore", other, "datastore", "import", "--merge", f"{tmp_path}/site")


def test_what_is_no_export_is_refused_by_its_line(tortie: Tortie, tmp_path: Path) -> None:
    (tmp_path / "site").write_text("kind: Tier\n")
    assert (
        f"Error: {tmp_path}/site: line 1: not what"
        in tortie("datastore", "import", f"{tmp_path}/site", status=1).stderr
    )


# --- Calico's form ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def exported(tortie: Tortie, store: SQLiteStore) -> str:
    tortie("datastore", "init")
    tortie("apply", "-f", "-", stdin=POLICIES)
    for key, value in IPAM.items():
        store.create(key, value)
    tortie("datastore", "migrate", "lock")
    return tortie("datastore", "migrate", "export", "--allow-version-mismatch").stdout


def test_the_form_has_calicos_three_parts(exported: str) -> None:
    resources, cluster, ipam = exported.split("===\n")
    lists = [found for found in yaml.safe_load_all(resources) if found]
    assert [found["kind"] for found in lists] == [f"{kind.name}List" for kind in KINDS]
    names = {found["kind"]: [item["metadata"]["name"] for item in found["items"]] for found in lists}
    assert names["TierList"] == ["default", "kube-admin", "kube-baseline", "security"]
    assert names["NetworkSetList"] == ["office"]
    assert names["NetworkPolicyList"] == [], "what Kubernetes' own mean is left to whoever makes it"
    assert not {"uid", "resourceVersion", "creationTimestamp"} & lists[3]["items"][0]["metadata"].keys()
    assert json.loads(cluster)["spec"]["datastoreReady"] is False
    found = json.loads(ipam)
    assert [pair["Key"] for pair in found["block_affinities"]] == [
        key for key in IPAM if "/block/" in key and key != BLOCK
    ]
    assert found["block_affinities"][0]["Value"] == {}
    assert found["blocks"] == [{"Key": BLOCK, "Value": json.loads(IPAM[BLOCK]), "TTL": 0}]
    assert found["handles"][0]["Key"] == "/calico/ipam/v2/handle/k8s-pod-network.1%2f2"
    assert found["config"]["Value"]["strict_affinity"] is True


def test_what_was_exported_so_is_imported_and_stays_locked(
    exported: str, tortie: Tortie, store: SQLiteStore, tmp_path: Path, other: str
) -> None:
    done = tortie("--datastore", other, "datastore", "migrate", "import", "-f", "-", stdin=exported)
    assert done.stdout == "7 resources and 5 keys of IPAM imported; the datastore is locked\n"
    expected = plain(store)
    for key in list(expected):
        if "/kubernetes/" in key or "knp.default" in key:
            del expected[key]
    with SQLiteStore.open(tmp_path / "other" / "tortie.db") as target:
        assert plain(target) == expected


def test_a_datastore_that_changes_meanwhile_is_not_exported(tortie: Tortie) -> None:
    tortie("datastore", "init")
    assert "the datastore is not locked" in tortie("datastore", "migrate", "export", status=1).stderr


def test_calicos_form_is_not_imported_over_something(exported: str, tortie: Tortie) -> None:
    refused = tortie("datastore", "migrate", "import", "-f", "-", stdin=exported, status=1).stderr
    assert refused == "Error: the datastore is not empty: IPPool p is there\n"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace("===\n", "", 1), "it has 2 parts, expected 3"),
        (lambda text: text.replace("10.0.0.0/8", "10.0.0.0/99"), r"spec.nets[0]"),
        (lambda text: text.replace('"blocks"', "blocks"), "the part of IPAM cannot be read"),
        (lambda text: text.replace(f'"{BLOCK}"', '"/elsewhere"'), "is no entry of IPAM"),
    ],
    ids=["parts", "a resource", "IPAM's JSON", "a key of IPAM"],
)
def test_a_mistake_anywhere_imports_nothing(
    exported: str, tortie: Tortie, tmp_path: Path, other: str, change: Callable[[str], str], message: str
) -> None:
    done = tortie("--datastore", other, "datastore", "migrate", "import", "-f", "-", stdin=change(exported), status=1)
    assert message in done.stderr
    assert not (tmp_path / "other").exists()


def test_a_node_with_another_name_in_kubernetes_is_not_exported(tortie: Tortie) -> None:
    tortie("datastore", "init")
    node = "{apiVersion: projectcalico.org/v3, kind: Node, metadata: {name: a}, spec: {orchRefs: [{nodeName: b, orchestrator: k8s}]}}"
    tortie("apply", "-f", "-", stdin=node)
    tortie("datastore", "lock")
    assert "Node a is b in Kubernetes" in tortie("datastore", "migrate", "export", status=1).stderr
