"""Differential: what the oracle says of a packet == what the compiled rulesets say == what becomes of a real one.

    workloads ── host-1 ──┐
    workloads ── host-2 ──┼── outside          tortie.testing.bed draws it; agreement.py compares
    workloads ── host-3 ──┘

Both families; TCP, UDP, SCTP, ICMP of every type and protocols without ports; workloads on one host and on several, addresses
outside by either uplink, the hosts themselves, to each other and to themselves, senders that lie about their address. The clusters
are new in every run, and of both compilations. A failure names its seed, and ``TORTIE_SEED=<seed>`` replays exactly that series
of clusters; ``TORTIE_SOAK=1`` tries eleven times as many.
"""

from __future__ import annotations

import itertools
import json
import os
import secrets
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from pathlib import Path
from random import Random

import msgspec
import pytest
from agreement import Answers, Hosts
from isolation import isolated

from tortie.lab.stars import STARS
from tortie.model.endpoint import WorkloadEndpoint
from tortie.model.meta import HostName, Resource
from tortie.net import TCP, Family
from tortie.ruleset.options import Compilation
from tortie.testing.bed import Bed, Shot
from tortie.testing.clusters import RandomCluster, random_cluster
from tortie.testing.demos import demo_resources
from tortie.testing.flows import Traffic, random_flows
from tortie.testing.histories import later
from tortie.testing.tally import Tally
from tortie.testing.topology import of_family
from tortie.verdict import EndpointRef, Flow, HostVerdict

CLUSTERS = 25
CANDIDATES, PLAIN, SPOOFED = 200, 45, 5
"""Packets that are tried in a cluster, some from addresses that are not the sender's; the plain ones are chosen from candidates."""
SERIES = 1 if "TORTIE_SEED" in os.environ else 22 if os.environ.get("TORTIE_SOAK") else 2
"""Of each compilation; one of them is some 1,200 packets."""

HOSTS = tuple(HostName(f"host-{number}") for number in (1, 2, 3))
KINDS = (
    *("IPv4", "IPv6", "TCP", "UDP", "ICMP", "ICMPv6", "workload to workload"),
    *("workload to outside", "outside to workload"),
)
"""Of packets, as the tally has them: some of each get through, and some do not."""

# A series takes some 20 seconds alone, several times that on a machine that does much else.
pytestmark = pytest.mark.timeout(600)


# --- the network itself ----------------------------------------------------------------------------------------------------


@isolated
def test_without_rules_every_packet_arrives() -> None:
    """So that one that does not arrive was dropped by a rule."""
    rng = Random(1)
    cluster = random_cluster(rng, hosts=len(HOSTS))
    with Bed(HOSTS) as bed:
        shots = shots_in(bed.place(cluster), rng, 1000, 100)
        assert [str(shot) for shot, arrived in zip(shots, bed.delivered(shots), strict=True) if not arrived] == []


# --- random clusters -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("compilation", [Compilation.LINEAR, Compilation.RUNS])
@pytest.mark.parametrize("series", range(SERIES))
def test_packets_among_random_clusters_fare_as_the_oracle_says(
    series: int, compilation: Compilation, tmp_path: Path, record: Callable[[str, Tally], None]
) -> None:
    seed = int(os.environ.get("TORTIE_SEED") or secrets.randbelow(10**9))

    @isolated
    def body() -> None:
        try_series(seed, compilation, tmp_path)

    print(f"TORTIE_SEED={seed} replays this series")  # shown if it fails, in whichever way
    body()
    tally = Tally()
    tally.merge(json.loads((tmp_path / "tally").read_text()))
    record(f"packets through kernels, {compilation}", tally)
    missing = [f"{kind} {fate}" for kind in KINDS for fate in ("through", "stopped")]
    assert [name for name in missing if not tally["flows"][name]] == []


def try_series(seed: int, compilation: Compilation, folder: Path) -> None:
    """``CLUSTERS`` clusters one after the other on the same hosts; what was counted is left in *folder*."""
    rng, tally = Random(seed), Tally()
    with Bed(HOSTS) as bed, Hosts(bed, HOSTS, compilation) as hosts:
        cluster = bed.place(random_cluster(rng, hosts=len(HOSTS)))
        for number in range(CLUSTERS):
            proceed(hosts, cluster, rng)
            tally.begin(cluster.calico())
            answers = hosts.ask(chosen_shots(hosts, cluster, rng))
            complain(f"TORTIE_SEED={seed} replays it; cluster {number}, {compilation}", hosts, answers, folder)
            for each in answers:
                tally.add(each.shot.flow, each.crossings, each.verdicts)
            cluster = bed.place(later(rng, cluster))
    (folder / "tally").write_text(json.dumps(tally.counts))


