"""Whether a link carries packets, asked in its network namespace."""

from __future__ import annotations

import fcntl
import socket
import struct

from tortie.lab.namespaces import Space, inside_network

UPLINK = "eth0"
"""What every host and workload calls its own end of its link."""

_SIOCGIFFLAGS = 0x8913
_IFREQ = struct.Struct("16sH22x")
_RUNNING = 0x40
"""IFF_RUNNING (netdevice(7)): it is up, and so is the other end."""


def link_state(space: Space, ifname: str) -> str:
    """``up``; ``down`` if it, or its other end, is set down or is not there."""
    with inside_network(space.net):
        asker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with asker:
        try:
            answer = fcntl.ioctl(asker, _SIOCGIFFLAGS, _IFREQ.pack(ifname.encode(), 0))
        except OSError:
            return "down"
    return "up" if _IFREQ.unpack(answer)[1] & _RUNNING else "down"
