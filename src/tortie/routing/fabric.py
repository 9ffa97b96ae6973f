"""The intent of a router in the fabric between hosts: it learns where the hosts' blocks are, and announces nothing.

It stands for the top of rack of a routed fabric. Hosts name it in a BGPPeer without ``node``; it needs no resource itself.
"""

from __future__ import annotations

from collections.abc import Iterable

from tortie.net import Address, Family
from tortie.routing.intent import Peer, PeerKind, RouterIntent, SessionTimers


def fabric_intent(
    hosts: Iterable[Address],
    *,
    ipv4_address: Address,
    ipv6_address: Address | None = None,
    local_as: int = 64512,
    restart_time_s: int | None = None,
    timers: SessionTimers | None = None,
) -> RouterIntent:
    """A router at *ipv4_address* that forwards to whatever the *hosts*, its iBGP peers, announce.

    It has no blocks and no pools, so nothing passes its export filter. It waits for the hosts to connect: they are many
    and come and go, it is one and stays.
    """
    peers = (
        Peer(kind=PeerKind.NODE, address=host, as_number=local_as, passive=True, restart_time_s=restart_time_s)
        for host in sorted(set(hosts))
        if host.family is Family.V4 or ipv6_address is not None
    )
    return RouterIntent(
        router_id=ipv4_address,
        local_as=local_as,
        ipv4_address=ipv4_address,
        ipv6_address=ipv6_address,
        peers=tuple(peers),
        timers=timers or SessionTimers(),
    )
