"""What a host's settings decide about its ruleset."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Any, NamedTuple, TypeAlias

import msgspec

from tortie.net import TCP, UDP, Network, Protocol
from tortie.ruleset.marks import DEFAULT_MASK, Marks, allocate
from tortie.ruleset.networks import maximal
from tortie.ruleset.values import LogLimit


class EndpointToHostAction(StrEnum):
    """What becomes of a workload's packets to its own host (``defaultEndpointToHostAction``)."""

    DROP = "Drop"
    """They are dropped, whatever policy says."""
    ACCEPT = "Accept"
    """The workload's egress policy decides."""
    RETURN = "Return"
    """The workload's egress policy decides, then the host's own rules. An accept in nf_tables leaves later chains and other
    tables their say, so for the kernel this is the same as ACCEPT."""


class Compilation(StrEnum):
    """How groups of policies are compiled; packet for packet the same."""

    LINEAR = "linear"
    RUNS = "runs"
    AUTO = "auto"
    """Runs of tuple sets where they are worth it."""


class Failsafe(NamedTuple):
    """A port of the host that stays open whatever policy says."""

    protocol: Protocol
    port: int
    net: Network | None = None
    """The other end must be in it; None: anywhere."""


_TCP_BOTH_WAYS = (179, 2379, 2380, 5473, 6443, 6666, 6667)
FAILSAFES_IN = (
    Failsafe(TCP, 22),
    Failsafe(UDP, 68),
    *(Failsafe(TCP, port) for port in _TCP_BOTH_WAYS),
)
FAILSAFES_OUT = (
    Failsafe(UDP, 53),
    Failsafe(UDP, 67),
    *(Failsafe(TCP, port) for port in _TCP_BOTH_WAYS),
)


class LogRate(NamedTuple):
    """So many packets every so many seconds."""

    packets: int
    per_s: int


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the compiler; the defaults are Calico's."""

    interface_prefixes: tuple[str, ...] = ("cali",)
    """Of workload links on the host; a link so called that we do not know is dropped."""
    interface_exclude: tuple[str, ...] = ("kube-ipvs0",)
    """Interfaces that are never host endpoints; between slashes a regular expression."""
    endpoint_to_host_action: EndpointToHostAction = EndpointToHostAction.DROP
    failsafes_in: tuple[Failsafe, ...] = FAILSAFES_IN
    failsafes_out: tuple[Failsafe, ...] = FAILSAFES_OUT
    vxlan_port: int = 4789
    external_nodes: tuple[Network, ...] = ()
    """Who may send tunnelled packets besides the cluster's hosts; none within another."""
    allow_vxlan_from_workloads: bool = False
    allow_ipip_from_workloads: bool = False
    drop_invalid: bool = True
    """Whether endpoints drop what conntrack calls invalid."""
    may_spoof: bool = False
    """Whether a workload may send from the sources that it asked for (``workloadSourceSpoofing: Any``)."""
    rejects: bool = False
    """Whether who is denied is told so (``nftablesFilterDenyAction: Reject``)."""
    log_prefix: str = "calico-packet"
    """May hold specifiers (``logprefix``)."""
    log_rate: LogRate | None = None
    """How many packets a rule logs; None: all."""
    log_burst: int = 5
    """How many it logs at once in spite of it."""
    mark_mask: int = DEFAULT_MASK
    compilation: Compilation = Compilation.AUTO

    @property
    def marks(self) -> Marks:
        return _marks(self.mark_mask)

    @property
    def log_limit(self) -> LogLimit | None:
        return LogLimit(*self.log_rate, self.log_burst) if self.log_rate is not None else None

    def excludes(self, ifname: str) -> bool:
        """Whether the interface is never a host endpoint."""
        return any(_matches_name(pattern, ifname) for pattern in self.interface_exclude)

    @classmethod
    def of(cls, settings: Mapping[str, object]) -> Options:
        """The options that a host's settings say, by their names in the API; what they leave out is as by default.

        ValueError names the setting that cannot be used.
        """
        found: dict[str, Any] = {}
        for name, (field, read) in _SETTINGS.items():
            value = settings.get(name)
            if value is None or value == "":
                continue
            try:
                found[field] = read(value)
            except (ValueError, TypeError, KeyError) as error:
                raise ValueError(f"{name}: {error}") from error
        return cls(**found)


# --- reading the settings ---------------------------------------------------------------------------------------------------


def _listed(value: Any) -> tuple[str, ...]:
    return tuple(dict.fromkeys(item.strip() for item in str(value).split(",") if item.strip()))


def _matches_name(pattern: str, ifname: str) -> bool:
    """A regular expression stands between slashes and need match a part of the name only."""
    is_expression = len(pattern) > 1 and pattern[0] == pattern[-1] == "/"
    return re.search(pattern[1:-1], ifname) is not None if is_expression else pattern == ifname


def _failsafes(value: Iterable[Any]) -> tuple[Failsafe, ...]:
    return tuple(_failsafe(msgspec.to_builtins(port, builtin_types=())) for port in value)


def _failsafe(port: Mapping[str, Any]) -> Failsafe:
    net = port.get("net")
    return Failsafe(
        Protocol.parse(port.get("protocol") or "TCP"),
        int(port["port"]),
        Network.parse(str(net)) if net else None,
    )


def _networks(value: Iterable[Any]) -> tuple[Network, ...]:
    return maximal(Network.parse(str(text), strict=False) for text in value)


def _is_any(value: Any) -> bool:
    return str(value) == "Any"


def _is_reject(value: Any) -> bool:
    return str(value).title() == "Reject"


_UNITS_S = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}


def _rate(value: Any) -> LogRate:
    """``10/minute``."""
    count, _, unit = str(value).partition("/")
    return LogRate(int(count), _UNITS_S[unit])


def _burst(value: Any) -> int:
    """The kernel takes 0 for its default (Linux, NFT_LIMIT_PKT_BURST_DEFAULT)."""
    return int(value) or Options().log_burst


def _mask(value: Any) -> int:
    mask = int(value)
    allocate(mask)
    return mask


_Read: TypeAlias = Callable[[Any], object]
_SETTINGS: Mapping[str, tuple[str, _Read]] = {
    "interfacePrefix": ("interface_prefixes", _listed),
    "interfaceExclude": ("interface_exclude", _listed),
    "defaultEndpointToHostAction": ("endpoint_to_host_action", lambda value: EndpointToHostAction(str(value).title())),
    "failsafeInboundHostPorts": ("failsafes_in", _failsafes),
    "failsafeOutboundHostPorts": ("failsafes_out", _failsafes),
    "vxlanPort": ("vxlan_port", int),
    "externalNodesList": ("external_nodes", _networks),
    "allowVXLANPacketsFromWorkloads": ("allow_vxlan_from_workloads", bool),
    "allowIPIPPacketsFromWorkloads": ("allow_ipip_from_workloads", bool),
    "disableConntrackInvalidCheck": ("drop_invalid", lambda value: not value),
    "workloadSourceSpoofing": ("may_spoof", _is_any),
    "nftablesFilterDenyAction": ("rejects", _is_reject),
    "logPrefix": ("log_prefix", str),
    "logActionRateLimit": ("log_rate", _rate),
    "logActionRateLimitBurst": ("log_burst", _burst),
    "nftablesMarkMask": ("mark_mask", _mask),
}
"""The field of the options for each setting, and how it is read."""


@functools.cache
def _marks(mask: int) -> Marks:
    return allocate(mask)
