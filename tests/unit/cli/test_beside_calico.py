"""A datastore that Calico's hosts use as well: whatever we do to ours, theirs stays as it is, byte for byte or field for field."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from click.testing import Result

from tortie.datastore.sqlite import SQLiteStore
from tortie.datastore.transfer import CLUSTER_KEY
from tortie.model.kinds import CALICO_PREFIX

Tortie = Callable[..., Result]

HOST_DATA = {
    "/calico/felix/v2/no-region/host/calico1/status": b'{"time":"2026-01-01T00:00:00Z","uptime":1.5,"first_update":false}',
    "/calico/felix/v2/no-region/host/calico1/last_reported_status": b'{"time":"2026-01-01T00:00:00Z"}',
    "/calico/felix/v2/no-region/host/calico1/workload/k8s/shop%2fweb/endpoint/eth0": b'{"status":"up"}',
    "/calico/felix/v1/host/calico1/endpoint/eth0": b'{"status":"up"}',
    "/calico/ipam/v2/host/calico1": b"{}",
    "/calico/ipam/v2/host/calico1/ipv4/block/10.65.0.0-26": b'{"state":"confirmed","deleted":false}',
    "/calico/ipam/v2/assignment/ipv4/block/10.65.0.0-26": b'{"cidr":"10.65.0.0/26","affinity":"host:calico1"}',
    "/calico/ipam/v2/handle/k8s-pod-network.0a": b'{"block":{"10.65.0.0/26":1},"deleted":false}',
    "/calico/ipam/v2/config": b'{"strict_affinity":false,"auto_allocate_blocks":true}',
    "/calico/dhcp/v2/no-region/subnet/1": b"{}",
    "/calico/resources/v3/projectcalico.org/livemigrations/shop/m": b'{"kind":"LiveMigration","metadata":{"name":"m"}}',
}
"""What Calico's hosts and controllers write for themselves, kinds that we do not have among it."""

NODE = CALICO_PREFIX + "nodes/calico1"
ENDPOINT = CALICO_PREFIX + "workloadendpoints/shop/calico1-k8s-web-eth0"
FELIX = CALICO_PREFIX + "felixconfigurations/default"