def proceed(hosts: Hosts, cluster: RandomCluster, rng: Random) -> None:
    """Go on to the next cluster: mostly by updates, now and then as agents that are killed and started, or from nothing."""
    match rng.choice(("update", "update", "update in parts", "restart", "begin")):
        case "update":
            hosts.become(cluster, rng)
        case "update in parts":
            hosts.become(cluster, rng, flushes=3)
        case way:
            hosts.restart(keep_rules=way == "restart")
            hosts.become(cluster, rng)


def complain(where: str, hosts: Hosts, answers: Iterable[Answers], folder: Path) -> None:
    """Fail if answers differ, or if a kernel does not hold what it should."""
    wrong = [line for each in answers if not each.agree for line in each.lines()]
    wrong += hosts.unsettled()
    if wrong:
        hosts.keep(folder)
        text = "\n".join(wrong)
        (folder / "differences").write_text(text)
        pytest.fail(f"{where}; resources, rulesets and all differences are in {folder}\n{text[:4000]}", pytrace=False)


# --- packets ---------------------------------------------------------------------------------------------------------------


def chosen_shots(hosts: Hosts, cluster: RandomCluster, rng: Random) -> list[Shot]:
    """Of as many different reasonings as there are, so that rules that seldom decide are tried too."""
    groups: dict[Hashable, list[Shot]] = {}
    for shot in shots_in(cluster, rng, CANDIDATES, 0):
        groups.setdefault(reasoning(shot, hosts.judge(shot)[1]), []).append(shot)
    in_turns = (shot for turn in itertools.zip_longest(*groups.values()) for shot in turn if shot is not None)
    chosen = [*itertools.islice(in_turns, PLAIN), *shots_in(cluster, rng, 0, SPOOFED)]
    rng.shuffle(chosen)
    return chosen


def shots_in(cluster: RandomCluster, rng: Random, plain: int, spoofed: int) -> list[Shot]:
    traffic = Traffic(rng, cluster)
    return [*(Shot(traffic.flow()) for _ in range(plain)), *(Shot(*traffic.spoofed()) for _ in range(spoofed))]


def reasoning(shot: Shot, verdicts: Sequence[HostVerdict]) -> Hashable:
    """All that was considered on the way to the verdict, without the addresses and ports at hand."""
    flow = shot.flow
    text = "\n".join(line for verdict in verdicts for line in verdict.lines())
    for value in (flow.source_address, flow.destination_address, flow.source_port, flow.destination_port):
        text = text.replace(f" {value} ", " ")
    return flow.family, text


# --- the demo --------------------------------------------------------------------------------------------------------------


@isolated
def test_packets_among_the_stars_fare_as_the_oracle_says_and_connect_as_the_demo_claims_at_every_step() -> None:
    names = tuple(HostName(f"host{number}") for number in (1, 2, 3))
    rng = Random(1)
    with Bed(names, slots=2) as bed, Hosts(bed, names, Compilation.AUTO) as hosts:
        for number, step in enumerate(STARS.steps, start=1):
            cluster = RandomCluster(hosts=names, resources=tuple(connected(demo_resources(STARS, number), bed)))
            hosts.become(cluster, rng)
            probes = {flow: pair for pair in STARS.pairs for flow in probes_of(*pair, cluster)}
            hosts.forget_flows()
            answers = hosts.ask(map(Shot, (*probes, *random_flows(rng, cluster, 200))))
            assert [line for each in answers if not each.agree for line in each.lines()] == []
            assert hosts.unsettled() == []
            reached = {a.shot.flow for a in answers if a.delivered} & probes.keys()
            assert reached == {flow for flow, pair in probes.items() if pair in step.reachable}, step.title


def connected(resources: Iterable[Resource], bed: Bed) -> Iterator[Resource]:
    """*resources* with each endpoint in a slot of its node."""
    taken: Counter[str] = Counter()
    for resource in resources:
        if isinstance(resource, WorkloadEndpoint):
            node = HostName(resource.spec.node)
            slot = bed.slots(node)[taken[node]]
            taken[node] += 1
            networks = tuple(address.network() for address in slot.addresses)
            spec = msgspec.structs.replace(resource.spec, ip_networks=networks)
            yield bed.placed(msgspec.structs.replace(resource, spec=spec))
        else:
            yield resource


def probes_of(source: str, destination: str, cluster: RandomCluster) -> Iterator[Flow]:
    """What one probe of the demo sends to another: a connection of each family."""
    for family in Family:
        yield Flow(
            source=end_of(source, cluster, family),
            destination=end_of(destination, cluster, family),
            protocol=TCP,
            source_port=49152,
            destination_port=STARS.probe(destination).port,
        )


def end_of(probe_id: str, cluster: RandomCluster, family: Family) -> EndpointRef:
    namespace, _, pod = STARS.probe(probe_id).workload.partition("/")
    (endpoint,) = (e for e in cluster.endpoints if (e.metadata.namespace, e.spec.pod) == (namespace, pod))
    (address,) = of_family((network.address for network in endpoint.spec.ip_networks), family)
    return EndpointRef(namespace, endpoint.metadata.name, address)
