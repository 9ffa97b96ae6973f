"""In which order the tiers and policies of an endpoint are asked."""

import pytest
from calc_resources import Host, endpoint, global_policy, policy, tier


def order_of(*resources) -> list[tuple[str, list[str]]]:
    host = Host(endpoint("w", "10.0.0.1"), *resources)
    (placed,) = host.state.workload_endpoints.values()
    return [(t.name, [policy_id.tie_break for policy_id in t.ingress]) for t in placed.tiers]


def tiers_in_order(*tiers) -> list[str]:
    policies = [global_policy(f"{t.metadata.name}.p", tier=t.metadata.name) for t in tiers]
    return [name for name, _ in order_of(*tiers, *policies)]


TIERS = {
    "by order": ([tier("b", 1), tier("a", 2)], ["b", "a"]),
    "equal orders by name": ([tier("b", 1), tier("a", 1)], ["a", "b"]),
    "without order as 1000000": (
        [tier("z"), tier("late", 1_000_001), tier("default", 1_000_000), tier("early", 999_999)],
        ["early", "default", "z", "late"],
    ),
}


@pytest.mark.parametrize(("tiers", "expected"), TIERS.values(), ids=TIERS)
def test_tiers_are_asked_in_order(tiers, expected):
    assert tiers_in_order(*tiers) == expected


def test_a_tier_that_does_not_exist_is_enforced_after_all_others_and_denies():
    host = Host(
        endpoint("w", "10.0.0.1"),
        tier("kube-baseline", 10_000_000, "Pass"),
        global_policy("kube-baseline.p", tier="kube-baseline"),
        global_policy("nowhere.p", tier="nowhere"),
    )
    (placed,) = host.state.workload_endpoints.values()
    assert [(t.name, t.default_action) for t in placed.tiers] == [("kube-baseline", "Pass"), ("nowhere", "Deny")]


POLICIES = {
    "by order, without order last": (
        [policy("a"), policy("b", order=2), policy("c", order=1.5)],
        ["c/ns/NetworkPolicy", "b/ns/NetworkPolicy", "a/ns/NetworkPolicy"],
    ),
    "ties by bytes: a10 before a9": ([policy("a9"), policy("a10")], ["a10/ns/NetworkPolicy", "a9/ns/NetworkPolicy"]),
    "ties by the whole text: allow-dns and allow.x before allow": (
        [policy("allow"), policy("allow.x"), policy("allow-dns")],
        ["allow-dns/ns/NetworkPolicy", "allow.x/ns/NetworkPolicy", "allow/ns/NetworkPolicy"],
    ),
    "of equal names the global one first": (
        [policy("a"), global_policy("a")],
        ["a//GlobalNetworkPolicy", "a/ns/NetworkPolicy"],
    ),
    "a prefix is not stripped": (
        [policy("default.b"), policy("c")],
        ["c/ns/NetworkPolicy", "default.b/ns/NetworkPolicy"],
    ),
}


@pytest.mark.parametrize(("policies", "expected"), POLICIES.values(), ids=POLICIES)
def test_policies_of_a_tier_are_asked_in_order(policies, expected):
    assert order_of(*policies) == [("default", expected)]


DIRECTIONS = {
    "listed": ({"types": ["Egress"], "ingress": [{"action": "Allow"}]}, (0, 1)),
    "no rules: ingress": ({}, (1, 0)),
    "ingress rules only": ({"ingress": [{"action": "Allow"}]}, (1, 0)),
    "egress rules only": ({"egress": [{"action": "Allow"}]}, (0, 1)),
    "both": ({"ingress": [{"action": "Allow"}], "egress": [{"action": "Allow"}]}, (1, 1)),
}


@pytest.mark.parametrize(("spec", "expected"), DIRECTIONS.values(), ids=DIRECTIONS)
def test_a_policy_governs_the_directions_of_its_types(spec, expected):
    host = Host(endpoint("w", "10.0.0.1"), policy("p", **spec))
    (placed,) = host.state.workload_endpoints.values()
    assert tuple(map(len, (placed.tiers[0].ingress, placed.tiers[0].egress))) == expected


def test_rules_of_a_direction_that_is_not_listed_are_left_out_with_their_sets():
    host = Host(
        endpoint("w", "10.0.0.1"),
        policy("p", types=["Egress"], ingress=[{"action": "Allow", "source": {"selector": "all()"}}]),
    )
    (enforced,) = host.state.policies.values()
    assert enforced.ingress == ()
    assert not host.state.ip_sets
