"""A flush costs what was changed, and says so delta by delta."""

import pytest

from tortie.analysis.hostmodel import RulesetModel
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
    PortRange,
    ProfileUpdate,
    TierPolicies,
    TiersUpdate,
    WorkloadEndpointRemove,
    WorkloadEndpointUpdate,
)
from tortie.model.policy import Action
from tortie.net import TCP, Address, Network, Protocol
from tortie.ruleset import Options, canonical
from tortie.ruleset.flushing import split_members
from tortie.ruleset.group import GroupStage
from tortie.ruleset.kept import Kept
from tortie.ruleset.marks import lacks_bit
from tortie.ruleset.names import is_group_chain
from tortie.ruleset.options import Compilation
from tortie.ruleset.places import Place
from tortie.ruleset.values import (
    Accept,
    ChainDelete,
    ChainReplace,
    Drop,
    Flush,
    Jump,
    MapDelta,
    Return,
    Rule,
    SetCreate,
    SetDelete,
    SetDelta,
)

PASSED = Options().marks.passed
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


class Host(RulesetModel):
    """A compiler with the ruleset that its flushes make."""

    def __init__(self, *deltas: HostStateDelta, compilation: Compilation = Compilation.LINEAR) -> None:
        super().__init__(compilation)
        allow = HostProfile(ingress=(HostRule(action=Action.ALLOW),), egress=(HostRule(action=Action.ALLOW),))
        self.flush(ProfileUpdate(name="kns.ns", profile=allow), *deltas)

    def flush(self, *deltas: HostStateDelta) -> Flush:
        return self.take(deltas)

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
        MapDelta("wl-from", set=(("cali3", host.class_of("cali1", "wl-from")),)),
        MapDelta("wl-to", set=(("cali3", host.class_of("cali1")),)),
    )


def test_a_link_that_is_not_called_like_a_workloads_is_noted_as_one(host):
    flush = host.flush(endpoint("tap3", P))
    assert flush.switch[0] == SetDelta("wl", added=frozenset({"tap3"}))
    assert (
        SetDelta("wl", removed=frozenset({"tap3"}))
        in host.flush(WorkloadEndpointRemove(id=EndpointId("ns", "tap3"))).switch
    )


def test_an_endpoint_of_a_new_class_brings_its_chain_first(host):
    flush = host.flush(endpoint("cali3", Q))
    (created,) = flush.create
    assert isinstance(created, ChainReplace)
    assert created.name == host.class_of("cali3")
    assert [type(delta) for delta in flush.switch] == [MapDelta, MapDelta]


def test_endpoints_of_the_same_rules_share_a_class_whatever_their_profiles_are_called(host):
    allow = HostProfile(ingress=(HostRule(action=Action.ALLOW),), egress=(HostRule(action=Action.ALLOW),))
    host.flush(ProfileUpdate(name="kns.other", profile=allow), endpoint("cali3", P, profiles=("kns.other",)))
    assert host.class_of("cali3") == host.class_of("cali1")


def test_the_last_endpoint_of_a_class_takes_its_chains_along(host):
    gone = host.class_of("cali2")
    flush = host.flush(WorkloadEndpointRemove(id=EndpointId("ns", "cali2")))
    assert flush.switch == (
        MapDelta("wl-from", removed=("cali2",)),
        MapDelta("wl-to", removed=("cali2",)),
    )
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
    assert set(host.ruleset.sets) == {"wl", "s4-peers", "s6-peers"}


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
    assert second == ((lacks_bit(PASSED),), (Jump("gi-ns/q"),))
    assert default == ((lacks_bit(PASSED),), (Drop(),))
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
    assert rule.statements[0].set == PASSED


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


# --- groups -----------------------------------------------------------------------------------------------------------------


MANY = tuple(PolicyId("NetworkPolicy", "ns", f"p{number:05}") for number in range(10_000))


def tiers_of(*ids: PolicyId) -> tuple[TierPolicies, ...]:
    return (TierPolicies(name="default", default_action="Deny", ingress=ids, egress=()),)


def test_policies_that_the_same_classes_use_are_one_group(host):
    assert host.flush(endpoint("cali1", P, Q)).delete
    (jump, *_) = [rule.statements[0] for rule in host.ruleset.chains[host.class_of("cali1")].rules[1:]]
    assert isinstance(jump, Jump)
    assert is_group_chain(jump.chain)
    assert [rule.statements for rule in host.ruleset.chains[jump.chain].rules] == [
        (Jump("gi-ns/p"),),
        (Jump("gi-ns/q"),),
    ]


def test_classes_share_the_chains_of_their_groups(host):
    shared = {statement.chain for name in ("cali1", "cali2") for statement in jumps(host, name)}
    assert shared == {"gi-ns/p", "gi-ns/q"}, "what only one of them uses is a group of its own"


def jumps(host: Host, ifname: str) -> list[Jump]:
    rules = host.ruleset.chains[host.class_of(ifname)].rules
    return [statement for rule in rules for statement in rule.statements if isinstance(statement, Jump)]


