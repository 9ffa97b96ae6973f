"""nf_tables expressions as values, and as bytes both ways (linux/netfilter/nf_tables.h).

A rule in the kernel is a list of small instructions on registers: load something, compare it, end with a verdict. Here each
is a value with the fields that we use. What the kernel lists and we would never write becomes ``Unknown``, so that nothing
foreign is taken for ours. Registers: ``REG_1`` is 16 bytes long; the 4-byte ones from 8 on are its quarters, so that the parts
of a concatenated key lie side by side.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from enum import IntEnum
from typing import ClassVar, TypeAlias

import msgspec

from tortie.dataplane.netlink.message import attribute, attribute_map, attributes, be32, be64, nest, read_text, text
from tortie.net import Family

REG_VERDICT = 0
REG_1 = 1


class MetaKey(IntEnum):
    """What ``meta`` loads (enum nft_meta_keys); the mark in host byte order, names padded with NULs to 16 bytes."""

    MARK = 3
    IIFNAME = 6
    OIFNAME = 7
    NFPROTO = 15
    L4PROTO = 16


class PayloadBase(IntEnum):
    """From where ``payload`` counts (enum nft_payload_bases)."""

    NETWORK = 1
    TRANSPORT = 2


class Operator(IntEnum):
    """How ``cmp`` compares (enum nft_cmp_ops); of them ``range`` has the first two only."""

    EQ = 0
    NEQ = 1
    LTE = 3
    GTE = 5


class VerdictCode(IntEnum):
    """What becomes of the packet (linux/netfilter.h, enum nft_verdicts)."""

    DROP = 0
    ACCEPT = 1
    JUMP = -3
    RETURN = -5


CT_STATE = 0
"""What ``ct`` loads: one bit per state, in host byte order."""
CT_STATUS = 2
"""The connection's status, in host byte order."""
CT_STATUS_DNAT = 1 << 5
"""Its destination was translated (linux/netfilter/nf_conntrack_common.h, IPS_DST_NAT)."""

FIB_SOURCE_IS_ROUTED_BACK = 0x1 | 0x8 | 0x20
"""What ``fib saddr . iif oif`` looks up, as "present" (NFTA_FIB_F_SADDR, _IIF, _PRESENT)."""

_FIB_RESULT_OIF = 1
_DEFAULT_LOG_LEVEL = 4
_SECOND = 1
_LIMIT_PACKETS = 0
_UNDER, _OVER = 0, 1
"""NFT_LIMIT_F_INV and NFT_CONNLIMIT_F_INV: match what exceeds the limit."""
_REJECT_FORMS = {None: (2, 1), Family.V4: (0, 3), Family.V6: (0, 4)}
"""Type and code: NFT_REJECT_ICMPX_UNREACH, of whatever family, or NFT_REJECT_ICMP_UNREACH with the code in ICMP or ICMPv6."""
_REJECT_FAMILIES = {form: family for family, form in _REJECT_FORMS.items()}


class _Base(msgspec.Struct, frozen=True, gc=False):
    """Base of the expressions; ``kernel_name`` is the kernel's."""

    kernel_name: ClassVar[str] = ""


class MetaLoad(_Base, frozen=True):
    kernel_name = "meta"
    key: MetaKey
    register: int = REG_1


class MetaSet(_Base, frozen=True):
    kernel_name = "meta"
    key: MetaKey
    register: int = REG_1


class PayloadLoad(_Base, frozen=True):
    kernel_name = "payload"
    base: PayloadBase
    offset: int
    length: int
    register: int = REG_1


class CtLoad(_Base, frozen=True):
    kernel_name = "ct"
    key: int
    register: int = REG_1


class FibLoad(_Base, frozen=True):
    """Put into the register whether a route is found for what the flags say (linux/netfilter/nf_tables.h, NFTA_FIB_F_PRESENT); in prerouting only."""

    kernel_name = "fib"
    flags: int
    register: int = REG_1


