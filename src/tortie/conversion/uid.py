"""UIDs of converted objects: made of the source's, so that converting again gives the same object, but never equal to it."""

from __future__ import annotations

_KEPT = (6, 8)
"""The bytes that hold a UUID's version and variant (RFC 9562 §4)."""


def derived_uid(uid: str) -> str:
    """Every byte's bits in reverse order, except version and variant (as Calico does); empty if *uid* is no UUID."""
    try:
        source = bytes.fromhex(uid.replace("-", ""))
    except ValueError:
        return ""
    if len(source) != 16:
        return ""
    text = bytes(byte if i in _KEPT else _reversed(byte) for i, byte in enumerate(source)).hex()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def _reversed(byte: int) -> int:
    return int(f"{byte:08b}"[::-1], 2)
