"""The oracle: in which order tiers, policies and profiles are asked, and what holds where none of them decides."""

import pytest
from verdict_hosts import ALLOW, DENY, LOG, PASS, with_spec

from tortie.model.policy import Action, Direction, EntityRule, Rule
from tortie.net import ICMP, ICMPV6, TCP, UDP, Address, Family, Port, Protocol
from tortie.testing.resources import (
    global_network_policy,
    namespace_profile,
    network_policy,
    pod_endpoint,
    profile,
    tier,
)
from tortie.verdict import Cause, Cluster, Flow

NEVER = Rule(action=Action.ALLOW, protocol=Protocol(99))
OUTSIDE = Address.parse("192.0.2.9")


def cluster(*resources, profiles=None, **endpoint):
    server = pod_endpoint("ns/server", "10.0.0.1", "fd00::1", **endpoint)
    if profiles is not None:
        server = with_spec(server, profiles=tuple(profiles))
    return Cluster.of([namespace_profile("ns", team="red"), server, *resources])


def ask(judge, protocol=TCP, direction=Direction.INGRESS, **more):
    server = judge.endpoint("ns/server").at(Family.V4)
    ends = (OUTSIDE, server) if direction is Direction.INGRESS else (server, OUTSIDE)
    return judge.judge(Flow(source=ends[0], destination=ends[1], protocol=protocol, **{"destination_port": 80, **more}))


def ingress(judge):
    return ask(judge).ingress


def policy(name, *rules, **more):
    return network_policy(f"ns/{name}", ingress=rules, **more)


# --- no policy, types ------------------------------------------------------------------------------------------------------


def test_without_policy_the_namespace_profile_allows():
    decision = ingress(cluster())
    assert (decision.allowed, decision.cause, decision.profile, decision.rule) == (
        True,
        Cause.PROFILE_RULE,
        "kns.ns",
        0,
    )


@pytest.mark.parametrize(
    ("more", "into", "out_of"),
    [
        ({}, False, True),
        ({"ingress": [ALLOW]}, True, True),
        ({"egress": [ALLOW]}, True, True),
        ({"egress": [DENY]}, True, False),
        ({"ingress": [ALLOW], "egress": [DENY]}, True, False),
        ({"types": [Direction.INGRESS, Direction.EGRESS]}, False, False),
        ({"types": [Direction.EGRESS], "ingress": [DENY], "egress": [ALLOW]}, True, True),
        ({"types": [Direction.EGRESS]}, True, False),
    ],
    ids=["no rules", "ingress", "egress", "egress only", "both", "both without rules", "left out", "only egress"],
)
def test_which_directions_a_policy_governs(more, into, out_of):
    judge = cluster(network_policy("ns/p", **more))
    assert ask(judge).allowed is into
    assert ask(judge, direction=Direction.EGRESS).allowed is out_of


# --- which endpoints -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("made", "governed"),
    [
        (network_policy("ns/p"), True),
        (network_policy("elsewhere/p"), False),
        (network_policy("ns/p", selector="app == 'web'"), True),
        (network_policy("ns/p", selector="app == 'db'"), False),
        (network_policy("ns/p", account_selector="role == 'reads'"), True),
        (network_policy("ns/p", account_selector="!has(role)"), False),
        (global_network_policy("p"), True),
        (global_network_policy("p", selector="app == 'db'"), False),
        (global_network_policy("p", namespace_selector="team == 'red'"), True),
        (global_network_policy("p", namespace_selector="team != 'red'"), False),
        (global_network_policy("p", selector="all()", namespace_selector="all()"), True),
        (global_network_policy("p", account_selector="has(role)"), True),
        (global_network_policy("p", account_selector="role == 'writes'"), False),
        (global_network_policy("p", untracked=True), False),
    ],
    ids=lambda value: None if isinstance(value, bool) else f"{value.metadata.name} {value.spec}",
)
def test_which_endpoints_a_policy_governs(made, governed):
    account = profile("ksa.ns.reader", labels={"pcsa.role": "reads"})
    judge = cluster(made, account, labels={"app": "web"}, account="reader")
    assert ask(judge).allowed is not governed


def test_beside_an_account_selector_all_means_those_with_an_account():
    def governed(**more):
        return not ask(cluster(global_network_policy("p", account_selector="!has(role)", **more))).allowed

    assert governed()
    assert not governed(selector="all()")


