"""The ports of a Kubernetes rule as Calico's: one list for each protocol, merged into ranges."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

from tortie.conversion.errors import ConversionError
from tortie.model.kubernetes import NetworkPolicyPort
from tortie.net import TCP, Port, Protocol

P = TypeVar("P", bound=Protocol | None)


def ports_by_protocol(ports: Iterable[NetworkPolicyPort]) -> Mapping[Protocol, tuple[Port, ...]]:
    """Which ports are meant for each protocol, by its name's order; an empty tuple means every port.

    ConversionError for a port that is none.
    """
    return merged_by_protocol((_protocol(item), _port(item)) for item in ports)


def merged_by_protocol(ports: Iterable[tuple[P, Port | None]]) -> Mapping[P, tuple[Port, ...]]:
    """The ports of each protocol, by its name's order, no protocol first. A port None means every port, as an empty tuple does."""
    found: dict[P, list[Port] | None] = {}
    for protocol, port in ports:
        listed = found.setdefault(protocol, [])
        if port is None:
            found[protocol] = None
        elif listed is not None:
            listed.append(port)
    ordered = sorted(found, key=lambda protocol: "" if protocol is None else str(protocol))
    return {protocol: _merged(found[protocol] or ()) for protocol in ordered}


def _protocol(item: NetworkPolicyPort) -> Protocol:
    if item.protocol is None:
        return TCP
    try:
        protocol = Protocol.parse(item.protocol)
    except ValueError as error:
        raise ConversionError(f"protocol: {error}") from error
    if not protocol.has_ports:
        raise ConversionError(f"protocol: {item.protocol} has no ports; expected TCP, UDP or SCTP")
    return protocol


def _port(item: NetworkPolicyPort) -> Port | None:
    """None for every port."""
    if item.port is None:
        if item.end_port is not None:
            raise ConversionError(f"endPort: {item.end_port} stands without a port")
        return None
    try:
        port = Port.parse(item.port)
        return port if item.end_port is None else _range(port, item.end_port)
    except ValueError as error:
        raise ConversionError(f"port: {error}") from error


def _range(first: Port, last: int) -> Port:
    if first.is_named:
        raise ValueError(f"{first} is a name, which cannot begin a range")
    return Port(first.first, last)


def _merged(ports: Iterable[Port]) -> tuple[Port, ...]:
    """Numbers as the fewest ranges, in order, then the names in the order written."""
    numbers = sorted((port.first, port.last) for port in ports if not port.is_named)
    ranges: list[tuple[int, int]] = []
    for first, last in numbers:
        if ranges and first <= ranges[-1][1] + 1:
            ranges[-1] = (ranges[-1][0], max(last, ranges[-1][1]))
        else:
            ranges.append((first, last))
    names = dict.fromkeys(port for port in ports if port.is_named)
    return (*(Port(first, last) for first, last in ranges), *names)
