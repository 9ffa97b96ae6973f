"""Neutral rules to nf_tables expressions, in the very forms that nft 1.0.6 makes, so that ``nft list`` prints them readably.

A match on addresses, sets or ICMP types implies the packet's family, which the kernel must test before it looks at the
header: ``with_dependencies`` puts that test where nft would, ``decode`` takes it away again. Each match then has exactly one
form, and ``decode`` is this module read backwards.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, TypeGuard

from tortie.dataplane.nft.elements import (
    KEY_ADDRESS,
    KEY_ICMP,
    KEY_PORT,
    KeyType,
    Piece,
    element_pieces,
    ifname_key,
    interval,
)
from tortie.dataplane.nft.expressions import (
    CT_STATE,
    CT_STATUS,
    CT_STATUS_DNAT,
    FIB_SOURCE_IS_ROUTED_BACK,
    REG_1,
    Bitwise,
    Compare,
    CtLoad,
    Expression,
    FibLoad,
    Limit,
    Load,
    Log,
    Lookup,
    MetaKey,
    MetaLoad,
    MetaSet,
    NoTrack,
    Operator,
    PayloadBase,
    PayloadLoad,
    RangeCompare,
    Reject,
    Verdict,
    VerdictCode,
)
from tortie.net import ICMP_OF, SCTP, TCP, UDP, Family, Network
from tortie.ruleset.values import (
    Accept,
    CtState,
    CtStateMatch,
    DestinationNATMatch,
    Dispatch,
    Drop,
    FamilyMatch,
    ICMPTypeMatch,
    Interface,
    InterfaceMatch,
    InterfaceSetMatch,
    Jump,
    KeyPart,
    LogPacket,
    MarkMatch,
    Match,
    NetsMatch,
    PortsMatch,
    ProtocolMatch,
    Return,
    Rule,
    SetMark,
    SetMatch,
    Side,
    SpoofedSourceMatch,
    Statement,
    TupleMatch,
)
from tortie.ruleset.values import NoTrack as NoTrackStatement
from tortie.ruleset.values import Reject as RejectStatement

FULL_MARK = 0xFFFFFFFF
COMMENT_BYTES = 128
PREFIX_BYTES = 127

# --- the tables that decode reads backwards ---------------------------------------------------------------------------------

NFPROTO = {Family.V4: b"\x02", Family.V6: b"\x0a"}
META_OF_INTERFACE = {Interface.IN: MetaKey.IIFNAME, Interface.OUT: MetaKey.OIFNAME}
CT_BITS = {
    CtState.INVALID: 1,
    CtState.ESTABLISHED: 2,
    CtState.RELATED: 4,
    CtState.NEW: 8,
    CtState.UNTRACKED: 64,
}
ADDRESS_OFFSET = {
    (Family.V4, Side.SOURCE): 12,
    (Family.V4, Side.DESTINATION): 16,
    (Family.V6, Side.SOURCE): 8,
    (Family.V6, Side.DESTINATION): 24,
}
PORT_OFFSET = {Side.SOURCE: 0, Side.DESTINATION: 2}
PROTOCOLS_WITH_PORTS = (TCP, UDP, SCTP)
SIDE_OF_PART = {
    KeyPart.SOURCE: Side.SOURCE,
    KeyPart.DESTINATION: Side.DESTINATION,
    KeyPart.SOURCE_PORT: Side.SOURCE,
    KeyPart.DESTINATION_PORT: Side.DESTINATION,
}
PORT_PARTS = (KeyPart.SOURCE_PORT, KeyPart.DESTINATION_PORT)
ICMP_REGISTERS = (REG_1, 9)
EQUALITY = {False: Operator.EQ, True: Operator.NEQ}


class AnonymousSet(NamedTuple):
    """A constant set that belongs to one rule; ``Lookup.set_id`` is its place in the rule's list, counted from 1."""

    key: KeyType
    interval: bool
    pieces: tuple[Piece, ...]


class EncodedRule(NamedTuple):
    """What a rule's message is made of."""

    expressions: tuple[Expression, ...]
    sets: tuple[AnonymousSet, ...]
    comment: str


# --- dependencies -----------------------------------------------------------------------------------------------------------


