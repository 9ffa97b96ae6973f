"""nf_tables expressions to neutral rules: ``encode`` read backwards.

``decode_rule(encode_rule(rule)) == canonical(rule)`` for every rule; whatever encode would not have written becomes an
``Unrecognised``, which equals nothing that is intended.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from tortie.dataplane.nft.elements import (
    IFNAME_BYTES,
    KEY_ICMP,
    KEY_PORT,
    network_of,
    read_ifname,
    read_intervals,
)
from tortie.dataplane.nft.encode import (
    ADDRESS_OFFSET,
    CT_BITS,
    FULL_MARK,
    ICMP_REGISTERS,
    META_OF_INTERFACE,
    NFPROTO,
    PORT_OFFSET,
    PORT_PARTS,
    PROTOCOLS_WITH_PORTS,
    SIDE_OF_PART,
    AnonymousSet,
    family_of,
    host_u32,
    load_tuple,
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
from tortie.net import ICMP_OF, Address, Family, Network, Protocol
from tortie.ruleset.values import (
    Accept,
    CtStateMatch,
    DestinationNATMatch,
    Dispatch,
    Drop,
    FamilyMatch,
    ICMPTypeMatch,
    InterfaceMatch,
    InterfaceSetMatch,
    Jump,
    KeyPart,
    LogLimit,
    LogPacket,
    MarkMatch,
    Match,
    NetsMatch,
    PortsMatch,
    ProtocolMatch,
    Range,
    Return,
    Rule,
    SetMark,
    SetMatch,
    SpoofedSourceMatch,
    Statement,
    TupleMatch,
)
from tortie.ruleset.values import NoTrack as NoTrackStatement
from tortie.ruleset.values import Reject as RejectStatement

_INTERFACES = {key: interface for interface, key in META_OF_INTERFACE.items()}
_FAMILIES = {data: family for family, data in NFPROTO.items()}
_SIDE_OF_PORT = {offset: side for side, offset in PORT_OFFSET.items()}
_SIDE_OF_ADDRESS = {offset: key for key, offset in ADDRESS_OFFSET.items()}
_ICMP_FAMILIES = {protocol.number: family for family, protocol in ICMP_OF.items()}
_PART_OF_ADDRESS = {SIDE_OF_PART[part]: part for part in (KeyPart.SOURCE, KeyPart.DESTINATION)}
_PART_OF_PORT = {PORT_OFFSET[SIDE_OF_PART[part]]: part for part in PORT_PARTS}
_PORT_PROTOCOLS = {protocol.number for protocol in PROTOCOLS_WITH_PORTS}
_NEGATE = {Operator.EQ: False, Operator.NEQ: True}
_VERDICTS: Mapping[VerdictCode, Statement] = {
    VerdictCode.ACCEPT: Accept(),
    VerdictCode.DROP: Drop(),
    VerdictCode.RETURN: Return(),
}


class Unrecognised(NamedTuple):
    """Something in our table that we would not have written; equal to nothing that is intended."""

    what: str
    """As much of it as can be said, for people."""


class _UnrecognisedError(ValueError):
    """Where the reading stopped."""


def decode_rule(
    expressions: Sequence[Expression], sets: Mapping[str, AnonymousSet | Unrecognised], comment: str
) -> Rule | Unrecognised:
    """The rule that has these expressions; *sets* are the anonymous ones of its table."""
    try:
        decoder = _RuleDecoder(expressions, sets)
        decoder.read()
        matches = _without_dependencies(decoder.matches)
    except (ValueError, KeyError, struct.error) as error:
        return Unrecognised(f"{comment or 'rule'}: {error}: {list(expressions)}")
    return Rule(matches, tuple(decoder.statements), comment)


def _without_dependencies(matches: Iterable[Match]) -> tuple[Match, ...]:
    """Take away the tests of the family that other matches imply, which each must have before it."""
    found = list(matches)
    implied = {family_of(match) for match in found}
    family: Family | None = None
    for match in found:
        if isinstance(match, FamilyMatch):
            family = match.family
        elif (needed := family_of(match)) is not None and needed is not family:
            raise _UnrecognisedError(f"{match} without a test of the family before it")
    return tuple(match for match in found if not (isinstance(match, FamilyMatch) and match.family in implied))


class _RuleDecoder:
    """Reads a rule's expressions from left to right, each load together with what uses it."""

    def __init__(self, expressions: Sequence[Expression], sets: Mapping[str, AnonymousSet | Unrecognised]) -> None:
        self.matches: list[Match] = []
        self.statements: list[Statement] = []
        self._expressions = expressions
        self._sets = sets
        self._at = 0
        self._protocol = -1

    def read(self) -> None:
        while self._at < len(self._expressions):
            read = self._one(self._next())
            if isinstance(read, Statement):
                self.statements.append(read)
            elif self.statements:
                raise _UnrecognisedError(f"{read} after a statement")
            else:
                self.matches.append(read)

    def _next(self) -> Expression:
        if self._at == len(self._expressions):
            raise _UnrecognisedError("the rule ends too early")
        self._at += 1
        return self._expressions[self._at - 1]

    def _next_is(self, *kinds: type[Expression]) -> bool:
        return self._at < len(self._expressions) and isinstance(self._expressions[self._at], kinds)

    def _family(self) -> Family | None:
        """That which the rule has asked for last."""
        return next((match.family for match in reversed(self.matches) if isinstance(match, FamilyMatch)), None)

    def _compare(self) -> Compare:
        expression = self._next()
        if not isinstance(expression, Compare) or expression.register != REG_1:
            raise _UnrecognisedError(f"{expression}, not a comparison")
        return expression

    def _equality(self, length: int) -> tuple[bytes, bool]:
        """The data compared with, and whether for inequality."""
        compare = self._compare()
        if len(compare.data) != length:
            raise _UnrecognisedError(f"a comparison of {len(compare.data)} bytes, not {length}")
        return compare.data, _NEGATE[compare.operator]

    def _mask(self) -> bytes | None:
        """The mask of a plain "and", if one comes next."""
        if not self._next_is(Bitwise):
            return None
        expression = self._next()
        assert isinstance(expression, Bitwise)
        if expression.register != REG_1 or any(expression.xor):
            raise _UnrecognisedError(f"{expression}, not a mask")
        return expression.mask

    def _one(self, expression: Expression) -> Match | Statement:
        match expression:
            case MetaLoad(key, register=1) if key in _INTERFACES:
                return self._interface(key)
            case MetaLoad(MetaKey.NFPROTO, register=1):
                data, negate = self._equality(1)
                if not negate:
                    return FamilyMatch(_FAMILIES[data])
            case MetaLoad(MetaKey.L4PROTO, register=1):
                return self._protocol_match(expression)
            case MetaLoad(MetaKey.MARK, register=1):
                return self._mark()
            case CtLoad(key, register=1) if key == CT_STATE:
                return self._ct_state()
            case CtLoad(key, register=1) if key == CT_STATUS:
                return self._ct_status()
            case FibLoad(flags, register=1) if flags == FIB_SOURCE_IS_ROUTED_BACK:
                if self._equality(4) == (bytes(4), False):
                    return SpoofedSourceMatch()
            case PayloadLoad(PayloadBase.NETWORK, register=1):
                return self._address(expression)
            case PayloadLoad(PayloadBase.TRANSPORT, register=1):
                return self._transport(expression)
            case Load(data, register=1) if len(data) == 4:
                self._require_mark_set()
                return SetMark(0, _host_u32(data))
            case Verdict(VerdictCode.JUMP, chain):
                return Jump(chain)
            case Verdict(code):
                return _VERDICTS[code]
            case NoTrack():
                return NoTrackStatement()
            case Reject(family) if family is self._family():
                return RejectStatement()
            case Log(prefix):
                return LogPacket(prefix)
            case Limit(count, per_s, burst) if isinstance(log := self._next(), Log):
                return LogPacket(log.prefix, LogLimit(count, per_s, burst))
            case _:
                pass
        raise _UnrecognisedError(str(expression))

    def _interface(self, key: MetaKey) -> Match | Statement:
        interface = _INTERFACES[key]
        if self._next_is(Lookup):
            lookup = self._interface_lookup()
            kind = Dispatch if lookup.verdict else InterfaceSetMatch
            return kind(interface, lookup.set_name)
        compare = self._compare()
        if compare.operator is not Operator.EQ:
            raise _UnrecognisedError(str(compare))
        prefix = len(compare.data) < IFNAME_BYTES
        name = read_ifname(compare.data.ljust(IFNAME_BYTES, b"\0"))
        if prefix and len(name.encode()) != len(compare.data):
            raise _UnrecognisedError(str(compare))
        return InterfaceMatch(interface, name, prefix)

    def _protocol_match(self, load: MetaLoad) -> Match:
        if self._next_is(Lookup, PayloadLoad):
            return self._tuple(load, KeyPart.PROTOCOL, None)
        data, negate = self._equality(1)
        if not negate:
            self._protocol = data[0]
        return ProtocolMatch(Protocol(data[0]), negate)

    def _mark(self) -> Match | Statement:
        if self._next_is(Bitwise) and self._at + 1 < len(self._expressions):
            following = self._expressions[self._at + 1]
            if isinstance(following, MetaSet):
                bitwise = self._next()
                assert isinstance(bitwise, Bitwise)
                self._require_mark_set()
                return SetMark(_host_u32(bitwise.mask), _host_u32(bitwise.xor))
        mask = self._mask()
        value, negate = self._equality(4)
        return MarkMatch(FULL_MARK if mask is None else _host_u32(mask), _host_u32(value), negate)

    def _require_mark_set(self) -> None:
        expression = self._next()
        if expression != MetaSet(MetaKey.MARK):
            raise _UnrecognisedError(f"{expression}, not the mark set")

    def _ct_state(self) -> Match:
        bits = _host_u32(self._mask() or bytes(4))
        compare = self._compare()
        states = frozenset(state for state, bit in CT_BITS.items() if bit & bits)
        if compare != Compare(Operator.NEQ, bytes(4)) or bits != sum(CT_BITS[state] for state in states):
            raise _UnrecognisedError(f"states {bits:#x} {compare}")
        return CtStateMatch(states)

    def _ct_status(self) -> Match:
        read = (self._mask(), self._compare())
        if read != (host_u32(CT_STATUS_DNAT), Compare(Operator.NEQ, bytes(4))):
            raise _UnrecognisedError(f"status {read}")
        return DestinationNATMatch()

    # --- addresses ----------------------------------------------------------------------------------------------------------

    def _address(self, load: PayloadLoad) -> Match:
        family, side = _SIDE_OF_ADDRESS[load.offset]
        length = family.bits // 8
        if load.length == length and self._next_is(MetaLoad, PayloadLoad):
            return self._tuple(load, _PART_OF_ADDRESS[side], family)
        if load.length == length and self._next_is(Lookup):
            lookup = self._lookup()
            found = self._sets.get(lookup.set_name)
            if found is None:
                return SetMatch(side, family, lookup.set_name, lookup.negate)
            return NetsMatch(side, _networks(found, family), lookup.negate)
        mask = self._mask() if load.length == length else None
        data, negate = self._equality(load.length)
        prefix_len = load.length * 8 if mask is None else _prefix_len(mask)
        try:
            network = Network(data.ljust(length, b"\0"), prefix_len)
        except ValueError as error:
            raise _UnrecognisedError(str(error)) from None
        return NetsMatch(side, (network,), negate)

    def _tuple(self, first: Expression, part: KeyPart, family: Family | None) -> Match:
        """The look-up of several parts of the packet side by side, of which the first has been read."""
        loads, key = [first], [part]
        while self._next_is(MetaLoad, PayloadLoad):
            loads.append(self._next())
            key.append(_part_of(loads[-1]))
        if loads != list(load_tuple(key, family)):
            raise _UnrecognisedError(f"{loads}, not side by side")
        if KeyPart.ICMP_TYPE in key and (family is None or self._protocol != ICMP_OF[family].number):
            raise _UnrecognisedError(f"an ICMP type of protocol {self._protocol}")
        lookup = self._lookup()
        if lookup.set_name in self._sets:
            raise _UnrecognisedError("a set of tuples without a name")
        return TupleMatch(tuple(key), family, lookup.set_name, lookup.negate)

    # --- the transport header -----------------------------------------------------------------------------------------------

    def _transport(self, load: PayloadLoad) -> Match:
        if self._protocol in _ICMP_FAMILIES and load.offset == 0:
            return self._icmp(load, _ICMP_FAMILIES[self._protocol])
        if self._protocol not in _PORT_PROTOCOLS or load.length != 2:
            raise _UnrecognisedError(f"{load} of protocol {self._protocol}")
        side = _SIDE_OF_PORT[load.offset]
        if self._next_is(RangeCompare):
            expression = self._next()
            assert isinstance(expression, RangeCompare)
            if expression.operator is not Operator.NEQ or expression.register != REG_1:
                raise _UnrecognisedError(str(expression))
            return PortsMatch(side, (_range(expression.first, expression.last),), negate=True)
        if self._next_is(Lookup):
            lookup = self._lookup()
            return PortsMatch(side, _ranges(self._sets[lookup.set_name]), lookup.negate)
        compare = self._compare()
        if compare.operator is Operator.GTE:
            last = self._compare()
            if last.operator is not Operator.LTE:
                raise _UnrecognisedError(f"{compare} {last}")
            return PortsMatch(side, (_range(compare.data, last.data),))
        return PortsMatch(side, (_range(compare.data, compare.data),), _NEGATE[compare.operator])

    def _icmp(self, load: PayloadLoad, family: Family) -> Match:
        if load.length == 2:
            data, negate = self._equality(2)
            if negate:
                raise _UnrecognisedError("an ICMP type and code compared for inequality at once")
            return ICMPTypeMatch(family, data[0], data[1])
        if load.length != 1:
            raise _UnrecognisedError(str(load))
        if self._next_is(Lookup):
            return self._tuple(load, KeyPart.ICMP_TYPE, family)
        if not self._next_is(PayloadLoad):
            data, negate = self._equality(1)
            return ICMPTypeMatch(family, data[0], None, negate)
        second = self._next()
        lookup = self._lookup()
        found = self._sets[lookup.set_name]
        if second != PayloadLoad(PayloadBase.TRANSPORT, 1, 1, ICMP_REGISTERS[1]) or not lookup.negate:
            raise _UnrecognisedError(f"{second} {lookup}")
        if isinstance(found, Unrecognised) or found.key.number != KEY_ICMP[family].number or len(found.pieces) != 1:
            raise _UnrecognisedError(f"{found}, not one ICMP type and code")
        icmp_type, code = struct.unpack("B3xB3x", found.pieces[0].key)
        return ICMPTypeMatch(family, icmp_type, code, negate=True)

    def _interface_lookup(self) -> Lookup:
        """Of a named map or set; a packet's interface is never looked for in what it is not in."""
        expression = self._next()
        assert isinstance(expression, Lookup)
        if expression.register != REG_1 or expression.negate or expression.set_name in self._sets:
            raise _UnrecognisedError(f"{expression}, not a look-up of an interface")
        return expression

    def _lookup(self, *, verdict: bool = False) -> Lookup:
        expression = self._next()
        if not isinstance(expression, Lookup) or expression.register != REG_1 or expression.verdict != verdict:
            raise _UnrecognisedError(f"{expression}, not a look-up")
        if verdict and expression.set_name in self._sets:
            raise _UnrecognisedError("a map without a name")
        return expression


