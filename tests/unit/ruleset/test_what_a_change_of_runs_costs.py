"""What a flush of a group in runs does, delta by delta, and in which step."""

import pytest

from tortie.calc.hoststate import HostRule, IPSetId, Member, PeerMatch, PolicyId, PortRange
from tortie.model.policy import Action
from tortie.net import TCP, Address, Family, Network
from tortie.ruleset.runs import ALWAYS, AUTO
from tortie.ruleset.runs.keysets import KeySet
from tortie.ruleset.runs.owners import Owners
from tortie.ruleset.runs.parts import Keys, Part
from tortie.ruleset.runs.shapes import Shape, Space
from tortie.ruleset.runs.slots import PolicySlots, Slot
from tortie.ruleset.runs.steps import key_steps
from tortie.ruleset.values import ChainDelete, ChainReplace, Flush, SetCreate, SetDelete, SetDelta
from tortie.testing.groups import GroupHost, GroupState, elements

S, T = IPSetId("s:s"), IPSetId("s:t")
A, B, C = (Address.parse(f"10.0.0.{n}") for n in (1, 2, 3))
NET = Network.parse("10.1.0.0/16")
BASE = "gi-_2axu375ulx"


def pid(number: int) -> PolicyId:
    return PolicyId("NetworkPolicy", "ns", f"p{number}")


def port_rule(port: int, set_id: IPSetId = S, action: Action = Action.ALLOW) -> HostRule:
    destination = PeerMatch(ports=(PortRange(port, port),))
    return HostRule(action=action, protocol=TCP, source=PeerMatch(sets=(set_id,)), destination=destination)


def state(*rules: HostRule, members: tuple[Member, ...] = (A.network(), B.network())) -> GroupState:
    """One policy a rule; set T has one address."""
    sets = {S: frozenset(members), T: frozenset({C.network()})}
    return GroupState({pid(n): (rule,) for n, rule in enumerate(rules)}, sets)


def started(*rules: HostRule, cost=ALWAYS) -> GroupHost:
    host = GroupHost(cost)
    host.flush(state(*rules))
    return host


def test_a_member_is_an_element_for_each_port_and_nothing_else():
    host = started(port_rule(80), port_rule(443))
    flush = host.flush(state(port_rule(80), port_rule(443), members=(A.network(), C.network())))
    added, removed = (frozenset({(addr, TCP, 80), (addr, TCP, 443)}) for addr in (C, B))
    assert flush == Flush((), (SetDelta(f"{BASE}-SD4-allow", added, removed),), ())


def test_a_set_that_rules_have_as_tuples_is_no_set_of_the_kernel():
    host = started(port_rule(80), port_rule(443, T))
    assert set(host.ruleset.sets) == {f"{BASE}-SD4-allow", f"{BASE}-SD6-allow"}


def test_a_changed_rule_touches_its_own_keys():
    host = started(*(port_rule(port) for port in range(1000, 1020)))
    changed = [port_rule(port) for port in range(1000, 1020)]
    changed[7] = port_rule(2000)
    flush = host.flush(state(*changed))
    assert elements(flush.switch) == 4
    assert [type(delta) for delta in flush.switch] == [SetDelta]


def test_a_rule_that_others_shadow_changes_nothing():
    host = started(port_rule(80), port_rule(443))
    assert host.flush(state(port_rule(80), port_rule(443), port_rule(80, action=Action.DENY))).create == (
        SetCreate(host.ruleset.sets[f"{BASE}-SD4-deny"].declaration, frozenset()),
        SetCreate(host.ruleset.sets[f"{BASE}-SD6-deny"].declaration, frozenset()),
    )
    flush = host.flush(state(port_rule(80), port_rule(443), port_rule(443, action=Action.DENY)))
    assert flush == Flush((), (), ())


def test_a_key_that_moves_to_a_set_looked_up_before_leaves_the_old_one_a_batch_later():
    host = started(port_rule(80), port_rule(443, T, Action.DENY))
    flush = host.flush(state(port_rule(80, action=Action.DENY), port_rule(443, T, Action.DENY)))
    keys = frozenset({(A, TCP, 80), (B, TCP, 80)})
    assert SetDelta(f"{BASE}-SD4-deny", added=keys) in flush.switch
    # Here nobody allows any more, so the set goes as a whole, and only after the switch.
    assert SetDelete(f"{BASE}-SD4-allow") in flush.delete


def test_a_deny_among_allows_moves_what_comes_after_it_to_another_run():
    deny = HostRule(action=Action.DENY, source=PeerMatch(sets=(T,)))
    host = started(port_rule(80), port_rule(443))
    flush = host.flush(state(port_rule(80), deny, port_rule(443)))
    later = frozenset({(A, TCP, 443), (B, TCP, 443)})
    (created,) = (d for d in flush.create if isinstance(d, SetCreate) and d.declaration.name == f"{BASE}.1-SD4-allow")
    assert created.elements == later
    assert SetDelta(f"{BASE}-SD4-allow", removed=later) in flush.delete
    assert not any(isinstance(delta, SetDelta) for delta in flush.switch)