OBJECTS: dict[str, dict[str, Any]] = {
    NODE: {
        "kind": "Node", "apiVersion": "projectcalico.org/v3", "metadata": {"name": "calico1", "uid": "n", "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"bgp": {"ipv4Address": "10.0.0.1/24", "ipv4IPIPTunnelAddr": "10.65.0.1"}, "newField": {"a": 1}, "vxlanTunnelMACAddr": "66:00:00:00:00:01"},
        "status": {"wireguardPublicKey": "jlkVyQYooZYzI2wFfNhSZez5eWh44yfq1wKVjLvSXgY="},
    },
    ENDPOINT: {
        "kind": "WorkloadEndpoint", "apiVersion": "projectcalico.org/v3",
        "metadata": {"name": "calico1-k8s-web-eth0", "namespace": "shop", "uid": "w", "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"node": "calico1", "orchestrator": "k8s", "pod": "web", "endpoint": "eth0", "interfaceName": "cali1", "ipNetworks": ["10.65.0.2/32"], "ofANewerCalico": {"a": [1]}},
    },
    FELIX: {
        "kind": "FelixConfiguration", "apiVersion": "projectcalico.org/v3", "metadata": {"name": "default", "uid": "f", "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"logSeverityScreen": "Info", "settingOfANewerCalico": "x"},
    },
    CLUSTER_KEY: {
        "kind": "ClusterInformation", "apiVersion": "projectcalico.org/v3", "metadata": {"name": "default", "uid": "c", "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"clusterGUID": "0123", "clusterType": "k8s,bgp", "calicoVersion": "v3.30.0", "datastoreReady": True, "variant": "Calico"},
    },
}  # fmt: skip


@pytest.fixture
def shared(store: SQLiteStore) -> SQLiteStore:
    """A datastore with one host of Calico's in it."""
    for key, value in HOST_DATA.items():
        store.create(key, value)
    for key, document in OBJECTS.items():
        store.create(key, msgspec.json.encode(document))
    return store


def values(store: SQLiteStore) -> dict[str, bytes]:
    return {entry.key: entry.value for entry in store.list("").entries}


def holds(found: Any, wanted: Any) -> bool:
    """Whether all of *wanted* is in *found*; a write may add the defaults that Calico's own command adds."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(name in found and holds(found[name], of) for name, of in wanted.items())
    return bool(found == wanted)


def test_what_we_set_up_apply_and_delete_leaves_calicos_keys_alone(tortie: Tortie, shared: SQLiteStore) -> None:
    before = values(shared)
    policy = "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: deny, namespace: shop}, spec: {podSelector: {}}}"
    node = "{apiVersion: projectcalico.org/v3, kind: Node, metadata: {name: tortie1}, spec: {bgp: {ipv4Address: 10.0.0.2/24}}}"
    namespace = "{apiVersion: v1, kind: Namespace, metadata: {name: shop}}"
    tortie("datastore", "init")
    tortie("apply", "-f", "-", stdin=f"{namespace}\n---\n{policy}\n---\n{node}")
    assert {key: value for key, value in values(shared).items() if key in before} == before
    tortie("delete", "-f", "-", stdin=f"{policy}\n---\n{node}")
    assert {key: value for key, value in values(shared).items() if key in before} == before


@pytest.mark.parametrize(
    ("key", "command"),
    [
        (NODE, ["label", "node", "calico1", "rack=1"]),
        (ENDPOINT, ["label", "wep", "calico1-k8s-web-eth0", "-n", "shop", "canary=yes"]),
        (FELIX, ["label", "felixconfig", "default", "a=b"]),
    ],
    ids=["Node", "WorkloadEndpoint", "FelixConfiguration"],
)
def test_a_change_of_an_object_of_calicos_keeps_the_fields_that_we_do_not_know(
    tortie: Tortie, shared: SQLiteStore, key: str, command: list[str]
) -> None:
    before = values(shared)
    tortie(*command)
    after = values(shared)
    changed = json.loads(after[key])
    assert changed["metadata"].pop("labels")
    assert holds(changed, OBJECTS[key])
    assert {other: value for other, value in after.items() if other != key} == {
        other: value for other, value in before.items() if other != key
    }


def test_a_file_that_was_made_without_them_keeps_fields_that_we_do_not_know(
    tortie: Tortie, shared: SQLiteStore
) -> None:
    node = "{apiVersion: projectcalico.org/v3, kind: Node, metadata: {name: calico1}, spec: {bgp: {ipv4Address: 10.0.0.9/24}}}"
    tortie("apply", "-f", "-", stdin=node)
    found = json.loads(shared.get(NODE).value)
    assert found["status"] == OBJECTS[NODE]["status"]
    assert found["spec"] == {"bgp": {"ipv4Address": "10.0.0.9/24"}, "newField": {"a": 1}}


def test_locking_says_so_to_calicos_hosts_and_nothing_else(tortie: Tortie, shared: SQLiteStore) -> None:
    before = values(shared)
    tortie("datastore", "lock")
    found = json.loads(shared.get(CLUSTER_KEY).value)
    assert found["spec"].pop("datastoreReady") is False
    assert found["spec"] == {name: of for name, of in OBJECTS[CLUSTER_KEY]["spec"].items() if name != "datastoreReady"}
    tortie("datastore", "unlock")
    assert {key: json.loads(value) for key, value in values(shared).items()} == {
        key: json.loads(value) for key, value in before.items()
    }


def test_a_moved_site_takes_calicos_part_along(tortie: Tortie, shared: SQLiteStore, tmp_path: Any) -> None:
    tortie("datastore", "export", "-o", f"{tmp_path}/site")
    tortie("--datastore", f"sqlite://{tmp_path}/b.db", "datastore", "import", f"{tmp_path}/site")
    with SQLiteStore.open(tmp_path / "b.db") as moved:
        assert values(moved) == values(shared)
