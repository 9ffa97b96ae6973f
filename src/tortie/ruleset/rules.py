"""A rule of a host's policies → rules of the ruleset that together do the same.

A kernel rule is a conjunction; a policy's rule is more, so it becomes several:

- one per family where anything in it belongs to a family: addresses, sets, ICMP. A net of one family anywhere takes the rule
  out of the other; a rule about neither is one rule for both.
- one per alternative of a side's ports: numbered ports are one match however many they are, each named-port set is one.
- both sides with alternatives would multiply, so then a mark bit remembers that the source side has matched, and the rules
  add up: the result is linear in the rule's size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias, assert_never

from tortie.calc.hoststate import HostRule, IPSetId, PeerMatch, PortRange
from tortie.model.policy import Action
from tortie.net import ICMP, ICMP_OF, ICMPV6, Family, Network
from tortie.ruleset.logprefix import log_prefix
from tortie.ruleset.marks import Marks, clear_bits, has_bit, set_bit
from tortie.ruleset.networks import maximal
from tortie.ruleset.options import Options
from tortie.ruleset.places import Kind
from tortie.ruleset.values import (
    Accept,
    Drop,
    FamilyMatch,
    ICMPTypeMatch,
    LogPacket,
    Match,
    NetsMatch,
    NoTrack,
    PortsMatch,
    ProtocolMatch,
    Range,
    Reject,
    Return,
    Rule,
    SetMatch,
    Side,
    Statement,
    TupleMatch,
)

SetNames: TypeAlias = Callable[[IPSetId, Family], str]
"""What the kernel's set for one family of an IP set is called."""

_Matches: TypeAlias = tuple[Match, ...]
_Allow: TypeAlias = Callable[[Marks], tuple[Statement, ...]]
_ALLOW: dict[Kind, _Allow] = {
    Kind.FILTER: lambda _: (Accept(),),
    Kind.AFTER_NAT: lambda _: (Accept(),),
    Kind.PRE_DNAT: lambda marks: (set_bit(marks.accepted), Accept()),
    Kind.UNTRACKED: lambda marks: (NoTrack(), set_bit(marks.accepted), Accept()),
}


def compile_rule(
    rule: HostRule, statements: tuple[Statement, ...], set_names: SetNames, marks: Marks, comment: str
) -> list[Rule]:
    """The rules that do *statements* for the packets that *rule* matches; none, if it can match no packet.

    Each packet meets *statements* at least once if it matches, and if they end with a verdict, exactly once.
    """
    numbered = any((*peer.ports, *peer.not_ports) for peer in _peers(rule))
    assert not numbered or (rule.protocol is not None and rule.protocol.has_ports), (
        f"{rule} has ports and no protocol that has"
    )
    compiled: list[Rule] = []
    for family in rule_families(rule):
        matches = _matches_without_ports(rule, family, set_names)
        sources = _port_alternatives(rule.source, Side.SOURCE, family, set_names)
        destinations = _port_alternatives(rule.destination, Side.DESTINATION, family, set_names)
        expanded = _expand(matches, sources, destinations, statements, marks.alternative)
        compiled += (Rule(found, done, comment) for found, done in expanded)
    return compiled


def action_statements(rule: HostRule, kind: Kind, options: Options) -> tuple[Statement, ...]:
    """What a rule's action does in a policy's chain, at a place of this kind."""
    match rule.action:
        case Action.ALLOW:
            return _ALLOW[kind](options.marks)
        case Action.DENY:
            return (denial(kind, options),)
        case Action.PASS:
            return (set_bit(options.marks.passed), Return())
        case Action.LOG:
            return (LogPacket(log_prefix(rule, options), options.log_limit),)
        case _:
            assert_never(rule.action)


def denial(kind: Kind, options: Options) -> Drop | Reject:
    """What becomes of a packet that policy denies, at a place of this kind."""
    return Reject() if options.rejects and kind is Kind.FILTER else Drop()


def matches_everything(rule: HostRule) -> bool:
    """Whether the rule has no criterion at all."""
    return rule == HostRule(action=rule.action)


# --- families -------------------------------------------------------------------------------------------------------------


def rule_families(rule: HostRule) -> tuple[Family | None, ...]:
    """The families that the rule has to be written for; (None,): for both at once; (): it can match no packet."""
    nets = [net.family for peer in _peers(rule) for net in (*peer.nets, *peer.not_nets)]
    has_icmp = rule.icmp is not None or rule.not_icmp is not None or rule.protocol in (ICMP, ICMPV6)
    if rule.family is None and not nets and not rule.set_ids and not has_icmp:
        return (None,)
    return tuple(family for family in Family if _may_match(rule, family))