def test_the_first_network_of_a_set_compiles_its_rules_again_and_the_last_one_gone_restores_them():
    host = started(port_rule(80))
    before = host.ruleset
    flush = host.flush(state(port_rule(80), members=(A.network(), B.network(), NET)))
    (created,) = (delta for delta in flush.create if isinstance(delta, SetCreate))
    assert created.declaration.name == "s4c-s"
    assert created.elements == {NET}
    assert host.flush(state(port_rule(80))).delete == (SetDelete("s4c-s"),)
    assert host.ruleset == before


def test_of_a_set_with_networks_an_address_is_still_a_tuple():
    host = started(port_rule(80))
    host.flush(state(port_rule(80), members=(A.network(), NET)))
    flush = host.flush(state(port_rule(80), members=(A.network(), C.network(), NET)))
    assert flush == Flush((), (SetDelta(f"{BASE}-SD4-allow", frozenset({(C, TCP, 80)})),), ())


# --- linear lists and the residual ------------------------------------------------------------------------------------------------


def test_a_short_group_is_a_list_that_names_its_rules():
    host = started(port_rule(80), port_rule(443), cost=AUTO)
    rules = host.ruleset.chains[host.group.chain].rules
    assert [rule.comment for rule in rules] == [
        "ns/p0 ingress 0",
        "ns/p0 ingress 0",
        "ns/p1 ingress 0",
        "ns/p1 ingress 0",
    ]
    assert set(host.ruleset.sets) == {"s4-s", "s6-s"}


def test_a_rule_over_budget_looks_its_set_up_and_comes_back_at_half():
    cost = ALWAYS._replace(budget=4)
    rules = [port_rule(80)]
    host = started(*rules, cost=cost)
    assert host.keys() == 2
    many = tuple((A + n).network() for n in range(5))
    host.flush(state(*rules, members=many))
    assert set(host.ruleset.sets) == {"s4-s", "s6-s"}
    host.flush(state(*rules, members=many[:3]))
    assert f"{BASE}-SD4-allow" not in host.ruleset.sets
    host.flush(state(*rules, members=many[:2]))
    assert host.keys() == 2


def residual(count: int) -> list[HostRule]:
    """Rules that are no tuples and ask for the peer's address."""
    wide = PeerMatch(ports=(PortRange(1000, 2000),))
    return [
        HostRule(
            action=Action.ALLOW,
            protocol=TCP,
            source=PeerMatch(nets=((A + n).network(),)),
            destination=wide,
        )
        for n in range(count)
    ]


def test_residual_rules_stand_in_blocks_behind_the_addresses_that_they_are_about():
    host = started(*residual(60))
    chain = host.ruleset.chains[host.group.chain]
    assert len(chain.rules) < 10
    for name in (name for name in host.ruleset.chains if name.startswith(f"{BASE}-r")):
        about = {net.address for rule in host.ruleset.chains[name].rules for net in rule.matches[-2].nets}
        assert host.ruleset.sets[f"{name}-4"].elements == about
    assert host.group.depth == 2


def test_a_residual_rule_that_comes_makes_its_own_block_anew_and_no_other():
    rules = residual(400)
    host = started(*rules, cost=ALWAYS._replace(node=1000))
    policies = list(host.state.policies.items())
    policies.insert(200, (pid(900), tuple(residual(401)[400:])))
    flush = host.flush(host.state._replace(policies=dict(policies)))
    created = [delta for delta in flush.create if isinstance(delta, ChainReplace)]
    deleted = [delta for delta in flush.delete if isinstance(delta, ChainDelete)]
    assert 1 <= len(created) <= 2
    assert 1 <= len(deleted) <= 2


def test_many_blocks_stand_behind_guards_of_their_own():
    host = started(*residual(1500))
    assert host.group.depth == 3
    assert len(host.ruleset.chains[host.group.chain].rules) < 20


def test_a_member_of_a_blocks_set_comes_and_goes_with_its_guard():
    rules = [
        HostRule(
            action=Action.ALLOW,
            protocol=TCP,
            source=PeerMatch(sets=(S,)),
            destination=PeerMatch(ports=(PortRange(1000, 2000 + n),)),
        )
        for n in range(4)
    ]
    host = started(*rules)
    (guard,) = (name for name in host.ruleset.sets if name.endswith("-4"))
    flush = host.flush(state(*rules, members=(A.network(),)))
    assert set(flush.switch) == {SetDelta(name, removed=frozenset({B})) for name in (guard, "s4-s")}
    flush = host.flush(state(*rules, members=(A.network(), C.network())))
    assert set(flush.switch) == {SetDelta(name, added=frozenset({C})) for name in (guard, "s4-s")}