def test_an_endpoints_own_labels_win_over_its_profiles_and_the_first_profile_over_the_next():
    first = profile("first", labels={"a": "first", "b": "first"})
    second = profile("second", labels={"a": "second", "b": "second", "c": "second"})
    judge = cluster(first, second, profiles=["first", "second", "missing"], labels={"a": "own", "pcns.team": "blue"})
    labels = judge.endpoint("ns/server").labels
    assert {key: labels.get(key) for key in ("a", "b", "c", "pcns.team")} == {
        "a": "own",
        "b": "first",
        "c": "second",
        "pcns.team": None,
    }


# --- tiers -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ([tier("a", 1), tier("b", 2)], "b"),
        ([tier("b", 1), tier("a", 2)], "a"),
        ([tier("a", 5), tier("b", 5)], "b"),
        ([tier("a"), tier("b", 1_000_000)], "b"),
        ([tier("b", 1_000_000), tier("c", 999_999)], "b"),
        ([tier("z", 2_000_000)], "missing"),
    ],
    ids=["by order", "order before name", "ties by name", "no order is a million", "just before", "missing last"],
)
def test_tiers_are_asked_in_order(first, second):
    names = [made.metadata.name for made in first]
    early = next(name for name in names if name != second)
    judge = cluster(*first, policy("deny", DENY, in_tier=second), policy("allow", ALLOW, in_tier=early))
    decision = ingress(judge)
    assert (decision.allowed, decision.tier) == (True, early)


def test_a_missing_tier_is_enforced_and_denies():
    decision = ingress(cluster(policy("p", NEVER, in_tier="nowhere")))
    assert (decision.allowed, decision.cause, decision.tier) == (False, Cause.TIER_DEFAULT, "nowhere")


def test_an_empty_tier_name_is_the_default_tier():
    judge = cluster(
        tier("default", 10), tier("late", 20), policy("a", ALLOW, in_tier=""), policy("b", DENY, in_tier="late")
    )
    assert ingress(judge).tier == "default"  # fmt: skip


@pytest.mark.parametrize(
    ("default_action", "rule", "later", "allowed"),
    [
        ("Deny", NEVER, ALLOW, False),
        ("Pass", NEVER, ALLOW, True),
        ("Pass", NEVER, DENY, False),
        ("Deny", PASS, ALLOW, True),
        ("Deny", PASS, DENY, False),
        ("Deny", LOG, ALLOW, False),
        ("Deny", ALLOW, DENY, True),
        ("Pass", DENY, ALLOW, False),
    ],
)
def test_how_a_tier_ends(default_action, rule, later, allowed):
    tiers = tier("early", 1, default_action), tier("late", 2)
    judge = cluster(*tiers, policy("a", rule, in_tier="early"), policy("b", later, in_tier="late"))
    assert ask(judge).allowed is allowed


def test_a_tier_whose_policies_govern_others_is_no_barrier():
    assert ask(cluster(tier("early", 1), policy("p", DENY, in_tier="early", selector="has(other)"))).allowed


@pytest.mark.parametrize("last", ["rule", "default"])
def test_pass_out_of_the_last_tier_goes_on_to_the_profiles(last):
    rule = PASS if last == "rule" else NEVER
    decision = ingress(cluster(tier("t", 1, "Pass"), policy("p", rule, in_tier="t")))
    assert (decision.allowed, decision.cause) == (True, Cause.PROFILE_RULE)


def test_pass_skips_the_rest_of_its_tier():
    judge = cluster(tier("t", 1), policy("a", PASS, in_tier="t"), policy("b", DENY, in_tier="t"))
    assert ask(judge).allowed


# --- policies of a tier ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        (policy("z", ALLOW, order=1), policy("a", DENY, order=2)),
        (policy("z", ALLOW, order=1), policy("a", DENY)),
        (policy("z", ALLOW, order=-0.5), policy("a", DENY, order=0)),
        (policy("a10", ALLOW), policy("a9", DENY)),
        (policy("allow-dns", ALLOW), policy("allow", DENY)),
        (policy("allow.x", ALLOW), policy("allow", DENY)),
        (policy("b", ALLOW), policy("default.a", DENY)),
        (global_network_policy("same", ingress=[ALLOW]), policy("same", DENY)),
    ],
    ids=[
        "order",
        "no order last",
        "negative",
        "bytes",
        "dash first",
        "dot first",
        "no prefix stripped",
        "global first",
    ],
)
def test_policies_are_asked_in_order(earlier, later):
    decision = ingress(cluster(later, earlier))
    assert (decision.allowed, decision.policy.name) == (True, earlier.metadata.name)


