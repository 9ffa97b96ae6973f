"""What a scalar becomes in a field: one function per scalar type of a declaration, and what is said where it does not fit."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec.inspect as mi

from tortie.model.scalars import AS_NUMBER_TEXT, DURATION_TEXT, format_duration, parse_duration
from tortie.model.yamlscalars import ScalarValue, as_integer, as_number, as_text
from tortie.net import MAC, Address, Network, Port, Protocol


def convert(wanted: mi.Type, value: ScalarValue) -> Any:
    """The plain value that a field of type *wanted* gets; ValueError says what was expected."""
    match wanted:
        case mi.Metadata():
            return _constrained(wanted, value)
        case mi.CustomType():
            return _CUSTOM[wanted.cls](value)
        case mi.EnumType():
            return _choice([member.value for member in wanted.cls], value)
        case mi.LiteralType():
            return _choice(list(wanted.values), value)
        case mi.BoolType() if isinstance(value, bool):
            return value
        case mi.IntType() if (number := as_integer(value)) is not None:
            return number
        case mi.FloatType() if (decimal := as_number(value)) is not None:
            return decimal
        case _:
            raise ValueError(f"{expected(wanted)}, got {_shown(value)}")


def _constrained(wanted: mi.Metadata, value: ScalarValue) -> Any:
    """A field whose declaration says more than its type: what may be written, a range, a pattern."""
    written: str = (wanted.extra or {}).get("written", "")
    if written in _WRITTEN:
        return _WRITTEN[written](value)
    inner = wanted.type
    plain = as_text(value) if isinstance(inner, mi.StrType) else convert(inner, value)
    if not _fits(inner, plain):
        raise ValueError(f"{_shown(value)} is not {written or 'allowed here'}")
    return plain


def _fits(wanted: mi.Type, value: Any) -> bool:
    match wanted:
        case mi.StrType(pattern=str(pattern)):
            return re.search(pattern, value) is not None
        case mi.IntType(ge=least, le=most):
            return (least is None or value >= least) and (most is None or value <= most)
        case _:
            return True


def _choice(choices: list[Any], value: ScalarValue) -> Any:
    if value in choices and not isinstance(value, bool):
        return value
    hint = suggestion(as_text(value), [str(choice) for choice in choices])
    raise ValueError(f"{_shown(value)} is not one of {', '.join(map(str, choices))}{hint}")


def _network(value: ScalarValue) -> str:
    text = as_text(value)
    cidr_network(text)
    return text


def cidr_network(text: str, *, strict: bool = True) -> Network:
    """The network that *text* is, with a prefix length, and with *strict* without host bits. ValueError."""
    if not text.partition("/")[2].isdecimal():
        raise ValueError(f"{text!r} has no prefix length; expected a network such as 10.0.0.0/8 or fd00::/8")
    return Network.parse(text, strict=strict)


def _port(value: ScalarValue) -> int | str:
    number = as_integer(value)
    try:
        if number is None and not isinstance(value, str):
            raise ValueError
        return Port.parse(as_text(value) if number is None else number).to_builtin()
    except ValueError:
        raise ValueError(
            f"{_shown(value)} is not a port 1-65535, a range such as 8000:8080, or a port's name"
        ) from None


def _protocol(value: ScalarValue) -> int | str:
    number = as_integer(value)
    if isinstance(value, str) and value.isascii() and value.isdecimal():
        number = int(value)
    if number is not None:
        return Protocol(number).number
    known = Protocol.parse(value) if isinstance(value, str) else None
    if known is None or str(known) != value:
        hint = f"; did you mean {known}?" if known else ""
        raise ValueError(
            f"{_shown(value)} is not a protocol: a number 1-255, TCP, UDP, ICMP, ICMPv6, SCTP or UDPLite{hint}"
        )
    return value


def _as_number(value: ScalarValue) -> int:
    """A 32-bit AS number: a number, its decimal text, or ``hi.lo`` as text (RFC 5396 asdot+)."""
    number = as_integer(value)
    if isinstance(value, str):
        parts = value.split(".")
        if all(part.isascii() and part.isdecimal() for part in parts) and len(parts) in (1, 2):
            high, low = (int(part) for part in ["0", *parts][-2:])
            number = (high << 16) + low if len(parts) == 1 or max(high, low) < 1 << 16 else None
    if number is None or not 0 <= number < 1 << 32:
        raise ValueError(f"{_shown(value)} is not {AS_NUMBER_TEXT['written']}")
    return number


def _duration(value: ScalarValue) -> str:
    """A duration as Go prints it; a bare number has no unit and is refused, save 0."""
    return format_duration(parse_duration(as_text(value)))


def _parsed(parse: Callable[[str], object]) -> Callable[[ScalarValue], str]:
    """The text as written, once *parse* has accepted it."""

    def convert(value: ScalarValue) -> str:
        text = as_text(value)
        parse(text)
        return text

    return convert


_CUSTOM: Mapping[type, Callable[[ScalarValue], Any]] = {
    Network: _network,
    Address: _parsed(Address.parse),
    MAC: _parsed(MAC.parse),
    Port: _port,
    Protocol: _protocol,
}

_WRITTEN: Mapping[str, Callable[[ScalarValue], Any]] = {
    AS_NUMBER_TEXT["written"]: _as_number,
    DURATION_TEXT["written"]: _duration,
}


# --- what is said ----------------------------------------------------------------------------------------------------------

_EXPECTED: Mapping[type, str] = {
    mi.StrType: "text", mi.IntType: "a whole number", mi.FloatType: "a number", mi.BoolType: "true or false",
    mi.VarTupleType: "a list", mi.DictType: "a mapping", mi.StructType: "a mapping",
}  # fmt: skip


def expected(wanted: mi.Type) -> str:
    """``expected`` and what a field of type *wanted* takes."""
    match wanted:
        case mi.CustomType():
            return f"expected a {wanted.cls.__name__.lower()}"
        case mi.EnumType():
            return f"expected one of {', '.join(member.value for member in wanted.cls)}"
        case mi.LiteralType():
            return f"expected one of {', '.join(map(str, wanted.values))}"
        case mi.Metadata():
            return f"expected {(wanted.extra or {}).get('written') or expected(wanted.type).removeprefix('expected ')}"
        case mi.UnionType():
            known = (_EXPECTED[type(choice)] for choice in wanted.types if not isinstance(choice, mi.NoneType))
            return f"expected {' or '.join(known)}"
        case _:
            return f"expected {_EXPECTED[type(wanted)]}"


def _shown(value: ScalarValue) -> str:
    return "null" if value is None else repr(as_text(value))


def suggestion(written: str, known: Iterable[str]) -> str:
    """``; did you mean X?`` for the name of *known* that *written* resembles, else nothing."""
    by_lower = {name.lower(): name for name in known}
    close = difflib.get_close_matches(written.lower(), by_lower, n=1)
    return f"; did you mean {by_lower[close[0]]}?" if close else ""
