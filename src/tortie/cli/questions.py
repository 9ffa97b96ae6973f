"""The questions of ``tortie policy query``: items of JSON to flows and packets."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import msgspec

from tortie.analysis.ends import EPHEMERAL_PORT, Question, check_header
from tortie.cli.jsonl import Answer, UnanswerableError
from tortie.net import Address, Protocol
from tortie.verdict.packet import HostPacket

R = TypeVar("R")


class _Query(msgspec.Struct):
    src: str
    dst: str
    protocol: str | int
    port: int | str | None = None
    sport: int | str | None = None
    icmp_type: int | None = None
    icmp_code: int | None = None


class _Packet(msgspec.Struct):
    src: str
    dst: str
    protocol: str | int
    in_: str | None = msgspec.field(default=None, name="in")
    out: str | None = None
    sport: int | str | None = None
    dport: int | str | None = None
    icmp_type: int | None = None
    icmp_code: int | None = None


def each(line: Answer, field: str, read: Callable[[object], R]) -> list[R]:
    """What *read* makes of each item of a line's *field*; UnanswerableError names the item that is wrong."""
    items = line.get(field)
    if not isinstance(items, list):
        raise UnanswerableError(f'{field}: expected a list beside "resources"')
    found = []
    for index, item in enumerate(items):
        try:
            found.append(read(item))
        except ValueError as error:
            raise UnanswerableError(f"{field}[{index}]: {error}") from error
    return found


def question(item: object) -> Question:
    """What an item of ``queries`` asks; ValueError says what was expected."""
    query = msgspec.convert(item, _Query)
    return Question(
        source=query.src,
        destination=query.dst,
        protocol=Protocol.parse(query.protocol),
        destination_port=_port("port", query.port),
        source_port=_port("sport", query.sport),
        icmp_type=query.icmp_type,
        icmp_code=query.icmp_code,
    )


def host_packet(item: object) -> HostPacket:
    """The packet that an item of ``packets`` is; ValueError says what was expected."""
    packet = msgspec.convert(item, _Packet)
    protocol = Protocol.parse(packet.protocol)
    source_port, destination_port = _port("sport", packet.sport), _port("dport", packet.dport)
    check_header("icmp_type", packet.icmp_type, 255)
    check_header("icmp_code", packet.icmp_code, 255)
    if not protocol.has_ports:
        source_port = destination_port = None
    elif destination_port is None:
        raise ValueError(f"dport: {protocol} needs one")
    elif source_port is None:
        source_port = EPHEMERAL_PORT
    return HostPacket(
        source=Address.parse(packet.src),
        destination=Address.parse(packet.dst),
        protocol=protocol,
        source_port=source_port,
        destination_port=destination_port,
        icmp_type=packet.icmp_type,
        icmp_code=packet.icmp_code,
        in_interface=packet.in_ or None,
        out_interface=packet.out or None,
    )


def _port(field: str, port: int | str | None) -> int | None:
    if port is None:
        return None
    if isinstance(port, str) and not (port.isascii() and port.isdecimal() and len(port) <= len("65535")):
        raise ValueError(f"{field}: {port!r:.60} is not a port's number; expected 0-65535")
    check_header(field, int(port), 65535)
    return int(port)
