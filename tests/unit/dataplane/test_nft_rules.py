"""Rules become the expressions that nft 1.0.6 makes of the same text, and expressions become the same rules again."""

from __future__ import annotations

from itertools import count

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tortie.dataplane.netlink.message import attribute_map
from tortie.dataplane.nft import Unrecognised, messages
from tortie.dataplane.nft.decode import decode_rule
from tortie.dataplane.nft.elements import KEY_PORT, Piece
from tortie.dataplane.nft.encode import AnonymousSet, EncodedRule, canonical, encode_rule
from tortie.dataplane.nft.expressions import (
    Bitwise,
    Compare,
    Expression,
    Log,
    Lookup,
    MetaKey,
    MetaLoad,
    Operator,
    PayloadBase,
    PayloadLoad,
    RangeCompare,
    Unknown,
    Verdict,
    VerdictCode,
    pack,
    parse_expressions,
)
from tortie.net import ICMP, TCP, UDP, Family, Network
from tortie.ruleset.values import (
    Accept,
    Drop,
    FamilyMatch,
    ICMPTypeMatch,
    Jump,
    LogPacket,
    Match,
    NetsMatch,
    PortsMatch,
    ProtocolMatch,
    Range,
    Rule,
    SetMark,
    SetMatch,
    Side,
    Statement,
    TupleMatch,
)
from tortie.testing.rulesets import declarations, rules

EQ, NEQ = Operator.EQ, Operator.NEQ
IPV4 = (MetaLoad(MetaKey.NFPROTO), Compare(EQ, b"\x02"))
IPV6 = (MetaLoad(MetaKey.NFPROTO), Compare(EQ, b"\x0a"))
IS_TCP = (MetaLoad(MetaKey.L4PROTO), Compare(EQ, b"\x06"))
DPORT = PayloadLoad(PayloadBase.TRANSPORT, 2, 2)
SADDR4 = PayloadLoad(PayloadBase.NETWORK, 12, 4)
DECLARED = declarations()


def nets(*cidrs: str, side: Side = Side.SOURCE, negate: bool = False) -> NetsMatch:
    return NetsMatch(side, tuple(map(Network.parse, cidrs)), negate)


def dports(*ranges: tuple[int, int], negate: bool = False) -> tuple[Match, ...]:
    return ProtocolMatch(TCP), PortsMatch(Side.DESTINATION, tuple(Range(*r) for r in ranges), negate)


def encoded(*matches: Match) -> tuple[Expression, ...]:
    return encode_rule(Rule(matches, ())).expressions


def as_listed(encoded_rule: EncodedRule) -> tuple[tuple[Expression, ...], dict[str, AnonymousSet | Unrecognised]]:
    """What the kernel lists of it: anonymous sets have got their names."""
    listed = [
        Lookup(f"__set{e.set_id}", 0, e.negate, e.verdict, e.register) if isinstance(e, Lookup) and e.set_id else e
        for e in encoded_rule.expressions
    ]
    packed = b"".join(map(pack, listed))
    sets: dict[str, AnonymousSet | Unrecognised] = {f"__set{i}": s for i, s in enumerate(encoded_rule.sets, 1)}
    return tuple(parse_expressions(packed)), sets


