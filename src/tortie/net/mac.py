"""Ethernet addresses."""

from __future__ import annotations

import re
from typing import Self

_TEXT = re.compile(r"[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}")


class MAC:
    """Six bytes, written ``ee:ee:ee:ee:ee:ee``."""

    __slots__ = ("packed",)

    packed: bytes

    def __init__(self, packed: bytes) -> None:
        if len(packed) != 6:
            raise ValueError(f"a MAC address has 6 bytes, not {len(packed)}")
        self.packed = packed

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``ee:ee:ee:ee:ee:ee``, capitals allowed; ValueError says what was expected."""
        if not cls.is_text(text):
            raise ValueError(f"{text!r} is not a MAC address such as ee:ee:ee:ee:ee:ee")
        return cls(bytes.fromhex(text.replace(":", "")))

    @staticmethod
    def is_text(text: str) -> bool:
        """Whether ``parse`` would read *text*."""
        return _TEXT.fullmatch(text) is not None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MAC) and self.packed == other.packed

    def __hash__(self) -> int:
        return hash(self.packed)

    def __str__(self) -> str:
        return self.packed.hex(":")

    def __repr__(self) -> str:
        return f"MAC('{self}')"
