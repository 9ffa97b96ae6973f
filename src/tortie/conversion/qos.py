"""The limits that a pod's annotations ask for, as those of its endpoint.

A value out of range counts as the nearest one in range, as in Calico; one that is no quantity counts as absent, and so does
one that limits nothing without another: a burst without its rate, a peak rate not above it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from fractions import Fraction

from tortie.model.qos import LIMIT_FIELDS, LIMIT_RANGES, QoSControls, dscp_number

_PREFIX = "qos.projectcalico.org/"
_QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE]([+-]?[0-9]{1,2})|([numkMGTPE]|[KMGTPE]i)?)")
_SUFFIXES = {
    "n": Fraction(1, 10**9), "u": Fraction(1, 10**6), "m": Fraction(1, 1000), "": Fraction(1),
    **{letter: Fraction(1000**power) for power, letter in enumerate("kMGTPE", start=1)},
    **{f"{letter}i": Fraction(1024**power) for power, letter in enumerate("KMGTPE", start=1)},
}  # fmt: skip


_NEEDS = {"Burst": "Bandwidth", "Peakrate": "Bandwidth", "Minburst": "Peakrate", "PacketBurst": "PacketRate"}
"""The limit that another one is of no use without."""


def qos_controls(annotations: Mapping[str, str]) -> QoSControls | None:
    """The limits in *annotations*; None if there is none."""
    limits: dict[str, int] = {}
    for direction in ("ingress", "egress"):
        for name, value in _of_direction(annotations, direction).items():
            limits[LIMIT_FIELDS[direction + name]] = value
    dscp = _dscp(annotations.get(_PREFIX + "dscp", ""))
    return QoSControls(**limits, dscp=dscp) if limits or dscp else None


def _of_direction(annotations: Mapping[str, str], direction: str) -> Mapping[str, int]:
    found: dict[str, int] = {}
    for name, (lowest, highest) in LIMIT_RANGES.items():
        text = annotations.get(f"{_PREFIX}{direction}{name}", "")
        if name == "Bandwidth" and not text:
            text = annotations.get(f"kubernetes.io/{direction}-bandwidth", "")
        value = _quantity(text)
        if value is None or (name in _NEEDS and _NEEDS[name] not in found):
            continue
        found[name] = min(max(value, lowest), highest)
        if name == "Peakrate" and found["Peakrate"] <= found["Bandwidth"]:
            del found["Peakrate"]
    return found


def _quantity(text: str) -> int | None:
    """A Kubernetes quantity such as ``10M`` or ``1.5Gi``, rounded up; None if *text* is none."""
    found = _QUANTITY.fullmatch(text)
    if found is None:
        return None
    number, exponent, suffix = found.groups()
    factor = Fraction(10) ** int(exponent) if exponent else _SUFFIXES[suffix or ""]
    return math.ceil(Fraction(number) * factor)


def _dscp(text: str) -> str | None:
    """*text* where it is a DSCP, its name in capitals as Calico stores it."""
    try:
        dscp_number(text)
    except ValueError:
        return None
    return text.upper()
