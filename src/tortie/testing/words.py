"""Plain values for a declared scalar: words that some check somewhere asks for, and a strategy that also leaves that list.

Which word fits which field nobody writes down: ``tortie.testing.repair`` asks the checks. So a field whose form is among
these needs nothing here; one of a new form needs a word of it, and until then a test says that no document has the field.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Mapping
from typing import Any

import msgspec.inspect as mi
from hypothesis import strategies as st

from tortie.model.scalars import DURATION_TEXT, format_duration
from tortie.net import MAC, Address, Network, Port, Protocol

Strategy = st.SearchStrategy[Any]

TEXTS = (
    "a", "default", "b-2", "web.example.com", "*.example.com", "x" * 63,
    "k8s", "eth0", "cali12345abcdef", "*", "eth*", "^eth[0-9]+$", "/etc/x", "/a,b",
    "10.0.0.1", "10.1.0.0/16", "10.1.2.3/32", "fd00::1", "fd00:1::/64", "[fd00::1]:1179", "10.0.0.1:1179", "ca:fe:1d:52:bb:e9",
    "all()", "has(a) && b not in {'x', 'y'}", "global()", "TCP", "UDP", "sctp", "EF", "Info", "Admin", "Baseline",
    "65001:100", "1:2:3", "AssumeNeededOnEveryNode", "all", "1m30s", "10/second", "Gate=true", "2026-05-01T00:00:00Z", "true", "no", "010", "1e3", "~", "",
)  # fmt: skip
"""Texts of every form that a check asks for, and such as YAML takes for something else."""
NUMBERS = (
    0, 1, 2, 4, 6, 7, 26, 30, 40, 64, 122, 128, 179, 254, 443, 1000, 1010, 5000, 8080, 32765, 65535, 10**6, 10**8,
    0xFFFF0000, 2**32 - 1, 10**15, 2**31, 2**63 - 1, -1,
)  # fmt: skip
"""Ends of ranges."""
LABELS = ("a", "role", "example.com/role", "projectcalico.org/x", "no", "010", "A_b.c", "null")
"""Names of labels and annotations."""


def labels() -> Strategy:
    """Keys of mappings."""
    return st.sampled_from(LABELS) | st.from_regex(r"[A-Za-z0-9]{1,8}", fullmatch=True)


_NOT_IN_YAML = "".join(map(chr, (*range(0x7F, 0xA0), 0x2028, 0x2029, 0xFFFE, 0xFFFF)))
"""What YAML refuses or takes for a line break where it is not escaped (1.1 §5.1, §5.4), and JSON does not escape: a JSON file
with one of these is refused or read otherwise, as by Calico."""


_CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters=_NOT_IN_YAML)
"""Any that a file can hold in JSON and in YAML."""


_CUSTOM_WORDS: Mapping[type, tuple[int | str, ...]] = {
    Network: ("10.1.2.3/32", "10.1.0.0/16", "fd00:1::/64", "fd00::1/128", "192.168.0.0/26", "0.0.0.0/0"),
    Address: ("10.1.2.3", "fd00::1"),
    MAC: ("ca:fe:1d:52:bb:e9",),
    Port: (80, "8000:8080", "http"),
    Protocol: ("TCP", "UDP", "SCTP", "ICMP", "ICMPv6", "UDPLite", 47, 255),
}


def _hosts() -> Strategy:
    return st.ip_addresses().map(lambda address: str(Address.parse(str(address))))


def _networks() -> Strategy:
    cidrs = st.tuples(_hosts(), st.integers(0, 128)).map(
        lambda pair: f"{pair[0]}/{min(pair[1], 128 if ':' in pair[0] else 32)}"
    )
    return cidrs.map(lambda text: str(Network.parse(text, strict=False)))


def _ranges() -> Strategy:
    return (
        st.tuples(st.integers(1, 65535), st.integers(1, 65535))
        .map(lambda ends: f"{min(ends)}:{max(ends)}")
        .map(lambda text: Port.parse(text).to_builtin())
    )


_CUSTOM: Mapping[type, Strategy] = {
    Network: _networks(),
    Address: _hosts(),
    MAC: st.integers(0, 2**48 - 1).map(lambda number: number.to_bytes(6, "big").hex(":")),
    Port: st.integers(1, 65535) | _ranges(),
    Protocol: st.integers(1, 255),
}


def words(declared: mi.Type) -> tuple[Any, ...]:
    """Some values of the scalar type *declared*, the plainest first."""
    match declared:
        case mi.Metadata(extra=extra, type=inner):
            return _words_of_form((extra or {}).get("written", ""), extra or {}, inner)
        case mi.StrType(pattern=pattern):
            return _texts(pattern)
        case mi.IntType(ge=least, le=most):
            lowest, highest = -math.inf if least is None else least, math.inf if most is None else most
            ends = [end for end in (least, most) if end is not None]
            return tuple(dict.fromkeys([*(number for number in NUMBERS if lowest <= number <= highest), *ends]))
        case mi.FloatType():
            return (0, 1, 1.5, 1000, -2.5)
        case mi.BoolType():
            return (True, False)
        case mi.EnumType():
            return tuple(member.value for member in declared.cls)
        case mi.LiteralType():
            return tuple(declared.values)
        case mi.CustomType():
            return _CUSTOM_WORDS[declared.cls]
        case _:
            raise TypeError(f"{declared} is not a scalar")


def _texts(pattern: str | None) -> tuple[str, ...]:
    found = tuple(text for text in TEXTS if pattern is None or re.search(pattern, text))
    if not found:
        raise LookupError(f"none of TEXTS matches {pattern}, which a field is declared with; add one that does")
    return found


def _words_of_form(written: str, extra: Mapping[str, Any], inner: mi.Type) -> tuple[Any, ...]:
    if written == DURATION_TEXT["written"]:
        return ("1m30s", "0s", "50ms", "1h0m0s")
    if "choices" in extra:
        return tuple(spelled for choice in extra["choices"] for spelled in (choice, choice.lower()))
    return words(inner)


@functools.cache
def _matching(pattern: str) -> Strategy:
    """Texts of a declared pattern, which all are for whole texts."""
    return st.from_regex(pattern.removesuffix("$") + r"\Z", alphabet=_CHARACTERS)


def scalars(declared: mi.Type) -> Strategy:
    """Values of the scalar type *declared*."""
    known = st.sampled_from(words(declared))
    match declared:
        case mi.Metadata(extra={"written": written}) if written == DURATION_TEXT["written"]:
            return known | st.integers(0, 10**14).map(format_duration)
        case mi.Metadata(extra={"choices": _}):
            return known
        case mi.Metadata(type=inner):
            return scalars(inner)
        case mi.StrType(pattern=str(pattern)):
            return known | _matching(pattern)
        case mi.StrType():
            return known | st.text(_CHARACTERS, max_size=8)
        case mi.IntType(ge=least, le=most):
            return known | st.integers(-(2**63) if least is None else least, 2**63 - 1 if most is None else most)
        case mi.FloatType():
            return known | st.floats(allow_nan=False, allow_infinity=False).map(_whole)
        case mi.CustomType():
            return known | _CUSTOM[declared.cls]
        case _:
            return known


def _whole(number: float) -> int | float:
    """A whole number as JSON and YAML write it."""
    return int(number) if number.is_integer() and abs(number) < 2**53 else number