class Compare(_Base, frozen=True):
    """End the rule here unless the register compares so."""

    kernel_name = "cmp"
    operator: Operator
    data: bytes
    register: int = REG_1


class RangeCompare(_Base, frozen=True):
    """End the rule here unless the register is in (or for NEQ, out of) the range, as numbers in network order."""

    kernel_name = "range"
    operator: Operator
    first: bytes
    last: bytes
    register: int = REG_1


class Bitwise(_Base, frozen=True):
    """``register = (register & mask) ^ xor``."""

    kernel_name = "bitwise"
    mask: bytes
    xor: bytes
    register: int = REG_1


class Lookup(_Base, frozen=True):
    """End the rule here unless the key is in the set; of a map, its verdict is the rule's."""

    kernel_name = "lookup"
    set_name: str
    set_id: int = 0
    """Of an anonymous set made in the same batch, whose name the kernel has yet to choose; else 0."""
    negate: bool = False
    verdict: bool = False
    register: int = REG_1


class Load(_Base, frozen=True):
    """Put a constant into a register."""

    kernel_name = "immediate"
    data: bytes
    register: int = REG_1


class Verdict(_Base, frozen=True):
    kernel_name = "immediate"
    code: VerdictCode
    chain: str = ""


class Log(_Base, frozen=True):
    kernel_name = "log"
    prefix: str = ""


class NoTrack(_Base, frozen=True):
    kernel_name = "notrack"


class Reject(_Base, frozen=True):
    """Drop, and tell the sender by ICMP: port unreachable, in the form that ``reject`` has for nft (enum nft_reject_types)."""

    kernel_name = "reject"
    family: Family | None = None
    """That of the packet, where the rule asks for it."""


class Limit(_Base, frozen=True):
    """End the rule here if more packets come than ``count`` every ``per_s`` seconds, after so many at once."""

    kernel_name = "limit"
    count: int
    per_s: int
    burst: int


class LimitOver(_Base, frozen=True):
    """End the rule here unless more packets come than so many a second, after so many at once; part of an element of a set."""

    kernel_name = "limit"
    per_second: int
    burst: int


class ConnectionsOver(_Base, frozen=True):
    """End the rule here unless there are more connections than these; part of an element of a set."""

    kernel_name = "connlimit"
    count: int


class Unknown(_Base, frozen=True):
    """Something that we never write."""

    name: str
    data: bytes


Expression: TypeAlias = (
    MetaLoad | MetaSet | PayloadLoad | CtLoad | FibLoad | Compare | RangeCompare | Bitwise | Lookup | Load | Verdict | Log | NoTrack
    | Reject | Limit | LimitOver | ConnectionsOver | Unknown
)  # fmt: skip


# --- values to bytes --------------------------------------------------------------------------------------------------------


def value_data(kind: int, value: bytes) -> bytes:
    """An attribute that holds a value (NFTA_DATA_VALUE)."""
    return nest(kind, attribute(1, value))


def verdict_data(kind: int, verdict: Verdict) -> bytes:
    """An attribute that holds a verdict (NFTA_DATA_VERDICT)."""
    code = be32(1, verdict.code & 0xFFFFFFFF)
    return nest(kind, nest(2, code + text(2, verdict.chain) if verdict.chain else code))