def family_of(match: Match) -> Family | None:
    """The family whose packets a match is confined to by itself."""
    match match:
        case NetsMatch(nets=nets):
            return nets[0].family
        case SetMatch(family=family) | TupleMatch(family=family) | ICMPTypeMatch(family=family):
            return family
        case _:
            return None


def canonical(rule: Rule) -> Rule:
    """The rule without what says nothing: what every rule with the same expressions decodes to.

    A family that other matches imply goes, and of ``SetMark`` the kept bits that are set anyway. Beside a protocol without
    ports the look-ups of tuples come first, or nft 1.0.6 would print "icmp checksum" for the port, or abort.
    """
    implied = {family_of(match) for match in rule.matches}
    matches = tuple(m for m in rule.matches if not (isinstance(m, FamilyMatch) and m.family in implied))
    if any(isinstance(m, ProtocolMatch) and not m.negate and not m.protocol.has_ports for m in matches):
        matches = tuple(sorted(matches, key=lambda match: not _looks_up_ports(match)))
    statements = tuple(SetMark(s.keep & ~s.set, s.set) if isinstance(s, SetMark) else s for s in rule.statements)
    if matches == rule.matches and statements == rule.statements:
        return rule
    return Rule(matches, statements, rule.comment)


def _looks_up_ports(match: Match) -> bool:
    return isinstance(match, TupleMatch) and not set(PORT_PARTS).isdisjoint(match.key)


def with_dependencies(matches: Iterable[Match]) -> Iterator[Match]:
    """A canonical rule's matches with a FamilyMatch before the first that implies one; with ICMP, before its protocol."""
    family: Family | None = None
    ordered = list(matches)
    for i, match in enumerate(ordered):
        implied = family_of(match)
        if isinstance(match, FamilyMatch):
            family = match.family
        elif isinstance(match, ProtocolMatch) and i + 1 < len(ordered):
            following = ordered[i + 1]
            implied = following.family if looks_at_icmp(following) else None
        if implied is not None and implied is not family:
            family = implied
            yield FamilyMatch(family)
        yield match


# --- rules ------------------------------------------------------------------------------------------------------------------


def encode_rule(rule: Rule) -> EncodedRule:
    """The rule's expressions; ValueError for one that nf_tables cannot hold."""
    if len(rule.comment.encode()) > COMMENT_BYTES:
        raise ValueError(f"a rule's comment has at most {COMMENT_BYTES} bytes: {rule.comment!r}")
    rule = canonical(rule)
    encoder = _RuleEncoder()
    for match in with_dependencies(rule.matches):
        encoder.match(match)
    for statement in rule.statements:
        encoder.statement(statement)
    return EncodedRule(tuple(encoder.expressions), tuple(encoder.sets), rule.comment)


