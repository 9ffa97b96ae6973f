"""A rule that is said to match everything another one matches does so for packets too, by the oracle's reading of both."""

from __future__ import annotations

import itertools
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tortie.model.coverage import covers
from tortie.model.kubernetes_endpointslice import EndpointSlice
from tortie.model.policy import Action, EntityRule, Profile, Rule, ServiceAccountMatch
from tortie.model.sets import GlobalNetworkSet, NetworkSet
from tortie.net import ICMP, TCP, UDP, Network, Port
from tortie.testing.clusters import random_cluster
from tortie.testing.flows import random_flows
from tortie.verdict.endpoint import network_set, workload_endpoint
from tortie.verdict.match import mismatch
from tortie.verdict.packet import Traffic

CLUSTER = random_cluster(Random(3))
PROFILES = {item.metadata.name: item for item in CLUSTER.calico() if isinstance(item, Profile)}
SLICES = [item for item in CLUSTER.resources if isinstance(item, EndpointSlice)]
PEERS = (
    *(workload_endpoint(item, PROFILES) for item in CLUSTER.endpoints),
    *(network_set(item, PROFILES) for item in CLUSTER.resources if isinstance(item, NetworkSet | GlobalNetworkSet)),
)
TRAFFIC = tuple(Traffic.of(flow.packet, PEERS) for flow in random_flows(Random(4), CLUSTER, 60))

SELECTORS = [
    "",
    "all()",
    "has(app)",
    "has(app) && has(tier)",
    "has(tier) && has(app)",
    "has(app) || has(tier)",
    "!has(tier)",
]
NETS = [(), (Network.parse("0.0.0.0/0"),), (Network.parse("10.0.0.0/8"),), (Network.parse("::/0"),)]
ACCOUNTS = [
    None,
    ServiceAccountMatch(names=("reader",)),
    ServiceAccountMatch(names=("reader", "writer")),
    ServiceAccountMatch(selector="has(role)"),
    ServiceAccountMatch(names=("reader",), selector="has(role)"),
]
ENTITIES = st.builds(
    EntityRule,
    nets=st.sampled_from(NETS),
    not_nets=st.sampled_from(NETS[:2]),
    selector=st.sampled_from(SELECTORS),
    not_selector=st.sampled_from(["", "has(env)"]),
    namespace_selector=st.sampled_from(["", "all()", "has(team)"]),
    service_accounts=st.sampled_from(ACCOUNTS),
    ports=st.sampled_from([(), (Port(80),), (Port(1, 65535),)]),
)
RULES = st.builds(
    Rule,
    action=st.just(Action.DENY),
    ip_version=st.sampled_from([None, 4, 6]),
    protocol=st.sampled_from([None, TCP, UDP, ICMP]),
    source=ENTITIES,
    destination=st.one_of(st.just(EntityRule()), ENTITIES),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(RULES, min_size=2, max_size=12), st.sampled_from(["", "ns-a"]))
def test_no_packet_of_a_covered_rule_passes_the_covering_one(rules: list[Rule], namespace: str) -> None:
    matched = [
        {index for index, traffic in enumerate(TRAFFIC) if not mismatch(rule, traffic, namespace, SLICES)}
        for rule in rules
    ]
    for (wide, of_wide), (narrow, of_narrow) in itertools.permutations(zip(rules, matched, strict=True), 2):
        if covers(wide, narrow):
            assert of_narrow <= of_wide


@pytest.mark.parametrize(
    ("wide", "narrow"),
    [
        pytest.param(
            EntityRule(selector="a == 'x'"), EntityRule(selector='b == "y" && a=="x"'), id="part of a selector"
        ),
        pytest.param(EntityRule(selector="all()"), EntityRule(selector="has(a)"), id="every endpoint before some"),
        pytest.param(
            EntityRule(service_accounts=ServiceAccountMatch(names=("a", "b"))),
            EntityRule(service_accounts=ServiceAccountMatch(names=("b",)), selector="has(a)"),
            id="more accounts",
        ),
    ],
)
def test_a_selector_covers_what_asks_for_more(wide: EntityRule, narrow: EntityRule) -> None:
    rules = [Rule(action=Action.DENY, source=entity) for entity in (wide, narrow)]
    assert covers(*rules)
    assert not covers(*reversed(rules))


@pytest.mark.parametrize(
    "narrow",
    [
        Rule(action=Action.DENY, source=EntityRule(nets=NETS[2])),
        Rule(action=Action.DENY, destination=EntityRule(not_nets=NETS[2])),
        Rule(action=Action.DENY, protocol=ICMP),
    ],
    ids=["a network", "a network that is left out", "ICMP"],
)
def test_what_can_only_be_of_one_ip_version_is_covered_by_it(narrow: Rule) -> None:
    assert covers(Rule(action=Action.DENY, ip_version=4), narrow)
    assert not covers(Rule(action=Action.DENY, ip_version=6), narrow)
