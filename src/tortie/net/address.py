"""IP addresses and networks of both families, as the bytes that the kernel wants.

One ``Network`` type covers IPv4 and IPv6 (msgspec allows one custom type in a union). Values compare and sort by family,
then address, then prefix length. The standard library's ``ipaddress`` parses the text; its objects are not kept, because
they are slow to make and to hash.
"""

from __future__ import annotations

import contextlib
import functools
import ipaddress
import socket
from enum import IntEnum
from typing import Self

_IPV4_PREFIX_LENGTHS = {str(length): length for length in range(33)}


class Family(IntEnum):
    """An IP version."""

    V4 = 4
    V6 = 6

    @property
    def bits(self) -> int:
        """The length of an address: 32 or 128."""
        return 32 if self is Family.V4 else 128


@functools.total_ordering
class Address:
    """One IP address."""

    __slots__ = ("_hash", "packed")

    packed: bytes
    """4 or 16 bytes in network order."""

    def __init__(self, packed: bytes) -> None:
        if len(packed) not in (4, 16):
            raise ValueError(f"an IP address has 4 or 16 bytes, not {len(packed)}")
        self.packed = packed
        self._hash = hash(packed)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``10.0.0.1`` or ``fd00::1``; ValueError says what was expected. A zone (RFC 4007 §11) is not part of an address."""
        try:
            if "%" in text:
                raise ValueError
            return cls(ipaddress.ip_address(text).packed)
        except ValueError:
            raise ValueError(f"{text!r} is not an IP address such as 10.0.0.1 or fd00::1") from None

    @property
    def family(self) -> Family:
        return Family.V4 if len(self.packed) == 4 else Family.V6

    def network(self) -> Network:
        """The /32 or /128 that holds just this address."""
        return Network(self.packed, self.family.bits)

    def __add__(self, offset: int) -> Address:
        """The address *offset* further on; OverflowError past the family's last one."""
        size = len(self.packed)
        return Address((int.from_bytes(self.packed, "big") + offset).to_bytes(size, "big"))

    def __int__(self) -> int:
        return int.from_bytes(self.packed, "big")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Address) and self.packed == other.packed

    def __lt__(self, other: Address) -> bool:
        return (len(self.packed), self.packed) < (len(other.packed), other.packed)

    def __hash__(self) -> int:
        return self._hash

    def __reduce__(self) -> tuple[type[Self], tuple[bytes]]:
        """What pickling keeps: not the hash, which differs from process to process."""
        return type(self), (self.packed,)

    def __str__(self) -> str:
        return socket.inet_ntop(socket.AF_INET if len(self.packed) == 4 else socket.AF_INET6, self.packed)

    def __repr__(self) -> str:
        return f"Address('{self}')"


@functools.total_ordering
class Network:
    """An IP network: every address whose first ``prefix_len`` bits equal those of ``packed``."""

    __slots__ = ("_address", "_hash", "packed", "prefix_len")

    packed: bytes
    """The network's first address: 4 or 16 bytes in network order, host bits zero."""
    prefix_len: int

    def __init__(self, packed: bytes, prefix_len: int) -> None:
        bits = len(packed) * 8
        if bits not in (32, 128) or not 0 <= prefix_len <= bits:
            raise ValueError(f"no network has {len(packed)} bytes and prefix length {prefix_len}")
        if prefix_len != bits and int.from_bytes(packed, "big") & ((1 << (bits - prefix_len)) - 1):
            raise ValueError("the network has host bits set")
        self.packed = packed
        self.prefix_len = prefix_len
        self._hash = hash((packed, prefix_len))
        self._address: Address | None = None

    @classmethod
    def parse(cls, text: str, *, strict: bool = True) -> Self:
        """Read ``10.0.0.0/8`` or ``fd00::/8``; a bare address is its /32 or /128.

        With *strict*, host bits must be zero; else they are cleared. ValueError says what was expected.
        """
        address, slash, length = text.partition("/")
        if (prefix_len := _IPV4_PREFIX_LENGTHS.get(length if slash else "32")) is not None:
            # Most texts are right and IPv4, and for those alone this is several times as fast as what follows.
            with contextlib.suppress(OSError, ValueError):
                return cls(socket.inet_pton(socket.AF_INET, address), prefix_len)
        try:
            parsed = ipaddress.ip_network(text, strict=False)
        except ValueError:
            raise ValueError(f"{text!r} is not a network such as 10.0.0.0/8 or fd00::/8") from None
        if strict and ipaddress.ip_address(text.partition("/")[0]) != parsed.network_address:
            raise ValueError(f"{text!r} has host bits set; the network is {parsed}")
        return cls(parsed.network_address.packed, parsed.prefixlen)

    @property
    def family(self) -> Family:
        return Family.V4 if len(self.packed) == 4 else Family.V6

    @property
    def address(self) -> Address:
        """The network's first address: always the same object, for each rule that refers to a set has it in a key."""
        if self._address is None:
            self._address = Address(self.packed)
        return self._address

    @property
    def is_host(self) -> bool:
        """Whether this is a /32 or /128."""
        return self.prefix_len == len(self.packed) * 8

    @property
    def size(self) -> int:
        """How many addresses it holds."""
        return 1 << (len(self.packed) * 8 - self.prefix_len)

    def contains(self, other: Address | Network) -> bool:
        """Whether every address of *other* is in this network; false across families."""
        if len(other.packed) != len(self.packed):
            return False
        if isinstance(other, Network) and other.prefix_len < self.prefix_len:
            return False
        shift = len(self.packed) * 8 - self.prefix_len
        return int.from_bytes(self.packed, "big") >> shift == int.from_bytes(other.packed, "big") >> shift

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Network) and self.packed == other.packed and self.prefix_len == other.prefix_len

    def __lt__(self, other: Network) -> bool:
        return (len(self.packed), self.packed, self.prefix_len) < (len(other.packed), other.packed, other.prefix_len)

    def __hash__(self) -> int:
        return self._hash

    def __reduce__(self) -> tuple[type[Self], tuple[bytes, int]]:
        """As of an address."""
        return type(self), (self.packed, self.prefix_len)

    def __str__(self) -> str:
        return f"{Address(self.packed)}/{self.prefix_len}"

    def __repr__(self) -> str:
        return f"Network('{self}')"
