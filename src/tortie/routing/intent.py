"""What one router has to do: whom to speak BGP with, what to announce, what to leave to others.

Between the cluster's resources (``resolve``) and BIRD's text (``render``). Values are immutable and ordered, so that two
ways to the same resources give the same text.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from tortie.net import Address, Family, Network

BGP_PORT = 179


class RoutingValue(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all parts of an intent: immutable and compared by value."""


class LogLevel(StrEnum):
    """Calico's ``logSeverityScreen``: from Info on, BIRD reports its protocols' states; from Debug on, all they do."""

    TRACE = "Trace"
    DEBUG = "Debug"
    INFO = "Info"
    WARNING = "Warning"
    ERROR = "Error"
    FATAL = "Fatal"


class PeerKind(StrEnum):
    """Where a peering comes from. The value begins the session's name, by which status readers tell them apart."""

    MESH = "Mesh"
    GLOBAL = "Global"
    NODE = "Node"


class Peer(RoutingValue, frozen=True, kw_only=True):
    """One BGP session: of one family, to one address."""

    kind: PeerKind
    address: Address
    port: int = BGP_PORT
    as_number: int
    passive: bool = False
    """Wait for the other end to connect."""
    restart_time_s: int | None = None
    """How long this peer is asked to keep our routes after the session broke; None leaves BIRD's 120 s."""

    @property
    def name(self) -> str:
        """The session's name in BIRD: ``Mesh_172_30_0_1``, ``Node_fd00__1_port_1179``."""
        port = "" if self.port == BGP_PORT else f"_port_{self.port}"
        return f"{self.kind}_{str(self.address).replace('.', '_').replace(':', '_')}{port}"


class SessionTimers(RoutingValue, frozen=True, kw_only=True):
    """How eagerly sessions are opened. The defaults are those of Calico's template."""

    connect_delay_s: int = 2
    """Before the first attempt, and between attempts that were refused."""
    connect_retry_s: int = 5
    """Until an attempt that got no answer is made again."""
    error_wait_min_s: int = 5
    """After an error, the peer's orderly end included; doubled with each further one up to the maximum."""
    error_wait_max_s: int = 30


class RouterIntent(RoutingValue, frozen=True, kw_only=True):
    """All that one router's configuration depends on."""

    router_id: Address
    """An IPv4 address, by which BGP tells routers apart; it need not be configured anywhere."""
    local_as: int
    ipv4_address: Address | None = None
    ipv6_address: Address | None = None
    """Where our sessions of each family start, and the next hop we announce; without one the family has no sessions."""
    peers: tuple[Peer, ...] = ()
    blocks: tuple[Network, ...] = ()
    """Our own blocks: announced whole, never what is beneath them, and black holes where no workload has the address."""
    pools: tuple[Network, ...] = ()
    """What may be announced besides: addresses that our workloads borrowed from other hosts' blocks."""
    withheld_pools: tuple[Network, ...] = ()
    """Never announced, not even our blocks in them."""
    agent_pools: tuple[Network, ...] = ()
    """Pools with an overlay: the agent programs the kernel's routes to them, BIRD must not."""
    listen_port: int = BGP_PORT
    log_level: LogLevel = LogLevel.INFO
    timers: SessionTimers = SessionTimers()
    omitted: tuple[str, ...] = ()
    """What could not be read and was left out, a sentence each, for the log; it does not reach the configuration."""

    def __post_init__(self) -> None:
        for peer in self.peers:
            if self.address(peer.address.family) is None:
                raise ValueError(f"a session with {peer.address} needs an IPv{peer.address.family} address of our own")

    def address(self, family: Family) -> Address | None:
        """Our own address of *family*."""
        return self.ipv4_address if family is Family.V4 else self.ipv6_address
