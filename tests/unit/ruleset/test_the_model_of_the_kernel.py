"""What the ruleset's model refuses as the kernel does, and how the interpreter walks."""

import pytest

from tortie.net import TCP, UDP, Address, Family, Network
from tortie.ruleset import ImpossibleDeltaError, Packet, Path, Ruleset, apply, canonical, walk
from tortie.ruleset.interpreter import LoopError
from tortie.ruleset.ruleset import Chain
from tortie.ruleset.values import (
    Accept,
    AddressPortElement,
    BaseChain,
    ChainDelete,
    ChainReplace,
    CtState,
    Dispatch,
    Drop,
    Hook,
    Interface,
    InterfaceMatch,
    Jump,
    LogPacket,
    MapCreate,
    MapDelete,
    MapDelta,
    MarkMatch,
    NoTrack,
    ProtocolMatch,
    Return,
    Rule,
    SetCreate,
    SetDeclaration,
    SetDelete,
    SetDelta,
    SetMark,
    SetMatch,
    SetType,
    Side,
    TupleMatch,
)

A1, A2 = Address.parse("10.0.0.1"), Address.parse("10.0.0.2")
V6 = Address.parse("fd00::1")
ADDRESSES = SetDeclaration("s", Family.V4, SetType.ADDRESS)
NETWORKS = SetDeclaration("n", Family.V4, SetType.NETWORK)
NET8, NET16 = Network.parse("10.0.0.0/8"), Network.parse("10.1.0.0/16")

STANDING = apply(
    Ruleset(),
    (
        SetCreate(ADDRESSES, frozenset({A1})),
        SetCreate(NETWORKS, frozenset({NET8})),
        ChainReplace("leaf", (Rule((SetMatch(Side.SOURCE, Family.V4, "s"),), (Drop(),)),)),
        ChainReplace("branch", (Rule((), (Jump("leaf"),)),)),
        MapCreate("m", (("cali1", "branch"),)),
        ChainReplace("base", (Rule((), (Dispatch(Interface.IN, "m"),)),), BaseChain(Hook.FORWARD, 0)),
    ),
)

REFUSED = {
    "a set twice": SetCreate(ADDRESSES, frozenset()),
    "an element of another family": SetDelta("s", added=frozenset({V6})),
    "an element of another type": SetDelta("s", added=frozenset({A2.network()})),
    "an element twice": SetDelta("s", added=frozenset({A1})),
    "an element that is not there": SetDelta("s", removed=frozenset({A2})),
    "overlapping networks": SetDelta("n", added=frozenset({NET16})),
    "members of no set": SetDelta("x"),
    "deleting a set in use": SetDelete("s"),
    "deleting no set": SetDelete("x"),
    "a jump to nothing": ChainReplace("c", (Rule((), (Jump("x"),)),)),
    "a loop": ChainReplace("leaf", (Rule((), (Jump("branch"),)),)),
    "a match on no set": ChainReplace("c", (Rule((SetMatch(Side.SOURCE, Family.V4, "x"),), (Drop(),)),)),
    "a look-up in no map": ChainReplace("c", (Rule((), (Dispatch(Interface.IN, "x"),)),)),
    "deleting a chain that is jumped to": ChainDelete("leaf"),
    "deleting a chain that a map leads to": ChainDelete("branch"),
    "deleting no chain": ChainDelete("x"),
    "an entry to nothing": MapDelta("m", set=(("cali2", "x"),)),
    "removing an entry that is not there": MapDelta("m", removed=("cali2",)),
    "entries of no map": MapDelta("x"),
    "a map twice": MapCreate("m"),
    "deleting a map in use": MapDelete("m"),
    "deleting no map": MapDelete("x"),
}


@pytest.mark.parametrize("delta", REFUSED.values(), ids=REFUSED)
def test_impossible_deltas_are_refused(delta):
    with pytest.raises(ImpossibleDeltaError):
        apply(STANDING, (delta,))


def test_what_nothing_refers_to_can_go():
    emptied = apply(
        STANDING,
        (
            ChainReplace("base", ()),
            MapDelete("m"),
            ChainDelete("base"),
            ChainDelete("branch"),
            ChainDelete("leaf"),
            SetDelete("s"),
        ),
    )
    assert emptied.chains == {}
    assert set(emptied.sets) == {"n"}


def test_networks_within_a_new_one_can_go_in_the_same_delta():
    widened = apply(
        STANDING, (SetDelta("n", added=frozenset({Network.parse("0.0.0.0/0")}), removed=frozenset({NET8})),)
    )
    assert widened.sets["n"].elements == {Network.parse("0.0.0.0/0")}


