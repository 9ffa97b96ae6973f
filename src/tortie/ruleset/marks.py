"""The packet mark's bits that are ours, handed out in one place.

Everything we set lies in one mask (Calico's default); its low half is left to others. Bits that host endpoints and WireGuard
need come from here as well, with them.
"""

from __future__ import annotations

from tortie.ruleset.values import MarkMatch, SetMark

MASK = 0xFFFF0000
"""The bits that are ours; nobody else's are ever changed."""
PASS = 0x00010000
"""A rule of the tier said Pass: leave the tier."""
ACCEPT = 0x00020000
"""Untracked or pre-DNAT policy allowed the packet: host-endpoint policy is skipped."""
WAITING = 0x00040000
"""A packet of the host whose judgement waits until its real interface is known."""
ALTERNATIVE = 0x00080000
"""Within one policy rule: its source side has matched (``rules.py``)."""

_ALL = 0xFFFFFFFF


def set_bit(bit: int) -> SetMark:
    # In the kernel's own form, mask and xor, a bit that is set is not kept: what is listed then equals what was meant.
    return SetMark(_ALL & ~bit, bit)


def clear_bits(bits: int) -> SetMark:
    return SetMark(_ALL & ~bits, 0)


def has_bit(bit: int) -> MarkMatch:
    return MarkMatch(bit, 0, negate=True)


def lacks_bit(bit: int) -> MarkMatch:
    return MarkMatch(bit, 0)