@pytest.mark.parametrize("cost", [ALWAYS, AUTO])
def test_a_group_can_pass_while_one_of_its_rules_does(cost):
    passing = port_rule(443, action=Action.PASS)
    host = started(port_rule(80), passing, cost=cost)
    assert host.group.can_pass
    host.flush(state(port_rule(80)))
    assert not host.group.can_pass


# --- steps ------------------------------------------------------------------------------------------------------------------------


def key_set(run: int, shape: Shape, action: Action) -> KeySet:
    return KeySet(run, Space(shape, Family.V4), action, "g")


EARLY, LATE = key_set(0, Shape.PEER, Action.ALLOW), key_set(1, Shape.PEER, Action.ALLOW)
DENIED = key_set(1, Shape.PEER, Action.DENY)


@pytest.mark.parametrize(
    ("before", "now", "switch", "late"),
    [
        pytest.param(None, EARLY, [SetDelta("g-S4-allow", added=frozenset({A}))], [], id="comes"),
        pytest.param(EARLY, None, [SetDelta("g-S4-allow", removed=frozenset({A}))], [], id="goes"),
        pytest.param(
            LATE,
            EARLY,
            [SetDelta("g-S4-allow", added=frozenset({A}))],
            [SetDelta("g.1-S4-allow", removed=frozenset({A}))],
            id="moves to an earlier set",
        ),
        pytest.param(
            EARLY,
            LATE,
            [SetDelta("g.1-S4-allow", added=frozenset({A}))],
            [SetDelta("g-S4-allow", removed=frozenset({A}))],
            id="moves to a later set of its action",
        ),
        pytest.param(
            EARLY,
            DENIED,
            [SetDelta("g-S4-allow", removed=frozenset({A})), SetDelta("g.1-S4-deny", added=frozenset({A}))],
            [],
            id="moves to a later set of another action",
        ),
    ],
)
def test_in_which_step_a_key_comes_and_goes(before, now, switch, late):
    steps = key_steps([(A, before, now)], created=(), deleted=())
    assert (list(steps.switch), list(steps.late), steps.early) == (switch, late, ())


def test_more_keys_than_a_switch_holds_come_before_it_in_order_and_go_after_it_in_the_opposite_order():
    moved = [(A, None, LATE), (B, None, EARLY), (C, LATE, None), (A + 9, EARLY, None)]
    steps = key_steps(moved, created=(), deleted=(), limit=3)
    assert [delta.name for delta in steps.early] == ["g-S4-allow", "g.1-S4-allow"]
    assert steps.switch == ()
    assert [delta.name for delta in steps.late] == ["g.1-S4-allow", "g-S4-allow"]


def test_the_keys_of_new_sets_are_there_from_the_beginning_and_those_of_old_ones_go_with_them():
    steps = key_steps([(A, EARLY, LATE)], created=[LATE], deleted=[EARLY])
    assert steps == ({LATE: frozenset({A})}, (), (), ())


# --- owners -----------------------------------------------------------------------------------------------------------------------


def test_a_tuple_is_its_policies_in_order_and_stands_in_one_set():
    host = started(port_rule(80), port_rule(80, action=Action.DENY), port_rule(80))
    owners = ((pid(0), 0), (pid(1), 0), (pid(2), 0))
    space = Space(Shape.PEER_PORT, Family.V4)
    assert host.group.owners((A, TCP, 80), space) == (f"{BASE}-SD4-allow", owners)
    assert host.group.owners((C, TCP, 80), space) is None
    host.flush(state(port_rule(81), port_rule(80, action=Action.DENY), port_rule(80)))
    assert host.group.owners((A, TCP, 80), space) == (f"{BASE}-SD4-deny", owners[1:])


def test_keys_that_come_together_to_the_same_rules_share_what_is_kept_of_them():
    space = Space(Shape.PEER, Family.V4)
    slots = []
    for n in range(3):
        policy = PolicySlots(pid(n))
        policy.label = n
        slots.append(Slot(policy, 0, 0, Part(rule=port_rule(80), keys=Keys(space=space, addresses=S)), ()))
    owners = Owners()
    for slot in reversed(slots):
        owners.add(slot, (A, B))
    assert owners.owners(space, A) == tuple(slots)
    assert owners.owners(space, A) is owners.owners(space, B)
    owners.remove(slots[1], (A, B))
    assert owners.owners(space, A) == (slots[0], slots[2])
    assert owners.owners(space, A) is owners.owners(space, B)
    owners.remove(slots[0], (A,))
    assert (owners.owners(space, A), owners.owners(space, B)) == ((slots[2],), (slots[0], slots[2]))
