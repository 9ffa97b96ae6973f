"""The oracle's two questions have one answer: a flow is delivered if its first packet gets through every host on its way."""

from random import Random

import pytest

from tortie.testing.clusters import random_cluster
from tortie.testing.differential import oracle_of
from tortie.testing.flows import Traffic, crossings
from tortie.testing.topology import UPLINKS


@pytest.mark.parametrize("first", range(0, 200, 50))
def test_a_flow_is_delivered_if_it_gets_through_every_host_on_its_way(first: int) -> None:
    for seed in range(first, first + 50):
        rng = Random(seed)
        cluster = random_cluster(rng)
        topology, traffic, oracle = cluster.topology, Traffic(rng, cluster), oracle_of(cluster)
        views = {host: oracle.host_view(host) for host in cluster.hosts}
        for flow in (traffic.flow() for _ in range(30)):
            way = crossings(flow, topology)
            # Which way an address outside comes the oracle is not told; it takes the first uplink.
            if any(UPLINKS[1] in (c.packet.in_interface, c.packet.out_interface) for c in way):
                continue
            through = all(views[crossing.host].passes(crossing.packet) for crossing in way)
            assert oracle.judge(flow).allowed is through, (seed, flow)
