"""The parts that FelixConfiguration's fields are made of: choices in any case, ports with protocols, table ranges."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import msgspec

from tortie.model.meta import Value
from tortie.model.scalars import Duration, any_case

AcceptReturn: TypeAlias = Annotated[str, any_case("Accept", "Return")]
DropReject: TypeAlias = Annotated[str, any_case("Drop", "Reject")]
DropAcceptReturn: TypeAlias = Annotated[str, any_case("Drop", "Accept", "Return")]
OnOff: TypeAlias = Annotated[str, any_case("Enabled", "Disabled")]
InsertAppend: TypeAlias = Annotated[str, any_case("Insert", "Append")]
IptablesBackend: TypeAlias = Annotated[str, any_case("Auto", "Legacy", "NFT")]
LoopPrevention: TypeAlias = Annotated[str, any_case("Drop", "Reject", "Disabled")]
Spoofing: TypeAlias = Annotated[str, any_case("Disabled", "Any")]
RouteSource: TypeAlias = Annotated[str, any_case("WorkloadIPs", "CalicoIPAM")]
PolicyEvaluation: TypeAlias = Annotated[str, any_case("None", "Continuous")]

BPFLogLevel: TypeAlias = Annotated[str, any_case("Off", "Info", "Debug")]
BPFConntrackLogLevel: TypeAlias = Annotated[str, any_case("Off", "Debug")]
BPFServiceMode: TypeAlias = Annotated[str, any_case("Tunnel", "DSR")]
BPFReversePathFilter: TypeAlias = Annotated[str, any_case("Disabled", "Strict", "Loose")]
BPFOverlaySource: TypeAlias = Annotated[str, any_case("HostAddress", "TunnelAddress")]
BPFMapScaling: TypeAlias = Annotated[str, any_case("Disabled", "DoubleIfFull")]
BPFTimeout: TypeAlias = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^(([0-9]+(\.[0-9]+)?(us|ms|s|m|h))+|Auto)$", extra={"written": "a duration such as 60s, or Auto"}
    ),
]

Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=2147483647, extra={"written": "a number, 0 or more"})]
Limit: TypeAlias = Annotated[int, msgspec.Meta(ge=-1, le=2147483647, extra={"written": "a number, or -1 for no limit"})]
ListeningPort: TypeAlias = Annotated[int, msgspec.Meta(ge=1, le=65535, extra={"written": "a port 1-65535"})]
RulePriority: TypeAlias = Annotated[int, msgspec.Meta(ge=1, le=32765, extra={"written": "a priority 1-32765"})]
VNI: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=16777215, extra={"written": "a VXLAN network id 0-16777215"})]
RateLimit: TypeAlias = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[1-9][0-9]{0,3}/(second|minute|hour|day)$",
        extra={"written": "a rate such as 10/second or 100/minute"},
    ),
]
Burst: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=9999, extra={"written": "a number 0-9999"})]
FeatureList: TypeAlias = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^([a-zA-Z0-9_-]+=(true|false|),)*([a-zA-Z0-9_-]+=(true|false|))?$",
        extra={"written": "a list such as SNATFullyRandom=true,MASQFullyRandom=false"},
    ),
]
GateList: TypeAlias = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^([a-zA-Z0-9_-]+=([^=]+),)*([a-zA-Z0-9_-]+=([^=]+))?$",
        extra={"written": "a list such as NameOfFeature=Enabled"},
    ),
]


class ProtoPort(Value, frozen=True, kw_only=True, omit_defaults=False):
    """A port that stays open whatever policy says."""

    protocol: str = ""
    """TCP or UDP, in any case; empty: TCP."""
    port: Annotated[int, msgspec.Meta(ge=0, le=65535, extra={"written": "a port 0-65535"})]
    """The port's number."""
    net: str = ""
    """Only to or from this range; empty: all addresses."""


class RouteTableRange(Value, frozen=True, kw_only=True):
    """Route tables of the kernel, by number."""

    min: int
    """The first."""
    max: int
    """The last."""


class HealthTimeoutOverride(Value, frozen=True, kw_only=True):
    """Another patience with one part of the agent."""

    name: str
    """The part, as the agent's log names it."""
    timeout: Duration
    """How long it may be silent until the agent counts as unhealthy."""


class BPFConntrackTimeouts(Value, frozen=True, kw_only=True):
    """How long the BPF dataplane remembers connections: durations, or Auto for the kernel's own setting."""

    creation_grace_period: BPFTimeout | None = None
    """New entries are kept at least so long. Default: 10s."""
    tcp_syn_sent: BPFTimeout | None = None
    """TCP, until the handshake is complete. Default: 20s."""
    tcp_established: BPFTimeout | None = None
    """TCP, once it is. Default: 1h."""
    tcp_fins_seen: BPFTimeout | None = None
    """TCP, after both ends have closed. Default: Auto."""
    tcp_reset_seen: BPFTimeout | None = None
    """TCP, after a reset. Default: 40s."""
    udp_timeout: BPFTimeout | None = None
    """UDP. Default: 60s."""
    generic_timeout: BPFTimeout | None = None
    """Other protocols. Default: 10m."""
    icmp_timeout: BPFTimeout | None = None
    """ICMP. Default: 5s."""
