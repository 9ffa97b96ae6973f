"""The roles that docs/howto/datastore.md recommends, given as it says to an etcd with TLS, let hosts do what they must and no more."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator

import pytest

from documented_roles import give_roles
from tortie.agent.intake import PREFIXES
from tortie.datastore.store import Delete, Put, UnauthorizedError
from tortie.datastore.syncer import Batch, sync
from tortie.model.updates import InSync, Update
from tortie.testing.etcd import EtcdCluster, etcd_cluster

RESOURCES = "/calico/resources/v3/projectcalico.org/"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EtcdCluster]:
    """An etcd with the page's users, who have passwords here."""
    with etcd_cluster(tmp_path_factory.mktemp("roles"), is_tls=True) as cluster:
        cluster.ctl("put", RESOURCES + "nodes/host2", "{}")
        give_roles(cluster, "secret")
        yield cluster


@pytest.mark.parametrize(
    "key",
    [
        "/calico/felix/v2/no-region/host/host1/status",
        "/calico/felix/v2/no-region/host/host1/workload/k8s/shop%2fweb/endpoint/eth0",
        "/calico/felix/v1/host/host1/endpoint/eth0",
        "/calico/ipam/v2/assignment/ipv4/block/10.65.0.0-26",
        "/calico/ipam/v2/handle/k8s-pod-network.1",
        "/calico/ipam/v2/host/host1/ipv4/block/10.65.0.0-26",
        RESOURCES + "nodes/host1",
    ],
)
def test_a_host_writes_what_is_its_own(guarded: EtcdCluster, key: str) -> None:
    with guarded.client("host1", "secret") as store:
        created = store.create(key, b"{}")
        store.update(key, b"{}", created.revision)
        store.delete(key)


def test_a_host_reports_with_a_lease(guarded: EtcdCluster) -> None:
    with guarded.client("host1", "secret") as store:
        lease = store.lease(60)
        store.apply("/calico/felix/v2/no-region/host/host1/status", b"{}", lease=lease.id)
        lease.renew()
        lease.revoke()


@pytest.mark.parametrize(
    "key",
    [
        RESOURCES + "globalnetworkpolicies/deny",
        RESOURCES + "networkpolicies/shop/deny",
        RESOURCES + "nodes/host2",
        RESOURCES + "nodes/host10",
        RESOURCES + "clusterinformations/default",
        "/calico/felix/v2/no-region/host/host10/status",
        "/tortie/kubernetes/networkpolicies/shop/deny",
        "/registry/secrets/x",
    ],
)
def test_a_host_changes_nothing_of_others(guarded: EtcdCluster, key: str) -> None:
    with guarded.client("host1", "secret") as store:
        for attempt in (lambda: store.apply(key, b"{}"), lambda: store.transact([], [Delete(key)])):
            with pytest.raises(UnauthorizedError):
                attempt()
        with pytest.raises(UnauthorizedError):
            store.transact([], [Put("/calico/ipam/v2/config", b"{}"), Put(key, b"{}")])


def test_a_host_reads_all_of_calicos_and_nothing_else(guarded: EtcdCluster) -> None:
    with guarded.client("host1", "secret") as store:
        assert [entry.key for entry in store.list("/calico/").entries] == [RESOURCES + "nodes/host2"]
        for prefix in ("/tortie/", "/registry/", "/"):
            with pytest.raises(UnauthorizedError):
                store.list(prefix)


POLICY = RESOURCES + "globalnetworkpolicies/deny"


async def upto(stream: AsyncIterator[Batch], key: str) -> Update:
    """The last update of *key* when the stream is next in sync after one."""
    found: list[Update] = []
    async for batch in stream:
        found += [item for item in batch if isinstance(item, Update) and item.key == key]
        if found and isinstance(batch[-1], InSync):
            break
    return found[-1]


def test_a_host_follows_what_its_agent_follows(guarded: EtcdCluster) -> None:
    async def follow() -> tuple[Update, Update]:
        with guarded.client("host1", "secret") as store, guarded.client("admin", "secret") as admin:
            admin.apply(POLICY, b"1")
            async with contextlib.aclosing(sync(store, PREFIXES)) as stream:
                before = await upto(stream, POLICY)
                admin.delete(POLICY)
                return before, await upto(stream, POLICY)

    before, after = asyncio.run(asyncio.wait_for(follow(), 30))
    assert (before.value, after.value) == (b"1", None)


def test_a_host_whose_right_comes_late_waits_for_it(guarded: EtcdCluster) -> None:
    root = ("--user", "root:root")
    guarded.ctl(*root, "user", "add", "host3:secret")
    delays: list[float] = []

    async def sleep(delay: float) -> None:
        delays.append(delay)
        if len(delays) == 2:
            guarded.ctl(*root, "user", "grant-role", "host3", "tortie-host1")
        await asyncio.sleep(0)

    async def follow() -> Update:
        with guarded.client("host3", "secret") as store:
            async with contextlib.aclosing(sync(store, PREFIXES, sleep=sleep)) as stream:
                return await upto(stream, RESOURCES + "nodes/host2")

    assert asyncio.run(asyncio.wait_for(follow(), 30)).value == b"{}"
    assert len(delays) >= 2


def test_people_write_everything_of_the_cluster(guarded: EtcdCluster) -> None:
    with guarded.client("admin", "secret") as store:
        keys = (RESOURCES + "globalnetworkpolicies/deny", "/tortie/kubernetes/networkpolicies/shop/deny")
        store.transact([], [Put(key, b"{}") for key in keys])
        store.transact([], [Delete(key) for key in keys])
        with pytest.raises(UnauthorizedError):
            store.apply("/registry/secrets/x", b"")