# the right side is what `nft --debug=netlink` prints for the text that is the test's name
@pytest.mark.parametrize(
    ("matches", "expected"),
    [
        pytest.param((nets("10.0.0.1/32"),), (*IPV4, SADDR4, Compare(EQ, b"\x0a\0\0\x01")), id="ip saddr 10.0.0.1"),
        pytest.param(
            (nets("10.0.0.0/8"),),
            (*IPV4, PayloadLoad(PayloadBase.NETWORK, 12, 1), Compare(EQ, b"\x0a")),
            id="ip saddr 10.0.0.0/8",
        ),
        pytest.param(
            (nets("10.32.0.0/11", negate=True),),
            (*IPV4, SADDR4, Bitwise(b"\xff\xe0\0\0", bytes(4)), Compare(NEQ, b"\x0a\x20\0\0")),
            id="ip saddr != 10.32.0.0/11",
        ),
        pytest.param(
            (nets("0.0.0.0/0"),),
            (*IPV4, SADDR4, Bitwise(bytes(4), bytes(4)), Compare(EQ, bytes(4))),
            id="ip saddr 0.0.0.0/0",
        ),
        pytest.param(
            (nets("fd00::/8", side=Side.DESTINATION),),
            (*IPV6, PayloadLoad(PayloadBase.NETWORK, 24, 1), Compare(EQ, b"\xfd")),
            id="ip6 daddr fd00::/8",
        ),
        pytest.param(dports((80, 80)), (*IS_TCP, DPORT, Compare(EQ, b"\0P")), id="tcp dport 80"),
        pytest.param(
            dports((80, 90)),
            (*IS_TCP, DPORT, Compare(Operator.GTE, b"\0P"), Compare(Operator.LTE, b"\0Z")),
            id="tcp dport 80-90",
        ),
        pytest.param(
            dports((80, 90), negate=True),
            (*IS_TCP, DPORT, RangeCompare(NEQ, b"\0P", b"\0Z")),
            id="tcp dport != 80-90",
        ),
        pytest.param(
            (ProtocolMatch(ICMP), ICMPTypeMatch(Family.V4, 3, 1)),
            (
                *IPV4,
                MetaLoad(MetaKey.L4PROTO),
                Compare(EQ, b"\x01"),
                PayloadLoad(PayloadBase.TRANSPORT, 0, 2),
                Compare(EQ, b"\x03\x01"),
            ),
            id="icmp type destination-unreachable icmp code host-unreachable",
        ),
        pytest.param(
            (TupleMatch.port(Side.DESTINATION, Family.V6, "p6"),),
            (
                *IPV6,
                PayloadLoad(PayloadBase.NETWORK, 24, 16),
                MetaLoad(MetaKey.L4PROTO, 2),
                PayloadLoad(PayloadBase.TRANSPORT, 2, 2, 13),
                Lookup("p6"),
            ),
            id="ip6 daddr . meta l4proto . th dport @p6",
        ),
        pytest.param(
            (SetMatch(Side.SOURCE, Family.V4, "a"), SetMatch(Side.DESTINATION, Family.V4, "b")),
            (*IPV4, SADDR4, Lookup("a"), PayloadLoad(PayloadBase.NETWORK, 16, 4), Lookup("b")),
            id="ip saddr @a ip daddr @b",
        ),
    ],
)
def test_matches_have_the_form_that_nft_gives_them(matches: tuple[Match, ...], expected: tuple[Expression, ...]):
    assert encoded(*matches) == expected


CONTRADICTION = Rule((nets("10.0.0.0/8"), FamilyMatch(Family.V6), SetMatch(Side.SOURCE, Family.V4, "s4-address")), ())
"""Found by the driver's test of any two rulesets: the second match on IPv4 stood without its test."""


@given(rules(DECLARED, ("c1", "c2"), ("m",)))
@example(CONTRADICTION)
def test_what_is_encoded_and_listed_decodes_to_the_same_rule(rule: Rule):
    listed, sets = as_listed(encode_rule(rule))

    assert decode_rule(listed, sets, rule.comment) == canonical(rule)


@given(rules(DECLARED))
def test_the_canonical_form_is_its_own_canonical_form_and_encodes_alike(rule: Rule):
    assert canonical(canonical(rule)) == canonical(rule)
    assert encode_rule(canonical(rule)) == encode_rule(rule)


def test_a_family_that_other_matches_imply_says_nothing():
    assert canonical(Rule((FamilyMatch(Family.V4), nets("10.0.0.0/8")), ())) == Rule((nets("10.0.0.0/8"),), ())
    alone = Rule((FamilyMatch(Family.V4),), ())
    assert canonical(alone) is alone


def test_a_tuple_is_looked_up_before_a_protocol_that_has_no_ports():
    tuples = TupleMatch.port(Side.SOURCE, Family.V4, "s4-address_port")

    assert canonical(Rule((ProtocolMatch(ICMP), tuples), ())).matches == (tuples, ProtocolMatch(ICMP))
    assert canonical(Rule((ProtocolMatch(TCP), tuples), ())).matches == (ProtocolMatch(TCP), tuples)


