"""How far BGP is: what the BIRDs of a lab say of their sessions."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from tortie.bird import BirdControl, BirdError
from tortie.routing import BGPState

_TIMEOUT_S = 1.0


class Sessions(NamedTuple):
    """The BGP sessions of one BIRD."""

    established: int = 0
    total: int = 0
    learnt: int = 0
    """How many routes came in over all of them."""


async def read_sessions(control: Path) -> Sessions:
    """Ask the BIRD behind a control socket; one that does not answer has no sessions."""
    try:
        async with await BirdControl.connect(control, timeout_s=_TIMEOUT_S) as bird:
            protocols = [protocol for protocol in await bird.protocols() if protocol.bgp_state is not None]
    except BirdError:
        return Sessions()
    return Sessions(
        established=sum(protocol.bgp_state is BGPState.ESTABLISHED for protocol in protocols),
        total=len(protocols),
        learnt=sum(channel.imported for protocol in protocols for channel in protocol.routes),
    )


def expected_on_host(hosts: int) -> Sessions:
    """Of a host in a quiet lab: in each family a session with every other host, which tells its block, and with the fabric."""
    return Sessions(established=2 * hosts, total=2 * hosts, learnt=2 * (hosts - 1))


def expected_on_fabric(hosts: int) -> Sessions:
    """Of the fabric in a quiet lab: in each family a session with every host, which tells its block."""
    return Sessions(established=2 * hosts, total=2 * hosts, learnt=2 * hosts)
