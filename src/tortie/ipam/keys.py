"""Where IPAM's data is stored: Calico's keys (``/calico/ipam/v2/…``). A CIDR in a key has ``-`` for its ``/``.

A host's claims on blocks have theirs in ``tortie.model.blocks``, for the calculation reads them too.
"""

from __future__ import annotations

from tortie.net import Network

ROOT = "/calico/ipam/v2/"


def block_key(network: Network) -> str:
    """Of an ``AllocationBlock``."""
    cidr = str(network).replace("/", "-")
    return f"{ROOT}assignment/ipv{int(network.family)}/block/{cidr}"


def handle_key(handle: str) -> str:
    """Of a ``Handle``; in a name ``%`` and ``/`` are escaped."""
    return f"{ROOT}handle/{handle.replace('%', '%25').replace('/', '%2f')}"
