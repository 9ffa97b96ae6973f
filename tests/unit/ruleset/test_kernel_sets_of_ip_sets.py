"""Kernel sets exist while a rule looks them up, in the form that fits the members."""

import pytest

from tortie.calc.hoststate import AddressPort, IPSetDelta, IPSetId, IPSetRemove, IPSetUpdate, Member
from tortie.net import TCP, Address, Family, Network
from tortie.ruleset.sets import SetTable
from tortie.ruleset.values import Accept, Rule, SetCreate, SetDelete, SetDelta, SetMatch, SetType, Side, TupleMatch

V4, V6 = Family
S, N, SERVICE = IPSetId("s:peers"), IPSetId("n:http"), IPSetId("svc:web")
A, B = (Address.parse(f"10.0.0.{n}").network() for n in (1, 2))
NET, WIDER = Network.parse("10.1.0.0/16"), Network.parse("10.0.0.0/8")


def table(*members: Member, set_id: IPSetId = S) -> SetTable:
    made = SetTable()
    made.update(IPSetUpdate(id=set_id, members=frozenset(members)))
    return made


def rule(name: str, family: Family = V4) -> Rule:
    return Rule((SetMatch(Side.SOURCE, family, name),), (Accept(),))


def change(sets: SetTable, *added: Member, removed: tuple[Member, ...] = ()) -> IPSetDelta:
    return sets.update(IPSetDelta(id=S, added=frozenset(added), removed=frozenset(removed)))


def test_a_set_that_no_rule_looks_up_is_not_made():
    sets = table(A, B)
    sets.name(S, V4)
    assert sets.flush() == ((), (), (), ())
    change(sets, NET)
    assert sets.flush() == ((), (), (), ())


def test_a_set_is_made_with_its_members_for_the_first_rule_and_deleted_after_the_last():
    sets = table(A, B)
    name = sets.name(S, V4)
    sets.refer("one", [rule(name)])
    sets.refer("other", [rule(name)])
    (created,) = sets.flush().created
    assert (created.declaration.name, created.elements) == ("s4-peers", {A.address, B.address})
    sets.refer("one", ())
    assert sets.flush() == ((), (), (), ())
    sets.refer("other", ())
    assert sets.flush().deleted == (SetDelete("s4-peers"),)


def test_only_the_families_that_are_looked_up_are_made():
    sets = table(A)
    sets.refer("c", [rule(sets.name(S, V6), V6)])
    assert sets.flush().created == (SetCreate(("s6-peers", V6, SetType.ADDRESS), frozenset()),)


def test_a_change_of_members_is_what_differs_since_the_last_flush():
    sets = table(A)
    sets.refer("c", [rule(sets.name(S, V4))])
    sets.flush()
    change(sets, B)
    change(sets, removed=(A,))
    change(sets, A)
    assert sets.flush().hashes == (SetDelta("s4-peers", added=frozenset({B.address})),)


def test_listeners_are_told_what_of_an_update_is_a_change():
    sets = table(A)
    assert change(sets, A, B, removed=(NET,)) == IPSetDelta(id=S, added=frozenset({B}))
    again = sets.update(IPSetUpdate(id=S, members=frozenset({B, NET})))
    assert again == IPSetDelta(id=S, added=frozenset({NET}), removed=frozenset({A}))
    assert sets.update(IPSetRemove(id=S)) == IPSetDelta(id=S, removed=frozenset({B, NET}))
    assert sets.members(S) == frozenset()


def test_a_first_network_makes_what_looks_the_set_up_outdated():
    sets = table(A)
    sets.refer("c", [rule(sets.name(S, V4))])
    sets.flush()
    change(sets, NET)
    assert sets.outdated() == {"s4-peers"}
    assert sets.referring(sets.outdated()) == {"c"}
    sets.refer("c", [rule(sets.name(S, V4))])
    flushed = sets.flush()
    assert [(c.declaration.name, c.elements) for c in flushed.created] == [("s4n-peers", {A, NET})]
    assert flushed.deleted == (SetDelete("s4-peers"),)
    assert sets.outdated() == frozenset()


def test_a_network_of_the_other_family_leaves_a_set_what_it_is():
    sets = table(A)
    sets.refer("c", [rule(sets.name(S, V4))])
    sets.flush()
    change(sets, Network.parse("fd00::/8"))
    assert sets.outdated() == frozenset()
    assert sets.flush() == ((), (), (), ())


def test_the_networks_alone_can_be_a_set_which_addresses_do_not_touch():
    sets = table(A, NET)
    sets.refer("c", [rule(sets.networks_name(S, V4))])
    (created,) = sets.flush().created
    assert (created.declaration, created.elements) == (("s4c-peers", V4, SetType.NETWORK), {NET})
    change(sets, B)
    assert sets.outdated() == frozenset()
    assert sets.flush() == ((), (), (), ())
    change(sets, WIDER)
    assert sets.flush().intervals == (SetDelta("s4c-peers", frozenset({WIDER}), frozenset({NET})),)


@pytest.mark.parametrize("set_id", [N, SERVICE])
def test_sets_of_ports_are_tuples(set_id):
    member = AddressPort(A.address, TCP, 80)
    sets = table(member, set_id=set_id)
    match = TupleMatch.port(Side.DESTINATION, V4, sets.name(set_id, V4))
    sets.refer("c", [Rule((match,), (Accept(),))])
    (created,) = sets.flush().created
    assert created.declaration.type is SetType.ADDRESS_PORT
    assert created.elements == {(A.address, TCP, 80)}


def test_a_set_that_is_removed_while_a_rule_still_looks_it_up_is_empty():
    sets = table(A)
    sets.refer("c", [rule(sets.name(S, V4))])
    sets.flush()
    sets.update(IPSetRemove(id=S))
    assert sets.flush().hashes == (SetDelta("s4-peers", removed=frozenset({A.address})),)