def test_a_value_is_never_changed():
    before = dict(STANDING.chains)
    apply(STANDING, (ChainReplace("new", ()), MapDelta("m", removed=("cali1",))))
    assert dict(STANDING.chains) == before
    assert STANDING.maps["m"] == {"cali1": "branch"}


def test_canonical_names_do_not_depend_on_given_ones():
    def with_class(name: str) -> Ruleset:
        return apply(Ruleset(), (ChainReplace(name, (Rule((), (Drop(),)),)), MapCreate("m", (("cali1", name),))))

    assert canonical(with_class("ei-one")) == canonical(with_class("ei-two-2"))
    assert canonical(with_class("ei-one")) != canonical(with_class("eo-one"))


# --- the interpreter ------------------------------------------------------------------------------------------------------------


def base(*rules: Rule, hook: Hook = Hook.FORWARD, priority: int = 0) -> Chain:
    return Chain(rules, BaseChain(hook, priority))


def outcome_of(chains: dict[str, Chain], path: Path = Path.FORWARD, **fields):
    packet = Packet(
        **{"source": A1, "destination": A2, "protocol": TCP, "in_interface": "a", "out_interface": "b", **fields}
    )
    return walk(Ruleset(chains=chains), packet, path)


def test_accept_ends_only_its_own_base_chain():
    chains = {"one": base(Rule((), (Accept(),)), priority=-1), "two": base(Rule((), (Drop(),)), priority=1)}
    assert not outcome_of(chains).is_accepted


def test_drop_ends_everything():
    chains = {"one": base(Rule((), (Drop(),)), priority=-1), "two": base(Rule((), (LogPacket("x"),)), priority=1)}
    assert outcome_of(chains).logged == ()


def test_the_lower_priority_is_visited_first_whatever_the_names():
    chains = {
        "a": base(Rule((), (LogPacket("late"),)), priority=5),
        "z": base(Rule((), (LogPacket("early"),)), priority=-5),
    }
    assert outcome_of(chains).logged == ("early", "late")


def test_hooks_are_visited_in_order_of_the_path():
    chains = {hook.value: base(Rule((), (LogPacket(hook.value),)), hook=hook) for hook in Hook}
    assert {path.name: outcome_of(chains, path).logged for path in Path} == {
        "FORWARD": ("prerouting", "forward", "postrouting"),
        "TO_HOST": ("prerouting", "input"),
        "FROM_HOST": ("output", "postrouting"),
    }


def test_a_return_goes_on_after_the_jump_and_a_verdict_does_not():
    sub = Chain((Rule((ProtocolMatch(TCP),), (Return(),)), Rule((), (Accept(),))), None)
    chains = {"base": base(Rule((), (Jump("sub"),)), Rule((), (Drop(),))), "sub": sub}
    assert not outcome_of(chains, protocol=TCP).is_accepted
    assert outcome_of(chains, protocol=UDP).is_accepted


def test_a_mark_that_is_set_is_seen_by_later_rules_and_chains():
    sets = base(Rule((), (SetMark(0xFFFF, 0x10000),)), hook=Hook.PREROUTING)
    asks = base(Rule((MarkMatch(0x10000, 0, negate=True),), (Drop(),)))
    outcome = outcome_of({"sets": sets, "asks": asks}, mark=0x20001)
    assert (outcome.is_accepted, outcome.packet.mark) == (False, 0x10001)


def test_notrack_makes_a_packet_untracked():
    chains = {"raw": base(Rule((), (NoTrack(),)), hook=Hook.PREROUTING)}
    assert outcome_of(chains).packet.ct_state is CtState.UNTRACKED


def test_the_way_out_is_unknown_before_routing():
    chains = {"raw": base(Rule((InterfaceMatch(Interface.OUT, "b"),), (Drop(),)), hook=Hook.PREROUTING)}
    assert outcome_of(chains).is_accepted


@pytest.mark.parametrize(("negate", "expected"), [(False, False), (True, True)])
def test_a_packet_without_ports_is_in_no_port_set(negate, expected):
    ruleset = Ruleset(
        chains={"c": base(Rule((TupleMatch.port(Side.DESTINATION, Family.V4, "p", negate=negate),), (Drop(),)))},
        sets={
            "p": apply(
                Ruleset(),
                (
                    SetCreate(
                        SetDeclaration("p", Family.V4, SetType.ADDRESS_PORT),
                        frozenset({AddressPortElement(A2, TCP, 80)}),
                    ),
                ),
            ).sets["p"]
        },
    )
    packet = Packet(source=A1, destination=A2, protocol=TCP)
    assert walk(ruleset, packet, Path.FORWARD).is_accepted is not expected


def test_a_walk_that_never_ends_is_stopped():
    chains = {"c": base(Rule((), (Jump("c"),)))}
    with pytest.raises(LoopError):
        outcome_of(chains)
