"""Pools, reservations, IPAM's settings and claims: what is refused, what may change, what is stored."""

from __future__ import annotations

import json
from typing import Any

import pytest
from kinddocuments import document, refused_in_spec
from kinddocuments import stored_spec as stored

from tortie.model import kinds
from tortie.model.codec import from_document
from tortie.model.defaults import with_defaults
from tortie.model.document import read
from tortie.model.fieldpath import path_text
from tortie.model.ipam import BlockAffinityResource, IPPool
from tortie.model.kinds import Kind, ResourceKey
from tortie.model.validation import change_violations, stored_resource


def refused(kind: Kind, spec: dict[str, Any], name: str = "default") -> list[str]:
    return refused_in_spec(kind, spec, name)


def pool(cidr: str = "10.0.0.0/16", **spec: Any) -> dict[str, Any]:
    return {"cidr": cidr, **spec}


@pytest.mark.parametrize(
    ("spec", "fields"),
    [
        pytest.param(pool(namespaceSelector="env == 'prod'"), [], id="namespaces"),
        pytest.param(pool(namespaceSelector="env =="), ["namespaceSelector"], id="a bad selector"),
        pytest.param(pool(namespaceSelector="global()"), ["namespaceSelector"], id="global namespaces"),
        pytest.param(pool(nodeSelector="global()"), ["nodeSelector"], id="global nodes"),
        pytest.param(pool(namespaceSelector="all()", allowedUses=["Tunnel"]), ["namespaceSelector"], id="tunnels of namespaces"),
        pytest.param(pool(allowedUses=["LoadBalancer"], assignmentMode="Manual"), [], id="load balancers"),
        pytest.param(pool(allowedUses=["LoadBalancer", "Workload"]), ["allowedUses"], id="load balancers and workloads"),
        pytest.param(pool(allowedUses=["LoadBalancer"], nodeSelector="has(a)"), ["nodeSelector"], id="load balancers of nodes"),
        pytest.param(pool("fe80::/112"), ["cidr"], id="link-local"),
        pytest.param(pool("10.0.0.0/28"), ["cidr"], id="less than a block"),
        pytest.param(pool("10.0.0.0/28", disabled=True), [], id="less than a block, disabled"),
    ],
)  # fmt: skip
def test_pools(spec: dict[str, Any], fields: list[str]) -> None:
    assert refused(kinds.IP_POOL, spec) == fields


@pytest.mark.parametrize(
    ("old", "new", "fields"),
    [
        pytest.param(pool(), pool(natOutgoing=True, disabled=True, nodeSelector="has(a)"), [], id="the rest may change"),
        pytest.param(pool(), pool(blockSize=26), [], id="the default block size"),
        pytest.param(pool("fd00::/64"), pool("FD00:0::/64"), [], id="the same addresses, written otherwise"),
        pytest.param(pool(), pool("10.1.0.0/16"), ["spec.cidr"], id="addresses"),
        pytest.param(pool(), pool(blockSize=28), ["spec.blockSize"], id="block size"),
        pytest.param(pool(allowedUses=["LoadBalancer"]), pool(), ["spec.allowedUses"], id="no longer of load balancers"),
    ],
)  # fmt: skip
def test_what_addresses_in_use_depend_on_cannot_change(
    old: dict[str, Any], new: dict[str, Any], fields: list[str]
) -> None:
    before, after = (from_document(document(kinds.IP_POOL, spec), IPPool) for spec in (old, new))
    found = change_violations(kinds.IP_POOL, before, after)
    assert [path_text(violation.path) for violation in found] == fields


def test_a_pools_status_is_declared_and_stays() -> None:
    status = {"conditions": [{"type": "Allocatable", "status": "True", "reason": "OK"}]}
    [resource] = read(json.dumps({**document(kinds.IP_POOL, pool()), "status": status})).resources
    assert resource.document["status"] == status
    assert "status" not in with_defaults(document(kinds.IP_POOL, pool()))


@pytest.mark.parametrize(
    ("cidrs", "fields"),
    [(["10.0.0.1", "10.0.0.0/28", "fd00::/124", "fd00::1"], []), (["10.0.0.0/33", "x"], ["reservedCIDRs[0]", "reservedCIDRs[1]"])],
)  # fmt: skip
def test_reservations_are_of_ranges_and_addresses(cidrs: list[str], fields: list[str]) -> None:
    assert refused(kinds.IP_RESERVATION, {"reservedCIDRs": cidrs}) == fields


@pytest.mark.parametrize(
    ("spec", "fields"),
    [
        ({}, []),
        ({"maxBlocksPerHost": -1}, ["maxBlocksPerHost"]),
        ({"ipCooldownSeconds": 1201}, ["ipCooldownSeconds"]),
        ({"kubeVirtVMAddressPersistence": "On"}, ["kubeVirtVMAddressPersistence"]),
    ],
)
def test_ipam_configurations(spec: dict[str, Any], fields: list[str]) -> None:
    assert refused(kinds.IPAM_CONFIGURATION, spec) == fields


def test_there_is_one_ipam_configuration_and_its_switches_are_written_out() -> None:
    assert refused(kinds.IPAM_CONFIGURATION, {}, "mine") == ["metadata.name"]
    assert stored(kinds.IPAM_CONFIGURATION, {}) == {"strictAffinity": False, "autoAllocateBlocks": True}
    written = {"strictAffinity": True, "autoAllocateBlocks": False, "maxBlocksPerHost": 4, "ipCooldownSeconds": 0}
    assert stored(kinds.IPAM_CONFIGURATION, written) == written


CLAIM = {"state": "confirmed", "node": "a", "type": "host", "cidr": "10.0.0.0/26"}


@pytest.mark.parametrize("deleted", [True, "true"])
def test_people_do_not_remove_claims(deleted: bool | str) -> None:
    assert refused(kinds.BLOCK_AFFINITY, CLAIM) == []
    assert refused(kinds.BLOCK_AFFINITY, {**CLAIM, "deleted": deleted}) == ["deleted"]


def test_a_claim_that_ipam_removes_is_read_with_its_text() -> None:
    value = json.dumps(document(kinds.BLOCK_AFFINITY, {**CLAIM, "deleted": "true"}, "default")).encode()
    claim = stored_resource(ResourceKey(kinds.BLOCK_AFFINITY, "", "default"), value)
    assert isinstance(claim, BlockAffinityResource)
    assert claim.spec.deleted == "true"