def _may_match(rule: HostRule, family: Family) -> bool:
    if rule.family not in (None, family):
        return False
    if rule.protocol == ICMP_OF[_other(family)]:
        return False
    if (rule.icmp or rule.not_icmp) and rule.protocol not in (None, ICMP_OF[family]):
        return False
    lists = [nets for peer in _peers(rule) for nets in (peer.nets, peer.not_nets) if nets]
    return all(any(net.family is family for net in nets) for nets in lists)


def _other(family: Family) -> Family:
    return Family.V6 if family is Family.V4 else Family.V4


def _peers(rule: HostRule) -> tuple[PeerMatch, PeerMatch]:
    return rule.source, rule.destination


# --- matches --------------------------------------------------------------------------------------------------------------


def _matches_without_ports(rule: HostRule, family: Family | None, set_names: SetNames) -> _Matches:
    """All criteria but the ports that are alternatives.

    Cheap matches first, sets last; the family is spelled out where no other match implies it.
    """
    matches = [*_protocol_matches(rule, family)]
    for side, peer in ((Side.SOURCE, rule.source), (Side.DESTINATION, rule.destination)):
        if peer.not_ports:
            matches.append(PortsMatch(side, merged(peer.not_ports), negate=True))
    if family is None:
        return tuple(matches)
    for side, peer in ((Side.SOURCE, rule.source), (Side.DESTINATION, rule.destination)):
        matches += _address_matches(side, peer, family, set_names)
    if not any(isinstance(match, (NetsMatch, SetMatch, TupleMatch, ICMPTypeMatch)) for match in matches):
        matches.insert(0, FamilyMatch(family))
    return tuple(matches)


def _protocol_matches(rule: HostRule, family: Family | None) -> Iterator[Match]:
    icmp = [(match, negate) for match, negate in ((rule.icmp, False), (rule.not_icmp, True)) if match is not None]
    protocol = ICMP_OF[family] if icmp and family is not None else rule.protocol
    if protocol is not None:
        yield ProtocolMatch(protocol)
    if rule.not_protocol is not None:
        yield ProtocolMatch(rule.not_protocol, negate=True)
    if family is not None:
        for match, negate in icmp:
            yield ICMPTypeMatch(family, match.type, match.code, negate)


def _address_matches(side: Side, peer: PeerMatch, family: Family, set_names: SetNames) -> Iterator[Match]:
    nets, not_nets = _nets_of(peer.nets, family), _nets_of(peer.not_nets, family)
    if nets:
        yield NetsMatch(side, nets)
    if not_nets:
        yield NetsMatch(side, not_nets, negate=True)
    for set_id in peer.sets:
        yield SetMatch(side, family, set_names(set_id, family))
    for set_id in peer.not_sets:
        yield SetMatch(side, family, set_names(set_id, family), negate=True)
    for set_id in peer.not_port_sets:
        yield TupleMatch.port(side, family, set_names(set_id, family), negate=True)


def _nets_of(nets: Iterable[Network], family: Family) -> tuple[Network, ...]:
    return maximal(net for net in nets if net.family is family)


def merged(ports: Iterable[PortRange | Range]) -> tuple[Range, ...]:
    """The same ports as ranges that are sorted and do not touch."""
    ranges: list[Range] = []
    for first, last in sorted(ports):
        if ranges and first <= ranges[-1].last + 1:
            ranges[-1] = Range(ranges[-1].first, max(last, ranges[-1].last))
        else:
            ranges.append(Range(first, last))
    return tuple(ranges)


# --- alternatives -----------------------------------------------------------------------------------------------------------


def _port_alternatives(peer: PeerMatch, side: Side, family: Family | None, set_names: SetNames) -> list[_Matches]:
    """What the ports of one side may be; one empty alternative if they are not asked for."""
    alternatives: list[_Matches] = []
    if peer.ports:
        alternatives.append((PortsMatch(side, merged(peer.ports)),))
    if family is not None:
        alternatives += [(TupleMatch.port(side, family, set_names(set_id, family)),) for set_id in peer.port_sets]
    return alternatives or [()]


def _expand(
    matches: _Matches,
    sources: list[_Matches],
    destinations: list[_Matches],
    statements: tuple[Statement, ...],
    bit: int,
) -> Iterator[tuple[_Matches, tuple[Statement, ...]]]:
    """What each of the rules matches and does. The bit is cleared first: an earlier rule may have left it set."""
    if len(sources) == 1 or len(destinations) == 1:
        for source in sources:
            for destination in destinations:
                yield (*matches, *source, *destination), statements
        return
    yield (), (clear_bits(bit),)
    for source in sources:
        yield (*matches, *source), (set_bit(bit),)
    for destination in destinations:
        yield (*matches, has_bit(bit), *destination), statements
