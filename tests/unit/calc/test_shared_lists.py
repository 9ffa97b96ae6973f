"""Endpoints that the same policies govern share one value, and a changed policy is one change for all of them."""

from random import Random

import pytest
from calc_resources import Host, endpoint, global_policy, host_endpoint, key_of, names, tier

from tortie.calc.hoststate import EndpointId, PolicyUpdate, TiersUpdate, WorkloadEndpointUpdate

ALIKE = [endpoint(f"w{number}", f"10.0.0.{number}", labels={"a": "x", "n": str(number)}) for number in range(1, 6)]
OTHER = endpoint("z", "10.0.1.1", labels={"a": "y"})
FOR_X, FOR_ALL = (global_policy(name, selector=selector) for name, selector in (("x", "a == 'x'"), ("all", "all()")))


def tiers_of(host: Host) -> dict[str, tuple]:
    return {endpoint_id.name: found.tiers for endpoint_id, found in host.state.workload_endpoints.items()}


def test_endpoints_of_the_same_policies_share_one_value():
    found = tiers_of(Host(FOR_X, FOR_ALL, *ALIKE, OTHER))
    assert len({id(tiers) for name, tiers in found.items() if name != "z"}) == 1
    assert (names(found["w1"]), names(found["z"])) == (["all", "x"], ["all"])


def test_a_policy_that_moves_is_one_delta_for_each_value():
    host = Host(FOR_X, FOR_ALL, *ALIKE, OTHER)
    deltas = host.put(global_policy("x", selector="a == 'x'", order=1))
    assert [type(delta) for delta in deltas] == [TiersUpdate]
    assert [i.name for i in deltas[0].endpoints] == ["w1", "w2", "w3", "w4", "w5"]
    assert names(deltas[0].tiers) == ["x", "all"]
    assert len({id(tiers) for name, tiers in tiers_of(host).items() if name != "z"}) == 1


def test_a_policy_whose_rules_alone_change_touches_no_endpoint():
    host = Host(FOR_X, *ALIKE)
    deltas = host.put(global_policy("x", selector="a == 'x'", ingress=[{"action": "Deny"}]))
    assert [type(delta) for delta in deltas] == [PolicyUpdate]


def test_a_tier_that_moves_is_one_delta_for_each_value():
    host = Host(tier("default", 1_000_000), tier("t", 1), global_policy("t.p", tier="t"), FOR_ALL, *ALIKE)
    (delta,) = host.put(tier("t", 2_000_000))
    assert isinstance(delta, TiersUpdate)
    assert names(delta.tiers) == ["all", "t.p"]
    assert host.put(tier("unused", 1)) == ()


def test_an_endpoint_that_leaves_a_group_and_comes_back_shares_again():
    host = Host(FOR_X, FOR_ALL, *ALIKE)
    (delta,) = host.put(endpoint("w1", "10.0.0.1", labels={"a": "y"}))
    assert (delta.endpoints, names(delta.tiers)) == ((EndpointId("ns", "w1"),), ["all"])
    host.put(ALIKE[0])
    assert len({id(tiers) for tiers in tiers_of(host).values()}) == 1


def test_a_selector_that_matches_a_part_splits_a_group_and_its_going_joins_it_again():
    host = Host(FOR_ALL, *ALIKE)
    part = global_policy("part", selector="n in {'1', '2'}")
    (_, delta) = host.put(part)
    assert [i.name for i in delta.endpoints] == ["w1", "w2"]
    assert len({id(tiers) for tiers in tiers_of(host).values()}) == 2
    host.remove(part)
    moved = global_policy("all", order=3)
    (delta,) = host.put(moved, endpoint("w6", "10.0.0.6"))[:1]
    assert isinstance(delta, WorkloadEndpointUpdate | TiersUpdate)
    assert len({id(tiers) for tiers in tiers_of(host).values()}) == 1


def test_a_policys_new_selector_takes_it_to_other_endpoints():
    host = Host(FOR_X, FOR_ALL, *ALIKE, OTHER)
    host.put(global_policy("x", selector="a == 'y'"))
    assert {name: names(tiers) for name, tiers in tiers_of(host).items()} == {
        **{f"w{number}": ["all"] for number in range(1, 6)},
        "z": ["all", "x"],
    }


@pytest.mark.parametrize("changed", [1, 5, 31, 33, 200], ids=lambda count: f"{count} at once")
def test_any_number_of_changes_at_once_leaves_the_list_in_order(changed):
    rng = Random(changed)

    def some(number: int):
        order = rng.choice((None, 1.0, 2.0, 3.0))
        types = rng.choice((["Ingress"], ["Egress"], ["Ingress", "Egress"]))
        selector = rng.choice(("all()", "all()", "a == 'x'", "n in {'1', '2'}", f"n == '{rng.randint(1, 5)}'"))
        spec = {"tier": rng.choice(("default", "t")), "types": types, "selector": selector}
        return global_policy(f"p{number}", **spec, **({"order": order} if order else {}))

    policies = {number: some(number) for number in range(200)}
    host = Host(host_endpoint("h", "192.0.2.1"), *ALIKE, *policies.values())
    for _ in range(4):
        for number in rng.sample(sorted(policies), changed):
            policies[number] = some(number)
        gone = rng.sample(sorted(policies), changed // 5)
        host.take(
            [
                *((key_of(policies[number]), None) for number in gone),
                *((key_of(p), p) for number, p in policies.items() if number not in gone),
            ]
        )
        expected = Host(host_endpoint("h", "192.0.2.1"), *ALIKE, *(p for n, p in policies.items() if n not in gone))
        assert host.state == expected.state
