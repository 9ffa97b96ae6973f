"""Names are readable, fit the kernel and nft(8), and belong to one object only."""

import re

import pytest

from tortie.calc.hoststate import IPSetId, PolicyId
from tortie.model.policy import Direction
from tortie.net import Family
from tortie.ruleset.names import MAX_CHAIN_NAME, MAX_COMMENT, comment, is_class_chain, policy_chain, set_name
from tortie.ruleset.values import SetType

LONG = "x" * 100

CHAINS = {
    "a namespaced policy": (PolicyId("NetworkPolicy", "stars", "allow-ui"), "gi-stars/allow-ui"),
    "a converted one": (PolicyId("NetworkPolicy", "stars", "knp.default.allow-ui"), "gi-stars/knp.default.allow-ui"),
    "a global policy": (PolicyId("GlobalNetworkPolicy", "", "deny-all"), "gi-deny-all"),
}


@pytest.mark.parametrize(("policy_id", "expected"), CHAINS.values(), ids=CHAINS)
def test_a_policys_chain_is_called_after_it(policy_id, expected):
    assert policy_chain(policy_id, Direction.INGRESS) == expected
    assert policy_chain(policy_id, Direction.EGRESS) == "go" + expected[2:]


def test_names_that_do_not_fit_are_cut_and_stay_apart():
    ids = [
        PolicyId("NetworkPolicy", "ns", LONG),
        PolicyId("NetworkPolicy", "ns", LONG + "x"),
        PolicyId("OtherKind", "ns", "p"),
        PolicyId("NetworkPolicy", "ns", "p"),
        PolicyId("NetworkPolicy", "ns", "p_q"),
    ]
    chains = [policy_chain(policy_id, Direction.INGRESS) for policy_id in ids]
    assert len(set(chains)) == len(ids)
    for chain in chains:
        assert len(chain) <= MAX_CHAIN_NAME
        assert re.fullmatch(r"[a-z][A-Za-z0-9/_.-]*", chain)
        assert not is_class_chain(chain)


def test_set_names_tell_family_and_type_and_keep_within_31_bytes():
    set_id = IPSetId("s:" + "y" * 38)
    names = {set_name(set_id, family, set_type) for family in Family for set_type in (SetType.ADDRESS, SetType.NETWORK)}
    assert names == {prefix + "y" * (31 - len(prefix)) for prefix in ("s4-", "s6-", "s4n-", "s6n-")}
    assert set_name(IPSetId("n:abc"), Family.V6, SetType.ADDRESS_PORT) == "n6-abc"


def test_comments_are_cut_with_a_hash_at_whole_characters():
    assert comment('say "hi"') == "say 'hi'"
    one, other = comment("é" * 100), comment("é" * 101)
    assert one != other
    assert len(one.encode()) <= MAX_COMMENT
