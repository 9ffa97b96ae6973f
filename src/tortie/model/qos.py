"""Limits on what an endpoint may send and receive, and the DSCP mark of what it sends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from tortie.model.meta import Value

DSCP: TypeAlias = int | str
"""A differentiated services code point: a number 0-63 or a name such as ``EF``, in any case."""

DSCP_NAMES: Mapping[str, int] = {
    "DF": 0, "BE": 0, "EF": 46,
    "AF11": 10, "AF12": 12, "AF13": 14, "AF21": 18, "AF22": 20, "AF23": 22,
    "AF31": 26, "AF32": 28, "AF33": 30, "AF41": 34, "AF42": 36, "AF43": 38,
    "CS0": 0, "CS1": 8, "CS2": 16, "CS3": 24, "CS4": 32, "CS5": 40, "CS6": 48,
}  # fmt: skip
"""The names that Calico knows (RFC 2474, 2597, 3246)."""


def dscp_number(value: DSCP) -> int:
    """The code point that *value* means; ValueError says what was expected."""
    number = DSCP_NAMES.get(str(value).upper())
    if number is None and str(value).isascii() and str(value).isdecimal():
        number = int(value)
    if number is None or not 0 <= number <= 63:
        raise ValueError(f"{value!r} is not a DSCP: a number 0-63, or one of {', '.join(DSCP_NAMES)}")
    return number


class QoSControls(Value, frozen=True, kw_only=True):
    """Limits of one endpoint; a limit that is absent or 0 does not apply, nor does what depends on it."""

    ingress_bandwidth: int = 0
    """Bits per second to the workload, 1000 to 10^15."""
    ingress_burst: int = 0
    """Bits that may come at once, 1000 to 34359738360. 0: 4294967296."""
    ingress_peakrate: int = 0
    """Bits per second within a burst, 1010 to 1.01 * 10^15, above ``ingressBandwidth``. 0: as fast as the link."""
    ingress_minburst: int = 0
    """Bytes that may come at ``ingressPeakrate`` at once, 1000 to 10^8. 0: the interface's MTU."""
    egress_bandwidth: int = 0
    """Bits per second from the workload, 1000 to 10^15."""
    egress_burst: int = 0
    """Bits that may go at once, 1000 to 34359738360. 0: 4294967296."""
    egress_peakrate: int = 0
    """Bits per second within a burst, 1010 to 1.01 * 10^15, above ``egressBandwidth``. 0: as fast as the link."""
    egress_minburst: int = 0
    """Bytes that may go at ``egressPeakrate`` at once, 1000 to 10^8. 0: the interface's MTU."""
    ingress_packet_rate: int = 0
    """Packets per second to the workload, 1 to 10000."""
    ingress_packet_burst: int = 0
    """Packets that may come at once, 1 to 10000. 0: 5."""
    egress_packet_rate: int = 0
    """Packets per second from the workload, 1 to 10000."""
    egress_packet_burst: int = 0
    """Packets that may go at once, 1 to 10000. 0: 5."""
    ingress_max_connections: int = 0
    """Connections to the workload at one time, 1 to 4294967295."""
    egress_max_connections: int = 0
    """Connections from the workload at one time, 1 to 4294967295."""
    dscp: DSCP | None = None
    """The mark of packets that leave the cluster: a number 0-63 or a name such as ``EF``. Absent: unchanged."""


LIMIT_FIELDS: Mapping[str, str] = dict(
    zip(QoSControls.__struct_encode_fields__, QoSControls.__struct_fields__, strict=True)
)
"""Where a limit is, by direction and name: ``ingressBandwidth`` is in ``ingress_bandwidth``."""

LIMIT_RANGES: Mapping[str, tuple[int, int]] = {
    "Bandwidth": (1_000, 10**15),
    "Burst": (1_000, 34_359_738_360),
    "Peakrate": (1_010, 1_010_000_000_000_000),
    "Minburst": (1_000, 10**8),
    "PacketRate": (1, 10_000),
    "PacketBurst": (1, 10_000),
    "MaxConnections": (1, 4_294_967_295),
}
"""The least and the most that each limit of a direction may be; each stands after the one that it depends on."""
