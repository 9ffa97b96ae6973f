"""Differential: what the oracle says of a flow == what the compiled rulesets say == what becomes of a real packet.

    workloads ── host-1 ──┐
    workloads ── host-2 ──┼── outside          tortie.testing.bed draws it; agreement.py compares
    workloads ── host-3 ──┘

Both families; TCP, UDP, SCTP, ICMP of every type and protocols without ports; workloads on one host and on several, addresses
outside both ways, the hosts themselves. The clusters are new in every run. A failure names its seed, and ``TORTIE_SEED=<seed>``
replays exactly that series of clusters; ``TORTIE_SOAK=1`` tries twenty times as many.
"""

from __future__ import annotations

import itertools
import os
import secrets
import time
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Sequence
from pathlib import Path
from random import Random

import msgspec
import pytest
from agreement import Answers, Hosts, Tally
from isolation import isolated

from tortie.lab.stars import STARS
from tortie.model.endpoint import WorkloadEndpoint
from tortie.model.meta import HostName, Resource
from tortie.net import ICMP, ICMPV6, SCTP, TCP, UDP, Address, Family, Protocol
from tortie.ruleset import EndpointToHostAction, Options
from tortie.testing.bed import Bed
from tortie.testing.clusters import RandomCluster, random_cluster, random_flows
from tortie.testing.demos import demo_resources
from tortie.testing.hosts import keyed
from tortie.testing.policies import LABELS
from tortie.verdict import Cause, Cluster, EndpointRef, Flow, Verdict

CLUSTERS = 50
SERIES = 1 if "TORTIE_SEED" in os.environ else 80 if os.environ.get("TORTIE_SOAK") else 4

CANDIDATES, PLAIN, STRANGE, TO_HOSTS = 800, 100, 10, 10
"""Flows of each sort that are tried in a cluster; the plain ones are chosen from so many candidates."""

PROTOCOLS = (TCP, TCP, TCP, UDP, UDP, SCTP, ICMP, ICMP)
IPIP, UNASSIGNED, VXLAN_PORT = Protocol(4), Protocol(253), 4789
ICMP_OF = {Family.V4: ICMP, Family.V6: ICMPV6}
ICMP_TYPES = {
    Family.V4: (0, 3, 4, 5, 8, 11, 12, 13, 14, 15, 16, 17, 18),
    Family.V6: (1, 2, 3, 4, 128, 129, 130, 131, 132, 133, 134, 135, 136, 137, 139, 140, 143),
}

KINDS = (
    *("IPv4", "IPv6", "TCP", "UDP", "SCTP", "ICMP", "ICMPv6", "253"),
    *("on one host", "between hosts", "from outside", "to outside", "to another host"),
)
"""Of flows, as the tally has them."""


# --- the network itself ----------------------------------------------------------------------------------------------------


@isolated
def test_without_rules_every_packet_arrives() -> None:
    """So that one that does not arrive was dropped by a rule."""
    names = tuple(HostName(f"host-{number}") for number in (1, 2, 3))
    rng = Random(1)
    cluster = random_cluster(rng, hosts=len(names))
    with Bed(names) as bed:
        flows = [*random_flows(rng, cluster, 500, PROTOCOLS)]
        flows += (strange(flow, rng) for flow in random_flows(rng, cluster, 500, (UDP,)))
        assert [str(flow) for flow, arrived in zip(flows, bed.delivered(flows), strict=True) if not arrived] == []


