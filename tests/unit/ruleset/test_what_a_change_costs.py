"""A flush costs what was changed, and says so delta by delta."""

import pytest

from tortie.calc.hoststate import (
    EndpointId,
    HostPolicy,
    HostProfile,
    HostRule,
    HostStateDelta,
    HostWorkloadEndpoint,
    IPSetDelta,
    IPSetId,
    IPSetUpdate,
    PeerMatch,
    PolicyId,
    PolicyUpdate,
    ProfileUpdate,
    TierPolicies,
    WorkloadEndpointRemove,
    WorkloadEndpointUpdate,
)
from tortie.model.policy import Action
from tortie.net import TCP, Address, Network, Protocol
from tortie.ruleset import Compiler, Options, Ruleset, apply_flush, initial
from tortie.ruleset.compiler import split_members
from tortie.ruleset.marks import PASS, lacks_bit
from tortie.ruleset.values import (
    Accept,
    ChainDelete,
    ChainReplace,
    Drop,
    Flush,
    Jump,
    MapDelta,
    Return,
    SetCreate,
    SetDelete,
    SetDelta,
)

SET = IPSetId("s:peers")
P, Q = PolicyId("NetworkPolicy", "ns", "p"), PolicyId("NetworkPolicy", "ns", "q")
FROM_SET = HostRule(action=Action.ALLOW, source=PeerMatch(sets=(SET,)))
DENY = HostRule(action=Action.DENY)
PASS_RULE = HostRule(action=Action.PASS, protocol=TCP)


def address(text: str) -> Network:
    return Address.parse(text).network()


def endpoint(
    ifname: str, *ids: PolicyId, profiles=("kns.ns",), default="Deny", namespace="ns"
) -> WorkloadEndpointUpdate:
    tiers = (TierPolicies(name="default", default_action=default, ingress=ids, egress=()),) if ids else ()
    return WorkloadEndpointUpdate(
        id=EndpointId(namespace, ifname), endpoint=HostWorkloadEndpoint(ifname=ifname, tiers=tiers, profiles=profiles)
    )


def update(policy_id: PolicyId, *rules: HostRule) -> PolicyUpdate:
    return PolicyUpdate(id=policy_id, policy=HostPolicy(tier="default", ingress=rules))


class Host:
    """A compiler with the ruleset that its flushes make."""

    def __init__(self, *deltas: HostStateDelta) -> None:
        self.compiler = Compiler()
        self.ruleset = apply_flush(Ruleset(), initial(Options()))
        allow = HostProfile(ingress=(HostRule(action=Action.ALLOW),), egress=(HostRule(action=Action.ALLOW),))
        self.flush(ProfileUpdate(name="kns.ns", profile=allow), *deltas)

    def flush(self, *deltas: HostStateDelta) -> Flush:
        for delta in deltas:
            self.compiler.update(delta)
        flush = self.compiler.flush()
        self.ruleset = apply_flush(self.ruleset, flush)
        return flush

    def class_of(self, ifname: str, map_name: str = "wl-to") -> str:
        return self.ruleset.maps[map_name][ifname]


@pytest.fixture
def host() -> Host:
    members = frozenset({address("10.0.0.1"), address("fd00::1")})
    return Host(
        IPSetUpdate(id=SET, members=members),
        update(P, FROM_SET),
        update(Q, DENY),
        endpoint("cali1", P),
        endpoint("cali2", P, Q),
    )


def test_a_member_is_one_set_delta(host):
    flush = host.flush(
        IPSetDelta(id=SET, added=frozenset({address("10.0.0.2")}), removed=frozenset({address("10.0.0.1")}))
    )
    added, removed = frozenset({Address.parse("10.0.0.2")}), frozenset({Address.parse("10.0.0.1")})
    assert flush == Flush((), (SetDelta("s4-peers", added, removed),), ())


def test_a_policys_rules_are_one_chain(host):
    flush = host.flush(update(P, FROM_SET, DENY))
    (replaced,) = flush.switch
    assert isinstance(replaced, ChainReplace)
    assert replaced.name == "gi-ns/p"
    assert (flush.create, flush.delete) == ((), ())


def test_an_endpoint_of_a_known_class_is_one_map_entry_a_direction(host):
    flush = host.flush(endpoint("cali3", P))
    assert flush.create == flush.delete == ()
    assert flush.switch == (
        MapDelta("wl-to", set=(("cali3", host.class_of("cali1")),)),
        MapDelta("wl-from", set=(("cali3", host.class_of("cali1", "wl-from")),)),
    )


def test_an_endpoint_of_a_new_class_brings_its_chain_first(host):
    flush = host.flush(endpoint("cali3", Q))
    (created,) = flush.create
    assert isinstance(created, ChainReplace)
    assert created.name == host.class_of("cali3")
    assert all(isinstance(delta, MapDelta) for delta in flush.switch)