class _RuleEncoder:
    """Collects the expressions of one rule and the anonymous sets that they look up."""

    def __init__(self) -> None:
        self.expressions: list[Expression] = []
        self.sets: list[AnonymousSet] = []
        self._protocols: set[int] = set()
        self._family: Family | None = None
        self._ended = False

    def _add(self, *expressions: Expression) -> None:
        self.expressions += expressions

    def _look_up(self, key: KeyType, pieces: tuple[Piece, ...], *, negate: bool, intervals: bool) -> None:
        self.sets.append(AnonymousSet(key, intervals, pieces))
        self._add(Lookup("__set%d", len(self.sets), negate))

    def match(self, match: Match) -> None:
        match match:
            case InterfaceMatch(interface, name, prefix):
                key = ifname_key(name)
                self._add(MetaLoad(META_OF_INTERFACE[interface]))
                self._add(Compare(Operator.EQ, key.rstrip(b"\0") if prefix else key))
            case InterfaceSetMatch(interface, name):
                self._add(MetaLoad(META_OF_INTERFACE[interface]), Lookup(name))
            case FamilyMatch(family):
                self._family = family
                self._add(MetaLoad(MetaKey.NFPROTO), Compare(Operator.EQ, NFPROTO[family]))
            case CtStateMatch(states):
                mask = host_u32(sum(CT_BITS[state] for state in states))
                self._add(CtLoad(CT_STATE), Bitwise(mask, bytes(4)), Compare(Operator.NEQ, bytes(4)))
            case DestinationNATMatch():
                mask = host_u32(CT_STATUS_DNAT)
                self._add(CtLoad(CT_STATUS), Bitwise(mask, bytes(4)), Compare(Operator.NEQ, bytes(4)))
            case SpoofedSourceMatch():
                self._add(FibLoad(FIB_SOURCE_IS_ROUTED_BACK), Compare(Operator.EQ, bytes(4)))
            case MarkMatch(mask, value, negate):
                self._add(MetaLoad(MetaKey.MARK))
                if mask != FULL_MARK:
                    self._add(Bitwise(host_u32(mask), bytes(4)))
                self._add(Compare(EQUALITY[negate], host_u32(value)))
            case ProtocolMatch(protocol, negate):
                if not negate:
                    self._protocols.add(protocol.number)
                self._add(MetaLoad(MetaKey.L4PROTO), Compare(EQUALITY[negate], bytes([protocol.number])))
            case NetsMatch():
                self._nets(match)
            case SetMatch(side, family, name, negate):
                self._add(load_address(family, side), Lookup(name, negate=negate))
            case TupleMatch(key, family, name, negate):
                if looks_at_icmp(match) and family is not None:
                    self._require(match, ICMP_OF[family].number)
                self._add(*load_tuple(key, family), Lookup(name, negate=negate))
            case PortsMatch():
                self._ports(match)
            case ICMPTypeMatch():
                self._icmp(match)

    def _nets(self, match: NetsMatch) -> None:
        """One network is compared, its whole bytes alone where its prefix ends with a byte; several are a set."""
        first = match.nets[0]
        if len(match.nets) > 1:
            intervals = not all(net.is_host for net in match.nets)
            elements = match.nets if intervals else [net.address for net in match.nets]
            pieces = tuple(piece for element in elements for piece in element_pieces(element))
            self._add(load_address(first.family, match.side))
            self._look_up(KEY_ADDRESS[first.family], pieces, negate=match.negate, intervals=intervals)
            return
        self._add(*compare_network(first, match.side, negate=match.negate))

    def _ports(self, match: PortsMatch) -> None:
        self._require(match, *(protocol.number for protocol in PROTOCOLS_WITH_PORTS))
        self._add(PayloadLoad(PayloadBase.TRANSPORT, PORT_OFFSET[match.side], 2))
        ranges = match.ports
        if len(ranges) > 1:
            intervals = any(first != last for first, last in ranges)
            pieces: tuple[Piece, ...] = tuple(Piece(_be16(first)) for first, _ in ranges)
            if intervals:
                pieces = tuple(piece for first, last in ranges for piece in interval(first, last, 2))
            self._look_up(KEY_PORT, pieces, negate=match.negate, intervals=intervals)
            return
        first, last = _be16(ranges[0].first), _be16(ranges[0].last)
        if first == last:
            self._add(Compare(EQUALITY[match.negate], first))
        elif match.negate:
            self._add(RangeCompare(Operator.NEQ, first, last))
        else:
            self._add(Compare(Operator.GTE, first), Compare(Operator.LTE, last))

    def _icmp(self, match: ICMPTypeMatch) -> None:
        """Type and code are compared as one number; "not both" must be a set, or nft would print "neither"."""
        self._require(match, ICMP_OF[match.family].number)
        transport = PayloadBase.TRANSPORT
        if match.code is None:
            self._add(PayloadLoad(transport, 0, 1), Compare(EQUALITY[match.negate], bytes([match.type])))
        elif not match.negate:
            self._add(PayloadLoad(transport, 0, 2), Compare(Operator.EQ, bytes([match.type, match.code])))
        else:
            first, second = ICMP_REGISTERS
            self._add(PayloadLoad(transport, 0, 1, first), PayloadLoad(transport, 1, 1, second))
            key = struct.pack("B3xB3x", match.type, match.code)
            self._look_up(KEY_ICMP[match.family], (Piece(key),), negate=True, intervals=False)

    def _require(self, match: Match, *protocols: int) -> None:
        """That the rule has said of which protocol the transport header is."""
        if self._protocols.isdisjoint(protocols):
            raise ValueError(f"the rule does not name the protocol before {match}")

    def statement(self, statement: Statement) -> None:
        if self._ended:
            raise ValueError(
                f"a rule of nf_tables ends with its verdict or its limit, so that {statement} would not be reached"
            )
        has_limit = isinstance(statement, LogPacket) and statement.limit is not None
        self._ended = has_limit or isinstance(statement, Accept | Drop | RejectStatement | Return | Jump | Dispatch)
        match statement:
            case Accept():
                self._add(Verdict(VerdictCode.ACCEPT))
            case Drop():
                self._add(Verdict(VerdictCode.DROP))
            case RejectStatement():
                self._add(Reject(self._family))
            case Return():
                self._add(Verdict(VerdictCode.RETURN))
            case Jump(chain):
                self._add(Verdict(VerdictCode.JUMP, chain))
            case Dispatch(interface, name):
                self._add(MetaLoad(META_OF_INTERFACE[interface]), Lookup(name, verdict=True))
            case SetMark(keep, value):
                self._add(*_set_mark(keep, value))
            case NoTrackStatement():
                self._add(NoTrack())
            case LogPacket(prefix, limit):
                if len(prefix.encode()) > PREFIX_BYTES:
                    raise ValueError(f"a log prefix has at most {PREFIX_BYTES} bytes: {prefix!r}")
                self._add(*((Limit(*limit),) if limit is not None else ()), Log(prefix))