# --- random clusters -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("series", range(SERIES))
def test_packets_among_random_clusters_fare_as_the_oracle_says(
    series: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seed = int(os.environ.get("TORTIE_SEED") or secrets.randbelow(10**9))

    @isolated
    def body() -> None:
        try_series(seed, tmp_path)

    print(f"TORTIE_SEED={seed} replays this series")  # shown if it fails, in whichever way
    body()
    with capsys.disabled():
        print(f"\nTORTIE_SEED={seed}: " + (tmp_path / "tally").read_text())


def try_series(seed: int, folder: Path) -> None:
    """``CLUSTERS`` clusters one after the other on the same hosts; the tally is left in *folder*."""
    rng, started, tally = Random(seed), time.perf_counter(), Tally()
    names = tuple(HostName(f"host-{number}") for number in (1, 2, 3))
    options = Options(endpoint_to_host_action=rng.choice((EndpointToHostAction.DROP, EndpointToHostAction.ACCEPT)))
    with Bed(names) as bed, Hosts(bed, names, options) as hosts:
        cluster = RandomCluster(hosts=names, resources=())
        for number in range(CLUSTERS):
            fresh = placed(random_cluster(rng, hosts=len(names)), bed)
            cluster = blended(cluster, fresh, rng) if number % 2 else fresh
            proceed(hosts, cluster.resources, rng)
            answers = hosts.ask(flows_in(cluster, bed, rng))
            complain(f"TORTIE_SEED={seed} replays it; cluster {number}", hosts, answers, folder)
            for each in answers:
                tally.add(each, hosts)
    took = (
        f"{CLUSTERS} clusters in {time.perf_counter() - started:.1f} s; to own host: {options.endpoint_to_host_action}"
    )
    (folder / "tally").write_text("\n  ".join((took, *tally.lines())))
    must_have_tested_something(tally)


def placed(cluster: RandomCluster, bed: Bed) -> RandomCluster:
    resources = (bed.place(r) if isinstance(r, WorkloadEndpoint) else r for r in cluster.resources)
    return msgspec.structs.replace(cluster, resources=tuple(resources))


def blended(before: RandomCluster, fresh: RandomCluster, rng: Random) -> RandomCluster:
    """Some of *before*, its workloads with fewer labels, and most of *fresh*: many updates of what stays what it is."""
    stay = (with_fewer_labels(endpoint, rng) for endpoint in before.endpoints if rng.random() < 0.5)
    in_slots = {endpoint.spec.interface_name: endpoint for endpoint in (*fresh.endpoints, *stay)}
    all_else = [r for r in (*before.resources, *fresh.resources) if not isinstance(r, WorkloadEndpoint)]
    others = keyed(resource for resource in all_else if rng.random() < 0.7)
    return msgspec.structs.replace(fresh, resources=(*others.values(), *in_slots.values()))


def with_fewer_labels(endpoint: WorkloadEndpoint, rng: Random) -> WorkloadEndpoint:
    labels = {k: v for k, v in endpoint.metadata.labels.items() if k not in LABELS or rng.random() < 0.5}
    return msgspec.structs.replace(endpoint, metadata=msgspec.structs.replace(endpoint.metadata, labels=labels))


def proceed(hosts: Hosts, resources: Sequence[Resource], rng: Random) -> None:
    """Go on to the next cluster: mostly by updates, now and then as agents that are killed and started, or from nothing."""
    match rng.choice(("update", "update", "update in parts", "restart", "begin")):
        case "update":
            hosts.become(resources, rng)
        case "update in parts":
            hosts.become(resources, rng, flushes=3)
        case way:
            hosts.restart(keep_rules=way == "restart")
            hosts.become(resources, rng)


def complain(where: str, hosts: Hosts, answers: Iterable[Answers], folder: Path) -> None:
    """Fail if answers differ, or if a kernel does not hold what it should."""
    wrong = [line for each in answers if not each.agree for line in each.lines()]
    wrong += hosts.unsettled()
    if wrong:
        hosts.keep(folder)
        text = "\n".join(wrong)
        (folder / "differences").write_text(text)
        pytest.fail(f"{where}; resources, rulesets and all differences are in {folder}\n{text[:4000]}", pytrace=False)


def must_have_tested_something(tally: Tally) -> None:
    """Neither answer is rare, in any kind of flow, and everything that can decide has decided; save for what is rare by nature."""
    through, stopped = tally.flows["all", True], tally.flows["all", False]
    assert min(through, stopped) > (through + stopped) / 8
    for kind in KINDS:
        assert min(tally.flows[kind, True], tally.flows[kind, False]) >= 5, f"{kind} in {tally.flows}"
    denied = {f"denied by {cause}" for cause in Cause if cause is not Cause.PROFILE_RULE}
    allowed = {f"allowed by {cause}" for cause in (Cause.POLICY_RULE, Cause.PROFILE_RULE)}
    assert denied | allowed <= tally.causes.keys()
    assert len(tally.criteria) >= 10


# --- flows -----------------------------------------------------------------------------------------------------------------


def flows_in(cluster: RandomCluster, bed: Bed, rng: Random) -> list[Flow]:
    flows = varied(random_flows(rng, cluster, CANDIDATES, PROTOCOLS), cluster, PLAIN)
    flows += (strange(flow, rng) for flow in random_flows(rng, cluster, STRANGE, (UDP,)))
    flows += (flow for flow in to_hosts(random_flows(rng, cluster, 2 * TO_HOSTS, PROTOCOLS), cluster, bed, rng))
    rng.shuffle(flows)
    return flows


def varied(flows: Iterable[Flow], cluster: RandomCluster, count: int) -> list[Flow]:
    """*count* of *flows* of as many different reasonings as there are, so that rules that seldom decide are tried too."""
    oracle = Cluster.of(cluster.calico())
    groups: dict[Hashable, list[Flow]] = {}
    for flow in flows:
        groups.setdefault(reasoning(oracle.judge(flow)), []).append(flow)
    in_turns = (flow for turn in itertools.zip_longest(*groups.values()) for flow in turn if flow is not None)
    return list(itertools.islice(in_turns, count))


def reasoning(verdict: Verdict) -> Hashable:
    """All that was considered on the way to the verdict, without the addresses and ports at hand."""
    flow = verdict.flow
    said = [line for decision in (verdict.egress, verdict.ingress) if decision for line in decision.lines()]
    text = "\n".join(said)
    for value in (flow.source_address, flow.destination_address, flow.source_port, flow.destination_port):
        text = text.replace(f" {value} ", " ")
    return flow.family, text


def strange(flow: Flow, rng: Random) -> Flow:
    """*flow* as something that seldom is: a tunnel's packet, a protocol without ports, ICMP of any type."""
    portless = msgspec.structs.replace(flow, source_port=None, destination_port=None)
    match rng.choice(("vxlan", "ipip", "unassigned", "icmp", "icmp")):
        case "vxlan":
            return msgspec.structs.replace(flow, destination_port=VXLAN_PORT)
        case "ipip":
            return msgspec.structs.replace(portless, protocol=IPIP)
        case "unassigned":
            return msgspec.structs.replace(portless, protocol=UNASSIGNED)
        case _:
            icmp_type = rng.choice(ICMP_TYPES[flow.family])
            return msgspec.structs.replace(portless, protocol=ICMP_OF[flow.family], icmp_type=icmp_type, icmp_code=0)


def to_hosts(flows: Iterable[Flow], cluster: RandomCluster, bed: Bed, rng: Random) -> Iterator[Flow]:
    """Those of *flows* that a workload begins, to a host instead: half of them to the workload's own."""
    nodes = {(e.metadata.namespace, e.metadata.name): e.spec.node for e in cluster.endpoints}
    for flow in flows:
        if isinstance(flow.source, EndpointRef):
            host = rng.choice((nodes[flow.source[:2]], rng.choice(cluster.hosts)))
            yield msgspec.structs.replace(flow, destination=of_family(bed.own_addresses(HostName(host)), flow.family))


def of_family(addresses: Iterable[Address], family: Family) -> Address:
    return next(address for address in addresses if address.family is family)


# --- the demo --------------------------------------------------------------------------------------------------------------


@isolated
def test_packets_among_the_stars_fare_as_the_oracle_says_and_connect_as_the_demo_claims_at_every_step() -> None:
    names = tuple(HostName(f"host{number}") for number in (1, 2, 3))
    rng = Random(1)
    with Bed(names, slots=2) as bed, Hosts(bed, names, Options()) as hosts:
        for number, step in enumerate(STARS.steps, start=1):
            cluster = RandomCluster(hosts=names, resources=tuple(connected(demo_resources(STARS, number), bed)))
            hosts.become(cluster.resources, rng)
            probes = {flow: pair for pair in STARS.pairs for flow in probes_of(*pair, cluster)}
            hosts.forget_flows()
            answers = hosts.ask([*probes, *random_flows(rng, cluster, 200, PROTOCOLS)])
            assert [line for each in answers if not each.agree for line in each.lines()] == []
            assert hosts.unsettled() == []
            reached = {a.verdict.flow for a in answers if a.delivered} & probes.keys()
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
            yield bed.place(msgspec.structs.replace(resource, spec=spec))
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
    address = of_family((network.address for network in endpoint.spec.ip_networks), family)
    return EndpointRef(namespace, endpoint.metadata.name, address)
