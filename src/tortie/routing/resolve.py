"""From the cluster's resources to what one router has to do.

Every pair of nodes has a session for each family in which both have an address (the mesh), unless the mesh is off or one
of them is a route reflector; BGPPeers add sessions with routers named by address. What cannot be read is left out and
said so in ``RouterIntent.omitted``.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from tortie.model.meta import HostName
from tortie.model.scalars import parse_duration
from tortie.model.topology import (
    AffinityState,
    BGPConfiguration,
    BGPConfigurationSpec,
    BGPPeer,
    BGPPeerSpec,
    BlockAffinity,
    IPPool,
    Node,
)
from tortie.net import Address, Family, Network
from tortie.routing.intent import BGP_PORT, LogLevel, Peer, PeerKind, RouterIntent, SessionTimers


def resolve(
    host: HostName,
    nodes: Iterable[Node],
    pools: Iterable[IPPool],
    bgp_configurations: Iterable[BGPConfiguration],
    bgp_peers: Iterable[BGPPeer],
    affinities: Mapping[tuple[HostName, Network], BlockAffinity],
    *,
    timers: SessionTimers | None = None,
) -> RouterIntent | None:
    """What BIRD on *host* has to do; None if it has no BGP address, or no Node at all, and so takes no part in BGP."""
    report = _Report()
    settings = _Settings(bgp_configurations, report)
    speakers = {speaker.name: speaker for speaker in _speakers(nodes, settings, report)}
    me = speakers.get(host)
    if me is None:
        return None
    pools = tuple(pools)
    return RouterIntent(
        router_id=me.addresses.get(Family.V4) or _hashed_router_id(host),
        local_as=me.as_number,
        ipv4_address=me.addresses.get(Family.V4),
        ipv6_address=me.addresses.get(Family.V6),
        peers=_without_duplicates(
            [*_mesh(me, speakers.values(), settings), *_explicit(me, speakers.values(), bgp_peers, report)]
        ),
        blocks=_own_blocks(host, affinities),
        pools=_cidrs(pool for pool in pools if not pool.spec.disabled and not pool.spec.disable_bgp_export),
        withheld_pools=_cidrs(pool for pool in pools if pool.spec.disable_bgp_export),
        agent_pools=_cidrs(pool for pool in pools if (pool.spec.ipip_mode, pool.spec.vxlan_mode) != ("Never", "Never")),
        listen_port=me.port,
        log_level=settings.log_level(host),
        timers=timers or SessionTimers(),
        omitted=tuple(report.sentences),
    )


class _Report:
    """Collects what was left out while the resources are read."""

    def __init__(self) -> None:
        self.sentences: list[str] = []

    def omit(self, what: str, error: ValueError) -> None:
        self.sentences.append(f"{what}: {error}; it is left out")


# --- settings ----------------------------------------------------------------------------------------------------------------


class _Settings:
    """BGPConfiguration ``default``, with the log level and port of ``node.<name>`` over it.

    A stored field at its kind's default cannot be told from an absent one, so a node's ``listenPort: 179`` does not
    override another port of the cluster.
    """

    def __init__(self, configurations: Iterable[BGPConfiguration], report: _Report) -> None:
        self._specs = {configuration.metadata.name: configuration.spec for configuration in configurations}
        self._report = report
        self.cluster = self._specs.get("default", BGPConfigurationSpec())
        self.mesh_restart_time_s = self._duration(self.cluster.node_mesh_max_restart_time)

    def port(self, node: str) -> int:
        own = self._specs.get(f"node.{node}", self.cluster).listen_port
        return self.cluster.listen_port if own == BGP_PORT else own

    def log_level(self, node: str) -> LogLevel:
        own = self._specs.get(f"node.{node}", self.cluster).log_severity_screen
        text = self.cluster.log_severity_screen if own == LogLevel.INFO else own
        try:
            return LogLevel(text)
        except ValueError as error:
            self._report.omit("BGPConfiguration logSeverityScreen", error)
            return LogLevel.INFO

    def _duration(self, text: str | None) -> int | None:
        try:
            return _restart_time_s(text)
        except ValueError as error:
            self._report.omit("BGPConfiguration default, nodeMeshMaxRestartTime", error)
            return None


_MAX_RESTART_TIME_S = 4095
"""The restart time has 12 bits (RFC 4724 §3)."""


def _restart_time_s(text: str | None) -> int | None:
    """A Go duration such as ``1m30s`` in whole seconds, rounded up; None for no text."""
    if not text:
        return None
    seconds = math.ceil(parse_duration(text) / 1e9)
    if seconds > _MAX_RESTART_TIME_S:
        raise ValueError(f"{text!r} is longer than BGP can express, {_MAX_RESTART_TIME_S}s")
    return seconds


# --- nodes -------------------------------------------------------------------------------------------------------------------


class _Speaker(NamedTuple):
    """A node that takes part in BGP."""

    name: str
    addresses: Mapping[Family, Address]
    as_number: int
    port: int
    is_reflector: bool


def _speakers(nodes: Iterable[Node], settings: _Settings, report: _Report) -> Iterator[_Speaker]:
    for node in sorted(nodes, key=lambda node: node.metadata.name):
        bgp, name = node.spec.bgp, node.metadata.name
        if bgp is None:
            continue
        addresses: dict[Family, Address] = {}
        for family, text in ((Family.V4, bgp.ipv4_address), (Family.V6, bgp.ipv6_address)):
            try:
                if text:
                    addresses[family] = _node_address(text, family)
            except ValueError as error:
                report.omit(f"Node {name}, ipv{family}Address", error)
        if addresses:
            as_number = settings.cluster.as_number if bgp.as_number is None else bgp.as_number
            yield _Speaker(name, addresses, as_number, settings.port(name), bool(bgp.route_reflector_cluster_id))


def _node_address(text: str, family: Family) -> Address:
    """Of ``172.30.0.1/24``, the address; the length is its subnet's."""
    address = Address.parse(text.partition("/")[0])
    if address.family is not family:
        raise ValueError(f"{text!r} is not an IPv{family} address")
    return address


