"""How far BGP is: what the BIRDs of a lab say of their sessions."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from tortie.bird import BirdControl, BirdError
from tortie.routing import BGPState

_TIMEOUT_S = 1.0


class Peer(NamedTuple):
    """One session, from the view of one BIRD."""

    address: str
    """Of the other side."""
    state: str
    """``Established``, ``Active``, …"""


class Sessions(NamedTuple):
    """The BGP sessions of one BIRD."""

    peers: tuple[Peer, ...] = ()
    learnt: int = 0
    """How many routes came in over all of them."""

    @property
    def total(self) -> int:
        return len(self.peers)

    @property
    def established(self) -> int:
        return sum(peer.state == BGPState.ESTABLISHED for peer in self.peers)

    @property
    def counts(self) -> Counts:
        return Counts(self.established, self.total, self.learnt)


class Counts(NamedTuple):
    established: int
    total: int
    learnt: int


async def read_sessions(control: Path) -> Sessions:
    """Ask the BIRD behind a control socket; one that does not answer has no sessions."""
    try:
        async with await BirdControl.connect(control, timeout_s=_TIMEOUT_S) as bird:
            protocols = [protocol for protocol in await bird.protocols() if protocol.bgp_state is not None]
    except BirdError:
        return Sessions()
    return Sessions(
        peers=tuple(Peer(protocol.neighbor, str(protocol.bgp_state)) for protocol in protocols),
        learnt=sum(channel.imported for protocol in protocols for channel in protocol.routes),
    )


def expected_on_host(hosts: int) -> Counts:
    """Of a host in a quiet lab: in each family a session with every other host, which tells its block, and with the fabric."""
    return Counts(established=2 * hosts, total=2 * hosts, learnt=2 * (hosts - 1))


def expected_on_fabric(hosts: int) -> Counts:
    """Of the fabric in a quiet lab: in each family a session with every host, which tells its block."""
    return Counts(established=2 * hosts, total=2 * hosts, learnt=2 * hosts)
