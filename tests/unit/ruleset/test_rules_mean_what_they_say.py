"""A policy's rule and the kernel rules made of it match the same packets."""

from random import Random

import pytest

from tortie.calc.hoststate import HostRule, IPSetId, IPSetUpdate, PeerMatch, PortRange
from tortie.model.policy import Action
from tortie.net import ICMP, TCP, UDP, Address, Family, Network
from tortie.ruleset import Options, Packet, Path, Ruleset, apply, walk
from tortie.ruleset.networks import maximal
from tortie.ruleset.rules import compile_rule
from tortie.ruleset.sets import SetTable
from tortie.ruleset.values import (
    Accept,
    BaseChain,
    ChainReplace,
    Drop,
    FamilyMatch,
    Hook,
    MarkMatch,
    NetsMatch,
    PortsMatch,
    ProtocolMatch,
    Range,
    Rule,
    SetMark,
    SetMatch,
    Side,
    TupleMatch,
)
from tortie.testing.hostrules import ADDRESS_SETS, PORT_SETS, matches, random_packet, random_rule, random_sets

MARKS = Options().marks


def ruleset_of(rule: HostRule, members) -> Ruleset:
    """One base chain: what *rule* matches is accepted, all else dropped."""
    table = SetTable()
    for set_id in members:
        table.update(IPSetUpdate(id=set_id, members=members[set_id]))
    compiled = compile_rule(rule, (Accept(),), table.name, MARKS, "")
    table.refer("c", compiled)
    chain = ChainReplace("c", (*compiled, Rule((), (Drop(),))), BaseChain(Hook.FORWARD, 0))
    return apply(Ruleset(), (*table.flush().created, chain))


@pytest.mark.parametrize("first_seed", range(0, 4000, 1000))
def test_a_rule_and_what_it_is_compiled_to_match_the_same_packets(first_seed):
    for seed in range(first_seed, first_seed + 1000):
        rng = Random(seed)
        rule, members = random_rule(rng), random_sets(rng)
        ruleset = ruleset_of(rule, members)
        for packet in (random_packet(rng, ("eth0",)) for _ in range(15)):
            accepted = walk(ruleset, packet, Path.FORWARD).is_accepted
            assert accepted is matches(members, rule, packet), f"seed {seed}: {rule} {packet}"


def names(set_id: IPSetId, family: Family) -> str:
    return f"{set_id}/{family}"


V4, V6 = Family.V4, Family.V6
NET4, NET6 = Network.parse("10.0.0.0/8"), Network.parse("fd00::/8")

COMPILED = {
    "no criterion: one rule for both families": (HostRule(action=Action.ALLOW), [()]),
    "ports are one match, merged": (
        HostRule(
            action=Action.ALLOW,
            protocol=TCP,
            destination=PeerMatch(ports=(PortRange(81, 90), PortRange(443, 443), PortRange(80, 85))),
        ),
        [(ProtocolMatch(TCP), PortsMatch(Side.DESTINATION, (Range(80, 90), Range(443, 443))))],
    ),
    "nets of one family take the rule out of the other": (
        HostRule(action=Action.ALLOW, source=PeerMatch(nets=(NET4,))),
        [(NetsMatch(Side.SOURCE, (NET4,)),)],
    ),
    "nets of both ends in two families match nothing": (
        HostRule(action=Action.ALLOW, source=PeerMatch(nets=(NET4,)), destination=PeerMatch(not_nets=(NET6,))),
        [],
    ),
    "ICMP is IPv4 only": (HostRule(action=Action.ALLOW, protocol=ICMP), [(FamilyMatch(V4), ProtocolMatch(ICMP))]),
    "a set is one rule a family": (
        HostRule(action=Action.ALLOW, source=PeerMatch(sets=(ADDRESS_SETS[0],))),
        [(SetMatch(Side.SOURCE, V4, "s:a/4"),), (SetMatch(Side.SOURCE, V6, "s:a/6"),)],
    ),
    "numbers and names of ports are alternatives": (
        HostRule(
            action=Action.ALLOW,
            family=V4,
            protocol=TCP,
            destination=PeerMatch(ports=(PortRange(80, 80),), port_sets=(PORT_SETS[0],)),
        ),
        [
            (FamilyMatch(V4), ProtocolMatch(TCP), PortsMatch(Side.DESTINATION, (Range(80, 80),))),
            (FamilyMatch(V4), ProtocolMatch(TCP), TupleMatch.port(Side.DESTINATION, V4, "n:p/4")),
        ],
    ),
}