def _set_mark(keep: int, value: int) -> tuple[Expression, ...]:
    if keep == 0:
        return Load(host_u32(value)), MetaSet(MetaKey.MARK)
    return MetaLoad(MetaKey.MARK), Bitwise(host_u32(keep), host_u32(value)), MetaSet(MetaKey.MARK)


def load_address(family: Family, side: Side) -> PayloadLoad:
    """Put the packet's address into the first register."""
    return PayloadLoad(PayloadBase.NETWORK, ADDRESS_OFFSET[family, side], family.bits // 8)


def looks_at_icmp(match: Match) -> TypeGuard[ICMPTypeMatch | TupleMatch]:
    return isinstance(match, ICMPTypeMatch) or (isinstance(match, TupleMatch) and KeyPart.ICMP_TYPE in match.key)


def load_tuple(key: Sequence[KeyPart], family: Family | None) -> tuple[Expression, ...]:
    """Put the parts of a key side by side, into registers numbered as the kernel lists them."""
    loads: list[Expression] = []
    word = _FIRST_WORD
    for part in key:
        # The kernel calls the four 16-byte registers 1 to 4 and their quarters 8 to 23, and lists the first quarter as the whole.
        register = word // 4 if word % 4 == 0 else word + 4
        loads.append(_load_part(part, family, register))
        word += family.bits // 32 if family is not None and part in (KeyPart.SOURCE, KeyPart.DESTINATION) else 1
    return tuple(loads)


_FIRST_WORD = 4
"""Of ``REG_1``, counted in 4 bytes; the verdict's register comes before it."""


def _load_part(part: KeyPart, family: Family | None, register: int) -> Expression:
    match part:
        case KeyPart.SOURCE | KeyPart.DESTINATION:
            if family is None:
                raise ValueError(f"{part} is of one family")
            offset = ADDRESS_OFFSET[family, SIDE_OF_PART[part]]
            return PayloadLoad(PayloadBase.NETWORK, offset, family.bits // 8, register)
        case KeyPart.PROTOCOL:
            return MetaLoad(MetaKey.L4PROTO, register)
        case KeyPart.SOURCE_PORT | KeyPart.DESTINATION_PORT:
            return PayloadLoad(PayloadBase.TRANSPORT, PORT_OFFSET[SIDE_OF_PART[part]], 2, register)
        case KeyPart.ICMP_TYPE:
            return PayloadLoad(PayloadBase.TRANSPORT, 0, 1, register)


def compare_network(network: Network, side: Side, *, negate: bool) -> tuple[Expression, ...]:
    """Load the address and compare it with one network."""
    load = load_address(network.family, side)
    whole, odd = divmod(network.prefix_len, 8)
    if odd or not whole:
        mask = _mask(network)
        return load, Bitwise(mask, bytes(len(mask))), Compare(EQUALITY[negate], network.packed)
    return PayloadLoad(load.base, load.offset, whole), Compare(EQUALITY[negate], network.packed[:whole])


def _mask(network: Network) -> bytes:
    bits = network.family.bits
    return (((1 << network.prefix_len) - 1) << (bits - network.prefix_len)).to_bytes(bits // 8, "big")


def _be16(number: int) -> bytes:
    return number.to_bytes(2, "big")


def host_u32(number: int) -> bytes:
    """Marks and connection states are compared in host byte order."""
    return struct.pack("=I", number)