def _part_of(load: Expression) -> KeyPart:
    """What a load after the first of a tuple puts there, wherever it does."""
    match load:
        case MetaLoad(MetaKey.L4PROTO):
            return KeyPart.PROTOCOL
        case PayloadLoad(PayloadBase.TRANSPORT, offset, 2):
            return _PART_OF_PORT[offset]
        case PayloadLoad(PayloadBase.TRANSPORT, 0, 1):
            return KeyPart.ICMP_TYPE
    raise _UnrecognisedError(f"{load} in a tuple")


def _host_u32(data: bytes) -> int:
    if len(data) != 4:
        raise _UnrecognisedError(f"{len(data)} bytes, not a 32-bit number")
    return int(struct.unpack("=I", data)[0])


def _prefix_len(mask: bytes) -> int:
    """The length of the prefix that a mask leaves; _UnrecognisedError for a mask with gaps."""
    bits = len(mask) * 8
    number = int.from_bytes(mask, "big")
    length = number.bit_count()
    if number != ((1 << length) - 1) << (bits - length):
        raise _UnrecognisedError(f"the mask {mask.hex()}")
    return length


def _range(first: bytes, last: bytes) -> Range:
    if len(first) != 2 or len(last) != 2:
        raise _UnrecognisedError(f"{first.hex()} is no port")
    return Range(int.from_bytes(first, "big"), int.from_bytes(last, "big"))


def _networks(found: AnonymousSet | Unrecognised, family: Family) -> tuple[Network, ...]:
    if isinstance(found, Unrecognised):
        raise _UnrecognisedError(found.what)
    if found.interval:
        return tuple(network_of(first, last, family) for first, last in read_intervals(found.pieces))
    return tuple(Address(key).network() for key in sorted(piece.key for piece in found.pieces))


def _ranges(found: AnonymousSet | Unrecognised) -> tuple[Range, ...]:
    if isinstance(found, Unrecognised) or found.key.number != KEY_PORT.number:
        raise _UnrecognisedError(f"{found}, not a set of ports")
    if found.interval:
        return tuple(Range(first, last) for first, last in read_intervals(found.pieces))
    return tuple(_range(key, key) for key in sorted(piece.key for piece in found.pieces))
