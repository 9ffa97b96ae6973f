"""Differential: random clusters and flows; the oracle's verdict == what the hosts' compiled rulesets do to the packets.

    resources ──┬─► tortie.verdict ───────────────────────────────► allowed?
                └─► calc ─► compiler ─► ruleset, one per host ─► walked by the flow's packet, on the source's host, then on the
                                                                  destination's

Calc and ruleset share no code with the oracle, save selectors and conversion. A failure prints the seed of its cluster;
``TORTIE_SEED=<seed>`` replays just that one, ``TORTIE_CLUSTERS=<n>`` tries more.
"""

import os
from random import Random

from ruleset_walks import HostModel, is_delivered

from tortie.model.kinds import ResourceKey, kind_of
from tortie.model.updates import ResourceUpdate
from tortie.testing.clusters import RandomCluster, random_cluster, random_flows
from tortie.verdict import Cluster

FIRST_SEED = 1
FLOWS = 24


def seeds() -> range:
    if "TORTIE_SEED" in os.environ:
        seed = int(os.environ["TORTIE_SEED"])
        return range(seed, seed + 1)
    return range(FIRST_SEED, FIRST_SEED + int(os.environ.get("TORTIE_CLUSTERS", "600")))


def updates(cluster: RandomCluster) -> list[ResourceUpdate]:
    return [
        ResourceUpdate(ResourceKey(kind_of(r), r.metadata.namespace, r.metadata.name), r, revision=1)
        for r in cluster.calico()
    ]


def test_what_the_rulesets_do_is_what_the_oracle_says():
    mismatches = []
    allowed = total = 0
    for seed in seeds():
        rng = Random(seed)
        cluster = random_cluster(rng)
        oracle = Cluster.of(cluster.calico())
        hosts = {host: HostModel(host, updates(cluster)) for host in cluster.hosts}
        where = {(e.metadata.namespace, e.metadata.name): e.spec for e in cluster.endpoints}
        for flow in random_flows(rng, cluster, FLOWS):
            verdict = oracle.judge(flow)
            total, allowed = total + 1, allowed + verdict.allowed
            if is_delivered(flow, hosts, where) is not verdict.allowed:
                mismatches.append(f"TORTIE_SEED={seed}: {flow}: the oracle says {verdict}")
    assert not mismatches, "\n".join(mismatches[:5])
    assert "TORTIE_SEED" in os.environ or total / 5 < allowed < total * 4 / 5, (
        "the clusters no longer test both verdicts"
    )
