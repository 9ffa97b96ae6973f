"""A whole site moves from SQLite to etcd and back, and compares equal; an import into etcd that is killed is completed."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from backends import EtcdBackend

from tortie.datastore.sqlite import SQLiteStore
from tortie.datastore.store import Put, Store
from tortie.datastore.transfer import CLUSTER_KEY, MARKER, TransferError, export_lines, import_site, read_site
from tortie.testing.etcd import EtcdCluster

OBJECTS = 10_000
CLUSTER = b'{"kind":"ClusterInformation","spec":{"clusterGUID":"x","datastoreReady":true}}'


def fill(store: SQLiteStore, count: int) -> None:
    """A site of all sorts of keys, with values of all sizes, one of them nearly as large as etcd takes."""
    generator = random.Random(7)
    writes = [
        Put(CLUSTER_KEY, CLUSTER),
        Put("/calico/ipam/v2/handle/a%2fb", b""),
        Put("/tortie/x/\N{CAT}", b"\0\xff" * 500_000),
    ]
    for number in range(count - len(writes)):
        kind = generator.choice(["networkpolicies/shop", "workloadendpoints/shop", "nodes", "networksets/shop"])
        value = {"metadata": {"name": str(number)}, "spec": {"text": "x" * generator.randrange(1500)}}
        writes.append(Put(f"/calico/resources/v3/projectcalico.org/{kind}/{number}", json.dumps(value).encode()))
    store.transact([], writes)


def content(store: Store) -> dict[str, bytes]:
    return {entry.key: entry.value for prefix in ("/calico/", "/tortie/") for entry in store.list(prefix).entries}


def test_a_site_of_ten_thousand_objects_moves_to_etcd_and_back(etcd: EtcdCluster, tmp_path: Path) -> None:
    with (
        SQLiteStore.open(tmp_path / "from.db") as source,
        EtcdBackend(etcd).open() as middle,
        SQLiteStore.open(tmp_path / "to.db") as target,
    ):
        fill(source, OBJECTS)
        import_site(middle, read_site(export_lines(source)))
        assert content(middle) == content(source)
        import_site(target, read_site(export_lines(middle)))
        assert content(target) == content(source)
        assert len(content(target)) == OBJECTS


def test_a_key_that_only_etcd_can_hold_is_named_before_anything_is_exported(etcd: EtcdCluster) -> None:
    with EtcdBackend(etcd).open() as store:
        store.apply("/calico/a", b"\xff\0 values may be any bytes")
        assert content(store) == {item.key: item.value for item in read_site(export_lines(store)).items}
        subprocess.run([*etcd.ctl_command("put"), "--", b"/calico/b\xff", b"x"], check=True, capture_output=True)
        with pytest.raises(TransferError, match=r"the key '/calico/b\\xff' is nothing"):
            next(export_lines(store))


_IMPORT = """
import os, signal, sys
from tortie.datastore.etcd import EtcdStore
from tortie.datastore.transfer import import_site, read_site
def tell(done, total):
    if done >= int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)
with open(sys.argv[2], "rb") as file, EtcdStore.open([sys.argv[1]]) as store:
    import_site(store, read_site(file), tell=tell)
"""


@pytest.mark.parametrize("killed_at", [1, 300, 600], ids="after {} items".format)
def test_an_import_into_etcd_that_was_killed_is_completed_by_the_next(
    etcd: EtcdCluster, tmp_path: Path, killed_at: int
) -> None:
    with SQLiteStore.open(tmp_path / "from.db") as source:
        fill(source, 700)
        expected = content(source)
        (tmp_path / "site").write_bytes(b"".join(export_lines(source)))
    backend = EtcdBackend(etcd)
    command = [sys.executable, "-c", _IMPORT, etcd.endpoints[0], str(tmp_path / "site"), str(killed_at)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    with backend.open() as store, (tmp_path / "site").open("rb") as file:
        partly = content(store)
        assert json.loads(partly[CLUSTER_KEY])["spec"]["datastoreReady"] is False
        assert killed_at <= len(partly.keys() - {MARKER}) < len(expected)
        import_site(store, read_site(file))
        assert content(store) == expected