def test_kept_mark_bits_that_are_set_anyway_say_nothing():
    assert canonical(Rule((), (SetMark(0xFFFF, 0x1),))).statements == (SetMark(0xFFFE, 0x1),)


@pytest.mark.parametrize(
    "rule",
    [
        pytest.param(Rule((PortsMatch(Side.SOURCE, (Range(1, 1),)),), ()), id="ports of no protocol"),
        pytest.param(Rule((ProtocolMatch(UDP), ICMPTypeMatch(Family.V4, 8)), ()), id="ICMP type of UDP"),
        pytest.param(Rule((), (Jump("c"), Drop())), id="statement after a jump"),
        pytest.param(Rule((), (Accept(), LogPacket("x"))), id="statement after a verdict"),
        pytest.param(Rule((), (), "x" * 129), id="comment too long"),
        pytest.param(Rule((), (LogPacket("x" * 128),)), id="log prefix too long"),
    ],
)
def test_a_rule_that_nf_tables_cannot_hold_is_refused(rule: Rule):
    with pytest.raises(ValueError):
        encode_rule(rule)


@pytest.mark.parametrize(
    "expressions",
    [
        pytest.param((SADDR4, Compare(EQ, b"\x0a\0\0\x01")), id="address without its family"),
        pytest.param((*IPV4, SADDR4, Bitwise(b"\xff\0\xff\0", bytes(4)), Compare(EQ, bytes(4))), id="mask with a gap"),
        pytest.param((*IPV4, SADDR4), id="load without use"),
        pytest.param((DPORT, Compare(EQ, b"\0P")), id="port without a protocol"),
        pytest.param((Unknown("counter", b""), Verdict(VerdictCode.ACCEPT)), id="an expression we never write"),
        pytest.param((Verdict(VerdictCode.ACCEPT), *IS_TCP), id="match after a verdict"),
        pytest.param((*IS_TCP, DPORT, Lookup("ports")), id="ports in a named set"),
        pytest.param((MetaLoad(MetaKey.MARK), Compare(Operator.LTE, bytes(4))), id="mark compared by size"),
    ],
)
def test_what_we_would_not_write_is_unrecognised(expressions: tuple[Expression, ...]):
    assert isinstance(decode_rule(expressions, {}, ""), Unrecognised)


def test_an_anonymous_set_of_an_unknown_kind_makes_the_rule_unrecognised():
    rule = Rule(dports((80, 80), (443, 443)), (Accept(),))
    listed, sets = as_listed(encode_rule(rule))
    assert sets == {"__set1": AnonymousSet(KEY_PORT, False, (Piece(b"\0P"), Piece(b"\x01\xbb")))}

    assert decode_rule(listed, {"__set1": Unrecognised("timeouts")}, "") != rule


def test_the_defaults_that_the_kernel_lists_are_not_taken_for_differences():
    def with_attribute(expression: Expression, kind: int, value: int) -> bytes:
        packed = pack(expression)
        (outer,) = attribute_map(packed).values()
        inner = attribute_map(outer)
        contents = inner.get(2, b"") + messages.be32(kind, value)
        return messages.nest(1, messages.text(1, expression.kernel_name), messages.nest(2, contents))

    assert list(parse_expressions(with_attribute(Log("x"), 5, 4))) == [Log("x")]
    assert list(parse_expressions(with_attribute(Log("x"), 5, 7))) != [Log("x")]
    assert list(parse_expressions(with_attribute(Lookup("s"), 5, 0))) == [Lookup("s")]


@given(st.lists(st.sampled_from([Accept(), Drop()]), min_size=2, max_size=2))
def test_every_anonymous_set_of_a_batch_has_a_number_of_its_own(verdicts: list[Statement]):
    ids = count(7)
    rule = Rule(dports((80, 80), (443, 443)), (verdicts[0],))
    found = [m for _ in range(3) for m in messages.new_rule("c", rule, ids)]

    numbers = [attribute_map(m.payload, 4)[10] for m in found if m.type & 0xFF == messages.Verb.NEWSET]
    assert [int.from_bytes(number, "big") for number in numbers] == [7, 8, 9]
