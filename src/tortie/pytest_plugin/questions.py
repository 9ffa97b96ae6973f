"""A question as tests write it, and the flows that it is about."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from tortie.analysis.ends import Directory, NamedFlow, Question
from tortie.model.policytest import Packets
from tortie.net import FAMILY_OF_ICMP, Family


def flows_between(directory: Directory, source: str, destination: str, port: str) -> tuple[NamedFlow, ...]:
    """One flow for each pair of ends, in each IP version that both have. UnknownEndError, ValueError."""
    question = _question(source, destination, port)
    return tuple(flow for named in directory.flows(question) for flow in _in_each_family(named))


def _in_each_family(named: NamedFlow) -> Iterator[NamedFlow]:
    sources, destinations, flow = named.source.ends, named.destination.ends, named.flow
    for family in Family:
        if family in sources and family in destinations and FAMILY_OF_ICMP.get(flow.protocol, family) is family:
            here = msgspec.structs.replace(flow, source=sources[family], destination=destinations[family])
            yield named._replace(flow=here)


def _question(source: str, destination: str, port: str) -> Question:
    protocol, first, last = Packets.parse(port)
    if not protocol.has_ports:
        return Question(source=source, destination=destination, protocol=protocol, icmp_type=first, icmp_code=last)
    if first is None or last is not None:
        raise ValueError(f"{port!r} is not one port, such as tcp/443")
    return Question(source=source, destination=destination, protocol=protocol, destination_port=first)
