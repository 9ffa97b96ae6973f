"""What a new lab's datastore holds is a cluster that every part of Tortie can read."""

from __future__ import annotations

import msgspec
import pytest

from tortie.ipam import AllocationBlock
from tortie.lab import bootstrap
from tortie.lab.layout import hosts
from tortie.lab.services import cluster_addresses
from tortie.lab.zone import resolv_conf
from tortie.model.blocks import BLOCK_PREFIX, decode_affinity, parse_block_path
from tortie.model.codec import decode
from tortie.model.kinds import parse_path
from tortie.model.kubernetes import Pod, Service
from tortie.model.meta import HostName
from tortie.model.topology import IPPool
from tortie.routing import resolve

ENTRIES = dict(bootstrap.entries(hosts(3), uid=lambda: "uid", creation_timestamp="2026-01-01T00:00:00Z"))
RESOURCES = {key: decode(ENTRIES[path], key.kind.struct) for path in ENTRIES if (key := parse_path(path)) is not None}


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("ClusterInformation", {"default"}),
        ("Tier", {"default", "kube-admin", "kube-baseline"}),
        ("Profile", {"projectcalico-default-allow", "kns.kube-system"}),
        ("Node", {"host1", "host2", "host3"}),
        ("IPPool", {"ipv4", "ipv6"}),
        ("BGPConfiguration", {"default"}),
        ("BGPPeer", {"fabric-ipv4", "fabric-ipv6"}),
        ("Namespace", {"kube-system"}),
        ("Pod", {"kube-dns"}),
        ("Service", {"kube-dns"}),
    ],
)
def test_these_resources_are_there(kind: str, names: set[str]) -> None:
    assert {key.name for key in RESOURCES if key.kind.name == kind} == names


def test_every_block_is_one_host_s_and_lies_in_a_pool() -> None:
    affinities = [key for path in ENTRIES if (key := parse_block_path(path)) is not None]
    assert sorted((key.host, str(key.network)) for key in affinities) == [
        ("host1", "10.65.0.0/26"),
        ("host1", "fd00:65::/122"),
        ("host2", "10.65.0.64/26"),
        ("host2", "fd00:65::40/122"),
        ("host3", "10.65.0.128/26"),
        ("host3", "fd00:65::80/122"),
    ]
    pools = [resource.spec.cidr for resource in RESOURCES.values() if isinstance(resource, IPPool)]
    assert all(any(pool.contains(key.network) for pool in pools) for key in affinities)


def test_every_claimed_block_exists_and_is_empty() -> None:
    prefix = "/calico/ipam/v2/assignment/"
    blocks = [msgspec.json.decode(value, type=AllocationBlock) for path, value in ENTRIES.items() if prefix in path]
    assert {(block.affinity, block.cidr) for block in blocks} == {
        (f"host:{key.host}", str(key.network)) for path in ENTRIES if (key := parse_block_path(path)) is not None
    }
    assert all(len(block.unallocated) == 64 for block in blocks)


def test_a_host_s_router_is_told_of_its_neighbours_the_fabric_and_its_own_blocks() -> None:
    def of(kind: str) -> list:
        return [resource for key, resource in RESOURCES.items() if key.kind.name == kind]

    affinities = {
        (key.host, key.network): decode_affinity(value)
        for path, value in ENTRIES.items()
        if path.startswith(BLOCK_PREFIX) and (key := parse_block_path(path)) is not None
    }
    intent = resolve(HostName("host1"), of("Node"), of("IPPool"), of("BGPConfiguration"), of("BGPPeer"), affinities)
    assert intent is not None
    assert intent.omitted == ()
    peers = {str(peer.address): (peer.kind, peer.as_number, peer.restart_time_s) for peer in intent.peers}
    mesh, fabric = ("Mesh", 64512, 5), ("Global", 64512, 5)
    assert peers == {
        "172.30.0.2": mesh, "172.30.0.3": mesh, "fd00:30::2": mesh, "fd00:30::3": mesh,
        "172.30.0.254": fabric, "fd00:30::fe": fabric,
    }  # fmt: skip
    assert [str(block) for block in intent.blocks] == ["10.65.0.0/26", "fd00:65::/122"]


def test_every_resource_has_a_uid_of_its_own() -> None:
    uids = iter(range(100))
    entries = bootstrap.entries(hosts(2), uid=lambda: str(next(uids)), creation_timestamp="2026-01-01T00:00:00Z")
    found = [msgspec.json.decode(value)["metadata"]["uid"] for path, value in entries if parse_path(path)]
    assert len(found) == len(set(found)) == 16


def test_the_dns_server_is_found_where_every_workload_asks_and_by_the_label_that_policies_select() -> None:
    (pod,) = [resource for resource in RESOURCES.values() if isinstance(resource, Pod)]
    (service,) = [resource for resource in RESOURCES.values() if isinstance(resource, Service)]
    assert pod.metadata.labels == service.spec.selector == {"k8s-app": "kube-dns"}
    assert f"nameserver {service.spec.cluster_ip}\n" in resolv_conf("shop")
    assert [str(address) for address in cluster_addresses(service)] == ["10.96.0.10", "fd00:96::a"]
