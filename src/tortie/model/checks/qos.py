"""Limits of endpoints. What is out of range is for the door to refuse; whoever enforces a stored limit clamps it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tortie.model.checks.violation import Violation
from tortie.model.qos import QoSControls, dscp_number

_RANGES: Mapping[str, tuple[int, int]] = {
    "Bandwidth": (1_000, 10**15),
    "Burst": (1_000, 34_359_738_360),
    "Peakrate": (1_010, 1_010_000_000_000_000),
    "Minburst": (1_000, 10**8),
    "PacketRate": (1, 10_000),
    "PacketBurst": (1, 10_000),
    "MaxConnections": (1, 4_294_967_295),
}


def check_qos_controls(controls: QoSControls) -> Iterator[Violation]:
    """Every limit is in its range, and a burst goes faster than the rest."""
    for direction, limits in _limits(controls).items():
        for name, value in limits.items():
            low, high = _RANGES[name]
            if value and not low <= value <= high:
                message = f"{value} is out of range; expected {low} to {high}, or 0 for no limit"
                yield Violation((f"{direction}{name}",), message, at_door_only=True)
        if limits["Peakrate"] and limits["Peakrate"] <= limits["Bandwidth"]:
            message = f"{limits['Peakrate']} must exceed {direction}Bandwidth, which is {limits['Bandwidth']}"
            yield Violation((f"{direction}Peakrate",), message, at_door_only=True)
    if controls.dscp is not None:
        try:
            dscp_number(controls.dscp)
        except ValueError as error:
            yield Violation(("dscp",), str(error), at_door_only=True)


def _limits(controls: QoSControls) -> Mapping[str, Mapping[str, int]]:
    """By direction and kind of limit."""
    return {
        "ingress": {
            "Bandwidth": controls.ingress_bandwidth, "Burst": controls.ingress_burst,
            "Peakrate": controls.ingress_peakrate, "Minburst": controls.ingress_minburst,
            "PacketRate": controls.ingress_packet_rate, "PacketBurst": controls.ingress_packet_burst,
            "MaxConnections": controls.ingress_max_connections,
        },
        "egress": {
            "Bandwidth": controls.egress_bandwidth, "Burst": controls.egress_burst,
            "Peakrate": controls.egress_peakrate, "Minburst": controls.egress_minburst,
            "PacketRate": controls.egress_packet_rate, "PacketBurst": controls.egress_packet_burst,
            "MaxConnections": controls.egress_max_connections,
        },
    }  # fmt: skip
