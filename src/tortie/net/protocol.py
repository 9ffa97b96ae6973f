"""An IP protocol: a number with, for some, a name (Calico's ``numorstring.Protocol``)."""

from __future__ import annotations

import functools
from typing import Self

from tortie.net.address import Family

_NAMES = {1: "ICMP", 6: "TCP", 17: "UDP", 58: "ICMPv6", 132: "SCTP", 136: "UDPLite"}
_NUMBERS = {name.lower(): number for number, name in _NAMES.items()}


@functools.total_ordering
class Protocol:
    """``Protocol(6)``; ``str()`` gives the name where Calico has one. Equal by number."""

    __slots__ = ("number",)

    number: int

    def __init__(self, number: int) -> None:
        if not 0 <= number <= 255:
            raise ValueError(f"{number} is not a protocol: one of {', '.join(_NAMES.values())}, or a number 1-255")
        self.number = number

    @classmethod
    def parse(cls, text: str | int) -> Self:
        """Read ``TCP``, ``tcp``, ``6`` or ``"6"``; ValueError says what was expected."""
        if isinstance(text, int):
            return cls(text)
        if text.isascii() and text.isdigit() and len(text.lstrip("0")) <= len("255"):
            return cls(int(text.lstrip("0") or "0"))
        if text.lower() not in _NUMBERS:
            raise ValueError(f"{text!r:.60} is not a protocol: one of {', '.join(_NAMES.values())}, or a number 1-255")
        return cls(_NUMBERS[text.lower()])

    @property
    def has_ports(self) -> bool:
        """Whether Calico lets rules give ports for it: TCP, UDP and SCTP (not UDPLite)."""
        return self.number in (6, 17, 132)

    def to_builtin(self) -> int | str:
        """The form in JSON: the name where there is one."""
        return _NAMES.get(self.number, self.number)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Protocol) and self.number == other.number

    def __lt__(self, other: Protocol) -> bool:
        return self.number < other.number

    def __hash__(self) -> int:
        return self.number

    def __str__(self) -> str:
        return _NAMES.get(self.number, str(self.number))

    def __repr__(self) -> str:
        return f"Protocol({str(self)!r})"


ICMP = Protocol(1)
IPIP = Protocol(4)
"""IPv4 in IP (RFC 2003)."""
TCP = Protocol(6)
UDP = Protocol(17)
ICMPV6 = Protocol(58)
SCTP = Protocol(132)
UDPLITE = Protocol(136)

ICMP_OF = {Family.V4: ICMP, Family.V6: ICMPV6}
FAMILY_OF_ICMP = {protocol: family for family, protocol in ICMP_OF.items()}