def _contents(expression: Expression) -> bytes:
    """The attributes of an expression (NFTA_EXPR_DATA), in the order in which nft writes them."""
    match expression:
        case MetaLoad(key, register):
            return be32(2, key) + be32(1, register)
        case MetaSet(key, register):
            return be32(2, key) + be32(3, register)
        case PayloadLoad(base, offset, length, register):
            return be32(1, register) + be32(2, base) + be32(3, offset) + be32(4, length)
        case CtLoad(key, register):
            return be32(2, key) + be32(1, register)
        case FibLoad(flags, register):
            return be32(1, register) + be32(2, _FIB_RESULT_OIF) + be32(3, flags)
        case Compare(operator, data, register):
            return be32(1, register) + be32(2, operator) + value_data(3, data)
        case RangeCompare(operator, first, last, register):
            return be32(1, register) + be32(2, operator) + value_data(3, first) + value_data(4, last)
        case Bitwise(mask, xor, register):
            fixed = be32(1, register) + be32(2, register) + be32(3, len(mask))
            return fixed + value_data(4, mask) + value_data(5, xor) + be32(6, 0)
        case Lookup():
            return _lookup_contents(expression)
        case Load(data, register):
            return be32(1, register) + value_data(2, data)
        case Verdict():
            return be32(1, REG_VERDICT) + verdict_data(2, expression)
        case Log(prefix):
            return text(2, prefix) if prefix else b""
        case NoTrack():
            return b""
        case Reject(family):
            kind, code = _REJECT_FORMS[family]
            return be32(1, kind) + attribute(2, bytes([code]))
        case Limit(count, per_s, burst):
            return _limit_contents(count, per_s, burst, _UNDER)
        case LimitOver(per_second, burst):
            return _limit_contents(per_second, _SECOND, burst, _OVER)
        case ConnectionsOver(count):
            return be32(1, count) + be32(2, _OVER)
        case Unknown():
            raise ValueError(f"an expression that we do not know cannot be written: {expression}")


def _limit_contents(count: int, per_s: int, burst: int, flags: int) -> bytes:
    return be64(1, count) + be64(2, per_s) + be32(3, burst) + be32(4, _LIMIT_PACKETS) + be32(5, flags)


def _lookup_contents(lookup: Lookup) -> bytes:
    parts = be32(2, lookup.register) + text(1, lookup.set_name)
    if lookup.verdict:
        parts += be32(3, REG_VERDICT)
    if lookup.set_id:
        parts += be32(4, lookup.set_id)
    if lookup.negate:
        parts += be32(5, 1)
    return parts


@functools.lru_cache(maxsize=4096)
def pack(expression: Expression) -> bytes:
    """The expression as a list element (NFTA_LIST_ELEM) of a rule's NFTA_RULE_EXPRESSIONS. The same few recur in every rule."""
    return pack_as(1, expression)


def pack_as(kind: int, expression: Expression) -> bytes:
    """The expression as an attribute of this kind."""
    contents = _contents(expression)
    return nest(kind, text(1, expression.kernel_name) + (nest(2, contents) if contents else b""))


# --- bytes to values --------------------------------------------------------------------------------------------------------


def parse_expressions(data: bytes) -> Iterator[Expression]:
    """The expressions in a rule's NFTA_RULE_EXPRESSIONS."""
    for _kind, element in attributes(data):
        yield parse_expression(element)


@functools.lru_cache(maxsize=4096)
def parse_expression(element: bytes) -> Expression:
    """One expression; Unknown if it has an attribute that ours would not have, or lacks one that it would."""
    outer = attribute_map(element)
    name = read_text(outer.get(1, b""))
    contents = outer.get(2, b"")
    found = {kind: value for kind, value in attributes(contents) if not _is_default(name, kind, value)}
    try:
        expression = _PARSERS[name](found)
    except (KeyError, ValueError):
        return Unknown(name, contents)
    return expression if found.keys() == attribute_map(_contents(expression)).keys() else Unknown(name, contents)


def _is_default(name: str, kind: int, value: bytes) -> bool:
    """Whether the kernel lists this attribute though we do not write it: the defaults of ``lookup`` and ``log``."""
    number = int.from_bytes(value, "big")
    return (name == "lookup" and kind == 5 and number == 0) or (
        name == "log" and ((kind == 5 and number == _DEFAULT_LOG_LEVEL) or (kind == 6 and number == 0))
    )


def _number(value: bytes) -> int:
    return int.from_bytes(value, "big")


