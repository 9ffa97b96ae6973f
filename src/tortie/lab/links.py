"""Whether a link carries packets, asked in its network namespace."""

from __future__ import annotations

from tortie.dataplane.driver import KernelRefusedError
from tortie.dataplane.links import Links
from tortie.lab.namespaces import Space, inside_network

UPLINK = "eth0"
"""What every host and workload calls its own end of its link."""


def link_state(space: Space, ifname: str) -> str:
    """``up``; ``down`` if it, or its other end, is set down or is not there."""
    with inside_network(space.net), Links() as links:
        try:
            return "up" if links.get(ifname).running else "down"
        except KernelRefusedError:
            return "down"
