"""The networks of Kubernetes objects."""

from __future__ import annotations

from tortie.conversion.errors import ConversionError
from tortie.net import Network


def network(cidr: str, field: str) -> Network:
    """Kubernetes accepts host bits and means the network; it does not accept a bare address. ConversionError names *field*."""
    if "/" not in cidr:
        raise ConversionError(f"{field}: {cidr!r} has no prefix length; expected a network such as 10.0.0.0/8")
    try:
        return Network.parse(cidr, strict=False)
    except ValueError as error:
        raise ConversionError(f"{field}: {error}") from error
