"""Which TCP ports somebody listens at in a network namespace, from the text of ``/proc/net/tcp`` and ``tcp6`` (proc(5)). No I/O."""

from __future__ import annotations

import struct

from tortie.net import Address, Network

_LISTEN = "0A"
_LOOPBACK = tuple(Network.parse(cidr) for cidr in ("127.0.0.0/8", "::1/128", "::ffff:127.0.0.0/104"))


def listening_ports(*tables: str) -> tuple[int, ...]:
    """The ports, sorted, at which one can be reached from another namespace."""
    ports = set()
    for table in tables:
        for line in table.splitlines()[1:]:
            _, local, _, state, *_ = line.split()
            address, _, port = local.partition(":")
            if state == _LISTEN and not any(network.contains(_address(address)) for network in _LOOPBACK):
                ports.add(int(port, 16))
    return tuple(sorted(ports))


def _address(text: str) -> Address:
    """The kernel prints an address as the 32-bit numbers that this machine takes its bytes for."""
    words = [int(text[start : start + 8], 16) for start in range(0, len(text), 8)]
    return Address(struct.pack(f"={len(words)}I", *words))