def test_endpoints_of_the_same_rules_share_a_class_whatever_their_profiles_are_called(host):
    allow = HostProfile(ingress=(HostRule(action=Action.ALLOW),), egress=(HostRule(action=Action.ALLOW),))
    host.flush(ProfileUpdate(name="kns.other", profile=allow), endpoint("cali3", P, profiles=("kns.other",)))
    assert host.class_of("cali3") == host.class_of("cali1")


def test_the_last_endpoint_of_a_class_takes_its_chains_along(host):
    gone = host.class_of("cali2")
    flush = host.flush(WorkloadEndpointRemove(id=EndpointId("ns", "cali2")))
    assert flush.switch == (MapDelta("wl-to", removed=("cali2",)), MapDelta("wl-from", removed=("cali2",)))
    assert flush.delete == (ChainDelete(gone), ChainDelete("gi-ns/q"))


def test_a_class_keeps_its_name_while_its_members_change_together(host):
    host.flush(endpoint("cali3", P))
    before = host.class_of("cali1")
    flush = host.flush(endpoint("cali1", Q), endpoint("cali3", Q))
    assert host.class_of("cali1") == host.class_of("cali3") == before
    assert [type(delta) for delta in flush.switch] == [ChainReplace]


def test_a_class_that_splits_moves_only_who_leaves(host):
    host.flush(endpoint("cali3", P))
    before = host.class_of("cali1")
    host.flush(endpoint("cali3", Q, P))
    assert host.class_of("cali1") == before != host.class_of("cali3")


def test_classes_that_become_one_leave_one_chain(host):
    host.flush(endpoint("cali1", Q), endpoint("cali2", Q))
    assert host.class_of("cali1") == host.class_of("cali2")
    assert sum(name.startswith("ei-") for name in host.ruleset.chains) == 1


def test_two_classes_can_exchange_their_contents(host):
    one, other = host.class_of("cali1"), host.class_of("cali2")
    flush = host.flush(endpoint("cali1", P, Q), endpoint("cali2", P))
    assert (host.class_of("cali1"), host.class_of("cali2")) == (one, other)
    assert {delta.name for delta in flush.switch if isinstance(delta, ChainReplace)} == {one, other}


def test_a_name_is_not_given_again_while_its_chain_stands(host):
    first = host.class_of("cali1")
    host.flush(endpoint("cali1", Q))
    # What the class was called after is wanted again, by another endpoint, while the class still has the name.
    host.flush(endpoint("cali3", P))
    assert host.class_of("cali1") == first
    assert host.class_of("cali3").startswith(first)
    assert host.class_of("cali3") != first


@pytest.mark.parametrize(
    "last_change",
    [WorkloadEndpointRemove(id=EndpointId("ns", "cali1")), endpoint("cali1", P, Q)],
    ids=["its last member goes", "its members join another class"],
)
def test_not_even_by_the_flush_that_deletes_it(host, last_change):
    first = host.class_of("cali1")
    host.flush(endpoint("cali1", Q))
    flush = host.flush(last_change, endpoint("cali3", P))
    assert ChainDelete(first) in flush.delete
    assert host.class_of("cali3") != first


def test_a_class_keeps_its_name_also_while_a_member_leaves(host):
    host.flush(endpoint("cali3", P))
    before = host.class_of("cali1")
    host.flush(WorkloadEndpointRemove(id=EndpointId("ns", "cali3")), endpoint("cali1", Q))
    assert host.class_of("cali1") == before


def test_a_first_network_makes_another_set_and_the_last_one_gone_restores_it(host):
    flush = host.flush(IPSetDelta(id=SET, added=frozenset({Network.parse("10.9.0.0/16")})))
    (created,) = flush.create
    assert isinstance(created, SetCreate)
    assert created.declaration.name == "s4n-peers"
    assert created.elements == {address("10.0.0.1"), Network.parse("10.9.0.0/16")}
    assert [delta.name for delta in flush.switch if isinstance(delta, ChainReplace)] == ["gi-ns/p"]
    assert flush.delete == (SetDelete("s4-peers"),)
    host.flush(IPSetDelta(id=SET, removed=frozenset({Network.parse("10.9.0.0/16")})))
    assert set(host.ruleset.sets) == {"s4-peers", "s6-peers"}


def test_a_network_within_another_is_not_in_the_kernels_set(host):
    host.flush(IPSetDelta(id=SET, added=frozenset({Network.parse("10.0.0.0/8")})))
    assert host.ruleset.sets["s4n-peers"].elements == {Network.parse("10.0.0.0/8")}
    flush = host.flush(IPSetDelta(id=SET, added=frozenset({Network.parse("10.3.0.0/16")})))
    assert flush == Flush((), (), ())


def test_a_profiles_set_is_followed_into_the_classes(host):
    used = HostProfile(ingress=(FROM_SET,), egress=())
    host.flush(ProfileUpdate(name="kns.ns", profile=used), endpoint("cali3"))
    flush = host.flush(IPSetDelta(id=SET, added=frozenset({Network.parse("10.9.0.0/16")})))
    replaced = {delta.name for delta in flush.switch if isinstance(delta, ChainReplace)}
    assert replaced == {"gi-ns/p", host.class_of("cali3")}


