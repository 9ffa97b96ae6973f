"""What assertions mean: for whom, at which packets, and what is told when they do not hold."""

from __future__ import annotations

import pytest
from shop_cluster import POLICY, allow, cluster, deny

from tortie.analysis.assertions import Located, Outcome, broken, judge
from tortie.analysis.assertions.oracle import Oracle
from tortie.conversion import interface_name
from tortie.verdict import Cluster

OTHER = POLICY.replace("role: web", "role: job")


def outcome(test: Located, *texts: str) -> Outcome:
    (found,) = judge(cluster(*(texts or (POLICY,))), [test])
    return found


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        (allow("web", "db", "tcp/5432"), True),
        (allow("shop/web", "shop/db", "tcp/5432", within="ops"), True),
        (allow("web", "db", "tcp/5432", within=""), True),
        (allow("web", "db", "tcp"), False),
        (allow("web", "db"), False),
        (allow("web", "db", "tcp/5431-5433"), False),
        (deny("web", "db", "tcp/5431"), True),
        (deny("web", "db", "udp", "icmp", "47"), True),
        (deny("web", "db"), False),
        (deny("ops/*", "db"), True),
        (deny("*/*", "db"), False),
        (deny("j*", "shop/db", within="ops"), True),
        (allow(("web", "203.0.113.0/25"), "db", "tcp/5432"), True),
        (allow("203.0.113.0/24", "db", "tcp/5432"), False),
        (deny("203.0.113.128/25", "db"), True),
        (deny("203.0.113.0/24", "db"), False),
        (allow("10.0.0.1", "10.0.0.2", "tcp/5432"), True),
        (deny("10.0.0.2/31", "db"), True),
        (allow("web", "service:data", "tcp/80"), True),
        (allow("web", "data", "tcp/80"), True),
        (deny("job", "data", within=""), True),
        (allow("host:two", "db"), True),
        (deny("host:one", "db"), True),
        (deny("host:*", "db"), True),
        (allow("web", "1.1.1.1"), True),
        (allow("job", "web", "icmp", "tcp", within=""), True),
    ],
    ids=lambda value: value.sentence if isinstance(value, Located) else "",
)
def test_all_of_it_must_be_so(test: Located, expected: bool) -> None:
    found = outcome(test)
    assert (found.error, found.passed) == ("", expected)


@pytest.mark.parametrize(
    ("test", "error"),
    [
        (deny("wbe", "db"), "did you mean shop/web?"),
        (deny("x-*", "db"), "no pod, other workload or host is called as the pattern 'shop/x-*' says"),
        (deny("web", "web"), "shop/web is both ends, and a workload always reaches itself"),
        (deny("web", "shop/one-k8s-web-eth0"), "shop/web is both ends, and a workload always reaches itself"),
        (deny("1.1.1.1", "2.2.2.2"), "neither 1.1.1.1 nor 2.2.2.2 is of this cluster"),
        (deny("web", "fd00::1"), "have no IP version in common"),
        (deny("web", "db", "icmpv6"), "have no IP version in common in which such packets can be sent"),
        (allow("web", "data", "tcp/5432"), "service shop/data has no port tcp/5432 at shop/db; its ports: TCP 80"),
    ],
    ids=lambda value: value.sentence if isinstance(value, Located) else "",
)
def test_what_cannot_be_asked_neither_holds_nor_fails(test: Located, error: str) -> None:
    found = outcome(test)
    assert error in found.error
    assert (found.passed, found.failing) == (False, 0)


def test_what_hosts_never_send_or_always_take_is_asked_only_if_it_is_named() -> None:
    assert outcome(allow("job", "web", within="")).passed, "of all packets IPIP, VXLAN and ICMP answers are not asked"
    assert outcome(allow("job", "web", "4", within="")).failing == 1


def test_a_pair_is_counted_for_every_two_names() -> None:
    found = outcome(deny(("*", "ops/*"), ("web", "db"), "tcp/5432"))
    assert (found.asked, found.failing) == (4, 3)
    pairs = {(example.source, example.destination) for example in found.counter_examples}
    assert pairs == {("shop/web", "shop/db"), ("shop/db", "shop/web"), ("ops/job", "shop/web")}


