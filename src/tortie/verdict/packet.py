"""The packet that is judged: the first of a new connection, as its headers are, and who has the addresses at its ends."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from tortie.net import ICMP_OF, Address, Family, Protocol
from tortie.verdict.endpoint import Peer

_ECHO_REQUEST = {Family.V4: 8, Family.V6: 128}


class Headers(msgspec.Struct, frozen=True, kw_only=True):
    """What its headers say beside its addresses."""

    protocol: Protocol
    source_port: int | None = None
    destination_port: int | None = None
    """None where the protocol has no ports."""
    icmp_type: int | None = None
    """None: an echo request, if the protocol is the family's ICMP."""
    icmp_code: int | None = None
    """None: 0, if the protocol is the family's ICMP."""


class Packet(Headers, frozen=True, kw_only=True):
    """The packet. ValueError if its two addresses are not of one family."""

    source: Address
    destination: Address

    def __post_init__(self) -> None:
        if self.source.family is not self.destination.family:
            raise ValueError(f"{self.source} and {self.destination} are not of one IP version")

    @property
    def family(self) -> Family:
        return self.source.family

    @property
    def icmp(self) -> tuple[int, int] | None:
        """Type and code; None if the protocol is not the family's ICMP."""
        if self.protocol != ICMP_OF[self.family]:
            return None
        icmp_type = _ECHO_REQUEST[self.family] if self.icmp_type is None else self.icmp_type
        return icmp_type, self.icmp_code or 0

    @property
    def kind(self) -> str:
        """The protocol, and what it has of ports, type and code, in words."""
        port = f" port {self.destination_port}" if self.destination_port is not None else ""
        icmp = f" type {self.icmp[0]} code {self.icmp[1]}" if self.icmp else ""
        return f"{self.protocol}{port}{icmp}"


class HostPacket(Packet, frozen=True, kw_only=True):
    """A packet at one host, between two of its interfaces."""

    in_interface: str | None = None
    """Where it arrives; None: the host itself sends it."""
    out_interface: str | None = None
    """Where it leaves; None: it is for the host itself."""

    def __str__(self) -> str:
        way = f"{self.in_interface or 'the host'} → {self.out_interface or 'the host'}"
        return f"{self.source} → {self.destination} {self.kind}, {way}"


class Party(msgspec.Struct, frozen=True, kw_only=True):
    """One end of a packet."""

    which: str
    """``source`` or ``destination``."""
    address: Address | None
    """None: it has none yet. Then it is in no network, and selectors find it all the same."""
    port: int | None
    peers: tuple[Peer, ...]
    """All that rules can find this end by: whoever has the address."""

    @classmethod
    def of(cls, which: str, address: Address, port: int | None, peers: Iterable[Peer]) -> Party:
        """The end that has *address*, among *peers*."""
        return cls(which=which, address=address, port=port, peers=tuple(peer for peer in peers if peer.has(address)))

    def __str__(self) -> str:
        return f"{self.which} {self.address or 'without an address'}"


class Traffic(msgspec.Struct, frozen=True, kw_only=True):
    """A packet and its ends."""

    packet: Packet
    source: Party
    destination: Party

    @classmethod
    def of(cls, packet: Packet, peers: Sequence[Peer]) -> Traffic:
        """*packet* between whoever of *peers* has its addresses."""
        return cls(
            packet=packet,
            source=Party.of("source", packet.source, packet.source_port, peers),
            destination=Party.of("destination", packet.destination, packet.destination_port, peers),
        )