def test_the_first_rule_that_matches_decides_and_the_trace_tells_all_before_it():
    other_port = Rule(action=Action.DENY, protocol=TCP, destination=EntityRule(ports=(Port(81),)))
    decision = ingress(cluster(tier("default", 10), policy("a", NEVER), policy("b", LOG, other_port, ALLOW, DENY)))
    assert (decision.tier, str(decision.policy), decision.rule) == ("default", "NetworkPolicy ns/b", 2)
    assert list(decision.lines()) == [
        "tier default",
        "  NetworkPolicy ns/a",
        "    rule 0 Allow: the protocol is TCP, not 99",
        "  NetworkPolicy ns/b",
        "    rule 0 Log: matches",
        "    rule 1 Deny: destination port 80 is none of the ports",
        "    rule 2 Allow: matches",
        "  Allow",
        "Ingress allowed: tier default, NetworkPolicy ns/b, ingress rule 2",
    ]


def test_performance_hints_change_no_verdict():
    used = with_spec(policy("p", DENY), performance_hints=("AssumeNeededOnEveryNode",))
    assert ask(cluster(with_spec(used, selector="app == 'nobody'"))).allowed
    assert not ask(cluster(used)).allowed


def test_a_tier_comes_after_kube_baseline_if_it_is_missing():
    baseline = tier("kube-baseline", 10_000_000, "Pass")
    judge = cluster(baseline, policy("a", DENY, in_tier="nowhere"), policy("b", ALLOW, in_tier="kube-baseline"))
    assert ingress(judge).tier == "kube-baseline"


# --- profiles --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("profiles", "allowed", "cause"),
    [
        ([], False, Cause.NO_PROFILE_RULE),
        (["silent"], False, Cause.NO_PROFILE_RULE),
        (["silent", "open"], True, Cause.PROFILE_RULE),
        (["closed", "open"], False, Cause.PROFILE_RULE),
        (["passing", "open"], False, Cause.PROFILE_RULE),
        (["logging", "open"], True, Cause.PROFILE_RULE),
        (["missing"], False, Cause.MISSING_PROFILE),
        (["missing", "open"], False, Cause.MISSING_PROFILE),
        (["open", "missing"], True, Cause.PROFILE_RULE),
    ],
    ids=lambda value: "+".join(value) or "none" if isinstance(value, list) else None,
)
def test_profiles_decide_where_no_policy_does(profiles, allowed, cause):
    rules = {"silent": [], "open": [ALLOW], "closed": [DENY], "passing": [PASS], "logging": [LOG]}
    made = [profile(name, ingress=listed) for name, listed in rules.items()]
    decision = ingress(cluster(*made, profiles=profiles))
    assert (decision.allowed, decision.cause) == (allowed, cause)


def test_a_profiles_rule_is_in_no_namespace():
    rule = Rule(action=Action.ALLOW, source=EntityRule(not_selector="all()"))
    assert ask(cluster(profile("p", ingress=[rule]), profiles=["p"])).allowed


@pytest.mark.parametrize(
    ("made", "profiles", "lines"),
    [
        (
            [profile("closed", ingress=[NEVER])],
            ["closed", "missing"],
            [
                "profile closed",
                "  rule 0 Allow: the protocol is TCP, not 99",
                "profile missing does not exist",
                "Ingress denied: profile missing does not exist",
            ],
        ),
        (
            [profile("open", ingress=[Rule(action=Action.DENY, not_protocol=TCP), ALLOW])],
            ["open"],
            [
                "profile open",
                "  rule 0 Deny: the protocol is TCP",
                "  rule 1 Allow: matches",
                "Ingress allowed: profile open, ingress rule 1",
            ],
        ),
        ([], [], ["Ingress denied: no profile has a rule that matches"]),
        (
            [tier("t", 1), policy("p", in_tier="t")],
            [],
            [
                "tier t",
                "  NetworkPolicy ns/p",
                "  Deny by default",
                "Ingress denied: the default action of tier t",
            ],
        ),
    ],
    ids=["missing profile", "profile rule", "no profile", "tier default"],
)
def test_every_end_is_told_in_words(made, profiles, lines):
    assert list(ingress(cluster(*made, profiles=profiles)).lines()) == lines


# --- both ends, and what policy never sees -----------------------------------------------------------------------------------


def two_workloads(*resources):
    judge = cluster(pod_endpoint("ns/client", "10.0.0.2", labels={"app": "client"}), *resources)
    source, destination = (judge.endpoint(f"ns/{name}").at(Family.V4) for name in ("client", "server"))
    return judge.judge(Flow(source=source, destination=destination, protocol=TCP, destination_port=80))