def test_a_small_change_of_members_is_part_of_the_switch_and_a_large_one_is_around_it():
    delta = SetDelta("s4-a", frozenset({Address.parse("10.0.0.1")}), frozenset({Address.parse("10.0.0.2")}))
    assert split_members([delta], limit=2) == ([], [delta], [])
    assert split_members([delta], limit=1) == (
        [SetDelta("s4-a", added=delta.added)],
        [],
        [SetDelta("s4-a", removed=delta.removed)],
    )


def test_of_two_endpoints_on_one_interface_the_lower_id_has_it_until_it_goes(host):
    p_class, q_class = host.class_of("cali1"), host.class_of("cali2")
    again = endpoint("cali1", P, Q, namespace="zz")
    assert host.flush(again) == Flush((), (), ())
    host.flush(WorkloadEndpointRemove(id=EndpointId("ns", "cali1")))
    assert host.class_of("cali1") == q_class != p_class


# --- bodies of chains -----------------------------------------------------------------------------------------------------------


def bodies(host: Host, ifname: str) -> list:
    """(matches, statements) of the class's chain, without the rule for invalid packets."""
    rules = host.ruleset.chains[host.class_of(ifname)].rules
    return [(rule.matches, rule.statements) for rule in rules[1:]]


def test_a_tier_without_pass_pays_nothing_for_it(host):
    assert bodies(host, "cali2") == [((), (Jump("gi-ns/p"),)), ((), (Jump("gi-ns/q"),)), ((), (Drop(),))]


def test_what_no_packet_can_reach_is_left_out(host):
    comments = [rule.comment for rule in host.ruleset.chains[host.class_of("cali1")].rules]
    assert comments == ["invalid", "", "tier default: Deny"]


def test_after_a_policy_that_can_pass_the_rest_of_the_tier_is_skipped_if_it_did(host):
    host.flush(update(P, PASS_RULE))
    clear, first, second, default, profiles = bodies(host, "cali2")
    assert clear[0] == ()
    assert first == ((), (Jump("gi-ns/p"),))
    assert second == ((lacks_bit(PASS),), (Jump("gi-ns/q"),))
    assert default == ((lacks_bit(PASS),), (Drop(),))
    assert profiles == ((), (Accept(),))


def test_a_policy_that_begins_to_pass_changes_the_classes_that_use_it(host):
    flush = host.flush(update(Q, PASS_RULE))
    assert {delta.name for delta in flush.switch} == {"gi-ns/q", host.class_of("cali2")}


def test_a_default_of_pass_drops_nothing():
    host = Host(update(Q, PASS_RULE), endpoint("cali1", Q, default="Pass"))
    assert [statements for _, statements in bodies(host, "cali1")][1:] == [(Jump("gi-ns/q"),), (Accept(),)]


def test_staged_policies_are_never_compiled(host):
    staged = HostPolicy(tier="default", ingress=(DENY,), staged=True)
    flush = host.flush(PolicyUpdate(id=Q, policy=staged), PolicyUpdate(id=P, policy=staged))
    assert not [name for name in host.ruleset.chains if name.startswith("gi-")]
    assert host.class_of("cali1") == host.class_of("cali2")
    assert bodies(host, "cali1") == [((), (Accept(),))]
    assert flush.delete


def test_rules_of_profiles_stop_at_the_first_that_decides_all_and_pass_drops_there():
    everything = {"ingress": (HostRule(action=Action.LOG), PASS_RULE, DENY, FROM_SET), "egress": ()}
    host = Host(ProfileUpdate(name="p", profile=HostProfile(**everything)), endpoint("cali1", profiles=("p",)))
    kinds = [type(statements[-1]).__name__ for _, statements in bodies(host, "cali1")]
    assert kinds == ["LogPacket", "Drop", "Drop"]


def test_a_pass_rule_sets_the_bit_and_returns():
    host = Host(update(P, PASS_RULE), endpoint("cali1", P))
    (rule,) = host.ruleset.chains["gi-ns/p"].rules
    assert isinstance(rule.statements[-1], Return)
    assert rule.statements[0].set == PASS


def test_rules_name_their_policy_and_index(host):
    host.flush(update(P, DENY, FROM_SET))
    assert [rule.comment for rule in host.ruleset.chains["gi-ns/p"].rules] == [
        "ns/p ingress 0",
        "ns/p ingress 1",
        "ns/p ingress 1",
    ]


def test_a_workload_cannot_speak_the_tunnels_protocols(host):
    rules = host.ruleset.chains[host.class_of("cali1", "wl-from")].rules
    assert [rule.comment for rule in rules[1:3]] == ["VXLAN from a workload", "IPIP from a workload"]
    assert rules[2].matches[0].protocol == Protocol(4)