@pytest.mark.parametrize(("rule", "expected"), COMPILED.values(), ids=COMPILED)
def test_rules_are_compiled_as_said(rule, expected):
    assert [r.matches for r in compile_rule(rule, (Accept(),), names, MARKS, "")] == expected


@pytest.mark.parametrize("count", [1, 10, 50])
def test_the_result_is_linear_in_the_size_of_the_rule(count):
    many = tuple(IPSetId(f"n:{number}") for number in range(count))
    both_ends = PeerMatch(ports=(PortRange(1, 1),), port_sets=many)
    rule = HostRule(action=Action.ALLOW, protocol=TCP, source=both_ends, destination=both_ends)
    assert len(compile_rule(rule, (Accept(),), names, MARKS, "")) == 2 * (2 * (count + 1) + 1)


def test_alternatives_at_both_ends_do_not_remember_an_earlier_rule():
    first = HostRule(
        action=Action.ALLOW,
        family=V4,
        protocol=TCP,
        source=PeerMatch(ports=(PortRange(1, 1),), port_sets=(PORT_SETS[0],)),
        destination=PeerMatch(ports=(PortRange(1, 1),), port_sets=(PORT_SETS[0],)),
    )
    packet = Packet(
        source=Address.parse("10.0.0.1"),
        destination=Address.parse("10.0.0.2"),
        protocol=TCP,
        source_port=9,
        destination_port=1,
        mark=0xFFFFFFFF,
    )
    ruleset = ruleset_of(first, {PORT_SETS[0]: frozenset()})
    assert not walk(ruleset, packet, Path.FORWARD).is_accepted


def test_the_bit_of_alternatives_is_cleared_before_it_is_set_and_no_other_is_touched():
    both_ends = PeerMatch(ports=(PortRange(1, 1),), port_sets=(PORT_SETS[0],))
    rule = HostRule(action=Action.ALLOW, family=V4, protocol=TCP, source=both_ends, destination=both_ends)
    first, *rest = compile_rule(rule, (Accept(),), names, MARKS, "")
    assert first == Rule((), (SetMark(0xFFFFFFFF & ~MARKS.alternative, 0),))
    assert [r.statements for r in rest[:2]] == [(SetMark(0xFFFFFFFF & ~MARKS.alternative, MARKS.alternative),)] * 2
    assert all(MarkMatch(MARKS.alternative, 0, negate=True) in r.matches for r in rest[2:])


def test_numbered_ports_without_a_protocol_that_has_them_are_a_bug_of_calc():
    rule = HostRule(action=Action.ALLOW, destination=PeerMatch(ports=(PortRange(80, 80),)))
    with pytest.raises(AssertionError, match="no protocol"):
        compile_rule(rule, (Accept(),), names, MARKS, "")


def test_only_maximal_networks_are_kept():
    nested = [Network.parse(t) for t in ("10.1.0.0/16", "10.0.0.0/8", "10.0.0.0/24", "11.0.0.0/8", "fd00::/8")]
    assert maximal(nested) == tuple(Network.parse(t) for t in ("10.0.0.0/8", "11.0.0.0/8", "fd00::/8"))


def test_a_log_rule_is_no_verdict():
    rule = HostRule(action=Action.LOG, protocol=UDP)
    assert [r.matches for r in compile_rule(rule, (), names, MARKS, "")] == [(ProtocolMatch(UDP),)]
