"""Lists of networks as the kernel takes them: none within another."""

from __future__ import annotations

from collections.abc import Iterable

from tortie.net import Network


def maximal(networks: Iterable[Network]) -> tuple[Network, ...]:
    """*networks* without those that lie within another, sorted."""
    kept: list[Network] = []
    for network in sorted(set(networks)):
        # Sorted by address, then length: what contains a network comes before it, and only the last one kept can.
        if not kept or not kept[-1].contains(network):
            kept.append(network)
    return tuple(kept)