def test_a_policy_that_joins_a_large_group_touches_the_group_and_nothing_else():
    group = Host(*(update(policy_id, DENY) for policy_id in MANY[:100]), endpoint("cali1", *MANY[:50], *MANY[51:100]))
    (chain,) = {jump.chain for jump in jumps(group, "cali1")}
    delta = TiersUpdate(endpoints=(EndpointId("ns", "cali1"),), tiers=tiers_of(*MANY[:100]))
    flush = group.flush(delta)
    assert [delta.name for delta in flush.create] == [f"gi-ns/{MANY[50].name}"]
    assert [delta.name for delta in flush.switch] == [chain]
    assert flush.delete == ()


@pytest.mark.parametrize("compilation", Compilation)
def test_a_change_of_one_policy_of_ten_thousand_changes_what_is_about_it(compilation):
    """Its cost in time is bench/ruleset.py's; here is what it says to do."""
    ports = [PeerMatch(ports=(PortRange(number, number),)) for number in range(1, 10_001)]
    rules = [HostRule(action=Action.ALLOW, protocol=TCP, destination=port) for port in ports]
    updates = [update(policy_id, rule) for policy_id, rule in zip(MANY, rules, strict=True)]
    big = Host(*updates, endpoint("cali1", *MANY), compilation=compilation)
    flush = big.flush(update(MANY[5000], FROM_SET), IPSetUpdate(id=SET, members=frozenset({address("10.0.0.1")})))
    assert sum(len(delta.rules) for step in flush for delta in step if isinstance(delta, ChainReplace)) < 100
    assert sum(map(len, flush)) < 20


def test_tiers_that_several_endpoints_share_are_one_update(host):
    host.flush(endpoint("cali3", P))
    before = host.class_of("cali1")
    both = (EndpointId("ns", "cali1"), EndpointId("ns", "cali3"))
    flush = host.flush(TiersUpdate(endpoints=both, tiers=tiers_of(Q)))
    assert [type(delta) for delta in flush.switch] == [ChainReplace]
    assert host.class_of("cali1") == host.class_of("cali3") == before


def test_what_an_earlier_run_has_called_something_is_called_so_again(host):
    host.flush(endpoint("cali2"), endpoint("cali1", P, Q))
    host.flush(endpoint("cali3", Q, P), endpoint("cali1", Q, P))  # class and group are called after what they were
    again = RulesetModel(Compilation.LINEAR)
    again.compiler.keep(Kept.of(host.ruleset))
    again.take(host.compiler.state())
    assert again.ruleset == host.ruleset


def test_names_of_an_earlier_run_that_do_not_fit_are_not_taken(host):
    again = RulesetModel(Compilation.LINEAR)
    again.compiler.keep(
        Kept({Place.WORKLOAD_INGRESS: {"cali1": "eo-other", "cali2": "gi-ns/p"}}, frozenset({"gi-x_aaaaaaaaaa"}))
    )
    again.take(host.compiler.state())
    assert canonical(again.ruleset) == canonical(host.ruleset)
    assert all(chain.startswith("ei-") for chain in again.ruleset.maps["wl-to"].values())


def test_a_policy_that_goes_from_group_to_group_is_not_compiled_again(monkeypatch: pytest.MonkeyPatch) -> None:
    ids = [PolicyId("NetworkPolicy", "ns", f"p{number}") for number in range(20)]
    host = Host(*(update(i, DENY) for i in ids), endpoint("cali1", *ids), endpoint("cali2", *ids))
    compiled: list[str] = []
    compile_it = GroupStage.compile

    def counted(stage: GroupStage, rule: HostRule, comment: str) -> list[Rule]:
        compiled.append(comment)
        return compile_it(stage, rule, comment)

    monkeypatch.setattr(GroupStage, "compile", counted)
    before = host.ruleset
    for left in (ids[:10] + ids[11:], ids):
        tiers = (TierPolicies(name="default", default_action="Deny", ingress=tuple(left)),)
        host.flush(TiersUpdate(endpoints=(EndpointId("ns", "cali2"),), tiers=tiers))
    assert not [text for text in compiled if text.startswith("ns/p")]
    assert canonical(host.ruleset) == canonical(before)
    host.flush(update(ids[3], PASS_RULE))
    assert len([text for text in compiled if text.startswith("ns/p3 ")]) == 1


def test_a_policy_that_left_and_came_back_before_the_flush_is_placed_once() -> None:
    """The list is the one that was arranged, and the policy in between must leave nothing."""
    ids = [PolicyId("NetworkPolicy", "ns", f"p{number}") for number in range(12)]
    host = Host(*(update(i, DENY) for i in ids), endpoint("cali1", *ids[:10]), compilation=Compilation.RUNS)
    before = host.ruleset
    host.compiler.update(endpoint("cali1", *ids[:11]))
    host.flush(endpoint("cali1", *ids[:10]))
    assert host.ruleset == before
    host.flush(endpoint("cali1", *ids[1:], ids[0]))
    straight = Host(*(update(i, DENY) for i in ids), endpoint("cali1", *ids[1:], ids[0]), compilation=Compilation.RUNS)
    assert canonical(host.ruleset) == canonical(straight.ruleset)