def _hashed_router_id(name: str) -> Address:
    """For a node without an IPv4 address: its name's hash, moved out of the class D and E ranges (Calico's ``hash``)."""
    first, *rest = hashlib.sha256(name.encode()).digest()[:4]
    return Address(bytes([first - 32 if first > 223 else first, *rest]))


# --- peers -------------------------------------------------------------------------------------------------------------------


def _mesh(me: _Speaker, speakers: Iterable[_Speaker], settings: _Settings) -> Iterator[Peer]:
    """A session with every other node, for each family.

    Of each two ends the one whose address sorts higher *as text* connects and the other waits: "10.0.0.8" is above
    "10.0.0.10". Peers of BGPPeers never wait here, as nobody can know what the other end does.
    """
    if me.is_reflector or not settings.cluster.node_to_node_mesh_enabled:
        return
    for other in speakers:
        if other.name == me.name or other.is_reflector:
            continue
        for family in me.addresses.keys() & other.addresses.keys():
            yield Peer(
                kind=PeerKind.MESH,
                address=other.addresses[family],
                port=other.port,
                as_number=other.as_number,
                passive=str(other.addresses[family]) > str(me.addresses[family]),
                restart_time_s=settings.mesh_restart_time_s,
            )


def _explicit(
    me: _Speaker, speakers: Iterable[_Speaker], bgp_peers: Iterable[BGPPeer], report: _Report
) -> Iterator[Peer]:
    """The sessions that BGPPeers name: of this node, and of all nodes."""
    as_numbers = {address: speaker.as_number for speaker in speakers for address in speaker.addresses.values()}
    for bgp_peer in sorted(bgp_peers, key=lambda bgp_peer: bgp_peer.metadata.name):
        spec = bgp_peer.spec
        if spec.node not in ("", me.name):
            continue
        if unread := _selectors(spec):
            report.omit(f"BGPPeer {bgp_peer.metadata.name}", ValueError(f"{unread} cannot be evaluated yet"))
            continue
        for setting in _ignored_settings(spec):
            report.omit(f"BGPPeer {bgp_peer.metadata.name}, {setting}", ValueError("not supported yet"))
        try:
            address, port = _peer_address(spec.peer_ip)
            restart_time_s = _restart_time_s(spec.max_restart_time)
        except ValueError as error:
            report.omit(f"BGPPeer {bgp_peer.metadata.name}", error)
            continue
        if me.addresses.get(address.family, address) == address:
            continue  # ourselves, or of a family that we do not speak
        yield Peer(
            kind=PeerKind.NODE if spec.node else PeerKind.GLOBAL,
            address=address,
            port=port,
            as_number=spec.as_number or as_numbers.get(address, me.as_number),
            restart_time_s=restart_time_s,
        )


