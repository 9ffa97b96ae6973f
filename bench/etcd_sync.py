"""What following etcd costs: from nothing to in-sync, against etcdctl printing the same keys; and a change on its way.

    python bench/etcd_sync.py [--resources N]

A server of its own is filled with N endpoints as Calico writes them. Ours is a new process, as etcdctl is, that leaves Python's
collector off until it is in sync, as the agent does; every figure is the median of rounds in turns. CPU is that of the server, too,
and decides where others use the machine. Memory is resident memory, against the raw bytes of keys and values.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tortie.datastore.store import Put
from tortie.testing.etcd import EtcdCluster, etcd_cluster

ROUNDS = 7

_ENDPOINT = (
    '{"kind":"WorkloadEndpoint","apiVersion":"projectcalico.org/v3","metadata":{"name":"%s","namespace":"ns-%d","uid":'
    '"a3bb8c3e-6f3c-4a9e-9d1b-%012d","creationTimestamp":"2026-01-01T00:00:00Z","labels":{"app":"app-%d","tier":"backend",'
    '"projectcalico.org/namespace":"ns-%d","projectcalico.org/orchestrator":"k8s","projectcalico.org/serviceaccount":'
    '"default"}},"spec":{"orchestrator":"k8s","workload":"","node":"node-%d","containerID":"%064d","pod":"pod-%d","endpoint":'
    '"eth0","serviceAccountName":"default","ipNetworks":["10.%d.%d.%d/32"],"ipNATs":null,"ipv4Gateway":"","ipv6Gateway":"",'
    '"profiles":["kns.ns-%d","ksa.ns-%d.default"],"interfaceName":"cali%011x","mac":"","ports":null}}'
)

_FOLLOWER = """
import asyncio, gc, sys, time
gc.disable()
from tortie.datastore.etcd import EtcdStore
from tortie.datastore.syncer import sync
from tortie.model.updates import InSync

def memory(field):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) << 10 for line in status if line.startswith(field))

async def follow():
    with EtcdStore.open(sys.argv[1:2]) as store:
        before = memory("VmRSS:")
        started = time.monotonic()
        updates = 0
        stream = sync(store, ("/calico/", "/tortie/"))
        async for batch in stream:
            updates += len(batch)
            if isinstance(batch[-1], InSync):
                break
        print(time.monotonic() - started, flush=True)
        del batch
        gc.collect()
        print(updates - 1, memory("VmHWM:") - before, memory("VmRSS:") - before)
        await stream.aclose()

asyncio.run(follow())
"""


def endpoint(number: int) -> tuple[str, bytes]:
    """Key and value of one endpoint."""
    space, host = number % 500, number % 1000
    name = f"node--{host}-k8s-pod--{number}-eth0"
    value = _ENDPOINT % (
        *(name, space, number, number % 50, space, host, number, number),
        *(number >> 16 & 255, number >> 8 & 255, number & 255, space, space, number),
    )
    return f"/calico/resources/v3/projectcalico.org/workloadendpoints/ns-{space}/{name}", value.encode()


def fill(cluster: EtcdCluster, count: int) -> int:
    """Write *count* endpoints; the bytes of their keys and values."""
    raw = 0
    with cluster.client() as store:
        for first in range(0, count, 100):
            pairs = [endpoint(number) for number in range(first, min(first + 100, count))]
            raw += sum(len(key) + len(value) for key, value in pairs)
            store.transact([], [Put(key, value) for key, value in pairs])
    return raw


def cpu_s(cluster: EtcdCluster) -> float:
    """Of the server, and of all processes that have ended here."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    threads = Path(f"/proc/{cluster.servers[0].pid}/task").glob("*/schedstat")
    return ended.ru_utime + ended.ru_stime + sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9


def etcdctl(cluster: EtcdCluster) -> tuple[float, float]:
    """Seconds to print everything, and of CPU."""
    before, started = cpu_s(cluster), time.monotonic()
    subprocess.run(cluster.ctl_command("get", "--prefix", "/"), check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - started, cpu_s(cluster) - before


def ours(cluster: EtcdCluster, count: int) -> tuple[float, float, float, float, float]:
    """Seconds of CPU, from the start of a process until it is in sync, of the syncer alone; bytes grown at most, and afterwards."""
    before, started = cpu_s(cluster), time.monotonic()
    command = [sys.executable, "-c", _FOLLOWER, cluster.endpoints[0]]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        synced = float(process.stdout.readline())
        whole = time.monotonic() - started
        updates, most, after = map(float, process.stdout.readline().split())
    assert updates == count, f"{updates:.0f} updates of {count}"
    return cpu_s(cluster) - before, whole, synced, most, after


async def deliveries(cluster: EtcdCluster, count: int) -> tuple[list[float], list[float]]:
    """Milliseconds of a write, and from its beginning until a watch in this process has it."""
    writes, events = [], []
    with cluster.client() as store:
        watch = store.watch("/bench/", store.revision() + 1)
        waiting = asyncio.ensure_future(anext(watch))
        for number in range(count):
            started = time.perf_counter()
            await asyncio.sleep(0)
            written = store.apply("/bench/key", str(number).encode()).revision
            writes.append((time.perf_counter() - started) * 1e3)
            while (await waiting).revision < written:
                waiting = asyncio.ensure_future(anext(watch))
            events.append((time.perf_counter() - started) * 1e3)
            waiting = asyncio.ensure_future(anext(watch))
        waiting.cancel()
        await watch.aclose()
    return writes, events


def show(what: str, ours: Sequence[float], plain: Sequence[float], *, unit: str) -> None:
    """The median of the rounds' ratios, and the medians of the two."""
    ratio = statistics.median(one / other for one, other in zip(ours, plain, strict=True))
    print(f"{what:48} {ratio:6.2f}   ({statistics.median(ours):.4g} {unit} : {statistics.median(plain):.4g} {unit})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--resources", type=int, default=100_000, help="endpoints in etcd (default: 100000)")
    count = parser.parse_args().resources
    with tempfile.TemporaryDirectory() as folder, etcd_cluster(Path(folder)) as cluster:
        raw = fill(cluster, count) / 1e6
        rounds = [(*etcdctl(cluster), *ours(cluster, count)) for _ in range(ROUNDS)]
        printed, its_cpu, our_cpu, whole, synced, most, after = zip(*rounds, strict=True)
        show("the syncer until in-sync : etcdctl get --prefix", synced, printed, unit="s")
        show("the same, with Python's start and imports", whole, printed, unit="s")
        show("CPU of all that, the server's included", our_cpu, its_cpu, unit="s")
        show("memory grown at most : raw bytes", [value / 1e6 for value in most], [raw] * ROUNDS, unit="MB")
        show("memory grown afterwards : raw bytes", [value / 1e6 for value in after], [raw] * ROUNDS, unit="MB")
        writes, events = asyncio.run(deliveries(cluster, 1000))
        for percent in (50, 99):
            write, event = (statistics.quantiles(times, n=100)[percent - 1] for times in (writes, events))
            show(f"write until a watch has it : write, p{percent}", [event], [write], unit="ms")


if __name__ == "__main__":
    main()
