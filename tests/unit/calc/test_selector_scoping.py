"""What a rule's peers and a policy's selectors mean, as one selector over endpoint labels."""

import pytest
from calc_resources import endpoint, global_policy, policy

from tortie.calc.peers import peer_of_workload
from tortie.calc.scoping import peer_selectors, policy_selector
from tortie.model.policy import EntityRule, ServiceAccountMatch
from tortie.selectors import SelectorError

NS = 'projectcalico.org/namespace == "ns"'
NAMESPACED = "has(projectcalico.org/namespace)"


def accounts(*names: str, selector: str = "") -> ServiceAccountMatch:
    return ServiceAccountMatch(names=names, selector=selector)


PEERS = {
    "nothing asked": (EntityRule(), "ns", None, None),
    "a selector means the policy's namespace": (EntityRule(selector="a == 'b'"), "ns", f'({NS} && a == "b")', None),
    "a selector in a global policy means everywhere": (EntityRule(selector="a == 'b'"), "", 'a == "b"', None),
    "a notSelector alone means the policy's namespace": (
        EntityRule(not_selector="has(a)"),
        "ns",
        f"({NS} && !has(a))",
        None,
    ),
    "a notSelector alone in a global policy stays negative": (EntityRule(not_selector="has(a)"), "", None, "has(a)"),
    "a notSelector beside a selector is folded in": (
        EntityRule(selector="has(b)", not_selector="has(a)"),
        "",
        "(has(b) && !has(a))",
        None,
    ),
    "a namespaceSelector replaces the policy's namespace": (
        EntityRule(namespace_selector="team == 'red'"),
        "ns",
        'pcns.team == "red"',
        None,
    ),
    "namespaceSelector and selector": (
        EntityRule(namespace_selector="team == 'red'", selector="has(a)"),
        "ns",
        '(pcns.team == "red" && has(a))',
        None,
    ),
    "namespaceSelector all() means namespaced things": (EntityRule(namespace_selector="all()"), "ns", NAMESPACED, None),
    "namespaceSelector global() means things without a namespace": (
        EntityRule(namespace_selector="global()"),
        "ns",
        f"!{NAMESPACED}",
        None,
    ),
    "service account names": (
        EntityRule(service_accounts=accounts("b", "a")),
        "",
        'projectcalico.org/serviceaccount in {"a", "b"}',
        None,
    ),
    "service accounts by selector and name, and a selector, in a namespace": (
        EntityRule(service_accounts=accounts("a", selector="role == 'x'"), selector="has(c)"),
        "ns",
        f'({NS} && ((pcsa.role == "x" && projectcalico.org/serviceaccount in {{"a"}}) && has(c)))',
        None,
    ),
    "empty service accounts ask nothing": (EntityRule(service_accounts=accounts()), "ns", None, None),
}


@pytest.mark.parametrize(("peer", "namespace", "positive", "negative"), PEERS.values(), ids=PEERS)
def test_peers_are_scoped(peer, namespace, positive, negative):
    selectors = peer_selectors(peer, namespace)
    assert (str(selectors.positive) if selectors.positive else None) == positive
    assert (str(selectors.negative) if selectors.negative else None) == negative


POLICIES = {
    "a policy's own namespace": (policy("p"), NS),
    "with a selector": (policy("p", selector="a == 'b' || has(c)"), f'((a == "b" || has(c)) && {NS})'),
    "with service accounts": (
        policy("p", serviceAccountSelector="role == 'x'"),
        f'({NS} && pcsa.role == "x")',
    ),
    "global": (global_policy("p"), "all()"),
    "global with a namespaceSelector": (
        global_policy("p", selector="has(a)", namespaceSelector="!has(b)"),
        "(has(a) && !has(pcns.b))",
    ),
    "all() beside a namespaceSelector means namespaced endpoints": (
        global_policy("p", selector="all()", namespaceSelector="has(b)"),
        f"({NAMESPACED} && has(pcns.b))",
    ),
    "all() beside a serviceAccountSelector means endpoints with an account": (
        global_policy("p", selector="all()", serviceAccountSelector="all()"),
        "(has(projectcalico.org/serviceaccount) && has(projectcalico.org/serviceaccount))",
    ),
}


@pytest.mark.parametrize(("written", "expected"), POLICIES.values(), ids=POLICIES)
def test_policies_are_scoped(written, expected):
    assert str(policy_selector(written)) == expected


def test_a_selector_that_cannot_be_read_is_an_error():
    with pytest.raises(SelectorError):
        peer_selectors(EntityRule(selector="a =="), "ns")


def test_labels_of_the_first_profile_win_over_later_ones_and_own_labels_over_both():
    given = {"one": {"a": "1", "b": "1", "c": "1"}, "two": {"a": "2", "b": "2", "d": "2"}}
    workload = endpoint("w", labels={"a": "own"}, profiles=("one", "two", "missing"), account="robot")
    assert peer_of_workload(workload).effective_labels(lambda name: given.get(name, {})) == {
        "a": "own",
        "b": "1",
        "c": "1",
        "d": "2",
        "projectcalico.org/namespace": "ns",
        "projectcalico.org/orchestrator": "k8s",
        "projectcalico.org/serviceaccount": "robot",
    }


@pytest.mark.parametrize("label", ["projectcalico.org/namespace", "pcns.team", "pcsa.role"])
def test_a_workload_cannot_claim_another_namespace_or_account(label):
    labels = peer_of_workload(endpoint("w", labels={label: "other"})).effective_labels(lambda _: {})
    assert labels.get(label) in (None, "ns")
