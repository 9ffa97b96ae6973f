"""Real BIRDs on a routed fabric: blocks travel over BGP, packets follow, and a BIRD's end is felt as it should be.

        workload                                       workload
    10.244.1.2, fd00:244:1::2                      10.244.2.2, fd00:244:2::2
           │ eth0                                         │ eth0
           │ cali1                                        │ cali1
         host1  172.30.0.1, fd00:30::1                  host2  172.30.0.2, fd00:30::2
           │ eth0                                         │ eth0
           │                                              │
           │ to1                                      to2 │
           └────────────────── fabric ────────────────────┘
                     172.30.255.1, fd00:30::ff on lo

A host has its node address as a /32 and /128 on eth0 and nothing but a default route through the fabric; there is no common
subnet. The fabric reaches a host by a route of that host as its own gateway, "onlink": without that flag BIRD would not know
its own routes again when it lists the kernel's, as no interface's address says that the host is a neighbor.

Hosts have a mesh session with each other and, by a global BGPPeer, one with the fabric, of each family. host1's blocks are
10.244.1.0/26 and fd00:244:1::/122; host2's have a 2 instead.

All of it lives in one user, mount, pid and network namespace, whose first process ends with us.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from tortie.bird import BirdDaemon, BirdPaths
from tortie.model.meta import HostName, ObjectMeta
from tortie.model.topology import (
    BGPConfiguration,
    BGPConfigurationSpec,
    BGPPeer,
    BGPPeerSpec,
    BlockAffinity,
    IPPool,
    IPPoolSpec,
    Node,
    NodeBGPSpec,
    NodeSpec,
)
from tortie.net import Address, Network
from tortie.routing import BGPState, RouterIntent, SessionTimers, fabric_intent, render, resolve

RESTART_TIME_S = 5
PROMPT = SessionTimers(connect_delay_s=1, connect_retry_s=1, error_wait_min_s=1, error_wait_max_s=1)
FABRIC = (Address.parse("172.30.255.1"), Address.parse("fd00:30::ff"))
BLOCKS = {n: (Network.parse(f"10.244.{n}.0/26"), Network.parse(f"fd00:244:{n}::/122")) for n in (1, 2)}
WORKLOADS = {n: (f"10.244.{n}.2", f"fd00:244:{n}::2") for n in (1, 2)}

SETUP = """
set -e
mount -t tmpfs tmpfs /run
for name in fabric host1 host2 workload1 workload2; do
    ip netns add $name
    ip -n $name link set lo up
    ip netns exec $name sysctl -qw net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.all.forwarding=1 net.ipv4.ip_forward=1
done
ip -n fabric addr add 172.30.255.1/32 dev lo
ip -n fabric addr add fd00:30::ff/128 dev lo
for n in 1 2; do
    ip -n fabric link add to$n type veth peer name eth0 netns host$n
    ip -n fabric addr add fe80::1/64 dev to$n nodad
    ip -n host$n addr add 172.30.0.$n/32 dev eth0
    ip -n host$n addr add fd00:30::$n/128 dev eth0 nodad
    ip -n fabric link set to$n up
    ip -n host$n link set eth0 up
    ip -n fabric route add 172.30.0.$n via 172.30.0.$n dev to$n onlink
    ip -n fabric route add fd00:30::$n via fd00:30::$n dev to$n onlink
    ip -n host$n route add default via 172.30.255.1 dev eth0 onlink
    ip -n host$n route add default via fe80::1 dev eth0

    ip -n host$n link add cali1 address ee:ee:ee:ee:ee:ee type veth peer name eth0 netns workload$n
    ip -n workload$n addr add 10.244.$n.2/32 dev eth0
    ip -n workload$n addr add fd00:244:$n::2/128 dev eth0 nodad
    ip -n host$n link set cali1 up
    ip -n workload$n link set eth0 up
    ip -n workload$n neigh add 169.254.1.1 lladdr ee:ee:ee:ee:ee:ee dev eth0
    ip -n workload$n route add default via 169.254.1.1 dev eth0 onlink
    ip -n workload$n route add default via fe80::ecee:eeff:feee:eeee dev eth0
    ip -n host$n route add 10.244.$n.2 dev cali1 proto 80
    ip -n host$n route add fd00:244:$n::2 dev cali1 proto 80
