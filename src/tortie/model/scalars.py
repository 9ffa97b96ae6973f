"""Scalars of Calico's API that are text or numbers with a form of their own: AS numbers, durations, ports, choices.

Each is an alias that msgspec enforces on stored data. What people may write for one is said by ``extra["written"]``, which is
also what an error says was expected; ``tortie.model.fieldvalues`` reads those that may be written in more than one way.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, TypeAlias

import msgspec

AS_NUMBER_TEXT: dict[str, Any] = {"written": "an AS number: 0-4294967295, or two parts such as 1.10 in quotes"}
"""Marks a field where people may write text for a number; stored is always the number."""
ASNumber: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=4294967295, extra=AS_NUMBER_TEXT)]
"""A 32-bit autonomous system number."""

DURATION_TEXT: dict[str, Any] = {"written": "a duration such as 90s, 2m or 1h30m"}
"""Marks a duration: stored is the form that Go prints (``120s`` is stored as ``2m0s``)."""
Duration: TypeAlias = Annotated[str, msgspec.Meta(extra=DURATION_TEXT)]
"""A time span as Go writes it. Text, since stored durations that break the form are the checks' to report."""

PortNumber: TypeAlias = Annotated[
    int, msgspec.Meta(ge=0, le=65535, extra={"written": "a port 0-65535, where 0 turns it off"})
]
UInt32: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=4294967295, extra={"written": "a number 0-4294967295"})]
UInt8: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=255, extra={"written": "a number 0-255"})]
RoutePriority: TypeAlias = Annotated[
    int, msgspec.Meta(ge=1, le=2147483646, extra={"written": "a route priority 1-2147483646"})
]


def any_case(*choices: str) -> msgspec.Meta:
    """One of *choices*, in any case, or empty; with a pattern that JSON Schema readers of every language understand."""
    spelled = "|".join("".join(f"[{c.upper()}{c.lower()}]" if c.isalpha() else c for c in choice) for choice in choices)
    return msgspec.Meta(
        pattern=f"^({spelled})?$", extra={"written": f"one of {', '.join(choices)}", "choices": choices}
    )


SEVERITIES = ("Trace", "Debug", "Info", "Warning", "Error", "Fatal")
Severity: TypeAlias = Annotated[str, any_case(*SEVERITIES)]
"""How much is logged."""
Switch: TypeAlias = Literal["Enabled", "Disabled"]


# --- durations -------------------------------------------------------------------------------------------------------------

_PARTS = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ns|us|µs|ms|s|m|h)")
_UNITS_NS = {
    "h": 3_600_000_000_000, "m": 60_000_000_000, "s": 1_000_000_000, "ms": 1_000_000, "µs": 1_000, "us": 1_000, "ns": 1,
}  # fmt: skip


def parse_duration(text: str) -> int:
    """The nanoseconds of ``90s`` or ``1h30m``, or of a bare ``0``; ValueError says what was expected."""
    parts = _PARTS.findall(text)
    if text != "0" and (not parts or "".join(number + unit for number, unit in parts) != text):
        raise ValueError(f"{text!r} is not {DURATION_TEXT['written']}")
    return sum(_scaled(number, _UNITS_NS[unit]) for number, unit in parts)


def _scaled(number: str, unit_ns: int) -> int:
    whole, _, fraction = number.partition(".")
    return int(whole) * unit_ns + (int(fraction) * unit_ns // 10 ** len(fraction) if fraction else 0)


def format_duration(ns: int) -> str:
    """As Go prints a duration: ``0s``, ``50ms``, ``1.5s``, ``2m0s``, ``1h0m0s``."""
    if ns == 0:
        return "0s"
    for unit, size in (("ns", 1), ("µs", 1_000), ("ms", 1_000_000)):
        if ns < size * 1_000 and ns < 1_000_000_000:
            return f"{_decimal(ns, size)}{unit}"
    minutes, rest = divmod(ns, _UNITS_NS["m"])
    hours, minutes = divmod(minutes, 60)
    seconds = f"{_decimal(rest, _UNITS_NS['s'])}s"
    if hours:
        return f"{hours}h{minutes}m{seconds}"
    return f"{minutes}m{seconds}" if minutes else seconds


def _decimal(value: int, unit: int) -> str:
    whole, rest = divmod(value, unit)
    digits = len(str(unit)) - 1
    return f"{whole}.{rest:0{digits}d}".rstrip("0") if rest else str(whole)
