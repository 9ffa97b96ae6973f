"""The packets of an assertion as a region, and one packet of a region as a flow and as people write it."""

from __future__ import annotations

from collections.abc import Iterable

from tortie.analysis.backends import ServedPort
from tortie.analysis.ends import EPHEMERAL_PORT
from tortie.analysis.reach import space
from tortie.analysis.reach.space import Region
from tortie.model.policytest import Packets
from tortie.net import FAMILY_OF_ICMP, ICMP, ICMPV6, SCTP, TCP, UDP, Family, Protocol
from tortie.verdict import End, Flow

_TOLD_FIRST = (TCP, UDP, ICMP, ICMPV6, SCTP)
_ECHO = {ICMP: 8, ICMPV6: 128}
_USUAL_PORT = 80


def region_of(texts: Iterable[str], unasked: Region) -> Region:
    """All packets that *texts* mean; without any, every packet. *unasked* are those that are meant only if they alone are named.

    They are no matter of policy: hosts never let them through, or always take them.
    """
    regions = [_region(Packets.parse(text)) for text in texts] or [space.EVERYTHING]
    return space.union_of(space.difference(region, unasked) or region for region in regions)


def translated(region: Region, ports: tuple[ServedPort, ...] | None) -> Region:
    """What becomes of *region* behind a service with these *ports*; None: nothing."""
    if ports is None:
        return region
    return space.union_of(
        space.of_protocol(port.protocol, port.target, port.target)
        for port in ports
        if space.intersection(region, space.of_protocol(port.protocol, port.port, port.port))
    )


def _region(packets: Packets) -> Region:
    protocol, first, last = packets
    if protocol in FAMILY_OF_ICMP:
        found = space.of_protocol(protocol) if first is None else space.of_icmp(first, last)
        return space.intersection(found, space.OF_FAMILY[FAMILY_OF_ICMP[protocol]])
    if first is None:
        return space.of_protocol(protocol)
    return space.of_protocol(protocol, first, first if last is None else last)


def a_point(region: Region) -> int:
    """One packet of *region*: of the protocols, ports and types that people know best."""
    for protocol in _TOLD_FIRST:
        if part := space.intersection(region, space.of_protocol(protocol)):
            return _usual(part, protocol)
    return region[0]


def _usual(part: Region, protocol: Protocol) -> int:
    if protocol in _ECHO:
        usual = space.intersection(part, space.of_icmp(_ECHO[protocol]))
    else:
        usual = space.intersection(part, space.of_protocol(protocol, _USUAL_PORT, _USUAL_PORT))
        usual = usual or space.intersection(part, space.of_protocol(protocol, 1))
    return (usual or part)[0]


def family_at(point: int) -> Family:
    return Family.V6 if point >= space.OF_FAMILY[Family.V6][0] else Family.V4


def port_text(point: int) -> str:
    """The packet at *point* as ``tortie explain --port`` takes it."""
    protocol, low, is_icmp = _headers_at(point)
    name = str(protocol).lower()
    if protocol.has_ports:
        return f"{name}/{low}"
    if is_icmp:
        return f"{name}/{low >> 8}/{low & 255}" if low & 255 else f"{name}/{low >> 8}"
    return name


def flow_at(point: int, source: End, destination: End) -> Flow:
    """The flow that begins with the packet at *point*."""
    protocol, low, is_icmp = _headers_at(point)
    return Flow(
        source=source,
        destination=destination,
        protocol=protocol,
        source_port=EPHEMERAL_PORT if protocol.has_ports else None,
        destination_port=low if protocol.has_ports else None,
        icmp_type=low >> 8 if is_icmp else None,
        icmp_code=low & 255 if is_icmp else None,
    )


def _headers_at(point: int) -> tuple[Protocol, int, bool]:
    """The protocol, the port or type and code, and whether it is the ICMP of its own IP version, which alone has these."""
    protocol = Protocol(point >> 16 & 255)
    return protocol, point & 0xFFFF, FAMILY_OF_ICMP.get(protocol) is family_at(point)