def test_both_ends_must_allow():
    closed_out = network_policy("ns/out", selector="app == 'client'", egress=[DENY])
    closed_in = network_policy("ns/in", selector="!has(app)", ingress=[DENY])
    assert two_workloads().allowed
    denied_out, denied_in = two_workloads(closed_out), two_workloads(closed_in)
    assert (denied_out.egress.allowed, denied_out.ingress.allowed, denied_out.allowed) == (False, True, False)
    assert (denied_in.egress.allowed, denied_in.ingress.allowed, denied_in.allowed) == (True, False, False)
    assert denied_out.reason == "egress: tier default, NetworkPolicy ns/out, egress rule 0"


def test_an_address_outside_has_no_policy():
    verdict = ask(cluster(global_network_policy("p", egress=[DENY])))
    assert verdict.allowed
    assert verdict.egress is None


def test_a_workload_reaches_itself_whatever_policy_says():
    judge = cluster(global_network_policy("p", types=list(Direction)))
    server = judge.endpoint("ns/server").at(Family.V4)
    verdict = judge.judge(Flow(source=server, destination=server, protocol=TCP, destination_port=80))
    assert (verdict.allowed, verdict.ingress, verdict.egress) == (True, None, None)


@pytest.mark.parametrize(
    ("protocol", "port", "out_of", "into"),
    [(Protocol(4), None, False, True), (UDP, 4789, False, True), (UDP, 4788, True, True), (TCP, 4789, True, True)],
    ids=["ipip", "vxlan", "another port", "another protocol"],
)
def test_a_workload_may_not_send_tunnelled_packets(protocol, port, out_of, into):
    judge = cluster()
    assert ask(judge, protocol, Direction.EGRESS, destination_port=port).allowed is out_of
    assert ask(judge, protocol, destination_port=port).allowed is into


@pytest.mark.parametrize(("icmp_type", "allowed"), [(8, True), (13, True), (0, False), (3, False), (5, False)])
def test_icmp_that_begins_no_flow_is_dropped_before_policy(icmp_type, allowed):
    assert ask(cluster(), ICMP, destination_port=None, icmp_type=icmp_type).allowed is allowed


@pytest.mark.parametrize(("icmp_type", "allowed"), [(128, True), (135, True), (1, False), (129, False)])
def test_icmpv6_that_begins_no_flow_is_dropped_before_policy(icmp_type, allowed):
    judge = cluster()
    flow = Flow(
        source=Address.parse("2001:db8::9"),
        destination=judge.endpoint("ns/server").at(Family.V6),
        protocol=ICMPV6,
        icmp_type=icmp_type,
    )
    assert judge.judge(flow).allowed is allowed


# --- asking ------------------------------------------------------------------------------------------------------------------


def test_an_endpoint_is_found_by_workload_and_by_name():
    judge = cluster()
    assert judge.endpoint("ns/server") == judge.endpoint("ns/host--1-k8s-server-eth0")
    with pytest.raises(LookupError, match="no workload endpoints are called 'ns/nobody'"):
        judge.endpoint("ns/nobody")


def test_a_flow_of_two_families_is_refused():
    with pytest.raises(ValueError, match="not of one IP version"):
        Flow(source=OUTSIDE, destination=Address.parse("fd00::1"), protocol=TCP)


def test_a_flow_is_printed_with_what_it_has():
    server = cluster().endpoint("ns/server").at(Family.V4)
    assert str(Flow(source=OUTSIDE, destination=server, protocol=TCP, destination_port=80)) == (
        "192.0.2.9 → ns/host--1-k8s-server-eth0 (10.0.0.1) TCP port 80"
    )
    assert str(Flow(source=OUTSIDE, destination=OUTSIDE, protocol=ICMP)).endswith("ICMP type 8 code 0")


def test_an_end_that_is_not_there_is_refused():
    gone = Cluster.of([pod_endpoint("ns/gone", "10.0.0.9")]).endpoint("ns/gone").at(Family.V4)
    with pytest.raises(LookupError, match="is no endpoint of this cluster"):
        cluster().judge(Flow(source=gone, destination=OUTSIDE, protocol=TCP))
    with pytest.raises(LookupError, match="has no IPv6 address"):
        Cluster.of([pod_endpoint("ns/gone", "10.0.0.9")]).endpoint("ns/gone").at(Family.V6)