def read_value(data: bytes) -> bytes:
    """The bytes in an attribute made by ``value_data``; KeyError if it holds something else."""
    return attribute_map(data)[1]


def read_verdict(data: bytes) -> Verdict:
    """The verdict in an attribute made by ``verdict_data``; KeyError or ValueError if it is not one of ours."""
    found = attribute_map(attribute_map(data)[2])
    code = int.from_bytes(found[1], "big", signed=True)
    return Verdict(VerdictCode(code), read_text(found.get(2, b"")))


def _parse_meta(found: dict[int, bytes]) -> Expression:
    key = MetaKey(_number(found[2]))
    return MetaLoad(key, _number(found[1])) if 1 in found else MetaSet(key, _number(found[3]))


def _parse_fib(found: dict[int, bytes]) -> Expression:
    if _number(found[2]) != _FIB_RESULT_OIF:
        raise ValueError("not the interface of a route")
    return FibLoad(_number(found[3]), _number(found[1]))


def _parse_payload(found: dict[int, bytes]) -> Expression:
    return PayloadLoad(PayloadBase(_number(found[2])), _number(found[3]), _number(found[4]), _number(found[1]))


def _parse_range(found: dict[int, bytes]) -> Expression:
    return RangeCompare(Operator(_number(found[2])), read_value(found[3]), read_value(found[4]), _number(found[1]))


def _parse_bitwise(found: dict[int, bytes]) -> Expression:
    expression = Bitwise(read_value(found[4]), read_value(found[5]), _number(found[1]))
    length = len(expression.mask)
    if (_number(found[2]), _number(found[3]), _number(found[6])) != (expression.register, length, 0):
        raise ValueError("from one register to another, cut, or not a mask and exclusive or")
    return expression


def _parse_limit(found: dict[int, bytes]) -> Expression:
    count, per_s, burst, unit, flags = (_number(found[kind]) for kind in (1, 2, 3, 4, 5))
    if (unit, flags) == (_LIMIT_PACKETS, _UNDER):
        return Limit(count, per_s, burst)
    if (per_s, unit, flags) != (_SECOND, _LIMIT_PACKETS, _OVER):
        raise ValueError("a limit not on packets, or on more than those of a second")
    return LimitOver(count, burst)


def _parse_reject(found: dict[int, bytes]) -> Expression:
    return Reject(_REJECT_FAMILIES[_number(found[1]), _number(found[2])])


def _parse_connlimit(found: dict[int, bytes]) -> Expression:
    if _number(found[2]) != _OVER:
        raise ValueError("a limit not on more connections")
    return ConnectionsOver(_number(found[1]))


def _parse_lookup(found: dict[int, bytes]) -> Expression:
    negate = _number(found.get(5, b"")) == 1
    if _number(found.get(3, b"")) != REG_VERDICT:
        raise ValueError("a map of values")
    return Lookup(read_text(found[1]), negate=negate, verdict=3 in found, register=_number(found[2]))


def _parse_immediate(found: dict[int, bytes]) -> Expression:
    if _number(found[1]) == REG_VERDICT:
        return read_verdict(found[2])
    return Load(read_value(found[2]), _number(found[1]))


_PARSERS: dict[str, Callable[[dict[int, bytes]], Expression]] = {
    "meta": _parse_meta,
    "payload": _parse_payload,
    "ct": lambda found: CtLoad(_number(found[2]), _number(found[1])),
    "fib": _parse_fib,
    "cmp": lambda found: Compare(Operator(_number(found[2])), read_value(found[3]), _number(found[1])),
    "range": _parse_range,
    "bitwise": _parse_bitwise,
    "lookup": _parse_lookup,
    "immediate": _parse_immediate,
    "log": lambda found: Log(read_text(found.get(2, b""))),
    "notrack": lambda _found: NoTrack(),
    "reject": _parse_reject,
    "limit": _parse_limit,
    "connlimit": _parse_connlimit,
}