TWINS = "\n---\n".join(
    f"{{apiVersion: v1, kind: Pod, metadata: {{name: twin-{n}, namespace: twins}}, spec: {{nodeName: one, containers: []}}}}"
    for n in range(3)
)


def test_a_network_means_every_address_of_a_host_in_it() -> None:
    host = """
{apiVersion: projectcalico.org/v3, kind: Node, metadata: {name: three}, spec: {addresses: [{address: 192.0.2.6}, {address: 192.0.2.7}]}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db, namespace: shop}
spec: {podSelector: {matchLabels: {role: db}}, ingress: [{from: [{ipBlock: {cidr: 192.0.2.7/32}}]}]}
"""
    assert outcome(deny("192.0.2.6", "db"), host).passed
    assert not outcome(deny("192.0.2.6/31", "db"), host).passed


def test_of_workloads_that_policy_cannot_tell_apart_none_is_asked_about_itself() -> None:
    found = outcome(deny("*", "*", within="twins"), TWINS)
    assert (found.asked, found.failing, len(found.counter_examples)) == (6, 6, 3)
    assert all(example.source != example.destination for example in found.counter_examples)
    one = outcome(deny("twin-0", "twin-*", within="twins"), TWINS)
    assert (one.asked, one.failing) == (2, 2)


def test_a_host_always_takes_neighbour_discovery_which_no_test_means_by_everything() -> None:
    node = "{apiVersion: projectcalico.org/v3, kind: Node, metadata: {name: three}}"
    pod = TWINS.partition("---")[0].replace("nodeName: one", "nodeName: three")
    assert outcome(deny("twin-0", "host:three", within="twins"), node, pod).passed
    assert outcome(deny("twin-0", "host:three", "icmpv6/135", within="twins"), node, pod).failing == 1


def test_policies_of_whose_link_it_is_are_asked_and_what_others_send_over_it_is_lost() -> None:
    endpoint = """
apiVersion: projectcalico.org/v3
kind: WorkloadEndpoint
metadata: {name: two-k8s-late-eth0, namespace: shop, labels: {role: job}}
spec: {orchestrator: k8s, node: two, pod: late, endpoint: eth0, interfaceName: LINK, ipNetworks: [10.0.0.9/32], profiles: [kns.shop]}
"""
    alone, waiting = (endpoint.replace("LINK", link) for link in ("cali1", interface_name("shop", "db")))
    for test, holds_alone, holds_waiting in (
        (deny("job", "late", "tcp/80", within=""), False, True),
        (allow("late", "job", "tcp/80", within=""), True, False),
        (allow("web", "late", "tcp/5432"), True, True),
    ):
        assert outcome(test, POLICY, alone).passed is holds_alone
        assert outcome(test, POLICY, waiting).passed is holds_waiting


def test_a_counter_example_is_a_packet_that_the_oracle_was_asked_about() -> None:
    (example,) = outcome(allow("web", "db", "tcp/5432", "tcp/80", "udp/1")).counter_examples
    assert (example.source, example.destination) == ("shop/web", "shop/db")
    assert (example.packets, example.port) == (("TCP 80", "UDP 1"), "tcp/80")
    assert (example.verdict.allowed, example.verdict.flow.destination_port) == (False, 80)


def test_only_what_held_before_is_broken() -> None:
    before, after = cluster(POLICY), cluster(OTHER)
    lost, gained = allow("web", "db", "tcp/5432"), deny("ops/job", "db")
    tests = [lost, gained, allow("web", "db", "tcp/1"), deny("web", "db", "tcp/1"), deny("nobody", "db")]
    assert [outcome.located for outcome in broken(before, after, tests)] == [lost]
    assert [outcome.located for outcome in broken(after, before, [lost, deny("web", "db")])] == [
        tests[0]._replace(assertion=deny("web", "db").assertion)
    ]


def test_the_oracle_is_asked_the_same_of_fewer_endpoints() -> None:
    whole = Cluster.of(cluster(POLICY).values())
    (found,) = judge(cluster(POLICY), [deny("*/*", "*/*")])
    flows = [example.verdict.flow for example in found.counter_examples]
    assert [Oracle(whole).judge(flow) for flow in flows] == [whole.judge(flow) for flow in flows]
