"""The packet mark's bits that are ours, handed out in one place.

Everything we set lies in one mask (``nftablesMarkMask``), its bits taken from the lowest; the rest is left to others.
"""

from __future__ import annotations

from typing import NamedTuple

from tortie.ruleset.values import MarkMatch, SetMark


class Marks(NamedTuple):
    """What each of our bits means."""

    mask: int
    """The bits that are ours; nobody else's are ever changed."""
    passed: int
    """A rule of the tier said Pass: leave the tier."""
    accepted: int
    """Untracked or pre-DNAT policy allowed the packet: the host endpoint's own policy is skipped."""
    waiting: int
    """A packet of the host whose judgement waits until its real interface is known."""
    alternative: int
    """Within one policy rule: its source side has matched (``rules``)."""
    wireguard: int
    """A packet that WireGuard has encrypted, or decrypted, already."""


DEFAULT_MASK = 0xFFFF0000
"""Calico's."""

_ALL = 0xFFFFFFFF


def allocate(mask: int) -> Marks:
    """The bits of *mask*, from the lowest; ValueError if it has too few."""
    bits = [1 << at for at in range(32) if mask >> at & 1]
    needed = len(Marks._fields) - 1
    if len(bits) < needed:
        raise ValueError(f"the mark mask {mask:#x} has {len(bits)} bits of 32, {needed} are needed")
    return Marks(mask, *bits[:needed])


def set_bit(bit: int) -> SetMark:
    # In the kernel's own form, mask and xor, a bit that is set is not kept: what is listed then equals what was meant.
    return SetMark(_ALL & ~bit, bit)


def clear_bits(bits: int) -> SetMark:
    return SetMark(_ALL & ~bits, 0)


def has_bit(bit: int) -> MarkMatch:
    return MarkMatch(bit, 0, negate=True)


def lacks_bit(bit: int) -> MarkMatch:
    return MarkMatch(bit, 0)
