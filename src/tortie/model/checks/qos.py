"""Limits of endpoints. What is out of range is for the door to refuse; whoever enforces a stored limit clamps it."""

from __future__ import annotations

from collections.abc import Iterator

from tortie.model.checks.violation import Violation
from tortie.model.qos import LIMIT_FIELDS, LIMIT_RANGES, QoSControls, dscp_number


def check_qos_controls(controls: QoSControls) -> Iterator[Violation]:
    """Every limit is in its range, and a burst goes faster than the rest."""
    for direction in ("ingress", "egress"):
        limits = {name: getattr(controls, LIMIT_FIELDS[direction + name]) for name in LIMIT_RANGES}
        for name, (low, high) in LIMIT_RANGES.items():
            value = limits[name]
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