def _selectors(spec: BGPPeerSpec) -> str:
    """The selectors of a BGPPeer, by name. Without evaluating them nobody knows whether it is of this node, or with whom."""
    given = {
        "nodeSelector": spec.node_selector,
        "peerSelector": spec.peer_selector,
        "localWorkloadSelector": spec.local_workload_selector,
    }
    return " and ".join(field for field, text in given.items() if text)


def _ignored_settings(spec: BGPPeerSpec) -> Iterator[str]:
    """What a BGPPeer asks for and its session does not get."""
    given = {
        "localASNumber": spec.local_as_number,
        "nextHopMode": spec.next_hop_mode not in (None, "Auto") or spec.keep_original_next_hop,
        "password": spec.password,
        "sourceAddress": spec.source_address == "None",
        "keepaliveTime": spec.keepalive_time,
        "numAllowedLocalASNumbers": spec.num_allowed_local_as_numbers,
        "ttlSecurity": spec.ttl_security,
        "reachableBy": spec.reachable_by,
        "filters": spec.filters,
    }
    return (field for field, value in given.items() if value)


_BRACKETED = re.compile(r"\[(.*)\]:([0-9]+)")
_V4_WITH_PORT = re.compile(r"([0-9.]+):([0-9]+)")


def _peer_address(text: str) -> tuple[Address, int]:
    """Read ``10.0.0.1``, ``10.0.0.1:1179``, ``fd00::1`` or ``[fd00::1]:1179``."""
    found = _BRACKETED.fullmatch(text) or _V4_WITH_PORT.fullmatch(text)
    if found is None:
        return Address.parse(text), BGP_PORT
    port = int(found[2])
    if not 1 <= port <= 65535:
        raise ValueError(f"{text!r} has no port from 1 to 65535")
    return Address.parse(found[1]), port


def _without_duplicates(peers: Sequence[Peer]) -> tuple[Peer, ...]:
    """Sorted, one session an address and port: a node's own BGPPeer wins over a global one, and that over the mesh."""
    order = [PeerKind.MESH, PeerKind.GLOBAL, PeerKind.NODE]
    by_end: dict[tuple[Address, int], Peer] = {}
    for peer in sorted(peers, key=lambda peer: order.index(peer.kind)):
        by_end[peer.address, peer.port] = peer
    return tuple(sorted(by_end.values(), key=lambda peer: (order.index(peer.kind), peer.address, peer.port)))


# --- addresses ---------------------------------------------------------------------------------------------------------------


def _own_blocks(host: HostName, affinities: Mapping[tuple[HostName, Network], BlockAffinity]) -> tuple[Network, ...]:
    """The blocks confirmed as *host*'s; a pending one may still go to another host."""
    return tuple(
        sorted(
            network
            for (owner, network), affinity in affinities.items()
            if owner == host and affinity.state is AffinityState.CONFIRMED and not affinity.deleted
        )
    )


def _cidrs(pools: Iterable[IPPool]) -> tuple[Network, ...]:
    return tuple(sorted({pool.spec.cidr for pool in pools}))