done
echo ready
exec cat
"""

PROBE = """
import os, select, socket, struct, sys, time
address, count, interval_s = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
v6 = ":" in address
link = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, socket.SOCK_RAW, 58 if v6 else 1)
identity, answered = os.getpid() & 0xFFFF, set()
def checksum(data):
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF
for sequence in range(count):
    request = struct.pack(">BBHHH", 128 if v6 else 8, 0, 0, identity, sequence)
    if not v6:  # the kernel fills in the other one
        request = request[:2] + struct.pack(">H", checksum(request)) + request[4:]
    until = time.monotonic() + (interval_s if sequence < count - 1 else 1)
    try:
        link.sendto(request, (address, 0))
    except OSError:
        pass
    while (left := until - time.monotonic()) > 0 and not (sequence == count - 1 and len(answered) == count):
        if select.select([link], [], [], left)[0]:
            answer = link.recv(2048)[0 if v6 else 20:]
            if answer[0] == (129 if v6 else 0) and answer[4:6] == identity.to_bytes(2, "big"):
                answered.add(int.from_bytes(answer[6:8], "big"))
print(count - len(answered))
"""
"""ICMP echo requests to an address, ``count`` of them; prints how many got no answer. (Not every machine has a ping.)"""


class Net:
    """The namespaces of the drawing, and the BIRDs in them."""

    def __init__(self, holder_pid: int, folder: Path) -> None:
        self.folder = folder
        self._join = ["nsenter", "-t", str(holder_pid), "-U", "-m", "-n", "-p", "--preserve-credentials", "ip", "netns", "exec"]  # fmt: skip
        self.birds = {name: self._bird(name, folder / name) for name in ("host1", "host2", "fabric")}
        self.texts = {
            "host1": render(host_intent(1)),
            "host2": render(host_intent(2)),
            "fabric": render(
                fabric_intent(
                    (Address.parse(text) for n in (1, 2) for text in (f"172.30.0.{n}", f"fd00:30::{n}")),
                    ipv4_address=FABRIC[0],
                    ipv6_address=FABRIC[1],
                    restart_time_s=RESTART_TIME_S,
                    timers=PROMPT,
                )
            ),
        }

    def _bird(self, name: str, folder: Path) -> BirdDaemon:
        folder.mkdir()
        wrapper = folder / "bird"
        wrapper.write_text(f'#!/bin/sh\nexec {" ".join(self._join)} {name} bird "$@"\n')
        wrapper.chmod(0o755)
        paths = BirdPaths(config=folder / "bird.conf", control=folder / "bird.ctl", log=folder / "bird.log")
        return BirdDaemon(paths, binary=str(wrapper))

    def run(self, name: str, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*self._join, name, *command], capture_output=True, text=True, timeout=20, check=False)

    def probe(self, name: str, address: str, count: int = 1, interval_s: float = 0) -> subprocess.Popen[str]:
        command = [*self._join, name, sys.executable, "-c", PROBE, address, str(count), str(interval_s)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def reaches(self, name: str, *addresses: str) -> bool:
        """Whether every address answers."""
        return [lost(probe) for probe in [self.probe(name, address) for address in addresses]] == [0] * len(addresses)

    def routes(self, name: str, network: Network) -> str:
        """What the kernel's main table says of exactly *network*."""
        return self.run(name, "ip", f"-{network.family}", "route", "show", "exact", str(network)).stdout.strip()

    async def kill(self, name: str, number: signal.Signals) -> None:
        async with await self.birds[name].connect() as bird:
            os.kill(bird.pid, number)

    async def up(self) -> None:
        """All BIRDs run, all sessions are established, all blocks are where they should be."""
        for name, bird in self.birds.items():
            await bird.apply(self.texts[name])
        await eventually(self.is_converged, bound_s=15)

    async def is_converged_of(self, name: str) -> bool:
        """Whether all sessions of one BIRD are established."""
        async with await self.birds[name].connect() as bird:
            return {protocol.bgp_state for protocol in await bird.protocols()} == {None, BGPState.ESTABLISHED}

    async def is_converged(self) -> bool:
        if not all([await self.is_converged_of(name) for name in self.birds]):
            return False
        pairs = (("host1", 2), ("host2", 1), ("fabric", 1), ("fabric", 2))
        return all("proto bird" in self.routes(name, block) for name, n in pairs for block in BLOCKS[n])


def lost(probe: subprocess.Popen[str]) -> int:
    """How many of a probe's requests got no answer."""
    output, _ = probe.communicate(timeout=20)
    return int(output)


async def eventually(condition: Callable[[], Coroutine[Any, Any, bool]], *, bound_s: float) -> float:
    """Poll *condition* until it holds and return how long that took; fails past the bound."""
    start = time.monotonic()
    while not await condition():
        elapsed = time.monotonic() - start
        assert elapsed < bound_s, f"{condition.__name__} does not hold after {elapsed:.1f} s"
        await asyncio.sleep(0.05)
    return time.monotonic() - start


def host_intent(n: int) -> RouterIntent:
    nodes = [
        Node(
            metadata=ObjectMeta(name=f"host{i}"),
            spec=NodeSpec(bgp=NodeBGPSpec(ipv4_address=f"172.30.0.{i}/32", ipv6_address=f"fd00:30::{i}/128")),
        )
        for i in (1, 2)
    ]
    pools = [
        IPPool(metadata=ObjectMeta(name=name), spec=IPPoolSpec(cidr=Network.parse(cidr)))
        for name, cidr in (("v4", "10.244.0.0/16"), ("v6", "fd00:244::/32"))
    ]
    configuration = BGPConfiguration(
        metadata=ObjectMeta(name="default"),
        spec=BGPConfigurationSpec(node_mesh_max_restart_time=f"{RESTART_TIME_S}s"),
    )
    fabric = [
        BGPPeer(
            metadata=ObjectMeta(name=f"fabric-{address.family}"),
            spec=BGPPeerSpec(peer_ip=str(address), as_number=64512, max_restart_time=f"{RESTART_TIME_S}s"),
        )
        for address in FABRIC
    ]
    affinities = {(HostName(f"host{i}"), block): BlockAffinity() for i in (1, 2) for block in BLOCKS[i]}
    intent = resolve(HostName(f"host{n}"), nodes, pools, [configuration], fabric, affinities, timers=PROMPT)
    assert intent is not None
    return intent


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Net]:
    # `cat` ends when our end of the pipe is closed, however we end; with the first process of its pid namespace all others end
    holder = subprocess.Popen(
        ["unshare", "-Urmpn", "--fork", "--kill-child", "--mount-proc", "sh", "-c", SETUP],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert holder.stdin is not None
    assert holder.stdout is not None
    assert holder.stderr is not None
    try:
        if holder.stdout.readline() != "ready\n":
            pytest.fail(f"cannot make the namespaces: {holder.stderr.read()}")
        child = Path(f"/proc/{holder.pid}/task/{holder.pid}/children").read_text(encoding="ascii")
        net = Net(int(child), tmp_path_factory.mktemp("bird"))
        yield net
        asyncio.run(stop_all(net))
    finally:
        holder.communicate(timeout=10)


async def stop_all(net: Net) -> None:
    for bird in net.birds.values():
        await bird.stop()


def test_packets_follow_the_routes_that_bgp_carries_over_the_fabric(net: Net) -> None:
    asyncio.run(net.up())
    asked = [
        (f"{kind}{n}", address)
        for kind in ("host", "workload")
        for n in (1, 2)
        for m in (1, 2)
        for address in WORKLOADS[m]
    ]
    probes = [net.probe(*pair) for pair in asked]
    assert [pair for pair, probe in zip(asked, probes, strict=True) if lost(probe)] == []


@pytest.mark.parametrize("version", [0, 1], ids=["ipv4", "ipv6"])
def test_an_address_that_no_workload_has_ends_in_the_blocks_black_hole(net: Net, version: int) -> None:
    asyncio.run(net.up())
    block = BLOCKS[1][version]
    assert re.match(rf"blackhole {block} .*proto bird", net.routes("host1", block))
    assert "blackhole" not in net.run("host1", "ip", "route", "get", WORKLOADS[1][version]).stdout
    assert net.run("host1", "ip", "route", "get", str(block.address + 9)).returncode != 0


def test_peers_learn_blocks_and_neither_defaults_node_addresses_nor_single_workloads(net: Net) -> None:
    asyncio.run(net.up())
    learnt = {
        route.split()[0]
        for version in ("-4", "-6")
        for route in net.run("fabric", "ip", version, "route", "show", "proto", "bird").stdout.splitlines()
    }
    assert learnt == {str(block) for n in (1, 2) for block in BLOCKS[n]}


@pytest.mark.parametrize("version", [0, 1], ids=["ipv4", "ipv6"])
def test_an_address_borrowed_from_another_hosts_block_is_announced_by_itself(net: Net, version: int) -> None:
    borrowed = (BLOCKS[2][version].address + 40).network()

    async def scenario() -> None:
        async def is_learnt() -> bool:
            return all("proto bird" in net.routes(name, borrowed) for name in ("host2", "fabric"))

        async def is_gone() -> bool:
            return not any(net.routes(name, borrowed) for name in ("host2", "fabric"))

        await net.up()
        net.run("host1", "ip", "route", "add", str(borrowed), "dev", "cali1", "proto", "80")
        await eventually(is_learnt, bound_s=10)
        net.run("host1", "ip", "route", "del", str(borrowed))
        await eventually(is_gone, bound_s=10)

    asyncio.run(scenario())


def test_ended_with_sigterm_a_bird_takes_its_routes_away_at_once(net: Net) -> None:
    async def scenario() -> None:
        await net.up()
        await net.kill("host1", signal.SIGTERM)

        async def peers_dropped() -> bool:
            return not any(net.routes(name, block) for name in ("host2", "fabric") for block in BLOCKS[1])

        assert await eventually(peers_dropped, bound_s=10) < RESTART_TIME_S - 1
        assert not net.reaches("host2", WORKLOADS[1][0])
        assert "proto bird" not in net.run("host1", "ip", "route").stdout

    asyncio.run(scenario())


def test_killed_a_birds_routes_stay_for_the_restart_time_and_then_go(net: Net) -> None:
    async def scenario() -> None:
        await net.up()
        await net.kill("host1", signal.SIGKILL)

        async def peers_noticed() -> bool:
            return not await net.is_converged_of("host2")

        async def peers_dropped() -> bool:
            return not any(net.routes(name, block) for name in ("host2", "fabric") for block in BLOCKS[1])

        noticed_s = await eventually(peers_noticed, bound_s=5)
        assert net.reaches("host2", *WORKLOADS[1])
        kept_s = noticed_s + await eventually(peers_dropped, bound_s=20)
        assert kept_s > RESTART_TIME_S - 1
        assert not net.reaches("host2", WORKLOADS[1][0])

    asyncio.run(scenario())


def test_started_again_a_bird_heals_what_its_end_broke(net: Net) -> None:
    async def scenario() -> None:
        await net.up()
        await net.birds["host1"].stop()
        assert not net.reaches("host2", WORKLOADS[1][0])
        assert await net.birds["host1"].ensure_running()
        await eventually(net.is_converged, bound_s=15)
        assert net.reaches("host2", *WORKLOADS[1])

    asyncio.run(scenario())


def test_killed_and_started_again_in_time_a_bird_loses_no_packet(net: Net) -> None:
    async def scenario() -> None:
        await net.up()
        probes = [net.probe("workload2", address, 80, 0.05) for address in WORKLOADS[1]]
        await net.kill("host1", signal.SIGKILL)
        assert await net.birds["host1"].ensure_running()
        await eventually(net.is_converged, bound_s=15)
        assert [lost(probe) for probe in probes] == [0, 0]

    asyncio.run(scenario())


def test_after_all_this_no_bird_has_complained_about_the_kernels_routes(net: Net) -> None:
    logs = [(path.parent.name, path.read_text(encoding="utf-8")) for path in sorted(net.folder.glob("*/bird.log"))]
    assert {name for name, text in logs if "<INFO> Started" in text} == {"fabric", "host1", "host2"}
    assert [
        (name, line) for name, text in logs for line in re.findall("<(?:ERR|WARN|BUG)>.*(?:KRT|Netlink).*", text)
    ] == []
